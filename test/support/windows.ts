import * as fc from 'fast-check';

/** Numbers along axes as operations take them: one number for one axis. */
type PerAxis = number | [number, number];

export interface WindowCase {
  /** Batch. */
  readonly n: number;
  readonly size: number[];
  readonly kernel: number[];
  /** Cells along each axis that the stride leaves over behind the last window. */
  readonly rest: number[];
  readonly options: { stride: PerAxis; dilation: PerAxis; padding: [number, number] | [number, number, number, number] };
}

/** Sizes of an input, and a window with padding on each side that fits it at least once. */
export function windowsThatFit(axes: 1 | 2, largest = 9): fc.Arbitrary<WindowCase> {
  const along = (min: number, max: number) => fc.array(fc.integer({ min, max }), { minLength: axes, maxLength: axes });
  return fc
    .record({
      n: fc.integer({ min: 0, max: 2 }),
      size: along(1, largest),
      kernel: along(1, 4),
      stride: along(1, 3),
      dilation: along(1, 3),
      before: along(0, 3),
      after: along(0, 3),
    })
    .filter(({ size, kernel, dilation, before, after }) =>
      size.every((length, axis) => length + before[axis] + after[axis] > dilation[axis] * (kernel[axis] - 1)),
    )
    .map(({ n, size, kernel, stride, dilation, before, after }) => ({
      n,
      size,
      kernel,
      rest: size.map((length, axis) => (length + before[axis] + after[axis] - dilation[axis] * (kernel[axis] - 1) - 1) % stride[axis]),
      options: { stride: listed(stride), dilation: listed(dilation), padding: around(before, after) },
    }));
}

const listed = (list: number[]): PerAxis => (list.length === 1 ? list[0] : (list as [number, number]));

const around = ([top, left]: number[], [bottom, right]: number[]): WindowCase['options']['padding'] =>
  left === undefined ? [top, bottom] : [top, right, bottom, left];

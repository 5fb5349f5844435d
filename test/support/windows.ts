import * as fc from 'fast-check';

/** How numbers along axes, and numbers on each side, are written for so many axes. */
interface Forms {
  1: { size: number; around: [number, number] };
  2: { size: [number, number]; around: [number, number, number, number] };
  3: { size: [number, number, number]; around: [number, number, number, number, number, number] };
}

export interface WindowCase<Axes extends keyof Forms> {
  /** Batch. */
  readonly n: number;
  readonly size: number[];
  readonly kernel: number[];
  /** Cells along each axis that the stride leaves over behind the last window. */
  readonly rest: number[];
  readonly options: { stride: Forms[Axes]['size']; dilation: Forms[Axes]['size']; padding: Forms[Axes]['around'] };
}

/** Sizes of an input, and a window with padding on each side that fits it at least once. */
export function windowsThatFit<Axes extends keyof Forms>(axes: Axes, largest = 9): fc.Arbitrary<WindowCase<Axes>> {
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
      options: {
        stride: perAxis(stride) as Forms[Axes]['size'],
        dilation: perAxis(dilation) as Forms[Axes]['size'],
        padding: around(before, after) as Forms[Axes]['around'],
      },
    }));
}

/** Numbers along axes as the operations take them: one number for one axis. */
export const perAxis = (list: number[]): number | number[] => (list.length === 1 ? list[0] : list);

/** Cells before and after each axis in the order of the operations for so many axes. */
function around(before: number[], after: number[]): number[] {
  if (before.length !== 2) return [...before, ...after];
  return [before[0], after[1], after[0], before[1]];
}

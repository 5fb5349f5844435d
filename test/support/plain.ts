// Convolution and pooling as loops over the formulas of docs/mathematics.md, in double, along any number of axes. They share no code with
// what they check.

export interface Plain {
  readonly shape: number[];
  readonly data: Float64Array;
}

/** Arguments of a window: a number for all axes, or one along each. */
export interface PlainWindow {
  stride?: number | readonly number[];
  /** One for all sides; along each axis; on each side in the order of the operation; or 'same' or 'valid'. */
  padding?: number | readonly number[] | string;
  dilation?: number | readonly number[];
}

/** Where in a list of paddings on each side those before and after each axis stand. */
const sides: readonly (readonly (readonly [before: number, after: number])[])[] = [
  [],
  [[0, 1]],
  [
    [0, 2],
    [3, 1],
  ],
  [
    [0, 3],
    [1, 4],
    [2, 5],
  ],
];

/** The windows along one axis: how many, where each begins, how far its taps are apart, the input's size and its end with padding. */
interface Axis {
  readonly count: number;
  readonly begin: (window: number) => number;
  readonly taps: number;
  readonly dilation: number;
  readonly size: number;
  readonly end: number;
}

function paddingOf(padding: PlainWindow['padding'] & {}, axis: number, axes: number, same: number): readonly [number, number] {
  if (padding === 'valid') return [0, 0];
  if (padding === 'same') return [Math.floor(same / 2), same - Math.floor(same / 2)];
  if (typeof padding === 'number') return [padding, padding];
  if (typeof padding === 'string') throw new Error(`no padding is called ${padding}`);
  if (padding.length < 2 * axes) return [padding[axis], padding[axis]];
  const [before, after] = sides[axes][axis];
  return [padding[before], padding[after]];
}

function axesOf(sizes: readonly number[], kernel: readonly number[], options: PlainWindow, ceil = false): Axis[] {
  const along = (value: number | readonly number[], axis: number): number => (typeof value === 'number' ? value : value[axis]);
  return sizes.map((size, axis) => {
    const [taps, stride, dilation] = [kernel[axis], along(options.stride ?? 1, axis), along(options.dilation ?? 1, axis)];
    const covers = dilation * (taps - 1) + 1;
    const same = Math.max((Math.ceil(size / stride) - 1) * stride + covers - size, 0);
    const [before, after] = paddingOf(options.padding ?? 0, axis, sizes.length, same);
    const steps = (size + before + after - covers) / stride;
    let count = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    if (ceil && (count - 1) * stride >= size + before) count--;
    return { count, begin: (window) => window * stride - before, taps, dilation, size, end: size + after };
  });
}

/** Every index of an array of these sizes, in row-major order. */
function indices(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>((all, size) => all.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i])), [[]]);
}

/** Place of an index in a row-major array. */
const placeOf = (index: readonly number[], shape: readonly number[]): number => index.reduce((at, i, axis) => at * shape[axis] + i, 0);

/** The cells that a window's taps see, in row-major order of the taps. */
function cellsOf(window: readonly number[], axes: readonly Axis[]): { tap: number[]; cell: number[] }[] {
  return indices(axes.map(({ taps }) => taps)).map((tap) => ({
    tap,
    cell: axes.map(({ begin, dilation }, axis) => begin(window[axis]) + tap[axis] * dilation),
  }));
}

const isInside = (cell: readonly number[], axes: readonly Axis[]): boolean => cell.every((at, axis) => at >= 0 && at < axes[axis].size);

export function plainConv(
  x: Float64Array,
  xShape: readonly number[],
  w: Float64Array,
  wShape: readonly number[],
  b: Float64Array,
  { groups = 1, ...options }: PlainWindow & { groups?: number },
): Plain {
  const [depth, K] = wShape.slice(-2);
  const axes = axesOf(xShape.slice(1, -1), wShape.slice(0, -2), options);
  const data: number[] = [];
  for (let n = 0; n < xShape[0]; n++) {
    for (const window of indices(axes.map(({ count }) => count))) {
      const cells = cellsOf(window, axes).filter(({ cell }) => isInside(cell, axes));
      for (let k = 0; k < K; k++) {
        let sum = b[k];
        for (const { tap, cell } of cells) {
          for (let c = 0; c < depth; c++) {
            const channel = Math.floor(k / (K / groups)) * depth + c;
            sum += x[placeOf([n, ...cell, channel], xShape)] * w[placeOf([...tap, c, k], wShape)];
          }
        }
        data.push(sum);
      }
    }
  }
  return { shape: [xShape[0], ...axes.map(({ count }) => count), K], data: Float64Array.from(data) };
}

/** A kernel [...places,...taps,C,K] and a bias [...places,K] that differ from place to place. */
export function plainLocallyConnected(
  x: Float64Array,
  xShape: readonly number[],
  w: Float64Array,
  wShape: readonly number[],
  b: Float64Array,
  options: PlainWindow,
): Plain {
  const [C, K] = wShape.slice(-2);
  const places = wShape.slice(0, xShape.length - 2);
  const axes = axesOf(xShape.slice(1, -1), wShape.slice(places.length, -2), options);
  const data: number[] = [];
  for (let n = 0; n < xShape[0]; n++) {
    for (const place of indices(axes.map(({ count }) => count))) {
      const cells = cellsOf(place, axes).filter(({ cell }) => isInside(cell, axes));
      for (let k = 0; k < K; k++) {
        let sum = b[placeOf([...place, k], [...places, K])];
        for (const { tap, cell } of cells) {
          for (let c = 0; c < C; c++) sum += x[placeOf([n, ...cell, c], xShape)] * w[placeOf([...place, ...tap, c, k], wShape)];
        }
        data.push(sum);
      }
    }
  }
  return { shape: [xShape[0], ...axes.map(({ count }) => count), K], data: Float64Array.from(data) };
}

/** Every cell of the input adds the kernel, times its value, to the output. */
export function plainConvTranspose(
  x: Float64Array,
  xShape: readonly number[],
  w: Float64Array,
  wShape: readonly number[],
  b: Float64Array,
  {
    groups = 1,
    stride = 1,
    padding = 0,
    dilation = 1,
    outputPadding = 0,
  }: PlainWindow & { groups?: number; outputPadding?: number | readonly number[] },
): Plain {
  const along = (value: number | readonly number[], axis: number): number => (typeof value === 'number' ? value : value[axis]);
  const [width, C] = wShape.slice(-2);
  const kernel = wShape.slice(0, -2);
  const sizes = xShape.slice(1, -1);
  const same = kernel.map((taps, axis) => along(dilation, axis) * (taps - 1) + 1 - along(stride, axis));
  const around = sizes.map((_, axis) => paddingOf(padding, axis, sizes.length, Math.max(same[axis], 0)));
  const output = sizes.map((size, axis) => {
    if (padding === 'same') return size * along(stride, axis) + along(outputPadding, axis);
    const [before, after] = around[axis];
    return (size - 1) * along(stride, axis) - before - after + along(dilation, axis) * (kernel[axis] - 1) + along(outputPadding, axis) + 1;
  });
  const K = width * groups;
  const shape = [xShape[0], ...output, K];
  const data = new Float64Array(shape.reduce((a, n) => a * Math.max(n, 0), 1)).map((_, i) => b[i % K]);
  for (let n = 0; n < xShape[0]; n++) {
    for (const cell of indices(sizes)) {
      for (const tap of indices(kernel)) {
        const to = cell.map((at, axis) => at * along(stride, axis) - around[axis][0] + tap[axis] * along(dilation, axis));
        if (to.some((at, axis) => at < 0 || at >= output[axis])) continue;
        for (let c = 0; c < C; c++) {
          const group = Math.floor(c / (C / groups));
          for (let k = 0; k < width; k++) {
            data[placeOf([n, ...to, group * width + k], shape)] += x[placeOf([n, ...cell, c], xShape)] * w[placeOf([...tap, k, c], wShape)];
          }
        }
      }
    }
  }
  return { shape, data };
}

export interface PoolOptions extends PlainWindow {
  kernelSize: number | readonly number[];
  ceilMode?: boolean;
}

/** Applies reduce to the cells of each window that lie in the input, and to the number of cells in input and padding it covers. */
export function plainPool(
  x: Float64Array,
  xShape: readonly number[],
  { kernelSize, ceilMode = false, ...options }: PoolOptions,
  reduce: (cells: number[], covered: number) => number,
): Plain {
  const sizes = xShape.slice(1, -1);
  const kernel = typeof kernelSize === 'number' ? sizes.map(() => kernelSize) : kernelSize;
  const axes = axesOf(sizes, kernel, { ...options, stride: options.stride ?? kernel }, ceilMode);
  const C = xShape[xShape.length - 1];
  const data: number[] = [];
  for (let n = 0; n < xShape[0]; n++) {
    for (const window of indices(axes.map(({ count }) => count))) {
      const cells = cellsOf(window, axes).map(({ cell }) => cell);
      const inside = cells.filter((cell) => isInside(cell, axes));
      const covered = cells.filter((cell) => cell.every((at, axis) => at < axes[axis].end)).length;
      for (let c = 0; c < C; c++)
        data.push(
          reduce(
            inside.map((cell) => x[placeOf([n, ...cell, c], xShape)]),
            covered,
          ),
        );
    }
  }
  return { shape: [xShape[0], ...axes.map(({ count }) => count), C], data: Float64Array.from(data) };
}

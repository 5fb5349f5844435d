import type { Conv2dOptions } from '../../lib/ops/conv2d';
import type { Padding, Pair } from '../../lib/ops/window';

// Convolution and pooling as loops over the formulas of docs/mathematics.md, in double. They share no code with what they check.

export interface Plain {
  readonly shape: number[];
  readonly data: Float64Array;
}

const both = (value: Pair | undefined, otherwise: number): readonly [number, number] =>
  value === undefined ? [otherwise, otherwise] : typeof value === 'number' ? [value, value] : value;

/** [before, after] along one axis. */
function paddingAlong(padding: Padding, axis: 0 | 1, size: number, taps: number, stride: number, dilation: number): [number, number] {
  if (padding === 'valid') return [0, 0];
  if (padding === 'same') {
    const total = Math.max((Math.ceil(size / stride) - 1) * stride + dilation * (taps - 1) + 1 - size, 0);
    return [Math.floor(total / 2), total - Math.floor(total / 2)];
  }
  if (typeof padding === 'number') return [padding, padding];
  if (padding.length === 2) return [padding[axis], padding[axis]];
  return axis === 0 ? [padding[0], padding[2]] : [padding[3], padding[1]];
}

/** The windows along one axis: where each begins, and the size with padding. */
interface Axis {
  readonly count: number;
  readonly begin: (window: number) => number;
  readonly end: number;
}

function axisOf(
  size: number,
  taps: number,
  stride: number,
  [before, after]: readonly [number, number],
  dilation: number,
  ceil = false,
): Axis {
  const steps = (size + before + after - dilation * (taps - 1) - 1) / stride;
  let count = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
  if (ceil && (count - 1) * stride >= size + before) count--;
  return { count, begin: (window) => window * stride - before, end: size + after };
}

export function plainConv2d(
  x: Float64Array,
  xShape: number[],
  w: Float64Array,
  wShape: number[],
  b: Float64Array,
  options: Conv2dOptions,
): Plain {
  const [N, H, W, C] = xShape;
  const [kh, kw, depth, K] = wShape;
  const [sh, sw] = both(options.stride, 1);
  const [dh, dw] = both(options.dilation, 1);
  const groups = options.groups ?? 1;
  const rows = axisOf(H, kh, sh, paddingAlong(options.padding ?? 0, 0, H, kh, sh, dh), dh);
  const columns = axisOf(W, kw, sw, paddingAlong(options.padding ?? 0, 1, W, kw, sw, dw), dw);
  const data: number[] = [];
  for (let n = 0; n < N; n++) {
    for (let i = 0; i < rows.count; i++) {
      for (let j = 0; j < columns.count; j++) {
        for (let k = 0; k < K; k++) {
          let sum = b[k];
          for (let p = 0; p < kh; p++) {
            for (let q = 0; q < kw; q++) {
              for (let c = 0; c < depth; c++) {
                const [row, column] = [rows.begin(i) + p * dh, columns.begin(j) + q * dw];
                if (row < 0 || row >= H || column < 0 || column >= W) continue;
                const channel = Math.floor(k / (K / groups)) * depth + c;
                sum += x[((n * H + row) * W + column) * C + channel] * w[((p * kw + q) * depth + c) * K + k];
              }
            }
          }
          data.push(sum);
        }
      }
    }
  }
  return { shape: [N, rows.count, columns.count, K], data: Float64Array.from(data) };
}

export interface PoolOptions {
  kernelSize: Pair;
  stride?: Pair;
  padding?: Padding;
  dilation?: Pair;
  ceilMode?: boolean;
}

/** Applies reduce to the cells of each window that lie in the input, and to the number of cells in input and padding it covers. */
export function plainPool2d(
  x: Float64Array,
  xShape: number[],
  options: PoolOptions,
  reduce: (cells: number[], covered: number) => number,
): Plain {
  const [N, H, W, C] = xShape;
  const [kh, kw] = both(options.kernelSize, 1);
  const [sh, sw] = both(options.stride ?? options.kernelSize, 1);
  const [dh, dw] = both(options.dilation, 1);
  const rows = axisOf(H, kh, sh, paddingAlong(options.padding ?? 0, 0, H, kh, sh, dh), dh, options.ceilMode);
  const columns = axisOf(W, kw, sw, paddingAlong(options.padding ?? 0, 1, W, kw, sw, dw), dw, options.ceilMode);
  const data: number[] = [];
  for (let n = 0; n < N; n++) {
    for (let i = 0; i < rows.count; i++) {
      for (let j = 0; j < columns.count; j++) {
        for (let c = 0; c < C; c++) {
          const cells: number[] = [];
          let covered = 0;
          for (let p = 0; p < kh; p++) {
            for (let q = 0; q < kw; q++) {
              const [row, column] = [rows.begin(i) + p * dh, columns.begin(j) + q * dw];
              if (row < rows.end && column < columns.end) covered++;
              if (row >= 0 && row < H && column >= 0 && column < W) cells.push(x[((n * H + row) * W + column) * C + c]);
            }
          }
          data.push(reduce(cells, covered));
        }
      }
    }
  }
  return { shape: [N, rows.count, columns.count, C], data: Float64Array.from(data) };
}

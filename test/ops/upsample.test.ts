import * as fc from 'fast-check';
import { manualSeed, ops, tensor, zeros } from '../../lib';
import type { UpsampleOptions } from '../../lib/ops/upsample';
import { distance, precision, unit } from '../support/agree';
import { inner, integers, leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

type Range = { size: number; out: number; scale?: number };

/** What output i reads of each cell of an axis, by PyTorch's rules. */
function weights({ size, out, scale }: Range, { mode = 'nearest', alignCorners = false }: UpsampleOptions, i: number): number[] {
  const row = new Array<number>(size).fill(0);
  if (mode === 'nearest') {
    // floor(i / scale), or i·size / out in integers, as a quotient that is nearly a whole number must not be rounded up
    row[Math.min(scale === undefined ? Number((BigInt(i) * BigInt(size)) / BigInt(out)) : Math.floor(i / scale), size - 1)] = 1;
    return row;
  }
  const ratio = scale === undefined ? size / out : 1 / scale;
  const at = alignCorners ? (out > 1 ? (i * (size - 1)) / (out - 1) : 0) : Math.max((i + 0.5) * ratio - 0.5, 0);
  const low = Math.min(Math.floor(at), size - 1);
  const high = Math.min(low + 1, size - 1);
  row[low] += 1 - (at - low);
  row[high] += at - low;
  return row;
}

/** The two axes of a case, and what each output reads along them. */
function matrices([, H, W]: readonly number[], options: UpsampleOptions): [rows: number[][], columns: number[][]] {
  const along = (value: UpsampleOptions['size'], axis: 0 | 1) => (typeof value === 'object' ? value[axis] : value);
  const axis = (size: number, which: 0 | 1): number[][] => {
    const scale = along(options.scale, which);
    const out = along(options.size, which) ?? Math.floor(size * scale!);
    // PyTorch goes by the sizes, not by the scale, along an axis that keeps its size, or is doubled by 'nearest'
    const bySize = out === size || (out === 2 * size && (options.mode ?? 'nearest') === 'nearest');
    return Array.from({ length: out }, (_, i) => weights({ size, out, scale: bySize ? undefined : scale }, options, i));
  };
  return [axis(H, 0), axis(W, 1)];
}

function plainUpsample(x: ArrayLike<number>, [N, H, W, C]: readonly number[], rows: number[][], columns: number[][]): Float64Array {
  const y: number[] = [];
  for (let n = 0; n < N; n++) {
    for (const row of rows) {
      for (const column of columns) {
        for (let c = 0; c < C; c++) {
          let sum = 0;
          for (let h = 0; h < H; h++) for (let w = 0; w < W; w++) sum += row[h] * column[w] * x[((n * H + h) * W + w) * C + c];
          y.push(sum);
        }
      }
    }
  }
  return Float64Array.from(y);
}

const cases: readonly (readonly [name: string, x: number[], options: UpsampleOptions])[] = [
  ['nearest, twice', [2, 3, 4, 2], { scale: 2 }],
  ['nearest, to a size', [1, 3, 5, 2], { size: [7, 8] }],
  ['nearest, down', [1, 7, 6, 2], { size: [3, 4], mode: 'nearest' }],
  ['nearest, a scale that is no integer', [1, 5, 4, 2], { scale: [1.5, 0.6] }],
  ['bilinear, twice', [2, 3, 4, 2], { scale: 2, mode: 'bilinear' }],
  ['bilinear, to a size', [1, 3, 5, 2], { size: [7, 8], mode: 'bilinear', alignCorners: false }],
  ['bilinear, down', [1, 7, 6, 2], { size: [3, 4], mode: 'bilinear' }],
  ['bilinear, a scale that is no integer', [1, 5, 4, 2], { scale: [1.5, 0.6], mode: 'bilinear' }],
  ['bilinear, aligned, twice', [2, 3, 4, 2], { scale: 2, mode: 'bilinear', alignCorners: true }],
  ['bilinear, aligned, up and down', [1, 3, 5, 2], { size: [7, 2], mode: 'bilinear', alignCorners: true }],
  ['bilinear, aligned, to one cell', [1, 3, 5, 2], { size: 1, mode: 'bilinear', alignCorners: true }],
  ['from one cell', [1, 1, 1, 3], { size: [2, 3], mode: 'bilinear' }],
  ['the same size', [1, 3, 4, 2], { size: [3, 4], mode: 'bilinear' }],
  ['a scale that leaves the size', [1, 3, 2, 2], { scale: 1.3, mode: 'bilinear' }],
  ['nearest, a scale that doubles the size and is not 2', [1, 2, 2, 2], { scale: 2.4 }],
];

describe.each(cases)('upsample › %s', (_name, shape, options) => {
  test('values', () => {
    const [rows, columns] = matrices(shape, options);
    const x = integers(shape);
    const expected = plainUpsample(x, shape, rows, columns);
    for (const dtype of ['float32', 'float64'] as const) {
      const y = ops.upsample(tensor(x, shape, { dtype }), options);
      expect(y.shape).toEqual([shape[0], rows.length, columns.length, shape[3]]);
      expect(distance(y.dataSync(), expected)).toBeLessThan(dtype === 'float32' ? 4 * unit : 1e-14);
    }
  });

  test('gradient', () => gradcheck((x) => ops.upsample(x, options), [leaf(...shape)]));
});

// Worked examples of PyTorch's documentation of nn.Upsample.
test('upsample › the published examples', () => {
  const x = tensor([1, 2, 3, 4], [1, 2, 2, 1]);
  const rows = (options: UpsampleOptions) => Array.from(ops.upsample(x, options).dataSync(), (v) => Number(v.toFixed(4)));
  expect(rows({ scale: 2, mode: 'nearest' })).toEqual([1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
  expect(rows({ scale: 2, mode: 'bilinear' })).toEqual([1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4]);
  expect(rows({ scale: 2, mode: 'bilinear', alignCorners: true })).toEqual([
    ...[1, 1.3333, 1.6667, 2, 1.6667, 2, 2.3333, 2.6667],
    ...[2.3333, 2.6667, 3, 3.3333, 3, 3.3333, 3.6667, 4],
  ]);
});

test('upsample › an axis whose size stays is copied, whatever the scale', () => {
  const x = leaf(1, 3, 2, 4);
  for (const mode of ['nearest', 'bilinear'] as const) expect(ops.upsample(x, { scale: 1.3, mode }).dataSync()).toEqual(x.dataSync());
  const doubled = ops.upsample(tensor([0, 1], [1, 1, 2, 1]), { scale: [1, 2.4] });
  expect(Array.from(doubled.dataSync())).toEqual([0, 0, 1, 1]);
});

test('upsample › nearest to a size divides exactly', () => {
  // In floating point 49 · (1 / 49) is less than 1.
  for (let size = 1; size < 200; size++) {
    const y = ops.upsample(
      tensor(
        Float32Array.from({ length: size }, (_, i) => i),
        [1, 1, size, 1],
      ),
      { size: [1, 3 * size] },
    );
    expect(Array.from(y.dataSync())).toEqual(Array.from({ length: 3 * size }, (_, i) => Math.floor(i / 3)));
  }
  const y = ops.upsample(tensor([0, 1], [1, 1, 2, 1]), { scale: [1, 49] });
  expect(Array.from(y.dataSync())).toEqual(Array.from({ length: 98 }, (_, i) => Math.floor(i / 49)));
});

test('upsample › random sizes: values and gradients', () => {
  const sizes = (max: number) => fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }));
  const factors = fc.tuple(fc.double({ min: 0.2, max: 3, noNaN: true }), fc.double({ min: 0.2, max: 3, noNaN: true }));
  const options: fc.Arbitrary<UpsampleOptions> = fc
    .tuple(fc.oneof(fc.record({ size: sizes(12) }), fc.record({ scale: factors })), fc.constantFrom('nearest', 'bilinear', 'aligned'))
    .map(([target, mode]) => (mode === 'aligned' ? { ...target, mode: 'bilinear', alignCorners: true } : { ...target, mode })) as never;
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 }), sizes(8), fc.integer({ min: 1, max: 18 }), options, (n, size, channels, chosen) => {
      const shape = [n, ...size, channels];
      const [rows, columns] = matrices(shape, chosen);
      fc.pre(rows.length > 0 && columns.length > 0);
      const values = integers(shape);
      const x = tensor(Float32Array.from(values), shape, { requiresGrad: true });
      const y = ops.upsample(x, chosen);
      const expected = plainUpsample(values, shape, rows, columns);
      expect(y.shape).toEqual([n, rows.length, columns.length, channels]);
      expect(distance(y.dataSync(), expected)).toBeLessThan(8 * unit);
      const along = integers(y.shape, 5);
      y.backward(tensor(Float32Array.from(along), y.shape));
      const turn = (matrix: number[][]) => matrix[0].map((_, cell) => matrix.map((row) => row[cell]));
      const gradient = plainUpsample(along, y.shape, turn(rows), turn(columns));
      expect(distance(x.grad!.dataSync(), gradient)).toBeLessThan(32 * unit);
      expect(inner(expected, along)).toBeCloseTo(inner(values, gradient), 6);
    }),
    { numRuns: 400, seed: 1 },
  );
});

test.each([[1], [15], [17], [64]])('upsample › float32 agrees with float64, %d channels', (channels) => {
  for (const options of [{ scale: 2 }, { size: [5, 17], mode: 'bilinear' }] as const) {
    for (const one of precision((x) => ops.upsample(x, options), [leaf(2, 9, 11, channels)])) expect(one).toBeLessThan(16 * unit);
  }
});

describe('upsample › bad arguments', () => {
  const x = zeros([1, 4, 4, 1]);
  test.each<[name: string, options: unknown, expected: [name: string, code: string, message: string]]>([
    [
      'neither size nor scale',
      {},
      ['TypeError', 'ERR_INVALID_TYPE', 'size is undefined, expected a number or a pair, as scale is undefined'],
    ],
    ['both', { size: 2, scale: 2 }, ['TypeError', 'ERR_INVALID_TYPE', 'size is 2, expected nothing, as scale is 2']],
    [
      'a size of 0',
      { size: [0, 2] },
      ['RangeError', 'ERR_INVALID_VALUE', 'size is [0,2], expected an integer from 1 to 1048576, or a pair of them'],
    ],
    [
      'a negative scale',
      { scale: [1, -2] },
      ['RangeError', 'ERR_INVALID_VALUE', 'scale is [1,-2], expected a positive number, or a pair of them'],
    ],
    ['a scale of text', { scale: '2' }, ['TypeError', 'ERR_INVALID_TYPE', 'scale is "2", expected a positive number, or a pair of them']],
    [
      'three scales',
      { scale: [1, 2, 3] },
      ['TypeError', 'ERR_INVALID_TYPE', 'scale is [1,2,3], expected a positive number, or a pair of them'],
    ],
    ['a scale to nothing', { scale: 0.1 }, ['RangeError', 'ERR_SHAPE', 'input [1,4,4,1] by scale [0.1,0.1] gives an image of 0x0']],
    [
      'a scale beyond measure',
      { scale: [1e300, 1] },
      ['RangeError', 'ERR_SHAPE', 'input [1,4,4,1] by scale [1e+300,1] gives an image of 4e+300x4'],
    ],
    ['a mode', { scale: 2, mode: 'cubic' }, ['RangeError', 'ERR_INVALID_VALUE', `mode is "cubic", expected 'nearest' or 'bilinear'`]],
    [
      'aligned corners of nearest',
      { scale: 2, alignCorners: true },
      ['RangeError', 'ERR_INVALID_VALUE', `alignCorners is true, expected nothing: it is for mode 'bilinear'`],
    ],
    [
      'a name',
      { factor: 2 },
      ['RangeError', 'ERR_INVALID_VALUE', 'an option name is "factor", expected one of size, scale, mode, alignCorners'],
    ],
  ])('%s', (_name, options, [name, code, message]) => {
    expect(fault(() => ops.upsample(x, options as never))).toEqual({ name, code, message: `upsample: ${message}` });
  });

  test('no cells, and integers', () => {
    expect(fault(() => ops.upsample(zeros([1, 0, 4, 1]), { size: 2 })).message).toBe(
      'upsample: input has shape [1,0,4,1], expected at least one row and column',
    );
    expect(fault(() => ops.upsample(zeros([1, 4, 4, 1], { dtype: 'int32' }), { size: 2 })).message).toBe(
      'upsample: input is int32, expected float32 or float64',
    );
  });
});

import * as fc from 'fast-check';
import { manualSeed, ops, type Tensor, tensor, zeros } from '../../lib';
import { distance, precision, unit } from '../support/agree';
import { integers, leaf, shuffled, sizeOf, spacedLeaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

/** What each window of an image [N,H,W,C] holds, as PyTorch bounds them: cells in row-major order, by their place in the image. */
function windows([N, H, W, C]: readonly number[], [rows, columns]: readonly number[]): number[][] {
  const between = (i: number, size: number, count: number) => [Math.floor((i * size) / count), Math.ceil(((i + 1) * size) / count)];
  const all: number[][] = [];
  for (let n = 0; n < N; n++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        for (let c = 0; c < C; c++) {
          const [[top, bottom], [left, right]] = [between(i, H, rows), between(j, W, columns)];
          const cells: number[] = [];
          for (let h = top; h < bottom; h++) for (let w = left; w < right; w++) cells.push(((n * H + h) * W + w) * C + c);
          all.push(cells);
        }
      }
    }
  }
  return all;
}

const first = (cells: number[], x: ArrayLike<number>): number => cells.reduce((best, cell) => (x[cell] > x[best] ? cell : best));
const mean = (cells: number[], x: ArrayLike<number>): number => cells.reduce((sum, cell) => sum + x[cell], 0) / cells.length;

beforeEach(() => manualSeed(1));

const cases: readonly (readonly [name: string, x: number[], size: [number | null, number | null] | number | null, output: number[]])[] = [
  ['equal windows', [2, 6, 4, 3], [3, 2], [3, 2]],
  ['windows that overlap by a cell', [1, 5, 7, 2], 3, [3, 3]],
  ['windows of unequal sizes', [1, 10, 7, 1], [4, 5], [4, 5]],
  ['one window', [2, 3, 5, 2], 1, [1, 1]],
  ['the size of the input along one axis', [1, 4, 5, 2], [null, 2], [4, 2]],
  ['the size of the input', [1, 3, 4, 2], null, [3, 4]],
  ['more windows than cells', [1, 2, 3, 2], [5, 4], [5, 4]],
  ['a window of more than 256 cells', [1, 17, 18, 1], 1, [1, 1]],
];

describe.each(cases)('adaptive pools › %s', (_name, shape, size, output) => {
  const cells = windows(shape, output);

  test('values', () => {
    const x = Float64Array.from(shuffled(sizeOf(shape)));
    for (const dtype of ['float32', 'float64'] as const) {
      const input = tensor(x, shape, { dtype });
      const [avg, max] = [ops.adaptiveAvgPool2d(input, size), ops.adaptiveMaxPool2d(input, size)];
      expect([avg.shape, max.shape]).toEqual(new Array(2).fill([shape[0], ...output, shape[3]]));
      const means = cells.map((list) => mean(list, x));
      expect(distance(avg.dataSync(), means)).toBeLessThan(dtype === 'float32' ? 2 * unit : 1e-15);
      expect(Array.from(max.dataSync())).toEqual(cells.map((list) => x[first(list, x)]));
    }
  });

  test('gradient of the mean', () => gradcheck((x) => ops.adaptiveAvgPool2d(x, size), [leaf(...shape)]));
  test('gradient of the maximum', () => gradcheck((x) => ops.adaptiveMaxPool2d(x, size), [spacedLeaf(...shape)]));
});

test.each([
  ['adaptiveAvgPool1d', ops.adaptiveAvgPool1d, leaf],
  ['adaptiveMaxPool1d', ops.adaptiveMaxPool1d, spacedLeaf],
] as const)('%s › gradient', (_, pool, input) => {
  for (const size of [1, 3, null, 9]) gradcheck((x) => pool(x, size), [input(2, 7, 3)]);
});

const sized = fc.record({
  n: fc.integer({ min: 0, max: 2 }),
  size: fc.tuple(fc.integer({ min: 1, max: 11 }), fc.integer({ min: 1, max: 11 })),
  output: fc.tuple(fc.integer({ min: 1, max: 13 }), fc.integer({ min: 1, max: 13 })),
  channels: fc.integer({ min: 1, max: 18 }),
  oneAxis: fc.boolean(),
});

test('adaptive pools › random shapes, images and sequences: values and gradients', () => {
  fc.assert(
    fc.property(sized, ({ n, size: [height, width], output: [rows, columns], channels, oneAxis }) => {
      const [H, OH] = oneAxis ? [1, 1] : [height, rows];
      const shape = oneAxis ? [n, width, channels] : [n, H, width, channels];
      const cells = windows([n, H, width, channels], [OH, columns]);
      const values = integers(shape); // ties abound: the first maximum must have the gradient
      const weights = integers([cells.length], 5);
      const run = (pool: (x: Tensor) => Tensor) => {
        const x = tensor(Float32Array.from(values), shape, { requiresGrad: true });
        const y = pool(x);
        y.backward(tensor(Float32Array.from(weights), y.shape));
        return [y.dataSync(), x.grad!.dataSync()];
      };
      const [avg, davg] = run((x) => (oneAxis ? ops.adaptiveAvgPool1d(x, columns) : ops.adaptiveAvgPool2d(x, [OH, columns])));
      const [max, dmax] = run((x) => (oneAxis ? ops.adaptiveMaxPool1d(x, columns) : ops.adaptiveMaxPool2d(x, [OH, columns])));
      const expected = { davg: new Float64Array(values.length), dmax: new Float64Array(values.length) };
      cells.forEach((list, i) => {
        for (const cell of list) expected.davg[cell] += weights[i] / list.length;
        expected.dmax[first(list, values)] += weights[i];
      });
      expect(
        distance(
          avg,
          Float64Array.from(cells, (list) => mean(list, values)),
        ),
      ).toBeLessThan(4 * unit);
      expect(Array.from(max)).toEqual(cells.map((list) => values[first(list, values)]));
      expect(distance(davg, expected.davg)).toBeLessThan(16 * unit);
      expect(Array.from(dmax)).toEqual(Array.from(expected.dmax));
    }),
    { numRuns: 300, seed: 1 },
  );
});

test('adaptive pools › equal windows are those of a pool with stride', () => {
  const x = leaf(2, 12, 8, 5);
  expect(ops.adaptiveAvgPool2d(x, [3, 4]).dataSync()).toEqual(ops.avgPool2d(x, { kernelSize: [4, 2] }).dataSync());
  expect(ops.adaptiveMaxPool2d(x, [3, 4]).dataSync()).toEqual(ops.maxPool2d(x, { kernelSize: [4, 2] }).dataSync());
});

test.each([[1], [15], [17], [64]])('adaptive pools › float32 agrees with float64, %d channels', (channels) => {
  const avg = precision((x) => ops.adaptiveAvgPool2d(x, [4, 3]), [leaf(2, 9, 11, channels)]);
  for (const one of avg) expect(one).toBeLessThan(16 * unit);
  const [max, gradient] = precision((x) => ops.adaptiveMaxPool2d(x, [4, 3]), [leaf(2, 9, 11, channels)]);
  expect(max).toBe(0);
  expect(gradient).toBeLessThan(4 * unit);
});

describe('adaptive pools › bad arguments', () => {
  const x = zeros([1, 4, 4, 1]);
  test.each([
    [() => ops.adaptiveAvgPool2d(x, 0), ['RangeError', 'ERR_INVALID_VALUE', 'adaptiveAvgPool2d: outputSize is 0']],
    [() => ops.adaptiveAvgPool2d(x, [2, 1.5]), ['RangeError', 'ERR_INVALID_VALUE', 'adaptiveAvgPool2d: outputSize is [2,1.5]']],
    [() => ops.adaptiveMaxPool2d(x, [2] as never), ['TypeError', 'ERR_INVALID_TYPE', 'adaptiveMaxPool2d: outputSize is [2]']],
    [() => ops.adaptiveMaxPool2d(x, undefined as never), ['TypeError', 'ERR_INVALID_TYPE', 'adaptiveMaxPool2d: outputSize is undefined']],
    [() => ops.adaptiveAvgPool2d(x, [1, '1'] as never), ['TypeError', 'ERR_INVALID_TYPE', 'adaptiveAvgPool2d: outputSize is [1,"1"]']],
  ])('size %#', (call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message: `${message}, expected a positive integer or null, or a pair of them` });
  });

  test.each([
    [
      'a pair for one axis',
      () => ops.adaptiveAvgPool1d(zeros([1, 4, 1]), [2, 2] as never),
      ['TypeError', 'ERR_INVALID_TYPE', 'adaptiveAvgPool1d: outputSize is [2,2], expected a positive integer or null'],
    ],
    [
      'an image for one axis',
      () => ops.adaptiveMaxPool1d(x, 2),
      ['RangeError', 'ERR_SHAPE', 'adaptiveMaxPool1d: input has shape [1,4,4,1], expected [N,L,C]'],
    ],
    [
      'no cells',
      () => ops.adaptiveAvgPool2d(zeros([1, 0, 4, 1]), 1),
      ['RangeError', 'ERR_SHAPE', 'adaptiveAvgPool2d: input has shape [1,0,4,1], expected at least one cell along each axis but the first'],
    ],
    [
      'integers',
      () => ops.adaptiveMaxPool2d(zeros([1, 4, 4, 1], { dtype: 'int32' }), 1),
      ['TypeError', 'ERR_DTYPE', 'adaptiveMaxPool2d: input is int32, expected float32 or float64'],
    ],
    [
      'no tensor',
      () => ops.adaptiveMaxPool2d([1] as never, 1),
      ['TypeError', 'ERR_INVALID_TYPE', 'adaptiveMaxPool2d: input is [1], expected a Tensor of this copy of receptive'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

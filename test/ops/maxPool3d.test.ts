import * as fc from 'fast-check';
import { manualSeed, ops, tensor, zeros } from '../../lib';
import type { MaxPool3dOptions } from '../../lib/ops/maxPool3d';
import { precision, unit } from '../support/agree';
import { inner, integers, leaf, shuffled, sizeOf, spacedLeaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';
import { plainPool } from '../support/plain';
import { windowsThatFit } from '../support/windows';

const cases: readonly (readonly [name: string, x: number[], options: MaxPool3dOptions])[] = [
  ['kernel 2', [2, 4, 2, 4, 3], { kernelSize: 2 }],
  ['kernel [1, 2, 3], stride [2, 1, 1]', [1, 5, 3, 4, 2], { kernelSize: [1, 2, 3], stride: [2, 1, 1] }],
  ['overlapping windows', [1, 5, 4, 5, 2], { kernelSize: 3, stride: [2, 1, 2] }],
  ['padding 1', [1, 3, 4, 3, 2], { kernelSize: 3, stride: 2, padding: 1 }],
  ['padding [1, 0, 1, 0, 1, 0]', [1, 3, 3, 4, 1], { kernelSize: 2, padding: [1, 0, 1, 0, 1, 0] }],
  ["padding 'same'", [1, 3, 4, 3, 1], { kernelSize: [2, 3, 2], stride: 2, padding: 'same' }],
  ['dilation [2, 1, 2]', [1, 4, 3, 4, 1], { kernelSize: 2, stride: 1, dilation: [2, 1, 2] }],
  ['ceil mode', [1, 3, 5, 4, 2], { kernelSize: 2, ceilMode: true }],
  ['planes of more than 256 cells', [1, 2, 17, 17, 1], { kernelSize: [2, 17, 16], stride: 1 }],
];

beforeEach(() => manualSeed(1));

describe.each(cases)('maxPool3d › %s', (_name, shape, options) => {
  test('forward is the largest value of each window', () => {
    const x = Float64Array.from(shuffled(sizeOf(shape)));
    const expected = plainPool(x, shape, options, (cells) => Math.max(...cells));
    for (const dtype of ['float32', 'float64'] as const) {
      const y = ops.maxPool3d(tensor(x, shape, { dtype }), options);
      expect(y.shape).toEqual(expected.shape);
      expect(Array.from(y.dataSync())).toEqual(Array.from(expected.data));
    }
  });

  test('gradient', () => gradcheck((x) => ops.maxPool3d(x, options), [spacedLeaf(...shape)]));
});

test.each([
  [[1, 3, 3, 3, 0, 3, 3, 3], 1],
  [[1, 1, 1, 1, 3, 1, 3, 1], 4],
  [[1, Number.NaN, 0, 0, 2, 0, 0, Number.NaN], 7],
])('maxPool3d › the gradient goes to the first of equal maxima in row-major order, or to the last NaN: %j', (values, where) => {
  const x = tensor(values, [1, 2, 2, 2, 1], { requiresGrad: true });
  ops.maxPool3d(x, { kernelSize: 2 }).backward();
  expect(Array.from(x.grad!.dataSync())).toEqual(values.map((_, i) => Number(i === where)));
});

test('maxPool3d › padding never wins over negative numbers', () => {
  const y = ops.maxPool3d(tensor([-5], [1, 1, 1, 1, 1]), { kernelSize: 3, padding: 1 });
  expect(Array.from(y.dataSync())).toEqual([-5]);
});

test.each([[1], [15], [17], [64]])('maxPool3d › float32 agrees with float64, %d channels', (channels) => {
  const distances = precision((x) => ops.maxPool3d(x, { kernelSize: 3, stride: 2, padding: 1 }), [leaf(2, 5, 6, 7, channels)]);
  expect(distances[0]).toBe(0);
  expect(distances[1]).toBeLessThan(8 * unit);
});

test('maxPool3d › random shapes: the largest of each window, which the gradient goes back to', () => {
  fc.assert(
    fc.property(
      windowsThatFit(3, 5),
      fc.integer({ min: 1, max: 18 }),
      fc.boolean(),
      ({ n, size, kernel, options: { stride, dilation, padding } }, channels, ceilMode) => {
        fc.pre(kernel.every((taps, axis) => Math.max(padding[axis], padding[axis + 3]) <= dilation[axis] * (taps - 1)));
        const options = { kernelSize: kernel as [number, number, number], stride, dilation, padding, ceilMode };
        const shape = [n, ...size, channels];
        const x = tensor(Float32Array.from(shuffled(sizeOf(shape))), shape, { requiresGrad: true });
        const y = ops.maxPool3d(x, options);
        const expected = plainPool(Float64Array.from(x.dataSync()), shape, options, (cells) => Math.max(...cells));
        expect(y.shape).toEqual(expected.shape);
        expect(Array.from(y.dataSync())).toEqual(Array.from(expected.data));
        const weights = integers(y.shape, 1);
        y.backward(tensor(weights, y.shape, { dtype: 'float32' }));
        // a window whose taps all lie in the padding has no gradient
        const seen = expected.data.map((v, i) => (v === -Infinity ? 0 : v * weights[i]));
        expect(inner(x.dataSync(), x.grad!.dataSync())).toBe(seen.reduce((a, b) => a + b, 0));
      },
    ),
    { numRuns: 200, seed: 1 },
  );
});

describe('maxPool3d › bad arguments', () => {
  const x = zeros([1, 2, 4, 4, 1]);
  test.each([
    [
      'a window larger than the input',
      () => ops.maxPool3d(x, { kernelSize: 3 }),
      ['RangeError', 'ERR_SHAPE', 'maxPool3d: window covers 3x3x3 cells, input has 2x4x4 and padding [0,0,0,0,0,0]'],
    ],
    [
      'padding as large as the window',
      () => ops.maxPool3d(x, { kernelSize: [1, 2, 2], padding: 1 }),
      ['RangeError', 'ERR_SHAPE', 'maxPool3d: padding [1,1,1,1,1,1] is not smaller than the window, which covers 1x2x2'],
    ],
    [
      'a pair',
      () => ops.maxPool3d(x, { kernelSize: [2, 2] as never }),
      ['TypeError', 'ERR_INVALID_TYPE', 'maxPool3d: kernelSize is [2,2], expected an integer from 1 to 1048576, or three of them'],
    ],
    [
      'an image',
      () => ops.maxPool3d(zeros([1, 4, 4, 1]), { kernelSize: 2 }),
      ['RangeError', 'ERR_SHAPE', 'maxPool3d: input has shape [1,4,4,1], expected [N,D,H,W,C]'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

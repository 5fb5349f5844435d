import { manualSeed, ops, type Tensor, tensor, zeros } from '../../lib';
import type { MaxPool2dOptions } from '../../lib/ops/maxPool2d';
import { precision, unit } from '../support/agree';
import { leaf, shuffled, sizeOf, spacedLeaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';
import { plainPool } from '../support/plain';

const cases: readonly (readonly [name: string, x: number[], options: MaxPool2dOptions])[] = [
  ['kernel 2', [2, 4, 6, 3], { kernelSize: 2 }],
  ['kernel 2, what is left over is dropped', [1, 5, 7, 2], { kernelSize: 2 }],
  ['kernel [3, 1], stride [1, 2]', [1, 5, 5, 2], { kernelSize: [3, 1], stride: [1, 2] }],
  ['overlapping windows', [1, 6, 6, 2], { kernelSize: 3, stride: 2 }],
  ['windows with gaps', [1, 7, 7, 2], { kernelSize: 2, stride: 3 }],
  ['padding 1', [1, 5, 5, 2], { kernelSize: 3, stride: 2, padding: 1 }],
  ['padding [2, 0, 1, 1]', [1, 4, 5, 2], { kernelSize: 3, stride: 2, padding: [2, 0, 1, 1] }],
  ["padding 'same'", [1, 5, 4, 2], { kernelSize: 3, stride: 2, padding: 'same' }],
  ['dilation 2', [1, 6, 7, 2], { kernelSize: 2, stride: 1, dilation: 2 }],
  ['dilation [1, 3], padding 1', [1, 4, 6, 2], { kernelSize: 2, stride: 1, dilation: [1, 3], padding: 1 }],
  ['ceil mode', [1, 5, 6, 2], { kernelSize: 2, ceilMode: true }],
  ['ceil mode, a last window in the end padding is dropped', [1, 3, 4, 2], { kernelSize: 2, stride: 4, padding: 1, ceilMode: true }],
  ['ceil mode, a window larger than the input', [1, 2, 3, 2], { kernelSize: 3, stride: 2, ceilMode: true }],
  ['a window of more than 256 cells', [1, 18, 17, 1], { kernelSize: 17, stride: 1 }],
];

beforeEach(() => manualSeed(1));

describe.each(cases)('maxPool2d › %s', (_name, shape, options) => {
  test('forward is the largest value of each window', () => {
    const x = Float64Array.from(shuffled(sizeOf(shape)));
    const expected = plainPool(x, shape, options, (cells) => Math.max(...cells));
    for (const dtype of ['float32', 'float64'] as const) {
      const y = ops.maxPool2d(tensor(x, shape, { dtype }), options);
      expect(y.shape).toEqual(expected.shape);
      expect(Array.from(y.dataSync())).toEqual(Array.from(expected.data));
    }
  });

  test('gradient', () => gradcheck((x) => ops.maxPool2d(x, options), [spacedLeaf(...shape)]));
});

test('maxPool2d › the gradient goes to the first of equal maxima, in row-major order', () => {
  const x = tensor([1, 3, 3, 3], [1, 2, 2, 1], { requiresGrad: true });
  ops.maxPool2d(x, { kernelSize: 2 }).backward();
  expect(Array.from(x.grad!.dataSync())).toEqual([0, 1, 0, 0]);
});

describe.each(['relu', 'relu6'] as const)('maxPool2d › %s in the same pass', (activation) => {
  const options = { kernelSize: 3, stride: 2, padding: 1 };

  test.each(['float32', 'float64'] as const)('as before it and behind it, %s', (dtype) => {
    const shape = [2, 7, 6, 5];
    const x = ops.mul(leaf(...shape), 8).dataSync() as Float64Array;
    const run = (pool: (x: Tensor) => Tensor): [number[], number[]] => {
      const input = tensor(x, shape, { dtype, requiresGrad: true });
      const y = pool(input);
      ops.sum(ops.mul(y, y)).backward();
      return [Array.from(y.dataSync()), Array.from(input.grad!.dataSync())];
    };
    const fused = run((input) => ops.maxPool2d(input, { ...options, activation }));
    expect(fused).toEqual(run((input) => ops[activation](ops.maxPool2d(input, options))));
    expect(fused).toEqual(run((input) => ops.maxPool2d(ops[activation](input), options)));
    expect(fused[1]).toContain(0);
    expect(fused[1].some((g) => g !== 0)).toBe(true);
  });

  test('gradient', () => {
    gradcheck((x) => ops.maxPool2d(x, { ...options, activation }), [spacedLeaf(1, 5, 5, 2)]);
    gradcheck((x) => ops.maxPool1d(x, { kernelSize: 2, activation }), [spacedLeaf(1, 6, 2)]);
  });

  test('NaN passes', () => {
    const y = ops.maxPool2d(tensor([Number.NaN, -1], [1, 1, 2, 1]), { kernelSize: 1, activation });
    expect(Array.from(y.dataSync())).toEqual([Number.NaN, 0]);
  });
});

test('maxPool2d › padding never wins over negative numbers', () => {
  const y = ops.maxPool2d(tensor([-5], [1, 1, 1, 1]), { kernelSize: 3, padding: 1 });
  expect(Array.from(y.dataSync())).toEqual([-5]);
});

test('maxPool2d › NaN wins', () => {
  const y = ops.maxPool2d(tensor([1, Number.NaN, 3, 4], [1, 2, 2, 1]), { kernelSize: 2 });
  expect(y.dataSync()[0]).toBeNaN();
});

test.each([[1], [15], [17], [64]])('maxPool2d › float32 agrees with float64, %d channels', (channels) => {
  const distances = precision((x) => ops.maxPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }), [leaf(2, 9, 11, channels)]);
  expect(distances[0]).toBe(0);
  expect(distances[1]).toBeLessThan(4 * unit);
});

describe('maxPool2d › bad arguments', () => {
  const x = zeros([1, 4, 4, 1]);
  test.each([
    [
      'a window larger than the input',
      () => ops.maxPool2d(x, { kernelSize: 5 }),
      ['RangeError', 'ERR_SHAPE', 'maxPool2d: window covers 5x5 cells, input has 4x4 and padding [0,0,0,0]'],
    ],
    [
      'ceil mode, a window larger than the input by a stride',
      () => ops.maxPool2d(x, { kernelSize: 6, stride: 2, ceilMode: true }),
      ['RangeError', 'ERR_SHAPE', 'maxPool2d: window covers 6x6 cells, input has 4x4 and padding [0,0,0,0]'],
    ],
    [
      'an activation it does not have',
      () => ops.maxPool2d(x, { kernelSize: 2, activation: 'tanh' as never }),
      ['RangeError', 'ERR_INVALID_VALUE', `maxPool2d: activation is "tanh", expected 'relu' or 'relu6'`],
    ],
    [
      'padding as large as the window',
      () => ops.maxPool2d(x, { kernelSize: 2, padding: 2 }),
      ['RangeError', 'ERR_SHAPE', 'maxPool2d: padding [2,2,2,2] is not smaller than the window, which covers 2x2'],
    ],
    [
      'no kernel size',
      () => ops.maxPool2d(x, {} as never),
      ['TypeError', 'ERR_INVALID_TYPE', 'maxPool2d: kernelSize is undefined, expected an integer from 1 to 1048576, or a pair of them'],
    ],
    [
      'integers',
      () => ops.maxPool2d(zeros([1, 4, 4, 1], { dtype: 'int32' }), { kernelSize: 2 }),
      ['TypeError', 'ERR_DTYPE', 'maxPool2d: input is int32, expected float32 or float64'],
    ],
    [
      'rank 2',
      () => ops.maxPool2d(zeros([4, 4]), { kernelSize: 2 }),
      ['RangeError', 'ERR_SHAPE', 'maxPool2d: input has shape [4,4], expected [N,H,W,C]'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

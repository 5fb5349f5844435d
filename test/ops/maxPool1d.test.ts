import * as fc from 'fast-check';
import { manualSeed, ops, tensor, zeros } from '../../lib';
import type { MaxPool1dOptions } from '../../lib/ops/maxPool1d';
import { precision, unit } from '../support/agree';
import { inner, integers, leaf, shuffled, sizeOf, spacedLeaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';
import { plainPool } from '../support/plain';
import { windowsThatFit } from '../support/windows';

const cases: readonly (readonly [name: string, x: number[], options: MaxPool1dOptions])[] = [
  ['kernel 2', [2, 6, 3], { kernelSize: 2 }],
  ['kernel 2, what is left over is dropped', [1, 7, 2], { kernelSize: 2 }],
  ['overlapping windows', [1, 8, 2], { kernelSize: 3, stride: 2 }],
  ['windows with gaps', [1, 9, 2], { kernelSize: 2, stride: 3 }],
  ['padding 1', [1, 7, 2], { kernelSize: 3, stride: 2, padding: 1 }],
  ['padding [2, 0]', [1, 6, 2], { kernelSize: 3, stride: 2, padding: [2, 0] }],
  ["padding 'same'", [1, 6, 2], { kernelSize: 4, stride: 3, padding: 'same' }],
  ['dilation 3', [1, 8, 2], { kernelSize: 2, stride: 1, dilation: 3 }],
  ['ceil mode', [1, 7, 2], { kernelSize: 2, ceilMode: true }],
  ['ceil mode, a last window in the end padding is dropped', [1, 3, 2], { kernelSize: 2, stride: 4, padding: 1, ceilMode: true }],
  ['a window of more than 256 cells', [1, 300, 1], { kernelSize: 290, stride: 1 }],
];

beforeEach(() => manualSeed(1));

describe.each(cases)('maxPool1d › %s', (_name, shape, options) => {
  test('forward is the largest value of each window', () => {
    const x = Float64Array.from(shuffled(sizeOf(shape)));
    const expected = plainPool(x, shape, options, (cells) => Math.max(...cells));
    for (const dtype of ['float32', 'float64'] as const) {
      const y = ops.maxPool1d(tensor(x, shape, { dtype }), options);
      expect(y.shape).toEqual(expected.shape);
      expect(Array.from(y.dataSync())).toEqual(Array.from(expected.data));
    }
  });

  test('gradient', () => gradcheck((x) => ops.maxPool1d(x, options), [spacedLeaf(...shape)]));
});

test('maxPool1d › the gradient goes to the first of equal maxima', () => {
  const x = tensor([1, 3, 3, 3], [1, 4, 1], { requiresGrad: true });
  ops.maxPool1d(x, { kernelSize: 4 }).backward();
  expect(Array.from(x.grad!.dataSync())).toEqual([0, 1, 0, 0]);
});

test.each([[1], [15], [17], [64]])('maxPool1d › float32 agrees with float64, %d channels', (channels) => {
  const distances = precision((x) => ops.maxPool1d(x, { kernelSize: 3, stride: 2, padding: 1 }), [leaf(2, 19, channels)]);
  expect(distances[0]).toBe(0);
  expect(distances[1]).toBeLessThan(4 * unit);
});

test('maxPool1d › random shapes: the largest of each window, which the gradient goes back to', () => {
  fc.assert(
    fc.property(
      windowsThatFit(1, 20),
      fc.integer({ min: 1, max: 18 }),
      fc.boolean(),
      ({ n, size, kernel: [kernelSize], options: { stride, dilation, padding } }, channels, ceilMode) => {
        const covers = dilation * (kernelSize - 1) + 1;
        fc.pre(Math.max(...padding) < covers);
        const options = { kernelSize, stride, dilation, padding, ceilMode };
        const shape = [n, ...size, channels];
        const x = tensor(Float32Array.from(shuffled(sizeOf(shape))), shape, { requiresGrad: true });
        const y = ops.maxPool1d(x, options);
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

describe('maxPool1d › bad arguments', () => {
  const x = zeros([1, 4, 1]);
  test.each([
    [
      'a window larger than the input',
      () => ops.maxPool1d(x, { kernelSize: 5 }),
      ['RangeError', 'ERR_SHAPE', 'maxPool1d: window covers 5 cells, input has 4 and padding [0,0]'],
    ],
    [
      'padding as large as the window',
      () => ops.maxPool1d(x, { kernelSize: 2, padding: [0, 2] }),
      ['RangeError', 'ERR_SHAPE', 'maxPool1d: padding [0,2] is not smaller than the window, which covers 2'],
    ],
    [
      'no kernel size',
      () => ops.maxPool1d(x, {} as never),
      ['TypeError', 'ERR_INVALID_TYPE', 'maxPool1d: kernelSize is undefined, expected an integer from 1 to 1048576'],
    ],
    [
      'integers',
      () => ops.maxPool1d(zeros([1, 4, 1], { dtype: 'int32' }), { kernelSize: 2 }),
      ['TypeError', 'ERR_DTYPE', 'maxPool1d: input is int32, expected float32 or float64'],
    ],
    [
      'rank 2',
      () => ops.maxPool1d(zeros([4, 4]), { kernelSize: 2 }),
      ['RangeError', 'ERR_SHAPE', 'maxPool1d: input has shape [4,4], expected [N,L,C]'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

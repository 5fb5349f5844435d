import * as fc from 'fast-check';
import { manualSeed, ops, tensor, zeros } from '../../lib';
import type { AvgPool1dOptions } from '../../lib/ops/avgPool1d';
import { distance, precision, unit } from '../support/agree';
import { inner, integers, leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';
import { plainPool } from '../support/plain';
import { windowsThatFit } from '../support/windows';

const cases: readonly (readonly [name: string, x: number[], options: AvgPool1dOptions])[] = [
  ['kernel 2', [2, 6, 3], { kernelSize: 2 }],
  ['overlapping windows', [1, 8, 2], { kernelSize: 3, stride: 2 }],
  ['windows with gaps', [1, 9, 2], { kernelSize: 2, stride: 3 }],
  ['padding 1', [1, 7, 2], { kernelSize: 3, stride: 2, padding: 1 }],
  ['padding [2, 0], not counted', [1, 6, 2], { kernelSize: 3, stride: 2, padding: [2, 0], countIncludePad: false }],
  ["padding 'same'", [1, 6, 2], { kernelSize: 4, stride: 3, padding: 'same' }],
  ['ceil mode', [1, 7, 2], { kernelSize: 2, ceilMode: true }],
  ['ceil mode, padding 1', [1, 6, 2], { kernelSize: 3, stride: 2, padding: 1, ceilMode: true }],
  ['dilation 2, padding 1', [1, 8, 2], { kernelSize: 3, stride: 1, dilation: 2, padding: 1 }],
  ['dilation 2, padding 1, not counted', [1, 8, 2], { kernelSize: 3, stride: 1, dilation: 2, padding: 1, countIncludePad: false }],
  ['the whole sequence', [2, 5, 4], { kernelSize: 5 }],
];

const mean =
  ({ countIncludePad = true }: AvgPool1dOptions) =>
  (cells: number[], covered: number): number =>
    cells.reduce((a, b) => a + b, 0) / (countIncludePad ? covered : cells.length);

beforeEach(() => manualSeed(1));

describe.each(cases)('avgPool1d › %s', (_name, shape, options) => {
  test('forward is the mean of each window', () => {
    const x = integers(shape);
    const expected = plainPool(x, shape, options, mean(options));
    for (const dtype of ['float32', 'float64'] as const) {
      const y = ops.avgPool1d(tensor(x, shape, { dtype }), options);
      expect(y.shape).toEqual(expected.shape);
      expect(distance(y.dataSync(), expected.data)).toBeLessThan(dtype === 'float32' ? 2 * unit : 1e-15);
    }
  });

  test('gradient', () => gradcheck((x) => ops.avgPool1d(x, options), [leaf(...shape)]));
});

test.each([[1], [15], [17], [64]])('avgPool1d › float32 agrees with float64, %d channels', (channels) => {
  const distances = precision((x) => ops.avgPool1d(x, { kernelSize: 3, stride: 2, padding: 1 }), [leaf(2, 19, channels)]);
  for (const one of distances) expect(one).toBeLessThan(16 * unit);
});

test('avgPool1d › random shapes: the mean of each window, and its adjoint', () => {
  fc.assert(
    fc.property(
      windowsThatFit(1, 20),
      fc.integer({ min: 1, max: 18 }),
      fc.record({ ceilMode: fc.boolean(), countIncludePad: fc.boolean() }),
      ({ n, size, kernel: [kernelSize], options: { stride, padding } }, channels, modes) => {
        fc.pre(Math.max(...padding) < kernelSize && size[0] + padding[0] + padding[1] >= kernelSize);
        const options = { kernelSize, stride, padding, ...modes };
        const shape = [n, ...size, channels];
        const values = integers(shape, 1);
        const x = tensor(values, shape, { requiresGrad: true });
        const y = ops.avgPool1d(x, options);
        const expected = plainPool(values, shape, options, mean(options));
        expect(y.shape).toEqual(expected.shape);
        expect(distance(y.dataSync(), expected.data)).toBeLessThan(1e-14);
        const weights = integers(y.shape, 2);
        y.backward(tensor(weights, y.shape));
        expect(inner(values, x.grad!.dataSync())).toBeCloseTo(inner(expected.data, weights), 8);
      },
    ),
    { numRuns: 200, seed: 1 },
  );
});

test('avgPool1d › bad arguments', () => {
  expect(fault(() => ops.avgPool1d(zeros([1, 4, 1]), { kernelSize: 3, padding: 3 }))).toEqual({
    name: 'RangeError',
    code: 'ERR_SHAPE',
    message: 'avgPool1d: padding [3,3] is not smaller than the window, which covers 3',
  });
  expect(fault(() => ops.avgPool1d(zeros([1, 4, 1]), { kernelSize: 2, returnIndices: true } as never)).message).toContain(
    'avgPool1d: an option name is "returnIndices"',
  );
});

import * as fc from 'fast-check';
import { manualSeed, ops, tensor, zeros } from '../../lib';
import type { AvgPool3dOptions } from '../../lib/ops/avgPool3d';
import { distance, precision, unit } from '../support/agree';
import { inner, integers, leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';
import { plainPool } from '../support/plain';
import { windowsThatFit } from '../support/windows';

const cases: readonly (readonly [name: string, x: number[], options: AvgPool3dOptions])[] = [
  ['kernel 2', [2, 4, 2, 4, 3], { kernelSize: 2 }],
  ['kernel [1, 2, 3], stride [2, 1, 1]', [1, 5, 3, 4, 2], { kernelSize: [1, 2, 3], stride: [2, 1, 1] }],
  ['overlapping windows', [1, 5, 4, 5, 1], { kernelSize: 3, stride: [2, 1, 2] }],
  ['padding 1', [1, 3, 4, 3, 1], { kernelSize: 3, stride: 2, padding: 1 }],
  ['padding 1, not counted', [1, 3, 4, 3, 1], { kernelSize: 3, stride: 2, padding: 1, countIncludePad: false }],
  ['padding [1, 0, 1, 0, 1, 0], not counted', [1, 3, 3, 4, 1], { kernelSize: 2, padding: [1, 0, 1, 0, 1, 0], countIncludePad: false }],
  ["padding 'same'", [1, 3, 4, 3, 1], { kernelSize: [2, 3, 2], stride: 2, padding: 'same' }],
  ['ceil mode, padding 1', [1, 4, 5, 4, 1], { kernelSize: 3, stride: 2, padding: 1, ceilMode: true }],
  ['ceil mode, padding 1, not counted', [1, 4, 5, 4, 1], { kernelSize: 3, stride: 2, padding: 1, ceilMode: true, countIncludePad: false }],
  ['the whole volume', [2, 3, 2, 4, 3], { kernelSize: [3, 2, 4] }],
  ['dilation [1, 2, 3], padding 1', [1, 4, 6, 5, 2], { kernelSize: [2, 3, 2], stride: 1, dilation: [1, 2, 3], padding: 1 }],
];

const mean =
  ({ countIncludePad = true }: AvgPool3dOptions) =>
  (cells: number[], covered: number): number =>
    cells.reduce((a, b) => a + b, 0) / (countIncludePad ? covered : cells.length);

beforeEach(() => manualSeed(1));

describe.each(cases)('avgPool3d › %s', (_name, shape, options) => {
  test('forward is the mean of each window', () => {
    const x = integers(shape);
    const expected = plainPool(x, shape, options, mean(options));
    for (const dtype of ['float32', 'float64'] as const) {
      const y = ops.avgPool3d(tensor(x, shape, { dtype }), options);
      expect(y.shape).toEqual(expected.shape);
      expect(distance(y.dataSync(), expected.data)).toBeLessThan(dtype === 'float32' ? 8 * unit : 1e-14);
    }
  });

  test('gradient', () => gradcheck((x) => ops.avgPool3d(x, options), [leaf(...shape)]));
});

test.each([[1], [15], [17], [64]])('avgPool3d › float32 agrees with float64, %d channels', (channels) => {
  const distances = precision((x) => ops.avgPool3d(x, { kernelSize: 3, stride: 2, padding: 1 }), [leaf(2, 5, 6, 7, channels)]);
  for (const one of distances) expect(one).toBeLessThan(32 * unit);
});

test('avgPool3d › random shapes: the mean of each window, and its adjoint', () => {
  fc.assert(
    fc.property(
      windowsThatFit(3, 5),
      fc.integer({ min: 1, max: 18 }),
      fc.record({ ceilMode: fc.boolean(), countIncludePad: fc.boolean() }),
      ({ n, size, kernel, options: { stride, padding } }, channels, modes) => {
        fc.pre(
          kernel.every((taps, axis) => {
            const [before, after] = [padding[axis], padding[axis + 3]];
            return Math.max(before, after) < taps && size[axis] + before + after >= taps;
          }),
        );
        const options = { kernelSize: kernel as [number, number, number], stride, padding, ...modes };
        const shape = [n, ...size, channels];
        const values = integers(shape, 1);
        const x = tensor(values, shape, { requiresGrad: true });
        const y = ops.avgPool3d(x, options);
        const expected = plainPool(values, shape, options, mean(options));
        expect(y.shape).toEqual(expected.shape);
        expect(distance(y.dataSync(), expected.data)).toBeLessThan(1e-13);
        const weights = integers(y.shape, 2);
        y.backward(tensor(weights, y.shape));
        expect(inner(values, x.grad!.dataSync())).toBeCloseTo(inner(expected.data, weights), 8);
      },
    ),
    { numRuns: 200, seed: 1 },
  );
});

test('avgPool3d › bad arguments', () => {
  expect(fault(() => ops.avgPool3d(zeros([1, 4, 4, 4, 1]), { kernelSize: 2, padding: [0, 0, 2] }))).toEqual({
    name: 'RangeError',
    code: 'ERR_SHAPE',
    message: 'avgPool3d: padding [0,0,2,0,0,2] is not smaller than the window, which covers 2x2x2',
  });
});

import { manualSeed, ops, tensor, zeros } from '../../lib';
import type { AvgPool2dOptions } from '../../lib/ops/avgPool2d';
import { distance, precision, unit } from '../support/agree';
import { integers, leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';
import { plainPool } from '../support/plain';

const cases: readonly (readonly [name: string, x: number[], options: AvgPool2dOptions])[] = [
  ['kernel 2', [2, 4, 6, 3], { kernelSize: 2 }],
  ['kernel [3, 1], stride [1, 2]', [1, 5, 5, 2], { kernelSize: [3, 1], stride: [1, 2] }],
  ['overlapping windows', [1, 6, 6, 2], { kernelSize: 3, stride: 2 }],
  ['windows with gaps', [1, 7, 7, 2], { kernelSize: 2, stride: 3 }],
  ['padding 1', [1, 5, 5, 2], { kernelSize: 3, stride: 2, padding: 1 }],
  ['padding 1, not counted', [1, 5, 5, 2], { kernelSize: 3, stride: 2, padding: 1, countIncludePad: false }],
  ['padding [2, 0, 1, 1], not counted', [1, 4, 5, 2], { kernelSize: 3, stride: 2, padding: [2, 0, 1, 1], countIncludePad: false }],
  ["padding 'same'", [1, 5, 4, 2], { kernelSize: 3, stride: 2, padding: 'same' }],
  ['ceil mode', [1, 5, 6, 2], { kernelSize: 2, ceilMode: true }],
  ['ceil mode, padding 1', [1, 5, 6, 2], { kernelSize: 3, stride: 2, padding: 1, ceilMode: true }],
  ['ceil mode, padding 1, not counted', [1, 6, 5, 2], { kernelSize: 3, stride: 2, padding: 1, ceilMode: true, countIncludePad: false }],
  ['the whole image', [2, 3, 5, 4], { kernelSize: [3, 5] }],
  ['dilation [2, 3], padding 1, ceil mode', [1, 8, 9, 2], { kernelSize: [3, 2], stride: 2, dilation: [2, 3], padding: 1, ceilMode: true }],
  ['dilation 2, padding not counted', [1, 7, 6, 2], { kernelSize: 3, stride: 1, dilation: 2, padding: 1, countIncludePad: false }],
];

beforeEach(() => manualSeed(1));

describe.each(cases)('avgPool2d › %s', (_name, shape, options) => {
  test('forward is the mean of each window', () => {
    const x = integers(shape);
    const expected = plainPool(x, shape, options, (cells, covered) => {
      return cells.reduce((a, b) => a + b, 0) / ((options.countIncludePad ?? true) ? covered : cells.length);
    });
    for (const dtype of ['float32', 'float64'] as const) {
      const y = ops.avgPool2d(tensor(x, shape, { dtype }), options);
      expect(y.shape).toEqual(expected.shape);
      expect(distance(y.dataSync(), expected.data)).toBeLessThan(dtype === 'float32' ? 2 * unit : 1e-15);
    }
  });

  test('gradient', () => gradcheck((x) => ops.avgPool2d(x, options), [leaf(...shape)]));
});

test.each([[1], [15], [17], [64]])('avgPool2d › float32 agrees with float64, %d channels', (channels) => {
  const distances = precision((x) => ops.avgPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }), [leaf(2, 9, 11, channels)]);
  for (const one of distances) expect(one).toBeLessThan(16 * unit);
});

test('avgPool2d › bad arguments', () => {
  expect(fault(() => ops.avgPool2d(zeros([1, 4, 4, 1]), { kernelSize: 3, padding: 3 }))).toEqual({
    name: 'RangeError',
    code: 'ERR_SHAPE',
    message: 'avgPool2d: padding [3,3,3,3] is not smaller than the window, which covers 3x3',
  });
});

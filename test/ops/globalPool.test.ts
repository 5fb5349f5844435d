import * as fc from 'fast-check';
import { manualSeed, ops, type Tensor, tensor, zeros } from '../../lib';
import { distance, precision, unit } from '../support/agree';
import { integers, leaf, spacedLeaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

const pools = [
  ['globalAvgPool1d', ops.globalAvgPool1d, leaf, [2, 7, 3]],
  ['globalAvgPool2d', ops.globalAvgPool2d, leaf, [2, 3, 4, 3]],
  ['globalMaxPool1d', ops.globalMaxPool1d, spacedLeaf, [2, 7, 3]],
  ['globalMaxPool2d', ops.globalMaxPool2d, spacedLeaf, [2, 3, 4, 3]],
] as const;

test.each(pools)('%s › gradient', (_name, pool, input, shape) => gradcheck(pool, [input(...shape)]));

test.each(pools)('%s › float32 agrees with float64', (_name, pool, _input, shape) => {
  for (const channels of [1, 15, 17, 64]) {
    for (const one of precision(pool, [leaf(...shape.slice(0, -1), channels)])) expect(one).toBeLessThan(4 * unit);
  }
});

test('global pools › random shapes, images and sequences: values and gradients', () => {
  const shapes = fc.record({
    n: fc.integer({ min: 0, max: 3 }),
    height: fc.integer({ min: 1, max: 18 }),
    width: fc.integer({ min: 1, max: 18 }),
    channels: fc.integer({ min: 1, max: 18 }),
    oneAxis: fc.boolean(),
  });
  fc.assert(
    fc.property(shapes, ({ n, height, width, channels, oneAxis }) => {
      const shape = oneAxis ? [n, height * width, channels] : [n, height, width, channels];
      const values = integers(shape);
      const weights = integers([n, channels], 5);
      const run = (pool: (x: Tensor) => Tensor) => {
        const x = tensor(Float32Array.from(values), shape, { requiresGrad: true });
        const y = pool(x);
        expect(y.shape).toEqual([n, channels]);
        y.backward(tensor(Float32Array.from(weights), y.shape));
        return [y.dataSync(), x.grad!.dataSync()];
      };
      const [avg, davg] = run(oneAxis ? ops.globalAvgPool1d : ops.globalAvgPool2d);
      const [max, dmax] = run(oneAxis ? ops.globalMaxPool1d : ops.globalMaxPool2d);
      const cells = height * width;
      const expected = { avg: new Float64Array(n * channels), max: new Float64Array(n * channels), dmax: new Float64Array(values.length) };
      for (let i = 0; i < n * channels; i++) {
        const [image, c] = [Math.floor(i / channels), i % channels];
        const places = Array.from({ length: cells }, (_, cell) => (image * cells + cell) * channels + c);
        expected.avg[i] = places.reduce((sum, at) => sum + values[at], 0) / cells;
        expected.max[i] = Math.max(...places.map((at) => values[at]));
        expected.dmax[places.find((at) => values[at] === expected.max[i])!] = weights[i];
      }
      expect(distance(avg, expected.avg)).toBeLessThan(2 * unit);
      expect(distance(max, expected.max)).toBe(0);
      expect(
        distance(
          davg,
          values.map((_, at) => weights[Math.floor(at / channels / cells) * channels + (at % channels)] / cells),
        ),
      ).toBeLessThan(2 * unit);
      expect(distance(dmax, expected.dmax)).toBe(0);
    }),
    { numRuns: 300, seed: 1 },
  );
});

describe('global pools › bad arguments', () => {
  test.each([
    [
      'axes',
      () => ops.globalAvgPool2d(zeros([2, 3, 4])),
      ['RangeError', 'ERR_SHAPE', 'globalAvgPool2d: input has shape [2,3,4], expected [N,H,W,C]'],
    ],
    [
      'integers',
      () => ops.globalAvgPool1d(zeros([2, 3, 4], { dtype: 'int32' })),
      ['TypeError', 'ERR_DTYPE', 'globalAvgPool1d: input is int32, expected float32 or float64'],
    ],
    [
      'no cells',
      () => ops.globalMaxPool1d(zeros([2, 0, 4])),
      ['RangeError', 'ERR_SHAPE', 'globalMaxPool1d: input has shape [2,0,4], expected at least one cell along each axis but the first'],
    ],
    [
      'no tensor',
      () => ops.globalMaxPool2d(null as never),
      ['TypeError', 'ERR_INVALID_TYPE', 'globalMaxPool2d: input is null, expected a Tensor of this copy of receptive'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

import * as fc from 'fast-check';
import { manualSeed, ops, tensor, zeros } from '../../lib';
import { distance, precision, unit } from '../support/agree';
import { leaf, randomNumbers, sizeOf, spacedLeaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

test('prelu › forward and both gradients are the formulas, whatever the shape', () => {
  const shapes = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 4 });
  fc.assert(
    fc.property(shapes, fc.boolean(), fc.nat(), (shape, shared, seed) => {
      const next = randomNumbers(seed);
      const channels = shared ? 1 : (shape.at(-1) ?? 1);
      const draw = (n: number) => Float64Array.from({ length: n }, () => Math.fround(2 * next() - 1));
      const [x, w, g] = [draw(sizeOf(shape)), draw(channels), draw(sizeOf(shape))];
      const dw = new Float64Array(channels);
      x.forEach((v, i) => {
        if (v <= 0) dw[i % channels] += g[i] * v;
      });
      for (const dtype of ['float32', 'float64'] as const) {
        const bound = dtype === 'float32' ? 64 * unit : 1e-15;
        const [input, weight] = [x, w].map((v, i) => tensor(v, i ? [channels] : shape, { dtype, requiresGrad: true }));
        const y = ops.prelu(input, weight);
        expect(y.shape).toEqual(shape);
        const slope = (i: number) => (x[i] > 0 ? 1 : w[i % channels]);
        expect(
          distance(
            y.dataSync(),
            x.map((v, i) => slope(i) * v),
          ),
        ).toBeLessThan(bound);
        y.backward(tensor(g, shape, { dtype }));
        expect(
          distance(
            input.grad!.dataSync(),
            g.map((v, i) => slope(i) * v),
          ),
        ).toBeLessThan(bound);
        // Of the sum of at most that many products of at most 1, since the terms may cancel.
        weight.grad!.dataSync().forEach((value, i) => {
          expect(Math.abs(value - dw[i])).toBeLessThan(bound * Math.max(1, sizeOf(shape)));
        });
      }
    }),
    { numRuns: 300, seed: 1 },
  );
});

test.each([
  ['one slope', [3, 5], 1],
  ['a slope for each channel', [2, 3, 2, 4], 4],
  ['one channel', [6, 1], 1],
])('prelu › gradient, %s', (_name, shape, channels) => gradcheck(ops.prelu, [spacedLeaf(...shape), leaf(channels)]));

test('prelu › gradient of the weight alone', () => {
  const x = spacedLeaf(4, 3).detach();
  gradcheck((weight) => ops.prelu(x, weight), [leaf(3)]);
});

test('prelu › gradient of the input alone', () => {
  const weight = leaf(3).detach();
  gradcheck((x) => ops.prelu(x, weight), [spacedLeaf(4, 3)]);
});

test.each([1, 15, 16, 17, 200])('prelu › float32 agrees with float64, %d channels', (channels) => {
  for (const one of precision(ops.prelu, [leaf(50, channels), leaf(channels)])) expect(one).toBeLessThan(64 * unit);
});

test.each([
  [
    'a weight for no channel',
    () => ops.prelu(zeros([2, 3]), zeros([2])),
    ['RangeError', 'ERR_SHAPE', 'prelu: weight has shape [2], expected [1] or [3], the channels (input [2,3])'],
  ],
  [
    'a weight of rank 0',
    () => ops.prelu(zeros([2, 3]), zeros([])),
    ['RangeError', 'ERR_SHAPE', 'prelu: weight has shape [], expected [1] or [3], the channels (input [2,3])'],
  ],
  [
    'a number as weight',
    () => ops.prelu(zeros([2]), 0.25 as never),
    ['TypeError', 'ERR_INVALID_TYPE', 'prelu: weight is 0.25, expected a Tensor of this copy of receptive'],
  ],
  [
    'types that differ',
    () => ops.prelu(zeros([2]), zeros([1], { dtype: 'float64' })),
    ['TypeError', 'ERR_DTYPE', 'prelu: inputs are float32 and float64, expected the same type (see ops.cast)'],
  ],
])('prelu › bad arguments › %s', (_name, call, [name, code, message]) => {
  expect(fault(call)).toEqual({ name, code, message });
});

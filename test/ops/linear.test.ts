import { manualSeed, ones, ops, randn, tensor, zeros } from '../../lib';
import { precision, unit } from '../support/agree';
import { leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

test('linear › y = x Wᵀ + b', () => {
  const y = ops.linear(
    tensor([[1, 2]]),
    tensor([
      [3, 4],
      [5, 6],
      [7, 8],
    ]),
    tensor([10, 20, 30]),
  );
  expect(y.shape).toEqual([1, 3]);
  expect(Array.from(y.dataSync())).toEqual([21, 37, 53]);
});

describe.each([
  ['a vector', [4]],
  ['a batch', [3, 4]],
  ['two leading axes', [2, 3, 4]],
])('linear › %s', (_name, shape) => {
  test('gradient', () => gradcheck((x, w, b) => ops.linear(x, w, b), [leaf(...shape), leaf(5, 4), leaf(5)]));
  test('gradient, without a bias', () => gradcheck((x, w) => ops.linear(x, w), [leaf(...shape), leaf(5, 4)]));
});

test('linear › gradient of the bias alone', () => {
  const [x, w] = [leaf(3, 4).detach(), leaf(5, 4).detach()];
  gradcheck((b) => ops.linear(x, w, b), [leaf(5)]);
});

test.each([
  [1, 3, 1],
  [64, 400, 120],
  [5, 84, 10],
  [33, 17, 65],
])('linear › float32 agrees with float64, %d rows of %d to %d', (n, inFeatures, outFeatures) => {
  const distances = precision((x, w, b) => ops.linear(x, w, b), [leaf(n, inFeatures), leaf(outFeatures, inFeatures), leaf(outFeatures)]);
  for (const one of distances) expect(one).toBeLessThan(unit * (n + inFeatures + outFeatures + 2));
});

test('linear › an empty batch', () => expect(ops.linear(zeros([0, 4]), ones([5, 4]), ones([5])).shape).toEqual([0, 5]));

describe('linear › bad arguments', () => {
  test.each([
    [
      'features that differ',
      () => ops.linear(zeros([2, 3]), ones([5, 4])),
      ['RangeError', 'ERR_SHAPE', 'linear: input has 3 features, weight expects 4 (input [2,3], weight [5,4])'],
    ],
    [
      'a scalar',
      () => ops.linear(zeros([]), ones([5, 4])),
      ['RangeError', 'ERR_SHAPE', 'linear: input has no features, weight expects 4 (input [], weight [5,4])'],
    ],
    [
      'a bias of another length',
      () => ops.linear(zeros([2, 4]), ones([5, 4]), ones([4])),
      ['RangeError', 'ERR_SHAPE', 'linear: bias has shape [4], expected [5]'],
    ],
    [
      'a weight of rank 3',
      () => ops.linear(zeros([2, 4]), ones([5, 4, 1])),
      ['RangeError', 'ERR_SHAPE', 'linear: weight has shape [5,4,1], expected [out,in]'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

describe.each(['relu', 'relu6'] as const)('linear › %s in the same pass', (activation) => {
  test.each([
    [3, 40, 20],
    [40, 50, 35],
  ])('is that of the sums, %d rows of %d to %d', (n, inFeatures, outFeatures) => {
    const [x, w, b] = [randn([n, inFeatures]), randn([outFeatures, inFeatures]), randn([outFeatures])];
    const apart = ops[activation](ops.linear(x, w, b)).dataSync();
    expect(ops.linear(x, w, b, { activation }).dataSync()).toEqual(apart);
    expect(apart.some((v) => v === 0)).toBe(true);
  });

  test('gradient', () => gradcheck((x, w, b) => ops.linear(x, w, b, { activation }), [leaf(3, 4), leaf(5, 4), leaf(5)]));
});

test('linear › an activation that is none is an error', () => {
  expect(fault(() => ops.linear(ones([1, 2]), ones([1, 2]), null, { activation: 'tanh' as never })).message).toBe(
    `linear: activation is "tanh", expected 'relu' or 'relu6'`,
  );
});

import * as fc from 'fast-check';
import { manualSeed, ones, ops, randn, type Tensor, tensor, zeros } from '../../lib';
import type { NormOptions } from '../../lib/ops/groupNorm';
import { distance, precision, unit } from '../support/agree';
import { leaf, sizeOf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

type Norm = (x: Tensor, options: NormOptions) => Tensor;

const cases: readonly (readonly [name: string, norm: Norm, x: number[], parameters: number[]])[] = [
  ['layerNorm of the last axis', ops.layerNorm, [3, 5], [5]],
  ['layerNorm of a vector', ops.layerNorm, [6], [6]],
  ['layerNorm of two axes', (x, o) => ops.layerNorm(x, { ...o, normalizedShape: [2, 3] }), [2, 2, 2, 3], [2, 3]],
  ['layerNorm of all axes', (x, o) => ops.layerNorm(x, { ...o, normalizedShape: [2, 2, 3] }), [2, 2, 3], [2, 2, 3]],
  ['layerNorm, eps 0.5', (x, o) => ops.layerNorm(x, { ...o, normalizedShape: 4, eps: 0.5 }), [3, 4], [4]],
  ['groupNorm, 2 groups', (x, o) => ops.groupNorm(x, { ...o, groups: 2 }), [2, 3, 2, 6], [6]],
  ['groupNorm, 1 group', (x, o) => ops.groupNorm(x, { ...o, groups: 1 }), [2, 3, 2], [2]],
  ['groupNorm of features', (x, o) => ops.groupNorm(x, { ...o, groups: 2 }), [3, 6], [6]],
  ['groupNorm of volumes, eps 0.5', (x, o) => ops.groupNorm(x, { ...o, groups: 2, eps: 0.5 }), [1, 2, 2, 2, 4], [4]],
  ['groupNorm, a group for each channel', (x, o) => ops.groupNorm(x, { ...o, groups: 3 }), [2, 4, 3], [3]],
  ['instanceNorm', ops.instanceNorm, [2, 3, 2, 3], [3]],
  ['instanceNorm, eps 0.5', (x, o) => ops.instanceNorm(x, { ...o, eps: 0.5 }), [2, 3, 1], [1]],
];

describe.each(cases)('%s', (_name, norm, shape, parameters) => {
  test('gradient', () => {
    gradcheck((x, weight, bias) => norm(x, { weight, bias }), [leaf(...shape), leaf(...parameters), leaf(...parameters)], {
      tolerance: 1e-5,
    });
  });

  test('gradient, without weight and bias', () => gradcheck((x) => norm(x, {}), [leaf(...shape)], { tolerance: 1e-5 }));

  test('gradient of weight and bias alone', () => {
    const x = leaf(...shape).detach();
    gradcheck((weight, bias) => norm(x, { weight, bias }), [leaf(...parameters), leaf(...parameters)]);
  });

  test('gradient of x beside a constant weight', () => {
    const weight = leaf(...parameters).detach();
    gradcheck((x) => norm(x, { weight }), [leaf(...shape)], { tolerance: 1e-5 });
  });
});

/** The formula, element by element: groupOf says which statistics an element is in, channelOf which parameters it has. */
function plain(
  x: Float64Array,
  groupOf: (i: number) => number,
  channelOf: (i: number) => number,
  weight: Float64Array,
  bias: Float64Array,
  eps: number,
): Float64Array {
  const sets = new Map<number, number[]>();
  x.forEach((v, i) => {
    sets.set(groupOf(i), [...(sets.get(groupOf(i)) ?? []), v]);
  });
  const moments = new Map(
    [...sets].map(([key, values]) => {
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
      return [key, { mean, variance }] as const;
    }),
  );
  return x.map((v, i) => {
    const { mean, variance } = moments.get(groupOf(i))!;
    return (weight[channelOf(i)] * (v - mean)) / Math.sqrt(variance + eps) + bias[channelOf(i)];
  });
}

const dimension = (max: number) => fc.integer({ min: 1, max });
const single = (x: Tensor) => ops.cast(x, 'float32');

function expectFormula(norm: Norm, x: Tensor, parameters: number[], expected: (w: Float64Array, b: Float64Array) => Float64Array): void {
  const [weight, bias] = [randn(parameters, { dtype: 'float64' }), randn(parameters, { dtype: 'float64' })];
  const values = expected(weight.dataSync() as Float64Array, bias.dataSync() as Float64Array);
  const y = norm(x, { weight, bias, eps: 0.01 });
  expect(y.shape).toEqual(x.shape);
  expect(distance(y.dataSync(), values)).toBeLessThan(1e-13);
  const y32 = norm(single(x), { weight: single(weight), bias: single(bias), eps: 0.01 });
  expect(distance(y32.dataSync(), values)).toBeLessThan(400 * unit);
}

test('groupNorm › is the formula, whatever the shape', () => {
  fc.assert(
    fc.property(dimension(4), fc.array(dimension(5), { maxLength: 3 }), dimension(5), dimension(9), (N, places, groups, depth) => {
      const [C, S] = [groups * depth, sizeOf(places)];
      fc.pre(S * depth > 1);
      const x = randn([N, ...places, C], { dtype: 'float64' });
      expectFormula(
        (v, o) => ops.groupNorm(v, { ...o, groups }),
        x,
        [C],
        (w, b) =>
          plain(
            x.dataSync() as Float64Array,
            (i) => Math.floor(i / (S * C)) * groups + Math.floor((i % C) / depth),
            (i) => i % C,
            w,
            b,
            0.01,
          ),
      );
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('layerNorm › is the formula, whatever the shape', () => {
  fc.assert(
    fc.property(
      fc.array(dimension(6), { maxLength: 2 }),
      fc.array(dimension(9), { minLength: 1, maxLength: 3 }),
      (outer, normalizedShape) => {
        const D = sizeOf(normalizedShape);
        const x = randn([...outer, ...normalizedShape], { dtype: 'float64' });
        expectFormula(
          (v, o) => ops.layerNorm(v, { ...o, normalizedShape }),
          x,
          normalizedShape,
          (w, b) =>
            plain(
              x.dataSync() as Float64Array,
              (i) => Math.floor(i / D),
              (i) => i % D,
              w,
              b,
              0.01,
            ),
        );
      },
    ),
    { numRuns: 200, seed: 1 },
  );
});

test('instanceNorm › is groupNorm with a group for each channel, to the bit', () => {
  const x = randn([3, 7, 5, 6]);
  const options = { weight: randn([6]), bias: randn([6]) };
  expect(ops.instanceNorm(x, options).dataSync()).toEqual(ops.groupNorm(x, { ...options, groups: 6 }).dataSync());
});

test('layerNorm › of equal values is the bias', () => {
  expect(Array.from(ops.layerNorm(tensor([[7, 7, 7]]), { bias: tensor([1, 2, 3]) }).dataSync())).toEqual([1, 2, 3]);
});

test.each<[string, Norm, number[]]>([
  ['layerNorm', ops.layerNorm, [0, 3]],
  ['groupNorm', (x, o) => ops.groupNorm(x, { ...o, groups: 3 }), [0, 4, 3]],
  ['groupNorm', (x, o) => ops.groupNorm(x, { ...o, groups: 3 }), [2, 0, 3]],
  ['instanceNorm', ops.instanceNorm, [0, 1, 1, 3]],
])('%s of no values has gradients of 0', (_name, norm, shape) => {
  for (const dtype of ['float32', 'float64'] as const) {
    const [x, weight, bias] = [
      zeros(shape, { dtype, requiresGrad: true }),
      ones([3], { dtype, requiresGrad: true }),
      zeros([3], { dtype, requiresGrad: true }),
    ];
    const y = norm(x, { weight, bias });
    expect(y.shape).toEqual(shape);
    ops.sum(y).backward();
    expect([...weight.grad!.dataSync(), ...bias.grad!.dataSync()]).toEqual([0, 0, 0, 0, 0, 0]);
  }
});

test.each<[string, Norm, number[], number[]]>([
  ['layerNorm, 17 features', ops.layerNorm, [9, 17], [17]],
  ['layerNorm, 768 features', ops.layerNorm, [50, 768], [768]],
  ['layerNorm, 40000 features', ops.layerNorm, [2, 40_000], [40_000]],
  ['groupNorm, 64 channels', (x, o) => ops.groupNorm(x, { ...o, groups: 8 }), [2, 14, 14, 64], [64]],
  ['groupNorm of large images', (x, o) => ops.groupNorm(x, { ...o, groups: 2 }), [1, 80, 90, 6], [6]],
  ['instanceNorm, 3 channels', ops.instanceNorm, [2, 30, 30, 3], [3]],
])('float32 agrees with float64: %s', (_name, norm, shape, parameters) => {
  const distances = precision((x, weight, bias) => norm(x, { weight, bias }), [leaf(...shape), leaf(...parameters), leaf(...parameters)]);
  for (const one of distances) expect(one).toBeLessThan(1e-5);
});

describe('bad arguments', () => {
  const x = zeros([2, 4, 4, 6]);
  test.each([
    [
      'layerNorm, other axes',
      () => ops.layerNorm(x, { normalizedShape: [4, 5] }),
      ['RangeError', 'ERR_SHAPE', 'layerNorm: input has shape [2,4,4,6], expected [...,4,5] as normalizedShape says'],
    ],
    [
      'layerNorm, more axes than there are',
      () => ops.layerNorm(zeros([6]), { normalizedShape: [1, 6] }),
      ['RangeError', 'ERR_SHAPE', 'layerNorm: input has shape [6], expected [...,1,6] as normalizedShape says'],
    ],
    [
      'layerNorm, no axes',
      () => ops.layerNorm(x, { normalizedShape: [] }),
      ['RangeError', 'ERR_INVALID_VALUE', 'layerNorm: normalizedShape is [], expected the lengths of one axis or more'],
    ],
    [
      'layerNorm, an axis that is no number',
      () => ops.layerNorm(x, { normalizedShape: 'last' as never }),
      ['TypeError', 'ERR_INVALID_TYPE', 'layerNorm: normalizedShape is "last", expected an integer or a list of them'],
    ],
    [
      'layerNorm of a scalar',
      () => ops.layerNorm(zeros([])),
      ['RangeError', 'ERR_SHAPE', 'layerNorm: input is a scalar, expected rank 1 or more'],
    ],
    [
      'layerNorm, a weight of another shape',
      () => ops.layerNorm(x, { weight: ones([5]) }),
      ['RangeError', 'ERR_SHAPE', 'layerNorm: weight has shape [5], expected [6]'],
    ],
    [
      'groupNorm, groups that do not divide',
      () => ops.groupNorm(x, { groups: 4 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'groupNorm: groups is 4, expected a divisor of the 6 channels (input [2,4,4,6])'],
    ],
    [
      'groupNorm, no groups given',
      () => ops.groupNorm(x, {} as never),
      ['RangeError', 'ERR_INVALID_VALUE', 'groupNorm: groups is undefined, expected a divisor of the 6 channels (input [2,4,4,6])'],
    ],
    [
      'groupNorm, a bias of another shape',
      () => ops.groupNorm(x, { groups: 2, bias: ones([2]) }),
      ['RangeError', 'ERR_SHAPE', 'groupNorm: bias has shape [2], expected [6]'],
    ],
    [
      'groupNorm, one value a group',
      () => ops.groupNorm(zeros([2, 6]), { groups: 6 }),
      ['RangeError', 'ERR_SHAPE', 'groupNorm: input [2,6] has one value in each of 6 groups, which has no variance'],
    ],
    [
      'instanceNorm, one place',
      () => ops.instanceNorm(zeros([2, 1, 1, 3])),
      ['RangeError', 'ERR_SHAPE', 'instanceNorm: input [2,1,1,3] has one value in each of 3 groups, which has no variance'],
    ],
    [
      'instanceNorm of a vector',
      () => ops.instanceNorm(zeros([3])),
      ['RangeError', 'ERR_SHAPE', 'instanceNorm: input has shape [3], expected [N,...,C]'],
    ],
    [
      'eps 0',
      () => ops.instanceNorm(x, { eps: 0 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'instanceNorm: eps is 0, expected a positive number'],
    ],
    [
      'an option of another norm',
      () => ops.instanceNorm(x, { groups: 2 } as never),
      ['RangeError', 'ERR_INVALID_VALUE', 'instanceNorm: an option name is "groups", expected one of weight, bias, eps'],
    ],
    [
      'types that differ',
      () => ops.layerNorm(x, { weight: ones([6], { dtype: 'float64' }) }),
      ['TypeError', 'ERR_DTYPE', 'layerNorm: inputs are float32 and float64, expected the same type (see ops.cast)'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

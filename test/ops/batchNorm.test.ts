import * as fc from 'fast-check';
import { type Dtype, manualSeed, ones, ops, randn, type Tensor, tensor, uniform, zeros } from '../../lib';
import type { BatchNormOptions } from '../../lib/ops/batchNorm';
import { distance, precision, unit } from '../support/agree';
import { leaf, positiveLeaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

const statistics = () => ({
  runningMean: randn([3], { dtype: 'float64' }),
  runningVar: uniform([3], 0.5, 2, { dtype: 'float64' }),
});

const cases: readonly (readonly [name: string, x: number[], options: BatchNormOptions])[] = [
  ['training', [2, 3, 2, 3], { training: true }],
  ['training, rank 2', [5, 3], { training: true }],
  ['training, two values a channel', [2, 3], { training: true, eps: 0.1 }],
  ['training, eps 0.5', [2, 2, 2, 3], { training: true, eps: 0.5 }],
  ['inference', [2, 2, 3, 3], { training: false }],
  ['inference, eps 0.5', [2, 2, 1, 3], { training: false, eps: 0.5 }],
];

describe.each(cases)('batchNorm › %s', (_name, shape, options) => {
  test('gradient', () => {
    const running = options.training ? {} : statistics();
    gradcheck((x, weight, bias) => ops.batchNorm(x, { ...options, ...running, weight, bias }), [leaf(...shape), leaf(3), leaf(3)], {
      tolerance: 1e-5,
    });
  });

  test('gradient, without weight and bias', () => {
    const running = options.training ? {} : statistics();
    gradcheck((x) => ops.batchNorm(x, { ...options, ...running }), [leaf(...shape)], { tolerance: 1e-5 });
  });

  test('gradient of weight and bias alone', () => {
    const running = options.training ? {} : statistics();
    const x = randn(shape, { dtype: 'float64' });
    gradcheck((weight, bias) => ops.batchNorm(x, { ...options, ...running, weight, bias }), [leaf(3), leaf(3)]);
  });
});

/** Mean and variance (over m, not m - 1) of each channel. */
function moments(data: ArrayLike<number>, channels: number): { mean: number[]; variance: number[]; count: number } {
  const columns = Array.from({ length: channels }, (_, c) => Array.from(data).filter((_, i) => i % channels === c));
  const mean = columns.map((column) => column.reduce((a, b) => a + b, 0) / column.length);
  const variance = columns.map((column, c) => column.reduce((sum, x) => sum + (x - mean[c]) ** 2, 0) / column.length);
  return { mean, variance, count: columns[0].length };
}

test('batchNorm › a trained batch has mean 0 and variance 1 in every channel, wherever its values lie', () => {
  fc.assert(
    fc.property(
      fc.record({
        shape: fc.tuple(
          fc.integer({ min: 2, max: 5 }),
          fc.integer({ min: 1, max: 6 }),
          fc.integer({ min: 1, max: 5 }),
          fc.integer({ min: 1, max: 40 }),
        ),
        offset: fc.integer({ min: -1000, max: 1000 }),
        scale: fc.constantFrom(0.5, 1, 30),
      }),
      ({ shape, offset, scale }) => {
        const x = ops.add(ops.mul(randn(shape), scale), offset);
        const { mean, variance } = moments(ops.batchNorm(x, { training: true, eps: 1e-10 }).dataSync(), shape[3]);
        // What x lost to rounding at its offset comes back as noise, relative to its spread.
        const noise = 1e-5 + (8 * unit * Math.abs(offset)) / scale;
        for (const m of mean) expect(Math.abs(m)).toBeLessThan(noise);
        for (const v of variance) expect(Math.abs(v - 1)).toBeLessThan(200 * noise + 1e-3);
      },
    ),
    { numRuns: 200, seed: 1 },
  );
});

describe.each([true, false])('batchNorm › what follows in the same pass, training %s', (training) => {
  const statistics = () => ({ runningMean: leaf(3).detach(), runningVar: positiveLeaf(3).detach() });

  test.each([
    ['relu', false],
    ['relu', true],
    ['relu6', false],
    ['relu6', true],
    [null, true],
  ] as const)('activation %s, add %s', (activation, added) => {
    const running = statistics();
    const copies = (dtype: Dtype) => ({
      runningMean: ops.cast(running.runningMean, dtype),
      runningVar: ops.cast(running.runningVar, dtype),
    });
    const norm = (fused: boolean) => (x: Tensor, weight: Tensor, bias: Tensor, add: Tensor) => {
      const options = { ...copies(x.dtype), weight, bias, training };
      if (fused) return ops.batchNorm(x, { ...options, activation, add: added ? add : null });
      const y = added ? ops.add(ops.batchNorm(x, options), add) : ops.batchNorm(x, options);
      return activation === null ? y : activation === 'relu' ? ops.relu(y) : ops.relu(ops.minimum(y, 6));
    };
    const inputs = [leaf(2, 4, 3, 3), leaf(3), leaf(3), leaf(2, 4, 3, 3)];
    expect(
      distance(
        norm(true)(...(inputs as [Tensor, Tensor, Tensor, Tensor])).dataSync(),
        norm(false)(...(inputs as [Tensor, Tensor, Tensor, Tensor])).dataSync(),
      ),
    ).toBeLessThan(1e-14);
    gradcheck(norm(true) as (...all: Tensor[]) => Tensor, inputs, { zero: added ? [] : [3] });
    for (const one of precision(norm(true) as (...all: Tensor[]) => Tensor, inputs.slice(0, added ? 4 : 3))) expect(one).toBeLessThan(1e-5);
  });

  test.each([0, 1, 2, 3])('gradient of input %d alone', (wanted) => {
    const inputs = [leaf(2, 4, 3, 3), leaf(3), leaf(3), leaf(2, 4, 3, 3)];
    inputs.forEach((input, i) => {
      input.requiresGrad = i === wanted;
    });
    const running = statistics();
    gradcheck((x, weight, bias, add) => ops.batchNorm(x, { ...running, weight, bias, add, activation: 'relu', training: false }), inputs);
  });
});

test('batchNorm › running statistics move by the momentum towards the batch, the variance unbiased', () => {
  const x = randn([4, 3, 2, 5], { dtype: 'float64' });
  const [runningMean, runningVar] = [zeros([5], { dtype: 'float64' }), ones([5], { dtype: 'float64' })];
  const { mean, variance, count } = moments(x.dataSync(), 5);
  ops.batchNorm(x, { runningMean, runningVar, training: true, momentum: 0.25 });
  const [newMean, newVar] = [runningMean.dataSync(), runningVar.dataSync()];
  mean.forEach((m, c) => {
    expect(newMean[c]).toBeCloseTo(0.25 * m, 12);
    expect(newVar[c]).toBeCloseTo(0.75 + (0.25 * variance[c] * count) / (count - 1), 12);
  });
});

test('batchNorm › inference uses the running statistics and leaves them', () => {
  const [runningMean, runningVar] = [tensor([1, 2]), tensor([4, 9])];
  const options = { runningMean, runningVar, weight: tensor([2, 3]), bias: tensor([10, 20]), eps: 1e-12 };
  const y = ops.batchNorm(
    tensor([
      [3, 2],
      [1, 5],
    ]),
    options,
  );
  expect(Array.from(y.dataSync(), (v) => Math.round(v * 1e4) / 1e4)).toEqual([12, 20, 10, 23]);
  expect([...runningMean.dataSync(), ...runningVar.dataSync()]).toEqual([1, 2, 4, 9]);
});

test('batchNorm › writing the running statistics after inference is noticed by backward', () => {
  const running = { runningMean: zeros([2]), runningVar: ones([2]) };
  const x = randn([3, 2], { requiresGrad: true });
  const y = ops.sum(ops.batchNorm(x, running));
  ops.batchNorm(x, { ...running, training: true });
  expect(fault(() => y.backward()).code).toBe('ERR_AUTOGRAD');
});

test.each([
  ['training, 1 channel', [4, 5, 3, 1], true],
  ['training, 17 channels', [3, 5, 7, 17], true],
  ['training, 64 channels', [2, 9, 8, 64], true],
  ['inference, 33 channels', [2, 3, 3, 33], false],
])('batchNorm › float32 agrees with float64, %s', (_name, shape, training) => {
  const c = shape[3];
  const running = training ? [] : [randn([c], { dtype: 'float64' }), positiveLeaf(c).detach()];
  const distances = precision(
    (x, weight, bias, runningMean, runningVar) => ops.batchNorm(x, { weight, bias, runningMean, runningVar, training }),
    [leaf(...shape), leaf(c), leaf(c), ...running],
  );
  for (const one of distances) expect(one).toBeLessThan(1e-4);
});

describe('batchNorm › bad arguments', () => {
  const x = zeros([2, 4, 4, 3]);
  test.each([
    [
      'rank 1',
      () => ops.batchNorm(zeros([3]), { training: true }),
      ['RangeError', 'ERR_SHAPE', 'batchNorm: input has shape [3], expected rank 2 or more, channels last'],
    ],
    [
      'a weight of another length',
      () => ops.batchNorm(x, { weight: ones([4]), training: true }),
      ['RangeError', 'ERR_SHAPE', 'batchNorm: weight has shape [4], expected [3]'],
    ],
    [
      'no running statistics to infer with',
      () => ops.batchNorm(x),
      [
        'RangeError',
        'ERR_INVALID_VALUE',
        'batchNorm: runningMean is null, expected a Tensor: without training there are no other statistics',
      ],
    ],
    [
      'a running mean without a running variance',
      () => ops.batchNorm(x, { runningMean: zeros([3]), training: true }),
      ['RangeError', 'ERR_INVALID_VALUE', 'batchNorm: runningVar is null, expected a Tensor beside runningMean'],
    ],
    [
      'one value a channel in training',
      () => ops.batchNorm(zeros([1, 1, 1, 3]), { training: true }),
      ['RangeError', 'ERR_SHAPE', 'batchNorm: input [1,1,1,3] has one value a channel, training needs more than one'],
    ],
    [
      'eps 0',
      () => ops.batchNorm(x, { training: true, eps: 0 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'batchNorm: eps is 0, expected a positive number'],
    ],
    [
      'momentum 2',
      () => ops.batchNorm(x, { training: true, momentum: 2 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'batchNorm: momentum is 2, expected a number from 0 to 1'],
    ],
    [
      'an activation it does not have',
      () => ops.batchNorm(x, { training: true, activation: 'tanh' as never }),
      ['RangeError', 'ERR_INVALID_VALUE', `batchNorm: activation is "tanh", expected 'relu' or 'relu6'`],
    ],
    [
      'a sum with another shape',
      () => ops.batchNorm(x, { training: true, add: zeros([2, 4, 4, 1]) }),
      ['RangeError', 'ERR_SHAPE', 'batchNorm: what is added, as by a residual shortcut, has shape [2,4,4,1], expected [2,4,4,3]'],
    ],
    [
      'types that differ',
      () => ops.batchNorm(x, { training: true, weight: ones([3], { dtype: 'float64' }) }),
      ['TypeError', 'ERR_DTYPE', 'batchNorm: inputs are float32 and float64, expected the same type (see ops.cast)'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

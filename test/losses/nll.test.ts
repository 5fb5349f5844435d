import * as fc from 'fast-check';
import { losses, manualSeed, ops, randn, type Tensor, tensor, zeros } from '../../lib';
import type { NllOptions } from '../../lib/losses';
import { distance, precision, unit } from '../support/agree';
import { leaf, randomNumbers, sizeOf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

const labels = (...values: number[]): Tensor => tensor(Int32Array.from(values));
const target = labels(3, 0, 1, 1, 2);
const weight = () => tensor([0.5, 2, 1, 0.25], null, { dtype: 'float64' });

const options: readonly (readonly [string, () => NllOptions])[] = [
  ['plain', () => ({})],
  ['class weights', () => ({ weight: weight() })],
  ['an ignored label', () => ({ ignoreIndex: 1 })],
  ['class weights, an ignored label', () => ({ weight: weight(), ignoreIndex: 0 })],
];

describe.each(options)('nll › %s', (_name, make) => {
  test.each(['none', 'sum', 'mean'] as const)('gradient, reduction %s', (reduction) => {
    gradcheck((x) => losses.nll(x, target, { ...make(), reduction }), [leaf(5, 4)]);
  });

  test.each(['none', 'sum', 'mean'] as const)('of the log-softmax it is the cross-entropy, reduction %s', (reduction) => {
    const logits = randn([5, 4], { dtype: 'float64' });
    const expected = losses.crossEntropy(logits, target, { ...make(), reduction });
    const y = losses.nll(ops.logSoftmax(logits), target, { ...make(), reduction });
    expect(y.shape).toEqual(expected.shape);
    expect(distance(y.dataSync(), expected.dataSync())).toBeLessThan(1e-14);
  });
});

test('nll › is the formula, whatever the shape', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }),
      fc.integer({ min: 1, max: 20 }),
      fc.boolean(),
      fc.nat(),
      (outer, classes, weighted, seed) => {
        const next = randomNumbers(seed);
        const rows = sizeOf(outer);
        const at = Array.from({ length: rows }, () => Math.floor(next() * (classes + 1)) - 1); // -1 is ignored below
        const w = Array.from({ length: classes }, () => (weighted ? Math.fround(next()) : 1));
        const x = randn([...outer, classes], { dtype: 'float64' });
        const values = x.dataSync();
        const expected = at.map((label, row) => (label < 0 ? 0 : -w[label] * values[row * classes + label]));
        const total = expected.reduce((a, b) => a + b, 0);
        const count = at.reduce((sum, label) => sum + (label < 0 ? 0 : w[label]), 0);
        for (const dtype of ['float32', 'float64'] as const) {
          const bound = dtype === 'float32' ? 8 * unit : 1e-15;
          const loss = (reduction: 'none' | 'sum' | 'mean') =>
            losses.nll(ops.cast(x, dtype), tensor(Int32Array.from(at), outer), {
              reduction,
              ignoreIndex: -1,
              weight: weighted ? tensor(w, null, { dtype }) : null,
            });
          expect(loss('none').shape).toEqual(outer);
          expect(distance(loss('none').dataSync(), expected)).toBeLessThan(bound);
          const scale = Math.max(...expected.map(Math.abs), Number.MIN_VALUE) * Math.max(rows, 1);
          expect(Math.abs(loss('sum').itemSync() - total) / scale).toBeLessThan(bound);
          if (count > 0) expect(Math.abs(loss('mean').itemSync() - total / count) / (scale / count)).toBeLessThan(bound);
          else expect(loss('mean').itemSync()).toBeNaN();
        }
      },
    ),
    { numRuns: 200, seed: 1 },
  );
});

test('nll › float32 agrees with float64', () => {
  const many = tensor(Int32Array.from({ length: 3000 }, (_, i) => (i * 7) % 11));
  for (const reduction of ['none', 'sum', 'mean'] as const) {
    for (const one of precision((x) => losses.nll(x, many, { reduction }), [leaf(3000, 11)])) expect(one).toBeLessThan(64 * unit);
  }
});

test('nll › a label out of range is an error when the loss is read, and its row has no gradient', async () => {
  const x = tensor(new Float32Array(6), [2, 3], { requiresGrad: true });
  const loss = losses.nll(x, labels(0, 3), { reduction: 'sum' });
  await expect(loss.item()).rejects.toMatchObject({ code: 'ERR_KERNEL', message: 'nll: label 3 of row 1 is not in 0 to 2' });
});

test.each([
  [
    'labels of floats',
    () => losses.nll(zeros([2, 3]), zeros([2])),
    ['TypeError', 'ERR_DTYPE', 'nll: labels are float32, expected int32 (see ops.cast)'],
  ],
  [
    'labels of another number',
    () => losses.nll(zeros([2, 3]), labels(0)),
    ['RangeError', 'ERR_SHAPE', 'nll: labels have shape [1], expected that of the input without its last axis, the classes (input [2,3])'],
  ],
  ['no classes', () => losses.nll(zeros([2, 0]), labels(0, 0)), ['RangeError', 'ERR_SHAPE', 'nll: input [2,0] has no classes']],
  [
    'a weight of another length',
    () => losses.nll(zeros([1, 3]), labels(0), { weight: zeros([2]) }),
    ['RangeError', 'ERR_SHAPE', 'nll: weight has shape [2], expected [3]'],
  ],
  [
    'an unknown reduction',
    () => losses.nll(zeros([1, 3]), labels(0), { reduction: 'average' as never }),
    ['RangeError', 'ERR_INVALID_VALUE', `nll: reduction is "average", expected 'none', 'mean' or 'sum'`],
  ],
  [
    'smoothing',
    () => losses.nll(zeros([1, 3]), labels(0), { labelSmoothing: 0.1 } as never),
    ['RangeError', 'ERR_INVALID_VALUE', 'nll: an option name is "labelSmoothing", expected one of weight, ignoreIndex, reduction'],
  ],
])('nll › bad arguments › %s', (_name, call, [name, code, message]) => {
  expect(fault(call)).toEqual({ name, code, message });
});

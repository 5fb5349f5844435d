import { ops, type Tensor, tensor, zeros } from '../../lib';
import { leaf, positiveLeaf, spacedLeaf } from '../support/data';
import { describeElementwise } from '../support/elementwise';
import { fault } from '../support/fault';
import { erf } from '../support/normal';

/** Halves to even. */
function round(x: number): number {
  const nearest = Math.round(x);
  return Math.abs(x % 1) === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}

describeElementwise([
  { name: 'neg', op: ops.neg, formula: (x) => -x, inputs: leaf, range: [-9, 9] },
  { name: 'abs', op: ops.abs, formula: Math.abs, inputs: spacedLeaf, range: [-9, 9] },
  { name: 'exp', op: ops.exp, formula: Math.exp, inputs: leaf, range: [-30, 30] },
  { name: 'log', op: ops.log, formula: Math.log, inputs: positiveLeaf, range: [1e-9, 9] },
  { name: 'sqrt', op: ops.sqrt, formula: Math.sqrt, inputs: positiveLeaf, range: [0, 99] },
  { name: 'square', op: ops.square, formula: (x) => x * x, inputs: leaf, range: [-9, 9] },
  { name: 'reciprocal', op: ops.reciprocal, formula: (x) => 1 / x, inputs: positiveLeaf, range: [0.1, 99] },
  { name: 'rsqrt', op: ops.rsqrt, formula: (x) => 1 / Math.sqrt(x), inputs: positiveLeaf, range: [0.1, 99] },
  { name: 'sin', op: ops.sin, formula: Math.sin, inputs: leaf, range: [-99, 99] },
  { name: 'cos', op: ops.cos, formula: Math.cos, inputs: leaf, range: [-99, 99] },
  { name: 'erf', op: ops.erf, formula: erf, inputs: leaf, range: [-5, 5] },
  { name: 'sign', op: ops.sign, formula: Math.sign, inputs: leaf, range: [-9, 9], differentiable: false },
  { name: 'floor', op: ops.floor, formula: Math.floor, inputs: leaf, range: [-9, 9], differentiable: false },
  { name: 'ceil', op: ops.ceil, formula: Math.ceil, inputs: leaf, range: [-9, 9], differentiable: false },
  { name: 'round', op: ops.round, formula: round, inputs: leaf, range: [-9, 9], differentiable: false },
  {
    name: 'clamp to [-0.5, 0.75]',
    op: (x) => ops.clamp(x, -0.5, 0.75),
    formula: (x) => Math.min(Math.max(x, -0.5), 0.75),
    inputs: spacedLeaf,
    range: [-2, 2],
  },
  { name: 'clamp from -0.25 up', op: (x) => ops.clamp(x, -0.25), formula: (x) => Math.max(x, -0.25), inputs: spacedLeaf, range: [-2, 2] },
]);

test.each<[string, (x: Tensor) => Tensor, number[], number[]]>([
  ['exp', ops.exp, [Infinity, -Infinity, 1000], [Infinity, 0, Infinity]],
  ['log', ops.log, [0, -1, Infinity], [-Infinity, Number.NaN, Infinity]],
  ['reciprocal', ops.reciprocal, [0, Infinity], [Infinity, 0]],
  ['rsqrt', ops.rsqrt, [0, -1, Infinity], [Infinity, Number.NaN, 0]],
  ['erf', ops.erf, [Infinity, -Infinity, 0], [1, -1, 0]],
  ['round', ops.round, [0.5, 1.5, -0.5, -2.5], [0, 2, -0, -2]],
  ['clamp of no bounds', (x) => ops.clamp(x), [-1e30, 1e30], [Math.fround(-1e30), Math.fround(1e30)]],
  ['clamp to one value', (x) => ops.clamp(x, 2, 2), [-1, 2, 3], [2, 2, 2]],
])('%s › at its ends', (_name, op, x, expected) => {
  for (const dtype of ['float32', 'float64'] as const) {
    const values = x.map(Math.fround);
    expect(Array.from(op(tensor(values, null, { dtype })).dataSync())).toEqual(expected);
  }
});

test.each<[string, (x: Tensor) => Tensor, number, number]>([
  ['abs', ops.abs, 0, 0],
  ['clamp', (x) => ops.clamp(x, -1, 2), -1, 1],
  ['clamp', (x) => ops.clamp(x, -1, 2), 2, 1],
])('%s › its gradient at %3$d', (_name, op, at, expected) => {
  const x = tensor([at], null, { requiresGrad: true });
  op(x).backward();
  expect(x.grad!.dataSync()[0]).toBe(expected);
});

test.each([
  ['min above max', () => ops.clamp(zeros([1]), 2, 1), 'RangeError', 'clamp: max is 1, expected a number of at least min, 2'],
  ['a bound that is no number', () => ops.clamp(zeros([1]), Number.NaN), 'RangeError', 'clamp: min is NaN, expected a number'],
  [
    'a bound that is null',
    () => ops.clamp(zeros([1]), 0, null as never),
    'RangeError',
    'clamp: max is null, expected a number of at least min, 0',
  ],
])('clamp › %s', (_name, call, name, message) => {
  expect(fault(call)).toEqual({ name, code: 'ERR_INVALID_VALUE', message });
});

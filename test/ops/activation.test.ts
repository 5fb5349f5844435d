import { ops, type Tensor, tensor, zeros } from '../../lib';
import { distance } from '../support/agree';
import { leaf, spacedLeaf } from '../support/data';
import { describeElementwise } from '../support/elementwise';
import { fault } from '../support/fault';
import { normalBelow } from '../support/normal';

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);
/** Spaced values on both sides of 6. */
const wideLeaf = (...shape: number[]): Tensor => spacedLeaf(...shape, 70);

describeElementwise([
  { name: 'relu', op: ops.relu, formula: (x) => Math.max(x, 0), inputs: spacedLeaf, range: [-9, 9] },
  { name: 'relu6', op: ops.relu6, formula: (x) => clamp(x, 0, 6), inputs: wideLeaf, range: [-9, 9] },
  { name: 'sigmoid', op: ops.sigmoid, formula: sigmoid, inputs: leaf, range: [-30, 30] },
  { name: 'tanh', op: ops.tanh, formula: Math.tanh, inputs: leaf, range: [-9, 9] },
  { name: 'hardtanh', op: (x) => ops.hardtanh(x), formula: (x) => clamp(x, -1, 1), inputs: wideLeaf, range: [-2, 2] },
  {
    name: 'hardtanh in [-2, 0.5]',
    op: (x) => ops.hardtanh(x, -2, 0.5),
    formula: (x) => clamp(x, -2, 0.5),
    inputs: wideLeaf,
    range: [-3, 2],
  },
  { name: 'leakyRelu', op: (x) => ops.leakyRelu(x), formula: (x) => (x > 0 ? x : 0.01 * x), inputs: spacedLeaf, range: [-9, 9] },
  {
    name: 'leakyRelu, slope 0.5',
    op: (x) => ops.leakyRelu(x, 0.5),
    formula: (x) => (x > 0 ? x : 0.5 * x),
    inputs: spacedLeaf,
    range: [-9, 9],
  },
  { name: 'leakyRelu, slope 0', op: (x) => ops.leakyRelu(x, 0), formula: (x) => Math.max(x, 0), inputs: spacedLeaf, range: [-9, 9] },
  { name: 'leakyRelu, slope -1', op: (x) => ops.leakyRelu(x, -1), formula: Math.abs, inputs: spacedLeaf, range: [-9, 9] },
  { name: 'elu', op: (x) => ops.elu(x), formula: (x) => (x > 0 ? x : Math.expm1(x)), inputs: spacedLeaf, range: [-9, 9] },
  {
    name: 'elu, alpha 0.3',
    op: (x) => ops.elu(x, 0.3),
    formula: (x) => (x > 0 ? x : 0.3 * Math.expm1(x)),
    inputs: spacedLeaf,
    range: [-9, 9],
  },
  { name: 'gelu', op: (x) => ops.gelu(x), formula: (x) => x * normalBelow(x), inputs: leaf, range: [-8, 8] },
  {
    name: 'gelu, approximated by tanh',
    op: (x) => ops.gelu(x, { approximate: 'tanh' }),
    formula: (x) => x * sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)), // (1 + tanh(z)) / 2 = sigmoid(2 z)
    inputs: leaf,
    range: [-4, 4],
  },
  { name: 'silu', op: ops.silu, formula: (x) => x * sigmoid(x), inputs: leaf, range: [-30, 30] },
  { name: 'hardSwish', op: ops.hardSwish, formula: (x) => (x * clamp(x + 3, 0, 6)) / 6, inputs: wideLeaf, range: [-5, 5] },
  { name: 'hardSigmoid', op: ops.hardSigmoid, formula: (x) => clamp(x + 3, 0, 6) / 6, inputs: wideLeaf, range: [-5, 5] },
  { name: 'softplus', op: (x) => ops.softplus(x), formula: (x) => Math.log1p(Math.exp(x)), inputs: leaf, range: [-30, 19] },
  {
    name: 'softplus, beta 2, threshold 1',
    op: (x) => ops.softplus(x, 2, 1),
    formula: (x) => (2 * x > 1 ? x : Math.log1p(Math.exp(2 * x)) / 2),
    inputs: spacedLeaf,
    range: [-9, 9],
  },
]);

test.each<[string, (x: Tensor) => Tensor, number[], number[]]>([
  ['sigmoid', ops.sigmoid, [1000, -1000, 0], [1, 0, 0.5]],
  ['tanh', ops.tanh, [1000, -1000, 0], [1, -1, 0]],
  ['gelu', (x) => ops.gelu(x), [1000, 0], [1000, 0]],
  ['elu', (x) => ops.elu(x, 2), [-1000, 1000], [-2, 1000]],
  ['softplus above its threshold', (x) => ops.softplus(x), [21, 1000], [21, 1000]],
  ['softplus without a threshold', (x) => ops.softplus(x, 1, Infinity), [-1000, 1000], [0, 1000]],
  ['hardSwish', ops.hardSwish, [-3, -1000, 3, 1000], [-0, -0, 3, 1000]],
])('%s › at its ends', (_name, op, x, expected) => {
  for (const dtype of ['float32', 'float64'] as const) expect(Array.from(op(tensor(x, null, { dtype })).dataSync())).toEqual(expected);
});

// PyTorch's choices where there is no derivative.
test.each<[string, number, number, (x: Tensor) => Tensor]>([
  ['relu', 0, 0, ops.relu],
  ['relu6', 0, 0, ops.relu6],
  ['relu6', 6, 0, ops.relu6],
  ['hardtanh', -1, 0, (x) => ops.hardtanh(x)],
  ['hardtanh', 1, 0, (x) => ops.hardtanh(x)],
  ['leakyRelu', 0, 0.25, (x) => ops.leakyRelu(x, 0.25)],
  ['elu', 0, 0.5, (x) => ops.elu(x, 0.5)],
  ['hardSwish', -3, 0, ops.hardSwish],
  ['hardSwish', 3, 1, ops.hardSwish],
  ['hardSigmoid', -3, 0, ops.hardSigmoid],
  ['hardSigmoid', 3, 0, ops.hardSigmoid],
])('%s › its gradient at %d is %d', (_name, at, expected, op) => {
  for (const dtype of ['float32', 'float64'] as const) {
    const x = tensor([at], null, { dtype, requiresGrad: true });
    op(x).backward();
    expect(x.grad!.dataSync()[0]).toBe(expected);
  }
});

test('gelu › small results keep their digits', () => {
  const x = Float32Array.from([-3, -5, -8, -11]);
  const y = ops.gelu(tensor(x)).dataSync();
  x.forEach((value, i) => {
    expect(distance([y[i]!], [value * normalBelow(value)])).toBeLessThan(1e-6);
  });
});

test.each([
  ['hardtanh', () => ops.hardtanh(zeros([1]), 1, 0), 'hardtanh: max is 0, expected a number of at least min, 1'],
  ['leakyRelu', () => ops.leakyRelu(zeros([1]), Number.NaN), 'leakyRelu: slope is NaN, expected a finite number'],
  ['leakyRelu', () => ops.leakyRelu(zeros([1]), { slope: 1 } as never), 'leakyRelu: slope is an Object, expected a finite number'],
  ['elu', () => ops.elu(zeros([1]), -1), 'elu: alpha is -1, expected a finite number of at least 0'],
  ['gelu', () => ops.gelu(zeros([1]), { approximate: 'sigmoid' as never }), `gelu: approximate is "sigmoid", expected 'none' or 'tanh'`],
  [
    'gelu',
    () => ops.gelu(zeros([1]), { approximation: 'tanh' } as never),
    'gelu: an option name is "approximation", expected one of approximate',
  ],
  ['softplus', () => ops.softplus(zeros([1]), 0), 'softplus: beta is 0, expected a positive number'],
  ['softplus', () => ops.softplus(zeros([1]), 1, Number.NaN), 'softplus: threshold is NaN, expected a number'],
])('%s › bad arguments', (_name, call, message) => {
  expect(fault(call)).toEqual({ name: 'RangeError', code: 'ERR_INVALID_VALUE', message });
});

import { manualSeed, ones, ops, type Tensor, tensor, zeros } from '../../lib';
import { precision, unit } from '../support/agree';
import { leaf, positiveLeaf, sizeOf, spacedLeaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

type Operand = Tensor | number;
type Row = readonly [
  name: string,
  op: (a: Operand, b: Operand) => Tensor,
  formula: (a: number, b: number) => number,
  inputs: (...shape: number[]) => Tensor,
];

/** Like spacedLeaf, but in another order, and no value equals one of such a tensor. */
const shifted = (...shape: number[]): Tensor => {
  const values = spacedLeaf(...shape)
    .dataSync()
    .map((v) => v + 0.05);
  return tensor(values.reverse(), shape, { requiresGrad: true });
};

const rows: readonly Row[] = [
  ['add', ops.add, (a, b) => a + b, leaf],
  ['sub', ops.sub, (a, b) => a - b, leaf],
  ['mul', ops.mul, (a, b) => a * b, leaf],
  ['div', ops.div, (a, b) => a / b, positiveLeaf],
  ['maximum', ops.maximum, Math.max, shifted],
  ['minimum', ops.minimum, Math.min, shifted],
  ['pow', ops.pow, (a, b) => a ** b, positiveLeaf],
];

const comparisons: readonly Row[] = [
  ['equal', ops.equal, (a, b) => Number(a === b), leaf],
  ['greater', ops.greater, (a, b) => Number(a > b), leaf],
  ['greaterEqual', ops.greaterEqual, (a, b) => Number(a >= b), leaf],
];

const pairs: readonly (readonly [number[], number[], number[]])[] = [
  [
    [2, 3],
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3], [2, 3]],
  [[3], [2, 3], [2, 3]],
  [
    [2, 3],
    [2, 1],
    [2, 3],
  ],
  [
    [2, 1],
    [1, 3],
    [2, 3],
  ],
  [[], [4], [4]],
  [[4], [], [4]],
  [[], [], []],
  [
    [2, 1, 3, 1],
    [4, 1, 5],
    [2, 4, 3, 5],
  ],
  [[1, 1], [3], [1, 3]],
];

/** The element of x that the broadcast gives at this place of the result. */
function at(x: Tensor, values: ArrayLike<number>, shape: number[], place: number): number {
  let [index, step, rest] = [0, 1, place];
  for (let i = 1; i <= shape.length; i++) {
    const position = rest % shape[shape.length - i];
    rest = Math.floor(rest / shape[shape.length - i]);
    const n = x.shape[x.rank - i] ?? 1;
    if (n > 1) index += position * step;
    step *= n;
  }
  return values[index];
}

describe.each([...rows, ...comparisons])('%s', (_name, op, formula, inputs) => {
  test.each(pairs)('forward of %j and %j', (aShape, bShape, shape) => {
    const [a, b] = [inputs(...aShape), ops.neg(ops.neg(leaf(...bShape)))];
    const second = inputs === positiveLeaf ? ops.add(ops.abs(b), 0.5) : b;
    const [aValues, bValues] = [a.dataSync(), second.dataSync()];
    const y = op(a, second);
    expect(y.shape).toEqual(shape);
    const values = y.dataSync();
    for (let i = 0; i < sizeOf(shape); i++) {
      expect(values[i]).toBeCloseTo(formula(at(a, aValues, shape, i), at(second, bValues, shape, i)), 12);
    }
  });

  test('numbers as operands', () => {
    const x = tensor([1, 2], null, { dtype: 'float64' });
    expect(Array.from(op(x, 2).dataSync())).toEqual([formula(1, 2), formula(2, 2)]);
    expect(Array.from(op(2, x).dataSync())).toEqual([formula(2, 1), formula(2, 2)]);
  });

  test.each([1, 15, 17, 1000])('float32 agrees with float64 for %d elements', (n) => {
    for (const one of precision(op, [inputs(n), inputs(n)])) expect(one).toBeLessThan(40 * unit);
  });
});

describe.each(rows)('%s', (_name, op, _formula, inputs) => {
  const extremum = inputs === shifted;
  test.each(pairs.filter(([, , shape]) => !extremum || shape.length > 0))('gradient of %j and %j', (aShape, bShape) => {
    gradcheck(op, [inputs(...aShape), extremum ? spacedLeaf(...bShape) : inputs(...bShape)]);
  });

  test('gradient of one operand alone', () => {
    const constant = inputs(2, 3).detach();
    gradcheck((x) => op(x, constant), [extremum ? spacedLeaf(3) : inputs(3)]);
    gradcheck((x) => op(constant, x), [extremum ? spacedLeaf(3) : inputs(3)]);
  });

  test('gradient beside a number', () => {
    gradcheck((x) => op(x, 0.27), [inputs(5)]);
    gradcheck((x) => op(0.27, x), [inputs(5)]);
  });
});

test.each(['maximum', 'minimum'] as const)('%s › equal operands share the gradient', (name) => {
  const [a, b] = [tensor([1, 2, 3], null, { requiresGrad: true }), tensor([1, 1, 4], null, { requiresGrad: true })];
  ops.sum(ops[name](a, b)).backward();
  expect(Array.from(a.grad!.dataSync())).toEqual(name === 'maximum' ? [0.5, 1, 0] : [0.5, 0, 1]);
  expect(Array.from(b.grad!.dataSync())).toEqual(name === 'maximum' ? [0.5, 0, 1] : [0.5, 1, 0]);
});

test.each([
  [0, 0, 0],
  [0, 1, 1],
  [0, 2, 0],
  [-3, 2, -6],
])('pow › the derivative of %d to the %d is %d', (base, exponent, expected) => {
  const x = tensor(base, null, { requiresGrad: true });
  ops.pow(x, exponent).backward();
  expect(x.grad!.itemSync()).toBeCloseTo(expected, 6);
});

test.each(comparisons)('%s › has no gradient', (_name, op) => {
  expect(op(leaf(3), leaf(3)).requiresGrad).toBe(false);
});

test('int32 operands give int32', () => {
  const y = ops.add(tensor(Int32Array.of(2_000_000_001, 2)), tensor(Int32Array.of(1, 3)));
  expect(y.dtype).toBe('int32');
  expect(Array.from(y.dataSync())).toEqual([2_000_000_002, 5]);
});

test('of no elements', () => expect(ops.add(zeros([0, 3]), ones([3])).shape).toEqual([0, 3]));

describe('add › bad arguments', () => {
  test.each([
    [
      'shapes that do not broadcast',
      () => ops.add(ones([2, 3]), ones([2])),
      ['RangeError', 'ERR_SHAPE', 'add: shapes [2,3] and [2] do not broadcast'],
    ],
    [
      'types that differ',
      () => ops.add(ones([2]), ones([2], { dtype: 'float64' })),
      ['TypeError', 'ERR_DTYPE', 'add: inputs are float32 and float64, expected the same type (see ops.cast)'],
    ],
    [
      'two numbers',
      () => ops.add(1, 2),
      ['TypeError', 'ERR_INVALID_TYPE', 'add: input 0 is 1, expected a Tensor of this copy of receptive'],
    ],
    [
      'a string',
      () => ops.add(ones([2]), '2' as never),
      ['TypeError', 'ERR_INVALID_TYPE', 'add: input 1 is "2", expected a Tensor of this copy of receptive'],
    ],
    [
      'nothing',
      () => ops.add(ones([2]), null as never),
      ['TypeError', 'ERR_INVALID_TYPE', 'add: input 1 is null, expected a Tensor of this copy of receptive'],
    ],
    [
      'half a number beside int32',
      () => ops.add(ones([2], { dtype: 'int32' }), 0.5),
      ['RangeError', 'ERR_INVALID_VALUE', 'full: a value is 0.5, expected an integer from -2147483648 to 2147483647 (int32); see ops.cast'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

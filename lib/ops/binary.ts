import { full } from '../create';
import { native } from '../native';
import { apply, checkTensor, commonFloat, type Linearity, type Op } from '../op';
import { broadcastShapes } from '../shape';
import { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { scaled, sumTo } from './gradients';

// Elementwise operations of two operands, with NumPy's broadcasting. An operand may be a number.

type Rule = NonNullable<Op<[Tensor, Tensor], void>['backward']>;
/** Which operands a rule reads, given which gradients are wanted. */
type Reads = (needs: readonly boolean[]) => readonly [a: boolean, b: boolean];
type Binary = (a: Tensor | number, b: Tensor | number) => Tensor;

/** Runs a kernel outside of the tape, for gradient rules. */
function run(kind: number, a: Tensor, b: Tensor): Tensor {
  const y = Tensor.empty(broadcastShapes('binary', a.shape, b.shape), a.dtype);
  native.ops.binary(a.id, b.id, y.id, kind);
  return y;
}

const [ADD, SUB, MUL, DIV, MAX, MIN, POW, EQUAL, GREATER, GREATER_EQUAL] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;

const neither: Reads = () => [false, false];
const both: Reads = () => [true, true];

function define(name: string, kind: number, reads: Reads, backward?: Rule, linear: Linearity = null): Binary {
  const op: Op<[Tensor, Tensor], void> = {
    name,
    infer([a, b]) {
      const shape = broadcastShapes(name, a.shape, b.shape);
      if (a.dtype === 'int32' && b.dtype === 'int32' && kind !== POW) return { shape, dtype: 'int32' };
      return { shape, dtype: commonFloat(name, [a, b]) };
    },
    forward({ inputs: [a, b], output, needs, save }) {
      native.ops.binary(a.id, b.id, output.id, kind);
      const [readsA, readsB] = reads(needs);
      save(readsA ? a : null, readsB ? b : null);
    },
    backward,
    linear: () => linear,
  };
  return (a, b) => {
    if (typeof a === 'number' || typeof b === 'number') return tidy(() => apply(op, operands(name, a, b), undefined));
    checkTensor(name, 'input 1', b);
    return apply(op, [a, b], undefined);
  };
}

function operands(name: string, a: Tensor | number, b: Tensor | number): [Tensor, Tensor] {
  if (typeof b === 'number') {
    checkTensor(name, 'input 0', a);
    return [a, full([], b, { dtype: a.dtype })];
  }
  checkTensor(name, 'input 1', b);
  return [typeof a === 'number' ? full([], a, { dtype: b.dtype }) : a, b];
}

/** a + b. */
export const add = define(
  'add',
  ADD,
  neither,
  (g, { shapes: [a, b], needs }) => [needs[0] ? sumTo(g, a!) : null, needs[1] ? sumTo(g, b!) : null],
  'all',
);

/** a - b. */
export const sub = define(
  'sub',
  SUB,
  neither,
  (g, { shapes: [a, b], needs }) => [needs[0] ? sumTo(g, a!) : null, needs[1] ? scaled(sumTo(g, b!), -1) : null],
  'all',
);

/** a · b, element by element. */
export const mul = define(
  'mul',
  MUL,
  ([a, b]) => [b!, a!],
  (g, { needs, shapes, saved: [a, b] }) => [
    needs[0] ? sumTo(run(MUL, g, b!), shapes[0]!) : null,
    needs[1] ? sumTo(run(MUL, g, a!), shapes[1]!) : null,
  ],
  'any',
);

/** a / b. */
export const div = define(
  'div',
  DIV,
  ([, b]) => [b!, true],
  (g, { needs, shapes, saved: [a, b] }) => {
    const da = run(DIV, g, b!);
    const db = () => scaled(sumTo(run(MUL, da, run(DIV, a!, b!)), shapes[1]!), -1);
    return [needs[0] ? sumTo(da, shapes[0]!) : null, needs[1] ? db() : null];
  },
  [0],
);

// The gradient of the larger (smaller) of two goes to that operand; of two equal ones to both in halves, as PyTorch does.
const extremum =
  (winning: (a: Tensor, b: Tensor) => Tensor): Rule =>
  (g, { needs, saved }) => {
    const [a, b] = saved as [Tensor, Tensor];
    const tie = scaled(run(EQUAL, a, b), 0.5);
    const share = (mine: Tensor, other: Tensor) => run(MUL, g, run(ADD, winning(mine, other), tie));
    return [needs[0] ? sumTo(share(a, b), a.shape) : null, needs[1] ? sumTo(share(b, a), b.shape) : null];
  };

/** The larger of a and b; equal operands share the gradient. */
export const maximum = define(
  'maximum',
  MAX,
  both,
  extremum((mine, other) => run(GREATER, mine, other)),
);
/** The smaller of a and b; equal operands share the gradient. */
export const minimum = define(
  'minimum',
  MIN,
  both,
  extremum((mine, other) => run(GREATER, other, mine)),
);

/** a to the power b. The gradient for b needs a > 0. */
export const pow = define('pow', POW, both, (g, { needs, saved }) => {
  const [a, b] = saved as [Tensor, Tensor];
  const constant = (value: number) => full([], value, { dtype: b.dtype });
  // b · a^(b-1); of the power 0, which is constant, also at a = 0.
  const da = () => {
    const exponent = run(ADD, run(SUB, b, constant(1)), run(EQUAL, b, constant(0)));
    return run(MUL, run(MUL, g, b), run(POW, a, exponent));
  };
  const db = () => {
    const log = Tensor.empty(a.shape, a.dtype);
    native.ops.unary(a.id, log.id, 3);
    return run(MUL, g, run(MUL, run(POW, a, b), log));
  };
  return [needs[0] ? sumTo(da(), a.shape) : null, needs[1] ? sumTo(db(), b.shape) : null];
});

/**
 * 1 where a = b, else 0, in the operands' type. No gradient.
 * @throws RangeError where the shapes do not broadcast.
 * @example
 * ops.equal(tensor([1, 2, 3]), 2); // [0, 1, 0]
 */
export const equal = define('equal', EQUAL, neither);
/**
 * 1 where a > b, else 0, in the operands' type. No gradient.
 * @throws RangeError where the shapes do not broadcast.
 * @example
 * ops.greater(tensor([1, 2, 3]), 2); // [0, 0, 1]
 */
export const greater = define('greater', GREATER, neither);
/**
 * 1 where a >= b, else 0, in the operands' type. No gradient.
 * @throws RangeError where the shapes do not broadcast.
 * @example
 * ops.greaterEqual(tensor([1, 2, 3]), 2); // [0, 1, 1]
 */
export const greaterEqual = define('greaterEqual', GREATER_EQUAL, neither);

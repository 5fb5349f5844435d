import * as ops from '../../../ops';
import { broadcastShapes, sizeOf } from '../../../shape';
import type { Tensor } from '../../../tensor';
import { type ElementType, isFloatType } from '../elementType';
import type { Cell } from '../host';
import { mapHost, mostCells } from '../hostOps';
import { together, Value } from '../value';
import { axisOf, type Call, input, misshapen, type Operators, unsupported } from './operator';
import { reshaped } from './shape';
import { computeDtype, numeric, towardsZero, truth, wrapped } from './types';

// Functions of two operands or more, element by element, with NumPy's broadcasting.

const float = (cell: Cell): number => cell as number;

/** Both sides of a function: on tensors of one type, on cells of one type. */
interface Function2 {
  tensors(a: Tensor, b: Tensor, type: ElementType): Tensor;
  numbers(a: number, b: number, type: ElementType): number;
  bigs(a: bigint, b: bigint): bigint | number;
}

/** Whether all are on the host, and what they stretch to together is small enough for it. */
const isHost = (values: readonly Value[]): boolean =>
  values.every(({ constant }) => constant) &&
  sizeOf(values.map(({ shape }) => shape).reduce((a, b) => broadcastShapes('ONNX', a, b))) <= mostCells;

/** Applies a function to cells of either kind. */
function onCells(f: Pick<Function2, 'numbers' | 'bigs'>, type: ElementType): (a: Cell, b: Cell) => Cell {
  return (a, b) => (typeof a === 'bigint' && typeof b === 'bigint' ? f.bigs(a, b) : f.numbers(float(a), float(b), type));
}

/** Operands that meet: on the host where all are, else as tensors of one order. */
function binary(call: Call, f: Function2, result: (type: ElementType) => ElementType): Value {
  const { run } = call;
  const values = [input(call, 0), input(call, 1)];
  const { type } = values[0]!;
  if (isHost(values)) {
    return Value.ofHost(
      mapHost(
        result(type),
        values.map((value) => value.host!),
        onCells(f, type),
      ),
    );
  }
  const { tensors, order } = together(
    run,
    values.map((value) => numeric(run, value)),
  );
  const [a, b] = tensors as [Tensor, Tensor];
  return Value.of(result(type), f.tensors(a, b.dtype === a.dtype ? b : ops.cast(b, a.dtype), type), order);
}

const same = (type: ElementType): ElementType => type;
const boolean = (): ElementType => 'bool';

/** Before version 7 the second operand stretched only where told to, its axes beside those of the first from `axis` on. */
function aligned(call: Call): Call {
  const { opset, attributes } = call;
  if (opset >= 7 || !attributes.flag('broadcast') || !attributes.has('axis')) return call;
  const [a, b] = [input(call, 0), input(call, 1)];
  const behind = a.rank - axisOf(attributes.int('axis', 0), a.rank) - b.rank;
  if (behind < 0) throw misshapen(`[${b.shape}] does not lie in [${a.shape}]`);
  return { ...call, inputs: [a, reshaped(call.run, b, [...b.shape, ...new Array<number>(behind).fill(1)])] };
}

const arithmetic = (f: Function2) => (call: Call) =>
  binary(aligned(call), { ...f, tensors: (a, b, type) => wrapped(f.tensors(a, b, type), type) }, same);
const comparison = (f: Function2) => (call: Call) => binary(aligned(call), f, boolean);

const not = (x: Tensor): Tensor => ops.sub(1, x);

/** Logic of 0 and 1. */
const logic = (tensors: (a: Tensor, b: Tensor) => Tensor, cells: (a: boolean, b: boolean) => boolean) => (call: Call) =>
  binary(
    call,
    {
      tensors,
      numbers: (a, b) => Number(cells(a !== 0, b !== 0)),
      bigs: () => {
        throw unsupported('logic of integers');
      },
    },
    boolean,
  );

const quotient = (a: number, b: number, type: ElementType): number => (isFloatType(type) ? a / b : b === 0 ? 0 : Math.trunc(a / b));

/** a power, computed in double precision for integers, whose results are exact up to 2^53. */
function power(given: Call): Value {
  const call = aligned(given);
  const { run } = call;
  const values = [input(call, 0), input(call, 1)];
  const { type } = values[0]!;
  if (isHost(values)) {
    const f = (a: Cell, b: Cell): Cell => {
      if (typeof a === 'bigint' && typeof b === 'bigint' && b >= 0n && b <= 64n) return a ** b;
      return Number(a) ** Number(b);
    };
    return Value.ofHost(
      mapHost(
        type,
        values.map((value) => value.host!),
        f,
      ),
    );
  }
  const dtype = computeDtype(type) === 'int32' ? 'float64' : computeDtype(type);
  const { tensors, order } = together(
    run,
    values.map((value) => run.like(value, ops.cast(run.tensor(value), dtype))),
  );
  const y = ops.pow(tensors[0]!, tensors[1]!);
  return Value.of(type, dtype === computeDtype(type) ? y : ops.cast(y, computeDtype(type)), order);
}

/** The rest of a division: of the divisor's sign, or, as in C, of the dividend's where `fmod` is set. */
function modulo(call: Call): Value {
  const fmod = call.attributes.flag('fmod');
  const rest = (a: Tensor, b: Tensor): Tensor => {
    const whole = a.dtype === 'int32' ? ops.div(a, b) : towardsZero(ops.div(a, b));
    return ops.sub(a, ops.mul(whole, b));
  };
  return binary(
    call,
    {
      tensors(a, b) {
        const left = rest(a, b);
        if (fmod) return left;
        // of the other sign than b, and not 0
        const apart = ops.add(ops.mul(ops.greater(left, 0), ops.greater(0, b)), ops.mul(ops.greater(0, left), ops.greater(b, 0)));
        return ops.add(left, ops.mul(apart, b));
      },
      numbers: (a, b) => (fmod || (a % b) * b >= 0 ? a % b : (a % b) + b),
      bigs: (a, b) => (b === 0n ? 0n : fmod || (a % b) * b >= 0n ? a % b : (a % b) + b),
    },
    same,
  );
}

/** A function of any number of operands, two by two. */
function folded(f: Function2): (call: Call) => Value {
  const two = arithmetic(f);
  return (call) => {
    const list = call.inputs.map((_, i) => input(call, i));
    if (list.length === 1) return list[0]!;
    return list.reduce((a, b) => two({ ...call, inputs: [a, b] }));
  };
}

const sum: Function2 = { tensors: (a, b) => ops.add(a, b), numbers: (a, b) => a + b, bigs: (a, b) => a + b };
const product: Function2 = { tensors: (a, b) => ops.mul(a, b), numbers: (a, b) => a * b, bigs: (a, b) => a * b };
// biome-ignore-start lint/complexity/useMathMinMax: Math.max and Math.min take no bigint
const largest: Function2 = { tensors: ops.maximum, numbers: (a, b) => Math.max(a, b), bigs: (a, b) => (a > b ? a : b) };
const smallest: Function2 = { tensors: ops.minimum, numbers: (a, b) => Math.min(a, b), bigs: (a, b) => (a < b ? a : b) };
// biome-ignore-end lint/complexity/useMathMinMax: and so on

function mean(call: Call): Value {
  const total = folded(sum)(call);
  const { run } = call;
  const value = run.float(total);
  return run.like(value, ops.mul(run.tensor(value), 1 / call.inputs.length));
}

const greater: Function2 = { tensors: (a, b) => ops.greater(a, b), numbers: (a, b) => Number(a > b), bigs: (a, b) => Number(a > b) };
const notLess: Function2 = { tensors: (a, b) => ops.greaterEqual(a, b), numbers: (a, b) => Number(a >= b), bigs: (a, b) => Number(a >= b) };
const equal: Function2 = { tensors: (a, b) => ops.equal(a, b), numbers: (a, b) => Number(a === b), bigs: (a, b) => Number(a === b) };
const turned = (f: Function2): Function2 => ({
  tensors: (a, b, type) => f.tensors(b, a, type),
  numbers: (a, b, type) => f.numbers(b, a, type),
  bigs: (a, b) => f.bigs(b, a),
});

function negate(call: Call): Value {
  const { run } = call;
  const x = input(call, 0);
  if (isHost([x])) return Value.ofHost(mapHost('bool', [x.host!], (cell) => Number(!cell)));
  return run.like(x, not(truth(run.tensor(x), 'int32')), 'bool');
}

/** The first operand where the condition holds, else the second. */
function where(call: Call): Value {
  const { run } = call;
  const [condition, a, b] = [input(call, 0), input(call, 1), input(call, 2)];
  if (isHost([condition, a, b])) {
    return Value.ofHost(mapHost(a.type, [condition.host!, a.host!, b.host!], (test, yes, no) => (test ? yes : no)));
  }
  const { tensors, order } = together(run, [condition, a, b]);
  const [test, yes, no] = tensors as [Tensor, Tensor, Tensor];
  return Value.of(a.type, ops.where(test, yes, no.dtype === yes.dtype ? no : ops.cast(no, yes.dtype)), order);
}

export const arithmeticOperators: Operators = {
  Add: { since: [6, 7], run: arithmetic(sum) },
  Sub: { since: [6, 7], run: arithmetic({ tensors: (a, b) => ops.sub(a, b), numbers: (a, b) => a - b, bigs: (a, b) => a - b }) },
  Mul: { since: [6, 7], run: arithmetic(product) },
  Div: {
    since: [6, 7],
    run: arithmetic({ tensors: (a, b) => ops.div(a, b), numbers: quotient, bigs: (a, b) => (b === 0n ? 0n : a / b) }),
  },
  Mod: { since: [10], run: modulo },
  Pow: { since: [1, 7, 12], run: power },
  Sum: { since: [6, 8], run: folded(sum) },
  Mean: { since: [6, 8], run: mean },
  Max: { since: [6, 8], run: folded(largest) },
  Min: { since: [6, 8], run: folded(smallest) },
  Greater: { since: [1, 7], run: comparison(greater) },
  GreaterOrEqual: { since: [12], run: comparison(notLess) },
  Less: { since: [1, 7], run: comparison(turned(greater)) },
  LessOrEqual: { since: [12], run: comparison(turned(notLess)) },
  Equal: { since: [1, 7], run: comparison(equal) },
  And: {
    since: [7],
    run: logic(
      (a, b) => ops.mul(a, b),
      (a, b) => a && b,
    ),
  },
  Or: { since: [7], run: logic(ops.maximum, (a, b) => a || b) },
  Xor: {
    since: [7],
    run: logic(
      (a, b) => not(ops.equal(a, b)),
      (a, b) => a !== b,
    ),
  },
  Not: { since: [1], run: negate },
  Where: { since: [9], run: where },
};

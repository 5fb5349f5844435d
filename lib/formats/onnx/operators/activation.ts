import * as ops from '../../../ops';
import type { Tensor } from '../../../tensor';
import { type ElementType, isFloatType } from '../elementType';
import type { Cell } from '../host';
import { mapHost, mostCells } from '../hostOps';
import { shaped, together, Value } from '../value';
import { type Attributes, type Call, input, type Operator, type Operators, optional, scalar } from './operator';
import { reshaped } from './shape';
import { numeric, wrapped } from './types';

// Functions of one operand, element by element.

/** A function of floating point on a tensor, and of one number on the host. */
const onFloats =
  (f: (x: Tensor, attributes: Attributes, opset: number) => Tensor, host?: (x: number) => number) =>
  (call: Call): Value => {
    const { run, attributes, opset } = call;
    const given = input(call, 0);
    if (host && given.constant && given.size <= mostCells) {
      return Value.ofHost(mapHost(given.type, [given.host!], (cell) => host(cell as number)));
    }
    const x = run.float(given);
    return run.like(given, f(run.tensor(x), attributes, opset));
  };

/** A function whose result is of the operand's type, integers included. */
const onNumbers =
  (f: (x: Tensor, type: ElementType) => Tensor, cell: (x: number | bigint) => Cell) =>
  (call: Call): Value => {
    const { run } = call;
    const x = input(call, 0);
    if (x.constant && x.size <= mostCells) return Value.ofHost(mapHost(x.type, [x.host!], (one) => cell(one as number | bigint)));
    return run.like(x, wrapped(f(run.tensor(numeric(run, x)), x.type), x.type));
  };

/** 1 where a test holds. */
const test =
  (f: (x: Tensor, attributes: Attributes) => Tensor) =>
  (call: Call): Value => {
    const x = call.run.float(input(call, 0));
    return call.run.like(x, f(call.run.tensor(x), call.attributes), 'bool');
  };

const half = (x: Tensor): Tensor => ops.mul(x, 0.5);
const sinh = (x: Tensor): Tensor => half(ops.sub(ops.exp(x), ops.exp(ops.neg(x))));
const cosh = (x: Tensor): Tensor => half(ops.add(ops.exp(x), ops.exp(ops.neg(x))));

const isInfinite = (x: Tensor, attributes: Attributes): Tensor => {
  const positive = attributes.flag('detect_positive', true);
  const negative = attributes.flag('detect_negative', true);
  const end = (wanted: boolean, value: number) => (wanted ? ops.equal(x, value) : ops.mul(ops.equal(x, value), 0));
  return ops.add(end(positive, Infinity), end(negative, -Infinity));
};

/** max(0, min(1, alpha·x + beta)). */
function hardSigmoid(x: Tensor, attributes: Attributes): Tensor {
  const [alpha, beta] = [attributes.float('alpha', 0.2), attributes.float('beta', 0.5)];
  if (Math.abs(alpha - 1 / 6) < 1e-6 && beta === 0.5) return ops.hardSigmoid(x);
  return ops.hardtanh(ops.add(ops.mul(x, alpha), beta), 0, 1);
}

/** alpha·(e^(x/alpha) - 1) below 0. */
const celu = (x: Tensor, attributes: Attributes): Tensor => {
  const alpha = attributes.float('alpha', 1);
  return ops.mul(ops.elu(ops.mul(x, 1 / alpha)), alpha);
};

/** What is below 0 by a factor of its own, of one channel or of any shape that broadcasts. */
function prelu(call: Call): Value {
  const { run } = call;
  const given = input(call, 0);
  const x = run.float(given);
  const slope = slopeOf(call, x.rank);
  // one slope, or one a channel, the channels last in memory: what the kernel takes
  const channel = x.order.at(-1);
  const isChannels = channel !== undefined && slope.size === x.shape[channel] && slope.shape.at(channel - x.rank) === slope.size;
  if (slope.size === 1 || isChannels) {
    return run.like(given, ops.prelu(run.tensor(x), shaped(run.plain(slope), [slope.size])));
  }
  const { tensors, order } = together(run, [x, slope]);
  const [a, factor] = tensors as [Tensor, Tensor];
  return Value.of(given.type, ops.sub(ops.relu(a), ops.mul(factor, ops.relu(ops.neg(a)))), order);
}

/** The slopes; before version 7 a list of them was one a channel. */
function slopeOf(call: Call, rank: number): Value {
  const slope = call.run.float(input(call, 1));
  if (call.opset >= 7 || slope.rank !== 1 || slope.size === 1 || rank < 3) return slope;
  return reshaped(call.run, slope, [slope.size, ...new Array<number>(rank - 2).fill(1)]);
}

/** x brought between two bounds, attributes in older versions and inputs since 11. */
function clip(call: Call): Value {
  const { run, attributes } = call;
  const given = input(call, 0);
  const bounds = [optional(call, 1), optional(call, 2)];
  // bounds that are computed, or inputs of the model
  if (bounds.some((bound) => bound !== null && bound.host === null)) {
    const tensor = (value: Value) => run.tensor(numeric(run, value));
    const [min, max] = bounds;
    const risen = min ? ops.maximum(tensor(given), tensor(min)) : tensor(given);
    return run.like(given, max ? ops.minimum(risen, tensor(max)) : risen);
  }
  const bound = (i: number, name: string, otherwise: number): number =>
    attributes.has(name) ? attributes.float(name, otherwise) : (scalar(call, i) ?? otherwise);
  const [low, high] = [bound(1, 'min', -Infinity), bound(2, 'max', Infinity)];
  const within = (x: number): number => Math.min(Math.max(x, low), high);
  if (given.constant && given.size <= mostCells) {
    return Value.ofHost(mapHost(given.type, [given.host!], (cell) => within(Number(cell))));
  }
  const tensor = run.tensor(numeric(run, given));
  if (isFloatType(given.type)) {
    if (low === 0 && high === Infinity) return run.like(given, ops.relu(tensor));
    if (low === 0 && high === 6) return run.like(given, ops.relu6(tensor));
    // where the bounds cross, the upper one holds
    return run.like(given, ops.clamp(tensor, Math.min(low, high), high));
  }
  let y = tensor;
  if (low > -Infinity) y = ops.maximum(y, low);
  if (high < Infinity) y = ops.minimum(y, high);
  return run.like(given, y);
}

/** Constants of Klambauer et al., Self-normalizing neural networks (2017), as ONNX rounds them. */
const [seluAlpha, seluGamma] = [1.6732631921768188, 1.0507010221481323];

const relu: Operator = {
  since: [6],
  run: onNumbers(
    (x) => (x.dtype === 'int32' ? ops.maximum(x, 0) : ops.relu(x)),
    (x) => (x > 0 ? x : typeof x === 'bigint' ? 0n : Math.max(x as number, 0)),
  ),
};

export const activationOperators: Operators = {
  Relu: relu,
  LeakyRelu: { since: [6], run: onFloats((x, attributes) => ops.leakyRelu(x, attributes.float('alpha', 0.01))) },
  Elu: { since: [6], run: onFloats((x, attributes) => ops.elu(x, attributes.float('alpha', 1))) },
  Celu: { since: [12], run: onFloats(celu) },
  Selu: {
    since: [6],
    run: onFloats((x, attributes) => ops.mul(ops.elu(x, attributes.float('alpha', seluAlpha)), attributes.float('gamma', seluGamma))),
  },
  Gelu: {
    since: [20],
    run: onFloats((x, attributes) => ops.gelu(x, { approximate: attributes.text('approximate', 'none') as 'none' | 'tanh' })),
  },
  Sigmoid: { since: [6], run: onFloats((x) => ops.sigmoid(x)) },
  HardSigmoid: { since: [6], run: onFloats(hardSigmoid) },
  HardSwish: { since: [14], run: onFloats((x) => ops.hardSwish(x)) },
  Mish: { since: [18], run: onFloats((x) => ops.mul(x, ops.tanh(ops.softplus(x, 1, Infinity)))) },
  Tanh: { since: [6], run: onFloats((x) => ops.tanh(x)) },
  Softplus: { since: [1], run: onFloats((x) => ops.softplus(x, 1, Infinity)) },
  Softsign: { since: [1], run: onFloats((x) => ops.div(x, ops.add(ops.abs(x), 1))) },
  ThresholdedRelu: {
    since: [10],
    run: onFloats((x, attributes) => ops.mul(x, ops.greater(x, attributes.float('alpha', 1)))),
  },
  PRelu: { since: [6, 7], weights: [1], run: prelu },
  Clip: {
    since: [6, 11, 12],
    host: [1, 2],
    unsupported: (_attributes, opset) => (opset < 6 ? 'of opset 5 or older' : null),
    run: clip,
  },

  Abs: {
    since: [6],
    run: onNumbers(
      (x) => (x.dtype === 'int32' ? ops.maximum(x, ops.sub(0, x)) : ops.abs(x)),
      (x) => (x < 0 ? -(x as number) : x),
    ),
  },
  Neg: {
    since: [6],
    run: onNumbers(
      (x) => (x.dtype === 'int32' ? ops.sub(0, x) : ops.neg(x)),
      (x) => -(x as number),
    ),
  },
  Sign: {
    since: [9],
    run: onNumbers(
      (x) => (x.dtype === 'int32' ? ops.sub(ops.greater(x, 0), ops.greater(0, x)) : ops.sign(x)),
      (x) => (x > 0 ? 1 : x < 0 ? -1 : Number(x)),
    ),
  },
  Exp: { since: [6], run: onFloats((x) => ops.exp(x), Math.exp) },
  Log: { since: [6], run: onFloats((x) => ops.log(x), Math.log) },
  Sqrt: { since: [6], run: onFloats((x) => ops.sqrt(x), Math.sqrt) },
  Reciprocal: {
    since: [6],
    run: onFloats(
      (x) => ops.reciprocal(x),
      (x) => 1 / x,
    ),
  },
  Floor: { since: [6], run: onFloats((x) => ops.floor(x), Math.floor) },
  Ceil: { since: [6], run: onFloats((x) => ops.ceil(x), Math.ceil) },
  Round: { since: [11], run: onFloats((x) => ops.round(x)) },
  Sin: { since: [7], run: onFloats((x) => ops.sin(x)) },
  Cos: { since: [7], run: onFloats((x) => ops.cos(x)) },
  Tan: { since: [7], run: onFloats((x) => ops.div(ops.sin(x), ops.cos(x))) },
  Sinh: { since: [9], run: onFloats(sinh) },
  Cosh: { since: [9], run: onFloats(cosh) },
  Erf: { since: [9], run: onFloats((x) => ops.erf(x)) },
  IsNaN: { since: [9], run: test((x) => ops.sub(1, ops.equal(x, x))) },
  IsInf: { since: [10], run: test(isInfinite) },
};

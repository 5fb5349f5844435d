import { arange } from '../../../create';
import * as ops from '../../../ops';
import { sizeOf } from '../../../shape';
import type { Tensor } from '../../../tensor';
import { hostTensor } from '../host';
import { cellsOf, mostCells } from '../hostOps';
import { inOrder, type Run, Value } from '../value';
import { axisOf, type Call, input, integers, type Operator, type Operators, scalar } from './operator';
import { numeric } from './types';

// What is left of some axes.

interface Reduction {
  tensors(x: Tensor, axes: number[]): Tensor;
  /** The same of cells on the host, of integers or floats of one list. */
  cells?(list: readonly number[]): number;
}

/** The axes to reduce, of an attribute or, in later versions, an input; null where none, and nothing is done. */
function axesOf(call: Call, rank: number): number[] | null {
  const asked = integers(call, 1) ?? call.attributes.ints('axes');
  if (asked === undefined || asked.length === 0) return call.attributes.flag('noop_with_empty_axes') ? null : inOrder(rank);
  return asked.map((axis) => axisOf(axis, rank));
}

/** What stays of the order in memory when axes go. */
const orderWithout = (order: readonly number[], axes: readonly number[]): number[] =>
  order.filter((axis) => !axes.includes(axis)).map((axis) => axis - axes.filter((gone) => gone < axis).length);

function reduction({ tensors, cells }: Reduction): (call: Call) => Value {
  return (call) => {
    const { run } = call;
    const x = input(call, 0);
    const axes = axesOf(call, x.rank);
    if (axes === null) return x;
    const keep = call.attributes.flag('keepdims', true);
    if (cells && x.constant && x.size <= mostCells && axes.length === x.rank) {
      const numbers = Array.from(cellsOf(x.host!), Number);
      return Value.ofHost(hostTensor(x.type, keep ? x.shape.map(() => 1) : [], [cells(numbers)]));
    }
    const value = numeric(run, x);
    // the axes stay, of length 1, in the order they lie
    const kept = tensors(
      run.tensor(value),
      axes.map((axis) => x.place(axis)),
    );
    if (keep) return Value.of(x.type, kept, x.order);
    const order = orderWithout(x.order, axes);
    const memory = x.order.filter((axis) => !axes.includes(axis)).map((axis) => x.shape[axis]!);
    return Value.of(x.type, ops.reshape(kept, memory), order);
  };
}

const kept = (axis: number[]) => ({ axis, keepDims: true });
const add = (list: readonly number[]): number => list.reduce((sum, n) => sum + n, 0);

/** The product over an axis, halved until one is left: exact, and so are its gradients where factors are 0. */
function product(x: Tensor, axes: number[]): Tensor {
  return axes.reduce((y, axis) => {
    let rest = y;
    while (rest.shape[axis]! > 1) {
      const length = rest.shape[axis]!;
      const half = length >> 1;
      const [a, b, last] = ops.split(rest, length % 2 === 0 ? [half, half] : [half, half, 1], axis) as [Tensor, Tensor, Tensor?];
      const pairs = ops.mul(a, b);
      rest = last ? ops.concat([pairs, last], axis) : pairs;
    }
    return rest.shape[axis] === 1 ? rest : ops.add(ops.sum(rest, kept([axis])), 1);
  }, x);
}

/** The logarithm of a sum of exponentials, safe where those would overflow. */
function logSumExp(x: Tensor, axes: number[]): Tensor {
  const top = ops.max(x, kept(axes));
  return ops.add(ops.log(ops.sum(ops.exp(ops.sub(x, top)), kept(axes))), top);
}

const magnitude = (x: Tensor): Tensor => (x.dtype === 'int32' ? ops.maximum(x, ops.sub(0, x)) : ops.abs(x));
const squared = (x: Tensor): Tensor => (x.dtype === 'int32' ? ops.mul(x, x) : ops.square(x));
/** Of a float function on integers, whose result is an integer again. */
const viaFloat =
  (f: (x: Tensor, axes: number[]) => Tensor) =>
  (x: Tensor, axes: number[]): Tensor =>
    x.dtype === 'int32' ? ops.cast(f(ops.cast(x, 'float64'), axes), 'int32') : f(x, axes);

const operator = (reduce: Reduction): Operator => ({ since: [1, 11, 13, 18], host: [1], run: reduction(reduce) });

/** Where the largest or smallest element is along an axis. */
const position =
  (smallest: boolean): Operator['run'] =>
  (call) => {
    const { run, attributes } = call;
    const given = input(call, 0);
    const x = run.float(given);
    const axis = axisOf(attributes.int('axis', 0), x.rank);
    const place = x.place(axis);
    const last = attributes.flag('select_last_index');
    const signed = smallest ? ops.neg(run.tensor(x)) : run.tensor(x);
    const searched = last ? backwards(signed, place) : signed;
    const found = ops.argmax(searched, place, { keepDims: true });
    const index = last ? ops.sub(x.shape[axis]! - 1, found) : found;
    if (attributes.flag('keepdims', true)) return Value.of('int64', index, x.order);
    const order = orderWithout(x.order, [axis]);
    const memory = x.order.filter((one) => one !== axis).map((one) => x.shape[one]!);
    return Value.of('int64', ops.reshape(index, memory), order);
  };

function backwards(x: Tensor, axis: number): Tensor {
  const at = (value: number, otherwise: (i: number) => number) => x.shape.map((_, i) => (i === axis ? value : otherwise(i)));
  return ops.slice(
    x,
    at(-1, () => 0),
    at(-(2 ** 31), (i) => x.shape[i]!),
    at(-1, () => 1),
  );
}

/** The largest or smallest elements along an axis, and where they lie. */
function top(call: Call): Value[] {
  const { run, attributes } = call;
  const given = input(call, 0);
  const x = numeric(run, given);
  const axis = axisOf(attributes.int('axis', -1), x.rank);
  const k = call.opset < 10 ? attributes.int('k', 0) : scalar(call, 1)!;
  const { tensor, order } = lastIs(run, x, axis);
  const { values, indices } = ops.topk(tensor, k, { largest: attributes.flag('largest', true) });
  return [Value.of(given.type, values, order), Value.of('int64', indices, order)];
}

/** A value with one axis last in memory; the others stay as they lie. */
function lastIs(run: Run, x: Value, axis: number): { tensor: Tensor; order: number[] } {
  const order = [...x.order.filter((one) => one !== axis), axis];
  return { tensor: run.arranged(x, order), order };
}

/**
 * A distribution along an axis; before version 13 over all axes from one on, whichever way those lie in memory, as long as they lie behind
 * the others.
 */
const distribution =
  (f: (x: Tensor) => Tensor): Operator['run'] =>
  (call) => {
    const { run, attributes, opset } = call;
    const given = input(call, 0);
    const x = run.float(given);
    const axis = axisOf(attributes.int('axis', opset >= 13 ? -1 : 1), Math.max(x.rank, 1));
    if (opset >= 13 && x.rank > 0) {
      const { tensor, order } = lastIs(run, x, axis);
      return Value.of(given.type, f(tensor), order);
    }
    const order = [...x.order.filter((one) => one < axis), ...x.order.filter((one) => one >= axis)];
    const tensor = run.arranged(x, order);
    const rows = ops.reshape(tensor, [sizeOf(tensor.shape.slice(0, axis)), sizeOf(tensor.shape.slice(axis))]);
    return Value.of(given.type, ops.reshape(f(rows), tensor.shape), order);
  };

/** 1 at the first of the largest values, else 0. */
function hardmax(x: Tensor): Tensor {
  const length = x.shape.at(-1)!;
  const places = ops.reshape(ops.argmax(x, -1, { keepDims: true }), [...x.shape.slice(0, -1), 1]);
  const counted = arange(length, undefined, 1, { dtype: 'int32' });
  return ops.cast(ops.equal(places, counted), x.dtype as 'float32');
}

export const reduceOperators: Operators = {
  ReduceSum: operator({ tensors: (x, axes) => ops.sum(x, kept(axes)), cells: add }),
  ReduceMean: operator({ tensors: viaFloat((x, axes) => ops.mean(x, kept(axes))) }),
  ReduceMax: operator({ tensors: (x, axes) => ops.max(x, kept(axes)), cells: (list) => Math.max(...list) }),
  ReduceMin: operator({ tensors: (x, axes) => ops.min(x, kept(axes)), cells: (list) => Math.min(...list) }),
  ReduceProd: operator({ tensors: product, cells: (list) => list.reduce((a, b) => a * b, 1) }),
  ReduceL1: operator({ tensors: (x, axes) => ops.sum(magnitude(x), kept(axes)) }),
  ReduceL2: operator({ tensors: viaFloat((x, axes) => ops.sqrt(ops.sum(squared(x), kept(axes)))) }),
  ReduceSumSquare: operator({ tensors: (x, axes) => ops.sum(squared(x), kept(axes)) }),
  ReduceLogSum: operator({ tensors: viaFloat((x, axes) => ops.log(ops.sum(x, kept(axes)))) }),
  ReduceLogSumExp: operator({ tensors: viaFloat(logSumExp) }),
  ArgMax: { since: [1, 11, 12], run: position(false) },
  ArgMin: { since: [1, 11, 12], run: position(true) },
  TopK: { since: [1, 10, 11], host: [1], run: top },
  Softmax: { since: [1, 11, 13], run: distribution((x) => ops.softmax(x)) },
  LogSoftmax: { since: [1, 11, 13], run: distribution((x) => ops.logSoftmax(x)) },
  Hardmax: { since: [1, 11, 13], run: distribution(hardmax) },
};

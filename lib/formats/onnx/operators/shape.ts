import * as ops from '../../../ops';
import { type Shape, sizeOf } from '../../../shape';
import { type HostTensor, hostTensor, int64s } from '../host';
import { inOrder, isInOrder, type Run, shaped, Value } from '../value';
import { axisOf, type Call, input, integers, misshapen, type Operators } from './operator';

// What changes a shape and no element. Memory stays as it lies wherever the new axes can be found in it.

const reshapedHost = (host: HostTensor, shape: Shape): Value => Value.ofHost({ ...host, shape });

/** Axes of the old and of the new shape that hold the same elements, in runs as short as can be. */
interface Group {
  readonly from: number[];
  readonly to: number[];
}

function groupsOf(from: Shape, to: Shape): Group[] {
  const groups: Group[] = [];
  for (let [i, j] = [0, 0]; i < from.length || j < to.length; ) {
    const group: Group = { from: [], to: [] };
    let [held, wanted] = [1, 1];
    const take = (): void => {
      if (held <= wanted && i < from.length) {
        held *= from[i]!;
        group.from.push(i++);
      } else {
        wanted *= to[j]!;
        group.to.push(j++);
      }
    };
    do take();
    while ((held !== wanted || group.from.length === 0 || group.to.length === 0) && (i < from.length || j < to.length));
    groups.push(group);
  }
  return groups;
}

/**
 * A value under another shape of the same size. Axes that are joined are brought together in memory, in ONNX's order; the groups of them stay
 * where they are, so that the rest of an image stays channels last.
 */
export function reshaped(run: Run, x: Value, shape: Shape): Value {
  if (x.constant) return reshapedHost(x.host!, shape);
  if (isInOrder(x.order) || x.size === 0) return Value.of(x.type, shaped(run.plain(x), shape));
  const groups = groupsOf(x.shape, shape);
  const place = ({ from }: Group): number => {
    const real = from.filter((axis) => x.shape[axis] !== 1);
    return Math.min(...(real.length > 0 ? real : from).map((axis) => x.place(axis)));
  };
  const sorted = groups.toSorted((a, b) => place(a) - place(b));
  const tensor = run.arranged(
    x,
    sorted.flatMap(({ from }) => from),
  );
  const order = sorted.flatMap(({ to }) => to);
  return Value.of(
    x.type,
    shaped(
      tensor,
      order.map((axis) => shape[axis]!),
    ),
    order,
  );
}

function reshape(call: Call): Value {
  const x = input(call, 0);
  const asked = integers(call, 1, 'shape');
  if (!asked) throw misshapen('has no shape');
  const keepsZero = call.attributes.flag('allowzero');
  const shape = asked.map((n, axis) => (n === 0 && !keepsZero ? (x.shape[axis] ?? 0) : n));
  const open = shape.indexOf(-1);
  if (shape.some((n, axis) => n < -1 || (n === -1 && axis !== open))) throw misshapen(`cannot become [${asked}]`);
  if (open >= 0) {
    const rest = shape.reduce((product, n, axis) => (axis === open ? product : product * n), 1);
    shape[open] = rest === 0 ? 0 : x.size / rest;
  }
  if (!shape.every(Number.isSafeInteger) || sizeOf(shape) !== x.size) throw misshapen(`[${x.shape}] cannot become [${asked}]`);
  return reshaped(call.run, x, shape);
}

function flatten(call: Call): Value {
  const x = input(call, 0);
  const axis = call.attributes.int('axis', 1);
  const at = axis === x.rank ? axis : axisOf(axis, x.rank);
  return reshaped(call.run, x, [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at))]);
}

function squeeze(call: Call): Value {
  const x = input(call, 0);
  const axes = integers(call, 1, 'axes')?.map((axis) => axisOf(axis, x.rank)) ?? inOrder(x.rank).filter((axis) => x.shape[axis] === 1);
  for (const axis of axes) if (x.shape[axis] !== 1) throw misshapen(`axis ${axis} of [${x.shape}] is not 1`);
  return without(call.run, x, axes);
}

/** A value without some of its axes, each of length 1. */
export function without(run: Run, x: Value, axes: readonly number[]): Value {
  const kept = inOrder(x.rank).filter((axis) => !axes.includes(axis));
  const shape = kept.map((axis) => x.shape[axis]!);
  if (x.constant) return reshapedHost(x.host!, shape);
  const order = x.order.filter((axis) => !axes.includes(axis)).map((axis) => kept.indexOf(axis));
  const memory = order.map((axis) => shape[axis]!);
  return Value.of(x.type, ops.reshape(run.tensor(x), memory), order);
}

function unsqueeze(call: Call): Value {
  const x = input(call, 0);
  const axes = integers(call, 1, 'axes');
  if (!axes) throw misshapen('has no axes');
  const rank = x.rank + axes.length;
  const added = axes.map((axis) => axisOf(axis, rank));
  if (new Set(added).size !== added.length) throw misshapen(`axes [${axes}] name one twice`);
  const own = inOrder(rank).filter((axis) => !added.includes(axis));
  const shape = inOrder(rank).map((axis) => (added.includes(axis) ? 1 : x.shape[own.indexOf(axis)]!));
  if (x.constant) return reshapedHost(x.host!, shape);
  const order = isInOrder(x.order) ? inOrder(rank) : [...added, ...x.order.map((axis) => own[axis]!)];
  return Value.of(
    x.type,
    ops.reshape(
      call.run.tensor(x),
      order.map((axis) => shape[axis]!),
    ),
    order,
  );
}

/** Nothing moves: the axes get other numbers. */
function transpose(call: Call): Value {
  const x = input(call, 0);
  const permutation = call.attributes.ints('perm') ?? inOrder(x.rank).reverse();
  if (permutation.length !== x.rank || inOrder(x.rank).some((axis) => !permutation.includes(axis))) {
    throw misshapen(`perm [${permutation}] does not name each axis of [${x.shape}] once`);
  }
  if (x.constant) return transposedHost(x.host!, permutation);
  const order = x.order.map((axis) => permutation.indexOf(axis));
  return Value.of(x.type, call.run.tensor(x), order);
}

function transposedHost(host: HostTensor, permutation: readonly number[]): Value {
  const shape = permutation.map((axis) => host.shape[axis]!);
  const cells = Array.from(host.data as ArrayLike<number>);
  const moved = cells.map((_, i) => {
    let [rest, at] = [i, 0];
    const index = new Array<number>(shape.length);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[permutation[axis]!] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    for (const [axis, n] of host.shape.entries()) at = at * n + index[axis]!;
    return cells[at]!;
  });
  return Value.ofHost(hostTensor(host.type, shape, moved));
}

function shapeOf(call: Call): Value {
  const { shape, rank } = input(call, 0);
  const bound = (at: number) => Math.min(Math.max(at < 0 ? at + rank : at, 0), rank);
  const { attributes } = call;
  return Value.ofHost(int64s(shape.slice(bound(attributes.int('start', 0)), bound(attributes.int('end', rank)))));
}

export const shapeOperators: Operators = {
  Reshape: { since: [1, 5, 14], host: [1], run: reshape },
  Flatten: { since: [1, 9, 11], run: flatten },
  Squeeze: { since: [1, 11, 13], host: [1], run: squeeze },
  Unsqueeze: { since: [1, 11, 13], host: [1], run: unsqueeze },
  Transpose: { since: [1], run: transpose },
  Shape: { since: [1, 15], run: shapeOf },
  Size: { since: [1], run: (call) => Value.ofHost(hostTensor('int64', [], [input(call, 0).size])) },
  Identity: { since: [1], run: (call) => input(call, 0) },
};

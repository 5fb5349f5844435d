import { tensor } from '../../../create';
import * as ops from '../../../ops';
import { type Shape, sizeOf } from '../../../shape';
import type { Tensor } from '../../../tensor';
import { hostTensor, numbersOf } from '../host';
import { cellsOf, expandedHost, mostCells, movedHost } from '../hostOps';
import { inOrder, isInOrder, type Run, together, Value } from '../value';
import { axisOf, type Call, input, integers, misshapen, type Operators, scalar } from './operator';
import { without } from './shape';
import { settled } from './types';

// What takes cells, repeats them or puts them beside each other.

function concat(call: Call): Value {
  const { run, attributes } = call;
  const values = call.inputs.map((_, i) => input(call, i));
  const first = values[0];
  if (!first) throw misshapen('has no input');
  const axis = axisOf(attributes.int('axis', 0), first.rank);
  if (values.some(({ rank }) => rank !== first.rank)) throw misshapen('inputs have different numbers of axes');
  const total = values.reduce((sum, { size }) => sum + size, 0);
  if (total <= mostCells && values.every(({ constant }) => constant)) return concatHost(values, axis);
  if (values.length === 1) return first;
  // in the order of the largest, as for operands that broadcast, but nothing is stretched
  const leader = values.reduce((best, value) =>
    2 * value.size + Number(!isInOrder(value.order)) > 2 * best.size + Number(!isInOrder(best.order)) ? value : best,
  );
  const tensors = values.map((value) => settled(run.arranged(value, leader.order), first.type));
  return Value.of(first.type, ops.concat(tensors, leader.place(axis)), leader.order);
}

function concatHost(values: readonly Value[], axis: number): Value {
  const first = values[0]!;
  const rows = sizeOf(first.shape.slice(0, axis));
  const parts = values.map(({ host, shape }) => ({ cells: Array.from(cellsOf(host!)), run: sizeOf(shape.slice(axis)) }));
  const cells = inOrder(rows).flatMap((row) => parts.flatMap(({ cells: own, run }) => own.slice(row * run, (row + 1) * run)));
  const length = values.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  return Value.ofHost(hostTensor(first.type, first.shape.with(axis, length), cells));
}

/** A block of a value, in steps, along some of its axes. */
function taken(run: Run, x: Value, axes: readonly number[], from: Shape, to: readonly number[], step: readonly number[]): Value {
  const full = (list: readonly number[], otherwise: (axis: number) => number) =>
    inOrder(x.rank).map((axis) => (axes.includes(axis) ? list[axes.indexOf(axis)]! : otherwise(axis)));
  const by = full(step, () => 1);
  const ends = full(to, (axis) => x.shape[axis]!);
  const starts = full(from, () => 0);
  if (x.constant && x.size <= mostCells) {
    const within = (at: number, n: number, backwards: boolean) =>
      Math.min(Math.max(at < 0 ? at + n : at, backwards ? -1 : 0), backwards ? n - 1 : n);
    const ranges = x.shape.map((n, axis) => {
      const [a, b] = [within(starts[axis]!, n, by[axis]! < 0), within(ends[axis]!, n, by[axis]! < 0)];
      return { first: Math.max(a, 0), count: Math.max(Math.ceil((b - a) / by[axis]!), 0) };
    });
    const shape = ranges.map(({ count }) => count);
    return Value.ofHost(movedHost(x.host!, shape, (index) => index.map((i, axis) => ranges[axis]!.first + i * by[axis]!)));
  }
  const inMemory = (list: readonly number[]) => x.order.map((axis) => list[axis]!);
  return run.like(x, ops.slice(run.tensor(x), inMemory(starts), inMemory(ends), inMemory(by)));
}

/** Bounds as integers that slices take, those of int64's ends being beyond any end. */
const clamped = (list: readonly number[]): number[] => list.map((n) => Math.min(Math.max(n, -(2 ** 52)), 2 ** 52));

function slice(call: Call): Value {
  const x = input(call, 0);
  const [starts, ends] = [integers(call, 1, 'starts'), integers(call, 2, 'ends')];
  if (!starts || !ends || starts.length !== ends.length) throw misshapen('starts and ends do not go together');
  const axes = (integers(call, 3, 'axes') ?? inOrder(starts.length)).map((axis) => axisOf(axis, x.rank));
  const steps = integers(call, 4) ?? starts.map(() => 1);
  if (axes.length !== starts.length || steps.length !== starts.length || new Set(axes).size !== axes.length || steps.includes(0)) {
    throw misshapen(`axes [${axes}] and steps [${steps}] do not go with ${starts.length} starts`);
  }
  return taken(call.run, x, axes, clamped(starts), clamped(ends), clamped(steps));
}

function split(call: Call): Value[] {
  const { run, attributes, node } = call;
  const x = input(call, 0);
  const axis = axisOf(attributes.int('axis', 0), x.rank);
  const length = x.shape[axis]!;
  const count = attributes.has('num_outputs') ? attributes.int('num_outputs', 0) : node.outputs.length;
  const each = Math.ceil(length / count);
  const sizes = integers(call, 1, 'split') ?? inOrder(count).map((i) => Math.max(Math.min(each, length - i * each), 0));
  if (sizes.some((n) => n < 0) || sizes.reduce((sum, n) => sum + n, 0) !== length)
    throw misshapen(`split [${sizes}] is not ${length} in all`);
  let at = 0;
  return sizes.map((size) => {
    const part = taken(run, x, [axis], [at], [at + size], [1]);
    at += size;
    return part;
  });
}

/** Cells along an axis of the memory, by numbers known here. */
export const takeAlong = (x: Tensor, axis: number, indices: Int32Array): Tensor => lookedUp(x, axis, tensor(indices));

/** The most rows, of all axes before the one that cells are taken along: a number is made for each. */
const mostRows = 2 ** 24;

/** Cells along an axis of the memory by their numbers, whose axes take the place of that axis. */
function lookedUp(x: Tensor, axis: number, numbers: Tensor): Tensor {
  const [before, length, behind] = [x.shape.slice(0, axis), x.shape[axis]!, x.shape.slice(axis + 1)];
  const rows = sizeOf(before);
  if (rows > mostRows || rows * length >= 2 ** 31) throw misshapen(`[${x.shape}] is too large to take cells along axis ${axis} of it`);
  const places = rows === 1 ? numbers : ops.add(ops.reshape(numbers, [1, numbers.size]), rowStarts(rows, length));
  const taken = ops.gather(ops.reshape(x, [rows * length, sizeOf(behind)]), ops.reshape(places, [rows * numbers.size]));
  return ops.reshape(taken, [...before, ...numbers.shape, ...behind]);
}

const rowStarts = (rows: number, length: number): Tensor =>
  tensor(
    Int32Array.from({ length: rows }, (_, row) => row * length),
    [rows, 1],
  );

/** The cells of x along an axis that another tensor names, in the place of that axis. */
function gather(call: Call): Value {
  const { run, attributes } = call;
  const [x, index] = [input(call, 0), input(call, 1)];
  if (x.rank === 0) throw misshapen('the input is a scalar');
  const axis = axisOf(attributes.int('axis', 0), x.rank);
  const length = x.shape[axis]!;
  const order = [...gatheredOrder(x.order, axis, index.rank)];
  if (!index.constant) {
    const numbers = ops.cast(run.plain(index), 'int32');
    // a negative number counts from the end
    const counted = ops.add(numbers, ops.mul(ops.greater(0, numbers), length));
    return Value.of(x.type, lookedUp(run.tensor(x), x.place(axis), counted), order);
  }
  const numbers = numbersOf(index.host!).map((i) => (i < 0 ? i + length : i));
  const wrong = numbers.find((i) => !(i >= 0 && i < length));
  if (wrong !== undefined) throw misshapen(`index ${wrong} is not one of ${length} cells along axis ${axis}`);
  if (x.constant && (x.size / Math.max(length, 1)) * index.size <= mostCells) return gatherHost(x, axis, index, numbers);
  if (index.size === 1) {
    const one = taken(run, x, [axis], numbers, [numbers[0]! + 1], [1]);
    if (index.rank === 0) return without(run, one, [axis]);
    if (index.rank === 1) return one;
  }
  return Value.of(x.type, lookedUp(run.tensor(x), x.place(axis), tensor(Int32Array.from(numbers), index.shape)), order);
}

/** The order of what is left when an axis gives way to so many, which lie together where it lay. */
function gatheredOrder(order: readonly number[], axis: number, rank: number): number[] {
  return order.flatMap((one) => (one === axis ? inOrder(rank).map((i) => axis + i) : [one < axis ? one : one + rank - 1]));
}

function gatherHost(x: Value, axis: number, index: Value, numbers: readonly number[]): Value {
  const shape = [...x.shape.slice(0, axis), ...index.shape, ...x.shape.slice(axis + 1)];
  const place = (at: readonly number[]) => {
    const own = at.slice(axis, axis + index.rank).reduce((sum, i, k) => sum * index.shape[k]! + i, 0);
    return [...at.slice(0, axis), numbers[own]!, ...at.slice(axis + index.rank)];
  };
  return Value.ofHost(movedHost(x.host!, shape, place));
}

const modes: Readonly<Record<string, 'constant' | 'reflect' | 'replicate'>> = {
  constant: 'constant',
  reflect: 'reflect',
  edge: 'replicate',
};

/** Cells around a value; where there are fewer than none, it loses some. */
function pad(call: Call): Value {
  const { run, attributes, opset } = call;
  const x = input(call, 0);
  const pads = integers(call, 1, 'pads');
  const axes = (integers(call, 3) ?? inOrder(x.rank)).map((axis) => axisOf(axis, x.rank));
  if (pads?.length !== 2 * axes.length)
    throw misshapen(`pads has ${pads?.length ?? 'no'} numbers, expected two for each of ${axes.length} axes`);
  const value = (opset < 11 ? attributes.float('value', 0) : scalar(call, 2)) ?? 0;
  const mode = modes[attributes.text('mode', 'constant')]!;
  const around = inOrder(x.rank).map((axis) => {
    const at = axes.indexOf(axis);
    return at < 0 ? [0, 0] : [pads[at]!, pads[at + axes.length]!];
  }) as [number, number][];
  const inMemory = x.order.map((axis) => around[axis]!);
  const memory = run.tensor(x);
  const isCut = inMemory.some((cells) => cells.some((n) => n < 0));
  const [from, to] = [
    inMemory.map(([before]) => Math.max(-before, 0)),
    inMemory.map(([, after], i) => memory.shape[i]! - Math.max(-after, 0)),
  ];
  const cut = isCut ? ops.slice(memory, from, to) : memory;
  const added = inMemory.map(([before, after]): [number, number] => [Math.max(before, 0), Math.max(after, 0)]);
  return run.like(x, ops.pad(cut, added, mode === 'constant' ? { mode, value } : { mode }));
}

function expand(call: Call): Value {
  const { run } = call;
  const x = input(call, 0);
  const asked = integers(call, 1);
  if (!asked) throw misshapen('has no shape');
  const rank = Math.max(x.rank, asked.length);
  const shape = inOrder(rank).map((axis) => {
    const [own, wanted] = [x.shape[axis - rank + x.rank] ?? 1, asked[axis - rank + asked.length] ?? 1];
    if (own !== wanted && own !== 1 && wanted !== 1) throw misshapen(`[${x.shape}] does not stretch to [${asked}]`);
    return own === 1 ? wanted : own;
  });
  if (x.constant && sizeOf(shape) <= mostCells) return Value.ofHost(expandedHost(x.host!, shape));
  const { tensors, order } = together(run, [x]);
  if (rank > x.rank && !isInOrder(order)) return Value.of(x.type, ops.expand(run.plain(x), shape));
  return Value.of(
    x.type,
    ops.expand(tensors[0]!, isInOrder(order) ? shape : order.map((axis) => shape[axis]!)),
    isInOrder(order) ? inOrder(rank) : order,
  );
}

function tile(call: Call): Value {
  const { run } = call;
  const x = input(call, 0);
  const repeats = integers(call, 1);
  if (repeats?.length !== x.rank) throw misshapen(`repeats has ${repeats?.length ?? 'no'} numbers for ${x.rank} axes`);
  const shape = x.shape.map((n, axis) => n * repeats[axis]!);
  if (x.constant && sizeOf(shape) <= mostCells) {
    return Value.ofHost(movedHost(x.host!, shape, (index) => index.map((i, axis) => i % x.shape[axis]!)));
  }
  let y = run.tensor(x);
  for (const [place, axis] of x.order.entries()) {
    const times = repeats[axis]!;
    if (times === 1) continue;
    const [before, behind] = [y.shape.slice(0, place), sizeOf(y.shape.slice(place))];
    const repeated = ops.expand(ops.reshape(y, [sizeOf(before), 1, behind]), [sizeOf(before), times, behind]);
    y = ops.reshape(repeated, [...before, y.shape[place]! * times, ...y.shape.slice(place + 1)]);
  }
  return run.like(x, y);
}

export const selectOperators: Operators = {
  Concat: { since: [4, 11], run: concat },
  Slice: { since: [1, 10], host: [1, 2, 3, 4], run: slice },
  Split: { since: [2, 13, 18], host: [1], run: split },
  Gather: { since: [1, 11], run: gather },
  Pad: {
    since: [2, 11, 18],
    host: [1, 2, 3],
    unsupported: (attributes) => {
      const mode = attributes.text('mode', 'constant');
      return mode in modes ? null : `in mode ${JSON.stringify(mode)}`;
    },
    run: pad,
  },
  Expand: { since: [8], host: [1], run: expand },
  Tile: { since: [6], host: [1], run: tile },
};

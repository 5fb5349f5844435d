import { ReceptiveError } from '../../../errors';
import type { PadMode } from '../../../ops/pad';
import type { Shape } from '../../../shape';
import type { TraceNode, Value } from '../../../trace';
import { inOrder } from '../value';
import { type Exporter, elementCode, type Written } from './exporter';
import { finished } from './finish';
import type { Rows } from './rows';

// What moves elements, reduces axes or multiplies matrices.

/** The dimensions of a shape as Reshape takes them: those that change with the batch are copied, or one of them is what is left over. */
function target(to: Exporter, from: Value, value: Value): number[] {
  const varying = inOrder(value.shape.length).filter((axis) => to.varies(value, axis));
  const copied = varying.filter((axis) => axis < from.shape.length && from.shape[axis] === value.shape[axis] && to.varies(from, axis));
  const open = varying.length === 1 ? varying : varying.filter((axis) => !copied.includes(axis));
  if (open.length > 1)
    throw new ReceptiveError('ERR_UNSUPPORTED', `reshape to [${value.shape}], of which several dimensions change with the batch`);
  return value.shape.map((n, axis) => (open.includes(axis) ? -1 : varying.includes(axis) ? 0 : n));
}

function reshape(to: Exporter, { inputs: [x], output }: TraceNode): Written {
  const same = x!.shape.length === output.shape.length && x!.shape.every((n, axis) => n === output.shape[axis]);
  if (same) {
    const { name, axes } = to.written(x!);
    return to.set(output, name, axes);
  }
  return to.set(output, to.emit('Reshape', [to.plain(x!), to.ints(...target(to, x!, output))]));
}

/** The axes get other numbers: nothing is written. */
function transpose(to: Exporter, { inputs: [x], attrs, output }: TraceNode): Written {
  const permutation = attrs as readonly number[];
  const { name, axes } = to.written(x!);
  return to.set(
    output,
    name,
    axes.map((axis) => permutation.indexOf(axis)),
  );
}

function concat(to: Exporter, { inputs, attrs, output }: TraceNode): Written {
  const list = inputs as Value[];
  const { axes } = to.written(list.find((value) => to.written(value).axes.some((axis, i) => axis !== i)) ?? list[0]!);
  const names = list.map((value) => to.as(value, axes));
  return to.set(output, to.emit('Concat', names, { axis: axes.indexOf(attrs as number) }), axes);
}

function slice(to: Exporter, node: TraceNode): Written {
  const { inputs, attrs, output } = node;
  const x = inputs[0]!;
  const { start, size, step } = attrs as { start: Shape; size: Shape; step: readonly number[] };
  const cut = inOrder(x.shape.length).filter((axis) => !(start[axis] === 0 && size[axis] === x.shape[axis] && step[axis] === 1));
  const { name, axes } = to.written(x);
  if (cut.length === 0) return to.set(output, name, axes);
  if (cut.some((axis) => to.varies(x, axis))) to.constant(node, start);
  const end = (axis: number) => {
    const last = start[axis]! + (size[axis]! - 1) * step[axis]!;
    // backwards through the first cell: further than any
    return step[axis]! > 0 ? last + 1 : last === 0 ? -(2 ** 31) : last - 1;
  };
  const list = (of: (axis: number) => number) => to.ints(...cut.map(of));
  const bounds = [list((axis) => start[axis]!), list((axis) => (size[axis] === 0 ? start[axis]! : end(axis)))];
  return to.set(output, to.emit('Slice', [name, ...bounds, list((axis) => axes.indexOf(axis)), list((axis) => step[axis]!)]), axes);
}

function expand(to: Exporter, { inputs: [x], output }: TraceNode): Written {
  const missing = output.shape.length - x!.shape.length;
  const shape = output.shape.map((n, axis) => {
    if (!to.varies(output, axis)) return n;
    if (axis >= missing && to.varies(x!, axis - missing)) return 1;
    throw new ReceptiveError(
      'ERR_UNSUPPORTED',
      `expand to [${output.shape}], which changes with the batch: export with dynamicBatch: false`,
    );
  });
  return to.set(output, to.emit('Expand', [to.plain(x!), to.ints(...shape)]));
}

const padModes: Readonly<Record<PadMode, string>> = { constant: 'constant', reflect: 'reflect', replicate: 'edge' };

function pad(to: Exporter, { inputs: [x], attrs, output }: TraceNode): Written {
  const { before, after, mode, value } = attrs as { before: Shape; after: Shape; mode: PadMode; value: number };
  const { name, axes } = to.written(x!);
  const pads = to.ints(...axes.map((axis) => before[axis]!), ...axes.map((axis) => after[axis]!));
  return to.set(
    output,
    to.emit('Pad', mode === 'constant' ? [name, pads, to.scalar(value, x!)] : [name, pads], { mode: padModes[mode] }),
    axes,
  );
}

const reduction =
  (operator: string) =>
  (to: Exporter, { inputs: [x], attrs, output }: TraceNode): Written => {
    const { mask, keepDims } = attrs as { mask: number; keepDims: boolean };
    const { name, axes } = to.written(x!);
    const gone = (axis: number) => ((mask >> axis) & 1) === 1;
    const places = inOrder(axes.length).filter((place) => gone(axes[place]!));
    const keepdims = Number(keepDims);
    // of no axis, which ONNX takes for all
    if (places.length === 0) return to.set(output, name, axes);
    const reduced =
      operator === 'ReduceSum'
        ? to.emit(operator, [name, to.ints(...places)], { keepdims })
        : to.emit(operator, [name], { axes: places, keepdims });
    if (keepDims) return to.set(output, reduced, axes);
    const left = axes.filter((axis) => !gone(axis)).map((axis) => axis - inOrder(axis).filter(gone).length);
    return to.set(output, reduced, left);
  };

function argmax(to: Exporter, { inputs: [x], attrs, output }: TraceNode): Written {
  const { axis, keepDims } = attrs as { axis: number; keepDims: boolean };
  const found = to.emit('ArgMax', [to.plain(x!)], { axis, keepdims: Number(keepDims) });
  return to.set(output, to.emit('Cast', [found], { to: elementCode('int32') }));
}

/** Along the last axis here, wherever that is written. */
const distribution =
  (operator: string) =>
  (to: Exporter, { inputs: [x], output }: TraceNode): Written => {
    const { name, axes } = to.written(x!);
    return to.set(output, to.emit(operator, [name], { axis: axes.indexOf(axes.length - 1) }), axes);
  };

function linear(to: Exporter, node: TraceNode): Written {
  const [x, weight, bias] = node.inputs;
  const axes = inOrder(node.output.shape.length);
  if (x!.shape.length === 2) {
    const names = [to.plain(x!), to.plain(weight!), ...(bias ? [to.plain(bias)] : [])];
    return finished(to, node, to.emit('Gemm', names, { transB: 1 }), axes);
  }
  const product = to.emit('MatMul', [to.plain(x!), to.as(weight!, [1, 0])]);
  return finished(to, node, bias ? to.emit('Add', [product, to.plain(bias)]) : product, axes);
}

function matmul(to: Exporter, { inputs: [a, b], attrs, output }: TraceNode): Written {
  const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
  const matrix = (value: Value, turned: boolean) => {
    const rank = value.shape.length;
    return to.as(value, turned ? [...inOrder(rank - 2), rank - 1, rank - 2] : inOrder(rank));
  };
  return to.set(output, to.emit('MatMul', [matrix(a!, transposeA), matrix(b!, transposeB)]));
}

function gather(to: Exporter, { inputs: [table, index], output }: TraceNode): Written {
  return to.set(output, to.emit('Gather', [to.plain(table!), to.plain(index!)], { axis: 0 }));
}

export const moveRows: Rows = {
  reshape,
  transpose,
  concat,
  slice,
  expand,
  pad,
  sum: reduction('ReduceSum'),
  mean: reduction('ReduceMean'),
  max: reduction('ReduceMax'),
  min: reduction('ReduceMin'),
  argmax,
  softmax: distribution('Softmax'),
  logSoftmax: distribution('LogSoftmax'),
  linear,
  matmul,
  gather,
  embedding: gather,
};

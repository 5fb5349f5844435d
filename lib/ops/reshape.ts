import { rangeError, shapeError, typeError } from '../errors';
import { apply, checkTensor, type Op } from '../op';
import { along, type Reach, type Reaches } from '../reach';
import { checkAxis, checkShape, type Shape, showShape, sizeOf } from '../shape';
import type { Tensor } from '../tensor';

const op: Op<[Tensor], Shape> = {
  name: 'reshape',
  infer([x], shape) {
    if (sizeOf(shape) !== x.size) {
      throw shapeError('reshape', `input ${showShape(x.shape)} has ${x.size} elements, shape ${showShape(shape)} holds ${sizeOf(shape)}`);
    }
    return { shape, dtype: x.dtype };
  },
  backward: (grad, { shapes: [shape] }) => [grad.view(shape!)],
  linear: () => 'all',
  reach: ([shape], _attrs, output) => [reshapeReach(shape!, output)],
};

/**
 * Axes are followed as far as they keep a place: one that stays, the outermost of several that become one, the one that becomes several,
 * as the outermost of them. The last axis of the result has no places: what is merged into it, as when an image is flattened, is seen
 * whole.
 */
function reshapeReach(from: Shape, to: Shape): Reaches {
  const reaches = new Array<Reach | null>(from.length).fill(null);
  for (let [i, j] = [0, 0]; i < from.length && j < to.length; ) {
    // The shortest runs of axes, from i and from j, that hold as many elements.
    const [first, start] = [i, j];
    let [held, wanted] = [from[i++]!, to[j++]!];
    while (held !== wanted) {
      if (held < wanted) held *= from[i++] ?? NaN;
      else wanted *= to[j++] ?? NaN;
      if (Number.isNaN(held * wanted)) return reaches;
    }
    const longer = (shape: Shape, begin: number, end: number) => {
      for (let axis = begin; axis < end; axis++) if (shape[axis] !== 1) return axis;
      return begin;
    };
    const [input, axis] = [longer(from, first, i), longer(to, start, j)];
    const [merged, split] = [sizeOf(from.slice(input + 1, i)), sizeOf(to.slice(axis + 1, j))];
    if (merged === 1 && split === 1) reaches[input] = along(axis);
    else if (axis < to.length - 1) reaches[input] = { axis, step: split / merged, from: 1 / merged - 1, to: (split - 1) / merged };
  }
  return reaches;
}

/** The same elements, in the same order and memory, under another shape. One dimension may be -1: what is left over. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  checkTensor('reshape', 'input', x);
  if (!Array.isArray(shape)) throw typeError('reshape', 'shape', shape, 'a list of dimensions');
  const open = shape.indexOf(-1);
  const wanted = checkShape('reshape', open < 0 ? shape : shape.map((n, i) => (i === open ? 1 : n)));
  if (open >= 0) {
    const rest = sizeOf(wanted);
    if (rest === 0 || x.size % rest !== 0) {
      throw shapeError('reshape', `input ${showShape(x.shape)} has ${x.size} elements, which shape ${showShape(shape)} cannot share out`);
    }
    wanted[open] = x.size / rest;
  }
  return apply(op, [x], wanted);
}

/** Joins the axes from start (default 1) to end (default the last) into one. */
export function flatten(x: Tensor, start = 1, end = -1): Tensor {
  checkTensor('flatten', 'input', x);
  if (x.rank === 0) return reshape(x, [1]);
  const first = checkAxis('flatten', start, x.rank);
  const last = checkAxis('flatten', end, x.rank);
  if (last < first) throw rangeError('flatten', 'end', end, `an axis not before ${start}`);
  return reshape(x, [...x.shape.slice(0, first), sizeOf(x.shape.slice(first, last + 1)), ...x.shape.slice(last + 1)]);
}

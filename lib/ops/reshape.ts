import { rangeError, shapeError, typeError } from '../errors';
import { apply, checkTensor, type Op } from '../op';
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
};

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

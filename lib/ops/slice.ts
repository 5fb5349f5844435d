import { full } from '../create';
import { rangeError, typeError } from '../errors';
import { apply, checkTensor, type Op } from '../op';
import { along } from '../reach';
import { checkAxis, type Shape } from '../shape';
import type { Tensor } from '../tensor';
import { copyBlock } from './block';

interface Attrs {
  readonly start: Shape;
  readonly size: Shape;
}

const op: Op<[Tensor], Attrs> = {
  name: 'slice',
  infer: ([x], { size }) => ({ shape: size, dtype: x.dtype }),
  forward({ inputs: [x], attrs: { start, size }, output }) {
    copyBlock(
      size,
      x,
      start,
      output,
      size.map(() => 0),
    );
  },
  backward(grad, { shapes: [shape], attrs: { start, size } }) {
    const dx = full(shape!, 0, { dtype: grad.dtype });
    copyBlock(
      size,
      grad,
      size.map(() => 0),
      dx,
      start,
    );
    return [dx];
  },
  linear: () => 'all',
  reach: (_shapes, { start }) => [start.map((at, i) => along(i, at))],
};

function bounds(what: string, list: readonly number[], rank: number): readonly number[] {
  if (!Array.isArray(list) || !list.every((n) => Number.isInteger(n))) throw typeError('slice', what, list, 'a list of integers');
  if (list.length > rank) throw rangeError('slice', what, list, `at most ${rank} integers`);
  return list;
}

/**
 * The block of x from start up to, not including, end along each axis. As in NumPy negative bounds count from the end, bounds beyond an
 * end mean that end, and axes that the lists do not reach are whole.
 * @example
 * ops.slice(arange(5), [1], [-1]); // [1, 2, 3]
 */
export function slice(x: Tensor, start: readonly number[], end: readonly number[] = []): Tensor {
  checkTensor('slice', 'input', x);
  bounds('start', start, x.rank);
  bounds('end', end, x.rank);
  const within = (at: number, n: number) => Math.min(Math.max(at < 0 ? at + n : at, 0), n);
  const from = x.shape.map((n, axis) => within(start[axis] ?? 0, n));
  const size = x.shape.map((n, axis) => Math.max(within(end[axis] ?? n, n) - from[axis]!, 0));
  return apply(op, [x], { start: from, size });
}

/**
 * x in pieces of these sizes along an axis; of a number, in that many equal pieces.
 * @throws RangeError where the pieces do not make up the axis.
 */
export function split(x: Tensor, pieces: number | readonly number[], axis = 0): Tensor[] {
  checkTensor('split', 'input', x);
  const along = checkAxis('split', axis, x.rank);
  const length = x.shape[along]!;
  const sizes = typeof pieces === 'number' ? equalPieces(pieces, length) : pieces;
  if (!Array.isArray(sizes) || !sizes.every((n) => Number.isInteger(n) && n >= 0) || sizes.reduce((a, b) => a + b, 0) !== length) {
    throw rangeError('split', 'pieces', pieces, `sizes that add up to ${length}`);
  }
  let at = 0;
  return sizes.map((size: number) => {
    const start = x.shape.map((_, i) => (i === along ? at : 0));
    at += size;
    return apply(op, [x], { start, size: x.shape.map((n, i) => (i === along ? size : n)) });
  });
}

function equalPieces(count: number, length: number): number[] {
  if (!Number.isInteger(count) || count < 1 || length % count !== 0) {
    throw rangeError('split', 'pieces', count, `a positive integer that divides ${length}`);
  }
  return new Array<number>(count).fill(length / count);
}

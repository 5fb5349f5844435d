import { full } from '../create';
import { rangeError, typeError } from '../errors';
import { apply, checkTensor, type Op } from '../op';
import { along, type Reach } from '../reach';
import { checkAxis, type Shape } from '../shape';
import type { Tensor } from '../tensor';
import { addBlock, copyBlock } from './block';

interface Attrs {
  readonly start: Shape;
  readonly size: Shape;
  /** Cells from one to the next along each axis; negative ones go backwards. */
  readonly step: readonly number[];
}

const origin = (size: Shape): Shape => size.map(() => 0);

const op: Op<[Tensor], Attrs> = {
  name: 'slice',
  infer: ([x], { size }) => ({ shape: size, dtype: x.dtype }),
  forward({ inputs: [x], attrs: { start, size, step }, output }) {
    copyBlock(size, x, start, output, origin(size), step);
  },
  backward(grad, { shapes: [shape], attrs: { start, size, step } }) {
    const dx = full(shape!, 0, { dtype: grad.dtype });
    addBlock(size, grad, origin(size), dx, start, step);
    return [dx];
  },
  linear: () => 'all',
  reach: (_shapes, { start, step }) => [start.map((at, i) => (step[i] === 1 ? along(i, at) : strided(i, at, step[i]!)))],
};

/** Every step-th place from one on; of a slice that goes backwards places are not followed. */
const strided = (axis: number, at: number, step: number): Reach | null => (step > 0 ? { axis, step, from: at, to: at } : null);

function bounds(what: string, list: readonly number[], rank: number): readonly number[] {
  if (!Array.isArray(list) || !list.every((n) => Number.isInteger(n))) throw typeError('slice', what, list, 'a list of integers');
  if (list.length > rank) throw rangeError('slice', what, list, `at most ${rank} integers`);
  return list;
}

/**
 * The block of x from start up to, not including, end along each axis, of every step-th cell. As in NumPy negative bounds count from the
 * end, bounds beyond an end mean that end, a negative step goes backwards, and axes that the lists do not reach are whole.
 * @throws RangeError where a step is 0.
 * @example
 * ops.slice(arange(5), [1], [-1]); // [1, 2, 3]
 * ops.slice(arange(5), [4], [-9], [-2]); // [4, 2, 0]
 */
export function slice(x: Tensor, start: readonly number[], end: readonly number[] = [], step: readonly number[] = []): Tensor {
  checkTensor('slice', 'input', x);
  bounds('start', start, x.rank);
  bounds('end', end, x.rank);
  if (bounds('step', step, x.rank).includes(0)) throw rangeError('slice', 'step', step, 'integers other than 0');
  const ranges = x.shape.map((n, axis) => {
    const by = step[axis] ?? 1;
    // where a walk may begin and where it must have ended
    const [low, high] = by > 0 ? [0, n] : [-1, n - 1];
    const within = (at: number) => Math.min(Math.max(at < 0 ? at + n : at, low), high);
    const from = start[axis] === undefined ? (by > 0 ? 0 : n - 1) : within(start[axis]);
    const to = end[axis] === undefined ? (by > 0 ? n : -1) : within(end[axis]);
    return { from: Math.max(from, 0), size: Math.max(Math.ceil((to - from) / by), 0), by };
  });
  // one cell is taken however far the next would be
  const steps = ranges.map(({ size, by }) => (size > 1 ? by : 1));
  return apply(op, [x], { start: ranges.map(({ from }) => from), size: ranges.map(({ size }) => size), step: steps });
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
    return apply(op, [x], { start, size: x.shape.map((n, i) => (i === along ? size : n)), step: x.shape.map(() => 1) });
  });
}

function equalPieces(count: number, length: number): number[] {
  if (!Number.isInteger(count) || count < 1 || length % count !== 0) {
    throw rangeError('split', 'pieces', count, `a positive integer that divides ${length}`);
  }
  return new Array<number>(count).fill(length / count);
}

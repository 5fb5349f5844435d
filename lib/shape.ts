import { rangeError, shapeError, typeError } from './errors';

/** The lengths of a tensor's axes. */
export type Shape = readonly number[];

export const maxRank = 6;
const maxDimension = 2 ** 31 - 1;

/** Number of elements; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (let i = 0; i < shape.length; i++) size *= shape[i]!;
  return size;
}

export const showShape = (shape: Shape): string => `[${shape.join(',')}]`;

export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export const isIndex = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= maxDimension;

/** The shape an argument gives: a list of at most six dimensions from 0 to 2^31 - 1. */
export function checkShape(operation: string, shape: unknown): number[] {
  if (!Array.isArray(shape)) throw typeError(operation, 'shape', shape, 'a list of dimensions');
  if (shape.length > maxRank) throw rangeError(operation, 'shape', shape, `at most ${maxRank} dimensions`);
  for (const dimension of shape) {
    if (!isIndex(dimension)) throw rangeError(operation, 'shape', shape, 'dimensions that are integers from 0 to 2147483647');
  }
  return shape.slice();
}

/** The distance in elements between neighbours along each axis of a row-major tensor. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i]!;
  }
  return strides;
}

/** The shape two operands broadcast to: aligned at the last axis, a dimension of 1 stretches (NumPy's rule). */
export function broadcastShapes(operation: string, a: Shape, b: Shape): Shape {
  if (sameShape(a, b)) return a;
  const rank = Math.max(a.length, b.length);
  const shape = new Array<number>(rank);
  for (let i = 1; i <= rank; i++) {
    const m = a[a.length - i] ?? 1;
    const n = b[b.length - i] ?? 1;
    if (m !== n && m !== 1 && n !== 1) throw shapeError(operation, `shapes ${showShape(a)} and ${showShape(b)} do not broadcast`);
    shape[rank - i] = m === 1 ? n : m;
  }
  return shape;
}

/** An axis of a tensor of this rank; a negative one counts from the end. */
export function checkAxis(operation: string, axis: unknown, rank: number): number {
  if (!Number.isInteger(axis) || (axis as number) < -rank || (axis as number) >= rank) {
    throw rangeError(operation, 'axis', axis, rank === 0 ? 'none, the input is a scalar' : `an integer from ${-rank} to ${rank - 1}`);
  }
  return (axis as number) < 0 ? (axis as number) + rank : (axis as number);
}

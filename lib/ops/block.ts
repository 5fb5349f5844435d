import { native } from '../native';
import { type Shape, stridesOf } from '../shape';
import type { Tensor } from '../tensor';

// Blocks of cells of a tensor: so many along each axis from a first cell, neighbours a step apart, by default 1. A step of -1 goes
// backwards, one of 0 stays where it is. Nothing here is recorded on the tape.

/** A walk through a tensor as the addon takes it: the place of its first cell, and strides. */
function walk(x: Tensor, start: Shape, steps?: readonly number[]): number[] {
  const strides = stridesOf(x.shape);
  const first = start.reduce((sum, at, axis) => sum + at * strides[axis]!, 0);
  return [first, ...(steps ? strides.map((stride, axis) => stride * steps[axis]!) : strides)];
}

/** Copies a block of x, of this size and beginning at xStart, to where it begins at yStart in y. */
export function copyBlock(size: Shape, x: Tensor, xStart: Shape, y: Tensor, yStart: Shape, xSteps?: readonly number[]): void {
  if (size.includes(0)) return;
  native.ops.copy(x.id, y.id, size.length, ...size, ...walk(x, xStart, xSteps), ...walk(y, yStart));
}

/** Adds a block of x to one of y, the adjoint of copying that block of y to that of x. Along an axis of step 0 cells of x are summed. */
export function addBlock(size: Shape, x: Tensor, xStart: Shape, y: Tensor, yStart: Shape, ySteps?: readonly number[]): void {
  if (size.includes(0)) return;
  native.ops.accumulate(x.id, y.id, size.length, ...size, ...walk(x, xStart), ...walk(y, yStart, ySteps));
}

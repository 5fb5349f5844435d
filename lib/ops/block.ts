import { native } from '../native';
import { type Shape, stridesOf } from '../shape';
import type { Tensor } from '../tensor';

/** Copies a block of x, of this size and beginning at xStart, to where it begins at yStart in y. Not recorded on the tape. */
export function copyBlock(size: Shape, x: Tensor, xStart: Shape, y: Tensor, yStart: Shape): void {
  const [xStrides, yStrides] = [stridesOf(x.shape), stridesOf(y.shape)];
  const offset = (start: Shape, strides: readonly number[]) => start.reduce((sum, at, axis) => sum + at * strides[axis]!, 0);
  if (size.includes(0)) return;
  native.ops.copy(x.id, y.id, size.length, ...size, offset(xStart, xStrides), ...xStrides, offset(yStart, yStrides), ...yStrides);
}

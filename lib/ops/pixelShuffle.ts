import { rangeError, shapeError } from '../errors';
import { checkShapeOf } from '../op';
import { isIndex, showShape } from '../shape';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { reshape } from './reshape';
import { transpose } from './transpose';

/** @internal The factor of a pixel shuffle. */
export function checkFactor(operation: string, factor: number): number {
  if (!isIndex(factor) || factor === 0) throw rangeError(operation, 'factor', factor, 'a positive integer');
  return factor;
}

/**
 * Spreads channels out in space: y[n, h·r+a, w·r+b, c] = x[n, h, w, c·r²+a·r+b], with r the factor. Shi et al., Real-time single image
 * and video super-resolution (2016).
 *
 * x [N,H,W,C·r²] gives [N,H·r,W·r,C]. Channels are in PyTorch's order, output channel first: weights of the layer before carry over. (ONNX
 * calls it DepthToSpace, mode CRD.)
 * @throws RangeError where r² does not divide the channels.
 * @example
 * ops.pixelShuffle(randn([1, 8, 8, 12]), 2).shape; // [1, 16, 16, 3]
 */
export function pixelShuffle(x: Tensor, factor: number): Tensor {
  checkShapeOf('pixelShuffle', 'input', x, 'N,H,W,C');
  const r = checkFactor('pixelShuffle', factor);
  const [n, height, width, channels] = x.shape as [number, number, number, number];
  const c = channels / (r * r);
  if (!Number.isInteger(c)) {
    throw shapeError(
      'pixelShuffle',
      `input ${showShape(x.shape)} has ${channels} channels, which ${r * r}, factor ${r} squared, does not divide`,
    );
  }
  const spread = () => transpose(reshape(x, [n, height, width, c, r, r]), [0, 1, 4, 2, 5, 3]);
  return tidy(() => reshape(spread(), [n, height * r, width * r, c]));
}

/**
 * The inverse of `pixelShuffle`: y[n, h, w, c·r²+a·r+b] = x[n, h·r+a, w·r+b, c], with r the factor.
 *
 * x [N,H·r,W·r,C] gives [N,H,W,C·r²].
 * @throws RangeError where r does not divide the height and the width.
 * @example
 * ops.pixelUnshuffle(randn([1, 16, 16, 3]), 2).shape; // [1, 8, 8, 12]
 */
export function pixelUnshuffle(x: Tensor, factor: number): Tensor {
  checkShapeOf('pixelUnshuffle', 'input', x, 'N,H,W,C');
  const r = checkFactor('pixelUnshuffle', factor);
  const [n, rows, columns, c] = x.shape as [number, number, number, number];
  const [height, width] = [rows / r, columns / r];
  if (!Number.isInteger(height) || !Number.isInteger(width)) {
    throw shapeError('pixelUnshuffle', `input ${showShape(x.shape)} has ${rows}x${columns} cells, which factor ${r} does not divide`);
  }
  const gathered = () => transpose(reshape(x, [n, height, r, width, r, c]), [0, 1, 3, 5, 2, 4]);
  return tidy(() => reshape(gathered(), [n, height, width, c * r * r]));
}

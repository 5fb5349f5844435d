import { sizeOf } from '../shape';
import type { Tensor } from '../tensor';
import type { Window, Window3d } from './window';

// Windows along three axes run on the kernels for images, as one over each plane and one along the depth.

/** The planes of a volume [N,D,H,W,C] as images [N·D,H,W,C]. */
export const planes = (x: Tensor): Tensor => x.view([x.shape[0]! * x.shape[1]!, ...x.shape.slice(2)]);

/** A volume as images [N,D,1,H·W·C] of one column, whose rows are its planes. */
export const columns = (x: Tensor): Tensor => x.view([x.shape[0]!, x.shape[1]!, 1, sizeOf(x.shape.slice(2))]);

/** What a window covers of a plane [H,W]. */
export function planeWindow({ kernel: [, kh, kw], stride: [, sh, sw], padding, dilation: [, dh, dw] }: Window3d): Window {
  const [, top, left, , bottom, right] = padding;
  return { kernel: [kh, kw], stride: [sh, sw], padding: [top, right, bottom, left], dilation: [dh, dw] };
}

/** What a window covers along the depth, the rows of an image of one column. */
export function depthWindow({ kernel: [kd], stride: [sd], padding: [front, , , back], dilation: [dd] }: Window3d): Window {
  return { kernel: [kd, 1], stride: [sd, 1], padding: [front, 0, back, 0], dilation: [dd, 1] };
}

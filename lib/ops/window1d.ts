import type { Tensor } from '../tensor';
import type { Window, Window1d } from './window';

// Windows along one axis run on the kernels for images: a sequence [N,L,C] is the image [N,1,L,C] of one row, in the same memory.

const lifted = ([n]: readonly [number]): readonly [number, number] => [1, n];

/** A window over images; one along an axis as the window of one row that it is. */
export function imageWindow(window: Window | Window1d): Window {
  if (isOverImages(window)) return window;
  const { kernel, stride, padding, dilation } = window;
  const [before, after] = padding;
  return { kernel: lifted(kernel), stride: lifted(stride), padding: [0, after, 0, before], dilation: lifted(dilation) };
}

const isOverImages = (window: Window | Window1d): window is Window => window.kernel.length === 2;

/** An image [N,H,W,C]; a sequence [N,L,C] as the image of one row that it is. */
export const image = (x: Tensor): Tensor => (x.rank === 4 ? x : x.view(x.shape.toSpliced(1, 0, 1)));

/** A convolution's kernel [kh,kw,C,K]; one of a single axis [k,C,K] as the kernel of one row that it is. */
export const imageKernel = (w: Tensor): Tensor => (w.rank === 4 ? w : w.view([1, ...w.shape]));

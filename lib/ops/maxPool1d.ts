import { apply, checkShapeOf } from '../op';
import { checkOptions } from '../options';
import type { Tensor } from '../tensor';
import { type FinishedMaxPoolOptions, finishedMaxPoolOptionNames, maxPooling } from './maxPool2d';
import { finishing } from './rectifier';
import { checkPadding, makeWindow, type Padding1d, type Window1d } from './window';

/** Options of `maxPool1d`. */
export interface MaxPool1dOptions extends FinishedMaxPoolOptions<number, Padding1d> {}

const op = maxPooling<Window1d>('maxPool1d');

/**
 * The largest value of each window along one axis; padding never wins. The gradient goes to the first maximum of the window.
 * `activation` rectifies the maxima in the same pass.
 *
 * x [N,L,C] gives [N,L',C], L' as for `conv1d`; with `ceilMode` it is rounded up, less a window that would start in the padding behind
 * the input.
 * @throws RangeError where the window is larger than the padded input, or the padding not smaller than the window.
 * @example
 * ops.maxPool1d(randn([8, 62, 100]), { kernelSize: 2 }).shape; // [8, 31, 100]
 */
export function maxPool1d(x: Tensor, options: MaxPool1dOptions): Tensor {
  checkShapeOf('maxPool1d', 'input', x, 'N,L,C');
  checkOptions('maxPool1d', options, finishedMaxPoolOptionNames);
  const { kernelSize, stride = kernelSize, padding, dilation, ceilMode = false } = options;
  const window = makeWindow('maxPool1d', [x.shape[1]!], kernelSize, { stride, padding, dilation });
  checkPadding('maxPool1d', window);
  return apply(op, [x], { window, ceilMode, ...finishing('maxPool1d', options) });
}

import { apply, checkShapeOf } from '../op';
import { checkOptions } from '../options';
import type { Tensor } from '../tensor';
import { type AvgPoolOptions, avgPooling, avgPoolOptionNames } from './avgPool2d';
import { checkPadding, makeWindow, type Padding1d, type Window1d } from './window';

/** Options of `avgPool1d`. */
export interface AvgPool1dOptions extends AvgPoolOptions<number, Padding1d> {}

const op = avgPooling<Window1d>('avgPool1d');

/**
 * The mean of each window along one axis. What hangs over the end in `ceilMode` never counts; padding does unless `countIncludePad` is
 * false.
 *
 * x [N,L,C] gives [N,L',C], L' as for `maxPool1d`.
 * @throws RangeError where the window is larger than the padded input, or the padding not smaller than the window.
 * @example
 * ops.avgPool1d(randn([8, 62, 100]), { kernelSize: 2 }).shape; // [8, 31, 100]
 */
export function avgPool1d(x: Tensor, options: AvgPool1dOptions): Tensor {
  checkShapeOf('avgPool1d', 'input', x, 'N,L,C');
  checkOptions('avgPool1d', options, avgPoolOptionNames);
  const { kernelSize, stride = kernelSize, padding, dilation, ceilMode = false, countIncludePad = true } = options;
  const window = makeWindow('avgPool1d', [x.shape[1]!], kernelSize, { stride, padding, dilation });
  checkPadding('avgPool1d', window);
  return apply(op, [x], { window, ceilMode, countIncludePad });
}

import { apply, checkShapeOf } from '../op';
import { checkOptions } from '../options';
import type { Tensor } from '../tensor';
import { type ConvOptions, convolution, finishedConvOptionNames, grouping } from './conv2d';
import { type Finish, finishing } from './rectifier';
import { makeWindow, type Padding1d, type Window1d } from './window';

/** Options of `conv1d`. */
export interface Conv1dOptions extends ConvOptions<number, Padding1d>, Finish {}

const op = convolution<Window1d>('conv1d');

/**
 * Convolution along one axis, y[n,i,k] = b[k] + Σ x[n, i·s-p+a·d, c] · w[a,c,k], cells outside of the input being 0. See `conv2d`.
 *
 * x [N,L,C], w [k,C/groups,K] give [N,L',K] with L' = floor((L + before + after - dilation·(k-1) - 1) / stride) + 1.
 * @throws RangeError where the channels do not agree or the window is larger than the padded input.
 * @example
 * const x = randn([8, 64, 128]), w = randn([3, 128, 100]);
 * ops.conv1d(x, w).shape; // [8, 62, 100]
 */
export function conv1d(x: Tensor, w: Tensor, options: Conv1dOptions = {}): Tensor {
  checkShapeOf('conv1d', 'input', x, 'N,L,C');
  checkShapeOf('conv1d', 'kernel', w, 'k,C/groups,K');
  checkOptions('conv1d', options, finishedConvOptionNames);
  const window = makeWindow('conv1d', [x.shape[1]!], w.shape[0]!, options);
  const { bias = null, add = null } = options;
  return apply(op, [x, w, bias, add], { window, ...grouping('conv1d', window, options), ...finishing('conv1d', options) });
}

import { apply, checkShapeOf } from '../op';
import { checkOptions } from '../options';
import type { Tensor } from '../tensor';
import { grouping } from './conv2d';
import { type ConvTransposeOptions, convTransposeOptionNames, transposedConvolution } from './convTranspose2d';
import { makeTransposedWindow, type Padding1d, type Window1d } from './window';

/** Options of `convTranspose1d`. */
export interface ConvTranspose1dOptions extends ConvTransposeOptions<number, Padding1d> {}

const op = transposedConvolution<Window1d>('convTranspose1d');

/**
 * Transposed convolution along one axis, the adjoint of `conv1d` with the same kernel and options. See `convTranspose2d`.
 *
 * x [N,L,C], w [k,K/groups,C] give [N,L',K] with L' = (L-1)·stride - before - after + dilation·(k-1) + outputPadding + 1.
 * @throws RangeError where the channels do not agree or the padding cuts off all of the output.
 * @example
 * const x = randn([8, 16, 32]), w = randn([4, 8, 32]);
 * ops.convTranspose1d(x, w, { stride: 2, padding: 1 }).shape; // [8, 32, 8]
 */
export function convTranspose1d(x: Tensor, w: Tensor, options: ConvTranspose1dOptions = {}): Tensor {
  checkShapeOf('convTranspose1d', 'input', x, 'N,L,C');
  checkShapeOf('convTranspose1d', 'kernel', w, 'k,K/groups,C');
  checkOptions('convTranspose1d', options, convTransposeOptionNames);
  const transposed = makeTransposedWindow<Window1d>('convTranspose1d', x.shape.slice(1, 2), w.shape.slice(0, 1), options);
  return apply(op, [x, w, options.bias ?? null], { ...transposed, ...grouping('convTranspose1d', transposed.window, options) });
}

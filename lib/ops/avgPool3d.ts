import { native } from '../native';
import { apply, checkShapeOf, type Op } from '../op';
import { checkOptions } from '../options';
import { Tensor } from '../tensor';
import { type AvgPoolAttrs, type AvgPoolOptions, avgPoolNumbers, avgPoolOptionNames, paddedPool } from './avgPool2d';
import { inferPool } from './maxPool2d';
import { checkPadding, makeWindow, type Padding3d, type Triple, type Window3d, windowReach } from './window';
import { columns, depthWindow, planes, planeWindow } from './window3d';

/** Options of `avgPool3d`. */
export interface AvgPool3dOptions extends AvgPoolOptions<Triple, Padding3d> {}

// The mean of a window is the mean of its planes' means: cells inside and cells in the padding are both counted along each axis on its own.
const op: Op<[Tensor], AvgPoolAttrs<Window3d>> = {
  name: 'avgPool3d',
  infer: ([x], attrs) => inferPool('avgPool3d', x, attrs),
  forward({ inputs: [x], attrs: { window, countIncludePad }, output }) {
    const pooled = Tensor.empty(x.shape.toSpliced(2, 2, ...output.shape.slice(2, 4)), x.dtype);
    native.ops.avg_pool2d(planes(x).id, planes(pooled).id, ...avgPoolNumbers(planeWindow(window), countIncludePad));
    native.ops.avg_pool2d(columns(pooled).id, columns(output).id, ...avgPoolNumbers(depthWindow(window), countIncludePad));
  },
  backward(grad, { shapes: [shape], attrs: { window, countIncludePad } }) {
    const dx = Tensor.empty(shape!, grad.dtype);
    const between = Tensor.empty(shape!.toSpliced(2, 2, ...grad.shape.slice(2, 4)), grad.dtype);
    native.ops.avg_pool2d_backward(columns(grad).id, columns(between).id, ...avgPoolNumbers(depthWindow(window), countIncludePad));
    native.ops.avg_pool2d_backward(planes(between).id, planes(dx).id, ...avgPoolNumbers(planeWindow(window), countIncludePad));
    return [dx];
  },
  linear: () => 'all',
  padded: paddedPool,
  reach: (_shapes, { window }) => [windowReach(window, 'one')],
};

/**
 * The mean of each window of a volume. What hangs over the end in `ceilMode` never counts; padding does unless `countIncludePad` is false.
 *
 * x [N,D,H,W,C] gives [N,D',H',W',C], sizes as for `maxPool3d`.
 * @throws RangeError where the window is larger than the padded input, or the padding not smaller than the window.
 * @example
 * ops.avgPool3d(randn([1, 8, 28, 28, 6]), { kernelSize: 2 }).shape; // [1, 4, 14, 14, 6]
 */
export function avgPool3d(x: Tensor, options: AvgPool3dOptions): Tensor {
  checkShapeOf('avgPool3d', 'input', x, 'N,D,H,W,C');
  checkOptions('avgPool3d', options, avgPoolOptionNames);
  const { kernelSize, stride = kernelSize, padding, dilation, ceilMode = false, countIncludePad = true } = options;
  const window = makeWindow('avgPool3d', [x.shape[1]!, x.shape[2]!, x.shape[3]!], kernelSize, { stride, padding, dilation });
  checkPadding('avgPool3d', window);
  return apply(op, [x], { window, ceilMode, countIncludePad });
}

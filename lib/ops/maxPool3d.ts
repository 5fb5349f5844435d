import { native } from '../native';
import { apply, checkShapeOf, type Op } from '../op';
import { checkOptions } from '../options';
import { Tensor } from '../tensor';
import {
  inferPool,
  type MaxPoolAttrs,
  type MaxPoolOptions,
  maxPoolInto,
  maxPoolNumbers,
  maxPoolOptionNames,
  placesType,
} from './maxPool2d';
import { checkPadding, makeWindow, type Padding3d, type Triple, type Window3d, windowReach } from './window';
import { columns, depthWindow, planes, planeWindow } from './window3d';

/** Options of `maxPool3d`. */
export interface MaxPool3dOptions extends MaxPoolOptions<Triple, Padding3d> {}

// The largest value of a window is the largest of its planes' largest. The first of equal planes wins, and in it the first of equal cells:
// the first of the window in row-major order.
const op: Op<[Tensor], MaxPoolAttrs<Window3d>> = {
  name: 'maxPool3d',
  infer: ([x], attrs) => inferPool('maxPool3d', x, attrs),
  forward({ inputs: [x], attrs: { window }, output, recording, save }) {
    const [plane, depth] = [planeWindow(window), depthWindow(window)];
    const pooled = Tensor.empty(x.shape.toSpliced(2, 2, ...output.shape.slice(2, 4)), x.dtype);
    const inPlane = recording ? Tensor.empty(planes(pooled).shape, placesType(plane)) : null;
    const inDepth = recording ? Tensor.empty(columns(output).shape, placesType(depth)) : null;
    maxPoolInto(planes(x), planes(pooled), inPlane, plane);
    maxPoolInto(columns(pooled), columns(output), inDepth, depth);
    save(inPlane, inDepth);
  },
  backward(grad, { saved: [inPlane, inDepth], shapes: [shape], attrs: { window } }) {
    const dx = Tensor.empty(shape!, grad.dtype);
    const between = Tensor.empty(shape!.toSpliced(2, 2, ...grad.shape.slice(2, 4)), grad.dtype);
    native.ops.max_pool2d_backward(columns(grad).id, inDepth!.id, columns(between).id, ...maxPoolNumbers(depthWindow(window)));
    native.ops.max_pool2d_backward(planes(between).id, inPlane!.id, planes(dx).id, ...maxPoolNumbers(planeWindow(window)));
    return [dx];
  },
  linear: () => 'all',
  reach: (_shapes, { window }) => [windowReach(window, 'one')],
};

/**
 * The largest value of each window of a volume; padding never wins. The gradient goes to the first maximum of the window in row-major order.
 *
 * x [N,D,H,W,C] gives [N,D',H',W',C], sizes as for `conv3d`; with `ceilMode` they are rounded up, less a window that would start in the
 * padding behind the input.
 * @throws RangeError where the window is larger than the padded input, or the padding not smaller than the window.
 * @example
 * ops.maxPool3d(randn([1, 8, 28, 28, 6]), { kernelSize: 2 }).shape; // [1, 4, 14, 14, 6]
 */
export function maxPool3d(x: Tensor, options: MaxPool3dOptions): Tensor {
  checkShapeOf('maxPool3d', 'input', x, 'N,D,H,W,C');
  checkOptions('maxPool3d', options, maxPoolOptionNames);
  const { kernelSize, stride = kernelSize, padding, dilation, ceilMode = false } = options;
  const window = makeWindow('maxPool3d', [x.shape[1]!, x.shape[2]!, x.shape[3]!], kernelSize, { stride, padding, dilation });
  checkPadding('maxPool3d', window);
  return apply(op, [x], { window, ceilMode });
}

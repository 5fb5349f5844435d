import { native } from '../native';
import { apply, type Cells, checkShapeOf, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { Tensor } from '../tensor';
import { inferPool, type MaxPoolAttrs } from './maxPool2d';
import {
  type AnyWindow,
  checkPadding,
  isPaddingInside,
  makeWindow,
  type Padding,
  type Pair,
  type Window,
  type Window1d,
  widened,
  windowNumbers,
  windowReach,
} from './window';
import { image, imageWindow } from './window1d';

export interface AvgPoolOptions<Size, Around> {
  /** Size of the window. */
  kernelSize: Size;
  /** Distance between neighbouring windows. Default: the kernel's size. */
  stride?: Size;
  /** Cells of 0 around the input. Default 0. */
  padding?: Around;
  /** Distance between the taps of a window. Default 1. */
  dilation?: Size;
  /** Whether a last window may hang over the end of the input. Default false. */
  ceilMode?: boolean;
  /** Whether cells of the padding count in the mean. Default true. */
  countIncludePad?: boolean;
}

/** Options of `avgPool2d`. */
export interface AvgPool2dOptions extends AvgPoolOptions<Pair, Padding> {}

/** @internal */
export const avgPoolOptionNames: OptionNames<AvgPool2dOptions> = {
  kernelSize: true,
  stride: true,
  padding: true,
  dilation: true,
  ceilMode: 'boolean',
  countIncludePad: 'boolean',
};

export interface AvgPoolAttrs<W> extends MaxPoolAttrs<W> {
  readonly countIncludePad: boolean;
}

/** @internal A window over images as the addon takes it. */
export const avgPoolNumbers = (window: Window | Window1d, countIncludePad: boolean): number[] => [
  ...windowNumbers(imageWindow(window)),
  ...imageWindow(window).dilation,
  Number(countIncludePad),
];

/**
 * @internal The attributes of a pool that pads by itself what was padded for it: cells that were the input's count in the mean. Windows that
 * hang over the end may begin elsewhere then.
 */
export function paddedPool<W extends AnyWindow>(attrs: AvgPoolAttrs<W>, cells: Cells): AvgPoolAttrs<W> | null {
  const counts = attrs.countIncludePad || attrs.window.padding.every((n) => n === 0);
  const window = counts && !attrs.ceilMode ? widened(attrs.window, cells) : null;
  return window && isPaddingInside(window) ? { ...attrs, window, countIncludePad: true } : null;
}

/** @internal Average pooling of images, or of sequences: the operation of this name. */
export const avgPooling = <W extends Window | Window1d>(name: string): Op<[Tensor], AvgPoolAttrs<W>> => ({
  name,
  infer: ([x], attrs) => inferPool(name, x, attrs),
  forward({ inputs: [x], attrs: { window, countIncludePad }, output }) {
    native.ops.avg_pool2d(image(x).id, image(output).id, ...avgPoolNumbers(window, countIncludePad));
  },
  backward(grad, { shapes: [shape], attrs: { window, countIncludePad } }) {
    const dx = Tensor.empty(shape!, grad.dtype);
    native.ops.avg_pool2d_backward(image(grad).id, image(dx).id, ...avgPoolNumbers(window, countIncludePad));
    return [dx];
  },
  linear: () => 'all',
  padded: paddedPool,
  reach: (_shapes, { window }) => [windowReach(window, 'one')],
});

const op = avgPooling<Window>('avgPool2d');

/**
 * The mean of each window. What hangs over the end in `ceilMode` never counts; padding does unless `countIncludePad` is false.
 *
 * x [N,H,W,C] gives [N,H',W',C], sizes as for `maxPool2d`.
 * @throws RangeError where the window is larger than the padded input, or the padding not smaller than the window.
 * @example
 * ops.avgPool2d(randn([1, 28, 28, 6]), { kernelSize: 2 }).shape; // [1, 14, 14, 6]
 */
export function avgPool2d(x: Tensor, options: AvgPool2dOptions): Tensor {
  checkShapeOf('avgPool2d', 'input', x, 'N,H,W,C');
  checkOptions('avgPool2d', options, avgPoolOptionNames);
  const { kernelSize, stride = kernelSize, padding, dilation, ceilMode = false, countIncludePad = true } = options;
  const window = makeWindow('avgPool2d', [x.shape[1]!, x.shape[2]!], kernelSize, { stride, padding, dilation });
  checkPadding('avgPool2d', window);
  return apply(op, [x], { window, ceilMode, countIncludePad });
}

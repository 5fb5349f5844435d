import { native } from '../native';
import { apply, checkShapeOf, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { Tensor } from '../tensor';
import {
  checkPadding,
  makeWindow,
  outputSize,
  type Padding,
  type Pair,
  type Window,
  type Window1d,
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
  /** Whether a last window may hang over the end of the input. Default false. */
  ceilMode?: boolean;
  /** Whether cells of the padding count in the mean. Default true. */
  countIncludePad?: boolean;
}

export interface AvgPool2dOptions extends AvgPoolOptions<Pair, Padding> {}

/** @internal */
export const avgPoolOptionNames: OptionNames<AvgPool2dOptions> = {
  kernelSize: true,
  stride: true,
  padding: true,
  ceilMode: true,
  countIncludePad: true,
};

interface Attrs<W> {
  readonly window: W;
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;
}

const numbers = ({ window, countIncludePad }: Attrs<Window | Window1d>): number[] => [
  ...windowNumbers(imageWindow(window)),
  Number(countIncludePad),
];

/** @internal Average pooling of images, or of sequences: the operation of this name. */
export const avgPooling = <W extends Window | Window1d>(name: string): Op<[Tensor], Attrs<W>> => ({
  name,
  infer([x], { window, ceilMode }) {
    const size = outputSize(name, x.shape.slice(1, -1), window, ceilMode);
    return { shape: [x.shape[0]!, ...size, x.shape.at(-1)!], dtype: commonFloat(name, [x]) };
  },
  forward({ inputs: [x], attrs, output }) {
    native.ops.avg_pool2d(image(x).id, image(output).id, ...numbers(attrs));
  },
  backward(grad, { shapes: [shape], attrs }) {
    const dx = Tensor.empty(shape!, grad.dtype);
    native.ops.avg_pool2d_backward(image(grad).id, image(dx).id, ...numbers(attrs));
    return [dx];
  },
  linear: () => 'all',
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
  const { kernelSize, stride = kernelSize, padding, ceilMode = false, countIncludePad = true } = options;
  const window = makeWindow('avgPool2d', [x.shape[1]!, x.shape[2]!], kernelSize, { stride, padding });
  checkPadding('avgPool2d', window);
  return apply(op, [x], { window, ceilMode, countIncludePad });
}

import { native } from '../native';
import { apply, checkShapeOf, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { sizeOf } from '../shape';
import { Tensor } from '../tensor';
import {
  checkPadding,
  makeWindow,
  outputSize,
  type Padding,
  type Pair,
  type SlidingOptions,
  type Window,
  type Window1d,
  windowNumbers,
  windowOptionNames,
} from './window';
import { image, imageWindow } from './window1d';

export interface MaxPoolOptions<Size, Around> extends SlidingOptions<Size, Around> {
  /** Size of the window. */
  kernelSize: Size;
  /** Default: the kernel's size. */
  stride?: Size;
  /** Whether a last window may hang over the end of the input. Default false. */
  ceilMode?: boolean;
}

export interface MaxPool2dOptions extends MaxPoolOptions<Pair, Padding> {}

/** @internal */
export const maxPoolOptionNames: OptionNames<MaxPool2dOptions> = { ...windowOptionNames, kernelSize: true, ceilMode: true };

interface Attrs<W> {
  readonly window: W;
  readonly ceilMode: boolean;
}

function numbers(window: Window | Window1d): number[] {
  const over = imageWindow(window);
  return [...windowNumbers(over), ...over.dilation];
}

/** @internal Max pooling of images, or of sequences: the operation of this name. */
export const maxPooling = <W extends Window | Window1d>(name: string): Op<[Tensor], Attrs<W>> => ({
  name,
  infer([x], { window, ceilMode }) {
    const size = outputSize(name, x.shape.slice(1, -1), window, ceilMode);
    return { shape: [x.shape[0]!, ...size, x.shape.at(-1)!], dtype: commonFloat(name, [x]) };
  },
  forward({ inputs: [x], attrs: { window }, output, recording, save }) {
    const position = recording ? Tensor.empty(output.shape, sizeOf(window.kernel) <= 256 ? 'uint8' : 'int32') : null;
    native.ops.max_pool2d(image(x).id, image(output).id, position ? image(position).id : 0, ...numbers(window));
    if (position) save(position);
  },
  backward(grad, { saved: [position], shapes: [shape], attrs: { window } }) {
    const dx = Tensor.empty(shape!, grad.dtype);
    native.ops.max_pool2d_backward(image(grad).id, image(position!).id, image(dx).id, ...numbers(window));
    return [dx];
  },
});

const op = maxPooling<Window>('maxPool2d');

/**
 * The largest value of each window; padding never wins. The gradient goes to the first maximum of the window in row-major order.
 *
 * x [N,H,W,C] gives [N,H',W',C], sizes as for `conv2d`; with `ceilMode` they are rounded up, less a window that would start in the
 * padding behind the input.
 * @throws RangeError where the window is larger than the padded input, or the padding not smaller than the window.
 * @example
 * ops.maxPool2d(randn([1, 28, 28, 6]), { kernelSize: 2 }).shape; // [1, 14, 14, 6]
 */
export function maxPool2d(x: Tensor, options: MaxPool2dOptions): Tensor {
  checkShapeOf('maxPool2d', 'input', x, 'N,H,W,C');
  checkOptions('maxPool2d', options, maxPoolOptionNames);
  const { kernelSize, stride = kernelSize, padding, dilation, ceilMode = false } = options;
  const window = makeWindow('maxPool2d', [x.shape[1]!, x.shape[2]!], kernelSize, { stride, padding, dilation });
  checkPadding('maxPool2d', window);
  return apply(op, [x], { window, ceilMode });
}

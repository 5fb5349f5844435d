import { native } from '../native';
import { apply, checkShapeOf, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { Tensor } from '../tensor';
import {
  checkPadding,
  makeWindow,
  outputSize,
  type Pair,
  type Window,
  type WindowOptions,
  windowNumbers,
  windowOptionNames,
} from './window';

export interface MaxPool2dOptions extends WindowOptions {
  /** Height and width of the window. */
  kernelSize: Pair;
  /** Default: the kernel's size. */
  stride?: Pair;
  /** Whether a last window may hang over the end of the input. Default false. */
  ceilMode?: boolean;
}

const names: OptionNames<MaxPool2dOptions> = { ...windowOptionNames, kernelSize: true, ceilMode: true };

interface Attrs {
  readonly window: Window;
  readonly ceilMode: boolean;
}

const op: Op<[Tensor], Attrs> = {
  name: 'maxPool2d',
  infer([x], { window, ceilMode }) {
    const [n, height, width, channels] = x.shape as [number, number, number, number];
    return { shape: [n, ...outputSize('maxPool2d', [height, width], window, ceilMode), channels], dtype: commonFloat('maxPool2d', [x]) };
  },
  forward({ inputs: [x], attrs: { window }, output, recording, save }) {
    const taps = window.kernel[0] * window.kernel[1];
    const position = recording ? Tensor.empty(output.shape, taps <= 256 ? 'uint8' : 'int32') : null;
    native.ops.max_pool2d(x.id, output.id, position?.id ?? 0, ...windowNumbers(window), ...window.dilation);
    if (position) save(position);
  },
  backward(grad, { saved: [position], shapes: [shape], attrs: { window } }) {
    const dx = Tensor.empty(shape!, grad.dtype);
    native.ops.max_pool2d_backward(grad.id, position!.id, dx.id, ...windowNumbers(window), ...window.dilation);
    return [dx];
  },
};

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
  checkOptions('maxPool2d', options, names);
  const { kernelSize, stride = kernelSize, padding, dilation, ceilMode = false } = options;
  const window = makeWindow('maxPool2d', [x.shape[1]!, x.shape[2]!], kernelSize, { stride, padding, dilation });
  checkPadding('maxPool2d', window);
  return apply(op, [x], { window, ceilMode });
}

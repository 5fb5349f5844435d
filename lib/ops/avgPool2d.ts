import { native } from '../native';
import { apply, checkShapeOf, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { Tensor } from '../tensor';
import { checkPadding, makeWindow, outputSize, type Padding, type Pair, type Window, windowNumbers } from './window';

export interface AvgPool2dOptions {
  /** Height and width of the window. */
  kernelSize: Pair;
  /** Distance between neighbouring windows. Default: the kernel's size. */
  stride?: Pair;
  /** Cells of 0 around the input. Default 0. */
  padding?: Padding;
  /** Whether a last window may hang over the end of the input. Default false. */
  ceilMode?: boolean;
  /** Whether cells of the padding count in the mean. Default true. */
  countIncludePad?: boolean;
}

const names: OptionNames<AvgPool2dOptions> = {
  kernelSize: true,
  stride: true,
  padding: true,
  ceilMode: true,
  countIncludePad: true,
};

interface Attrs {
  readonly window: Window;
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;
}

const numbers = ({ window, countIncludePad }: Attrs): number[] => [...windowNumbers(window), Number(countIncludePad)];

const op: Op<[Tensor], Attrs> = {
  name: 'avgPool2d',
  infer([x], { window, ceilMode }) {
    const [n, height, width, channels] = x.shape as [number, number, number, number];
    return { shape: [n, ...outputSize('avgPool2d', [height, width], window, ceilMode), channels], dtype: commonFloat('avgPool2d', [x]) };
  },
  forward({ inputs: [x], attrs, output }) {
    native.ops.avg_pool2d(x.id, output.id, ...numbers(attrs));
  },
  backward(grad, { shapes: [shape], attrs }) {
    const dx = Tensor.empty(shape!, grad.dtype);
    native.ops.avg_pool2d_backward(grad.id, dx.id, ...numbers(attrs));
    return [dx];
  },
};

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
  checkOptions('avgPool2d', options, names);
  const { kernelSize, stride = kernelSize, padding, ceilMode = false, countIncludePad = true } = options;
  const window = makeWindow('avgPool2d', [x.shape[1]!, x.shape[2]!], kernelSize, { stride, padding });
  checkPadding('avgPool2d', window);
  return apply(op, [x], { window, ceilMode, countIncludePad });
}

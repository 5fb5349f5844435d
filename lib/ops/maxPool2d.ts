import type { Dtype } from '../dtype';
import { native } from '../native';
import { apply, checkShapeOf, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { sizeOf } from '../shape';
import { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { clip, type Finish, finishing, gated, type Rectifier, rectified } from './rectifier';
import {
  type AnyWindow,
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
  windowReach,
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

/** Those of a pool that can rectify what it gives in the same pass. */
export interface FinishedMaxPoolOptions<Size, Around> extends MaxPoolOptions<Size, Around>, Pick<Finish, 'activation'> {}

/** Options of `maxPool2d`. */
export interface MaxPool2dOptions extends FinishedMaxPoolOptions<Pair, Padding> {}

/** @internal */
export const maxPoolOptionNames: OptionNames<MaxPoolOptions<unknown, unknown>> = {
  ...windowOptionNames,
  kernelSize: true,
  ceilMode: 'boolean',
};
/** @internal */
export const finishedMaxPoolOptionNames: OptionNames<MaxPool2dOptions> = { ...maxPoolOptionNames, activation: true };

export interface MaxPoolAttrs<W> {
  readonly window: W;
  readonly ceilMode: boolean;
}

interface FinishedAttrs<W> extends MaxPoolAttrs<W> {
  readonly activation: Rectifier | null;
}

/** @internal The output's shape and type, of a pool along any number of axes. */
export function inferPool(name: string, x: Tensor, { window, ceilMode }: MaxPoolAttrs<AnyWindow>): { shape: number[]; dtype: Dtype } {
  const size = outputSize(name, x.shape.slice(1, -1), window, ceilMode);
  return { shape: [x.shape[0]!, ...size, x.shape.at(-1)!], dtype: commonFloat(name, [x]) };
}

/** @internal A window as the addon takes it for max pooling and its inverse. */
export function maxPoolNumbers(window: Window | Window1d): number[] {
  const over = imageWindow(window);
  return [...windowNumbers(over), ...over.dilation];
}

/** @internal The maxima of the windows of an image, and where in them they lie if that is wanted, to tensors that are there. */
export function maxPoolInto(x: Tensor, y: Tensor, indices: Tensor | null, window: Window, activation: Rectifier | null = null): void {
  native.ops.max_pool2d(x.id, y.id, indices?.id ?? 0, ...maxPoolNumbers(window), ...clip(activation));
}

/** @internal The type of the places of maxima in windows. */
export const placesType = (window: Window | Window1d): Dtype => (sizeOf(window.kernel) <= 256 ? 'uint8' : 'int32');

/** @internal Max pooling of images, or of sequences: the operation of this name. */
export const maxPooling = <W extends Window | Window1d>(name: string): Op<[Tensor], FinishedAttrs<W>> => ({
  name,
  infer: ([x], attrs) => inferPool(name, x, attrs),
  forward({ inputs: [x], attrs: { window, activation }, output, recording, save }) {
    const indices = recording ? Tensor.empty(output.shape, placesType(window)) : null;
    maxPoolInto(image(x), image(output), indices && image(indices), imageWindow(window), activation);
    if (indices) save(indices, activation ? output : null);
  },
  backward(given, { saved: [indices, y], shapes: [shape], attrs: { window, activation } }) {
    const grad = activation ? gated(given, y!, activation) : given;
    const dx = Tensor.empty(shape!, grad.dtype);
    native.ops.max_pool2d_backward(image(grad).id, image(indices!).id, image(dx).id, ...maxPoolNumbers(window));
    return [dx];
  },
  linear: () => 'all',
  reach: (_shapes, { window }) => [windowReach(window, 'one')],
  rectifies: (attrs) => (attrs.activation ? { ...attrs, activation: null } : null),
  absorbs: { rectified },
});

const op = maxPooling<Window>('maxPool2d');

function attributes(
  operation: string,
  x: Tensor,
  options: MaxPool2dOptions,
  names: OptionNames<MaxPoolOptions<Pair, Padding>>,
): MaxPoolAttrs<Window> {
  checkShapeOf(operation, 'input', x, 'N,H,W,C');
  checkOptions(operation, options, names);
  const { kernelSize, stride = kernelSize, padding, dilation, ceilMode = false } = options;
  const window = makeWindow(operation, [x.shape[1]!, x.shape[2]!], kernelSize, { stride, padding, dilation });
  checkPadding(operation, window);
  return { window, ceilMode };
}

/**
 * The largest value of each window; padding never wins. The gradient goes to the first maximum of the window in row-major order.
 * `activation` rectifies the maxima in the same pass. Pooling rectified values gives the same, but for -Infinity in the place of 0 where a
 * window sees padding alone, as one with a dilation may.
 *
 * x [N,H,W,C] gives [N,H',W',C], sizes as for `conv2d`; with `ceilMode` they are rounded up, less a window that would start in the
 * padding behind the input.
 * @throws RangeError where the window is larger than the padded input, or the padding not smaller than the window.
 * @example
 * ops.maxPool2d(randn([1, 28, 28, 6]), { kernelSize: 2 }).shape; // [1, 14, 14, 6]
 */
export function maxPool2d(x: Tensor, options: MaxPool2dOptions): Tensor {
  const { window, ceilMode } = attributes('maxPool2d', x, options, finishedMaxPoolOptionNames);
  const { activation } = finishing('maxPool2d', options);
  return apply(op, [x], { window, ceilMode, activation });
}

/** What `maxPool2dWithIndices` gives. */
export interface PooledWithIndices {
  /** The largest value of each window, [N,H',W',C]. */
  readonly output: Tensor;
  /**
   * Where in its window each lies, [N,H',W',C]: the place a·kw + b of the tap in row a and column b of the kernel. uint8 for kernels of up
   * to 256 taps, else int32.
   */
  readonly indices: Tensor;
}

const withIndices = maxPooling<Window>('maxPool2dWithIndices');

// The places are an output of an operation of their own, in a second pass: what a graph is made of has one output.
const places: Op<[Tensor], MaxPoolAttrs<Window>> = {
  name: 'maxPool2dIndices',
  infer: ([x], attrs) => ({ shape: inferPool('maxPool2dIndices', x, attrs).shape, dtype: placesType(attrs.window) }),
  forward({ inputs: [x], attrs: { window }, output }) {
    maxPoolInto(x, Tensor.empty(output.shape, x.dtype), output, window);
  },
  reach: (_shapes, { window }) => [windowReach(window, 'one')],
};

/**
 * `maxPool2d`, and where in its window each maximum lies, for `maxUnpool2d`. (PyTorch's indices count the cells of the image instead.)
 *
 * x [N,H,W,C] gives output and indices, both [N,H',W',C].
 * @throws RangeError as `maxPool2d` does.
 * @example
 * const { output, indices } = ops.maxPool2dWithIndices(x, { kernelSize: 2 });
 * const sparse = ops.maxUnpool2d(output, indices, { kernelSize: 2 }); // x where it was largest, else 0
 */
export function maxPool2dWithIndices(x: Tensor, options: MaxPoolOptions<Pair, Padding>): PooledWithIndices {
  const attrs = attributes('maxPool2dWithIndices', x, options, maxPoolOptionNames);
  return tidy(() => ({ output: apply(withIndices, [x], { ...attrs, activation: null }), indices: apply(places, [x], attrs) }));
}

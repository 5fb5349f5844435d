import type { Dtype } from '../dtype';
import { rangeError, shapeError } from '../errors';
import { native } from '../native';
import { apply, type Cells, checkShapeOf, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { elementwise, whole } from '../reach';
import { showShape, sizeOf } from '../shape';
import { Tensor } from '../tensor';
import { mul, add as plus } from './binary';
import { sumTo } from './gradients';
import { checkSummand, clip, type Finish, finishing, gated, type Rectifier, rectified } from './rectifier';
import {
  type AnyWindow,
  makeWindow,
  outputSize,
  type Padding,
  type Pair,
  type SlidingOptions,
  type Window,
  type Window1d,
  widened,
  windowOptionNames,
  windowReach,
} from './window';
import { image, imageKernel, imageWindow } from './window1d';

/**
 * How a float32 convolution and its gradients are computed. 'direct' sums the products in order: its error is at most that of a sum of
 * kh·kw·C/groups rounded products. 'winograd' filters tiles of outputs by fewer products (Winograd 1980; Lavin and Gray 2016), for kernels
 * of 3x3 to 5x5 or 1x3 to 1x5 taps, or as many for each step of a stride (7x7 by steps of two are 4x4 for each), without groups, and without
 * dilation beside a stride: up to three times as fast, with a largest error of about 1e-5 of the outputs' root mean square, where direct
 * sums over 256 channels have 5e-6. 'auto' takes what costs less. float64 is always direct, and so is all but 3x3 for each step where there
 * is neither AVX2 nor NEON.
 */
export type ConvAlgorithm = 'auto' | 'direct' | 'winograd';

export interface ConvOptions<Size, Around> extends SlidingOptions<Size, Around> {
  /** Added to every output cell: [K]. */
  bias?: Tensor | null;
  /** Output channels of group i see the input channels of group i only. Divides both. Default 1. */
  groups?: number;
  /** Default 'auto'. */
  algorithm?: ConvAlgorithm;
}

/** Options of `conv2d`. */
export interface Conv2dOptions extends ConvOptions<Pair, Padding>, Finish {}

/** @internal */
export const convOptionNames: OptionNames<ConvOptions<unknown, unknown>> = {
  ...windowOptionNames,
  bias: true,
  groups: true,
  algorithm: true,
};
/** @internal Those of a convolution of images or of sequences. */
export const finishedConvOptionNames: OptionNames<Conv2dOptions> = { ...convOptionNames, add: true, activation: true };

/** What a convolution takes besides its window. */
export interface Grouping {
  readonly groups: number;
  readonly algorithm: ConvAlgorithm;
}

export interface ConvAttrs<W> extends Grouping {
  readonly window: W;
}

type Attrs<W> = ConvAttrs<W> & { readonly activation: Rectifier | null };
type Optional = Tensor | null;

/** @internal The numbers the addon knows them by. */
export const algorithms: Readonly<Record<ConvAlgorithm, number>> = { auto: 0, direct: 1, winograd: 2 };

/** @internal A convolution of images as the addon takes it. */
export function convNumbers({ window, groups, algorithm }: ConvAttrs<Window | Window1d>): number[] {
  const { stride, padding, dilation } = imageWindow(window);
  return [...stride, ...padding, ...dilation, groups, algorithms[algorithm]];
}

/** @internal The output's shape and type, of a convolution along any number of axes. */
export function inferConvolution(
  name: string,
  [x, w, bias]: readonly [Tensor, Tensor, Optional, ...Optional[]],
  { window, groups }: ConvAttrs<AnyWindow>,
): { shape: number[]; dtype: Dtype } {
  const dtype = commonFloat(name, [x, w, bias]);
  const [channels, depth, kernels] = [x.shape.at(-1)!, w.shape.at(-2)!, w.shape.at(-1)!];
  const where = () => `(input ${showShape(x.shape)}, kernel ${showShape(w.shape)}, groups ${groups})`;
  if (channels !== depth * groups) {
    const details = { argument: 'input', received: x.shape, expected: `${depth * groups} channels` };
    throw shapeError(name, `input has ${channels} channels, kernel expects ${depth * groups} ${where()}`, details);
  }
  if (kernels % groups !== 0) throw shapeError(name, `kernel has ${kernels} output channels, which groups do not divide ${where()}`);
  if (bias) checkShapeOf(name, 'bias', bias, [kernels]);
  return { shape: [x.shape[0]!, ...outputSize(name, x.shape.slice(1, -1), window), kernels], dtype };
}

/** @internal The attributes of a convolution that pads by itself what was padded for it. */
export function paddedConvolution<A extends ConvAttrs<AnyWindow>>(attrs: A, cells: Cells): A | null {
  const window = widened(attrs.window, cells);
  return window && { ...attrs, window };
}

/** @internal What is to be known of a convolution along any number of axes without running it. */
export const convolutionTraits: Pick<Op<[Tensor, Tensor, Optional], ConvAttrs<AnyWindow>>, 'linear' | 'reach' | 'macs'> = {
  linear: () => [0],
  reach([, w], { window }, { length }) {
    return [windowReach(window, 'all'), whole(w!.length, [w!.length - 1, length - 1]), whole(1, [0, length - 1])];
  },
  macs: ([, w], _attrs, output) => sizeOf(output.slice(0, -1)) * sizeOf(w!),
};

/** @internal Convolution of images, or of sequences: the operation of this name. */
export const convolution = <W extends Window | Window1d>(name: string): Op<[Tensor, Tensor, bias: Optional, add: Optional], Attrs<W>> => ({
  name,
  infer(inputs, attrs) {
    const inferred = inferConvolution(name, inputs, attrs);
    checkSummand(name, inputs[3], inferred.shape);
    return { shape: inferred.shape, dtype: commonFloat(name, inputs) };
  },
  forward({ inputs: [x, w, bias, add], attrs, output, needs, save }) {
    const tensors = [image(x).id, imageKernel(w).id, bias?.id ?? 0, add ? image(add).id : 0, image(output).id];
    native.ops.conv2d(...tensors, ...convNumbers(attrs), ...clip(attrs.activation));
    save(needs[1] ? x : null, needs[0] ? w : null, attrs.activation ? output : null);
  },
  backward(given, { saved: [x, w, y], shapes, needs, attrs }) {
    const grad = attrs.activation ? gated(given, y!, attrs.activation) : given;
    const gradient = (i: number) => (needs[i] ? Tensor.empty(shapes[i]!, grad.dtype) : null);
    const [g, dx, dw, db] = [image(grad), gradient(0), gradient(1), gradient(2)];
    if (dx) native.ops.conv2d_backward_input(g.id, imageKernel(w!).id, 0, image(dx).id, ...convNumbers(attrs));
    if (dw) native.ops.conv2d_backward_weight(image(x!).id, g.id, imageKernel(dw).id, db?.id ?? 0, ...convNumbers(attrs));
    return [dx, dw, dw ? db : db && sumTo(grad, db.shape), needs[3] ? grad : null];
  },
  linear: () => [0, 3],
  rectifies: (attrs) => (attrs.activation ? { ...attrs, activation: null } : null),
  reach: ([x, w, bias, add], attrs, output) => [
    ...convolutionTraits.reach!([x!, w!, bias!], attrs, output)!,
    ...(add ? [elementwise(add, output)!] : []),
  ],
  macs: convolutionTraits.macs,
  padded: paddedConvolution,
  absorbs: {
    summand: 3,
    rectified,
    affine: ([x, w, bias, add], scale, shift) => [x, mul(w, scale), bias ? plus(mul(bias, scale), shift) : shift, add],
  },
});

/** As `can_filter` in native/ops/conv2d.h, which has the last word: a layer is refused here, before there are tensors to ask that with. */
function canFilter(window: Window | Window1d, groups: number): boolean {
  const { kernel, stride, dilation } = imageWindow(window);
  const [rows, columns] = kernel.map((taps, axis) => Math.ceil(taps / stride[axis]!)) as [number, number];
  const square = rows === columns && rows >= 3 && rows <= 5;
  const row = kernel[0] === 1 && stride[0] === 1 && columns >= 3 && columns <= 5;
  return (square || row) && groups === 1 && (stride.every((n) => n === 1) || dilation.every((n) => n === 1));
}

/** @internal What a convolution takes besides its window, checked. */
export function grouping(
  operation: string,
  window: Window | Window1d,
  { groups = 1, algorithm = 'auto' }: ConvOptions<unknown, unknown>,
): Grouping {
  if (!Number.isInteger(groups) || groups < 1) throw rangeError(operation, 'groups', groups, 'a positive integer');
  if (!Object.hasOwn(algorithms, algorithm)) throw rangeError(operation, 'algorithm', algorithm, "'auto', 'direct' or 'winograd'");
  if (algorithm === 'winograd' && !canFilter(window, groups)) {
    const { kernel, stride, dilation } = window;
    throw rangeError(
      operation,
      'algorithm',
      algorithm,
      `'auto' or 'direct' for a kernel of ${kernel.join('x')} taps, stride [${stride}], dilation [${dilation}], ${groups} groups: it filters ` +
        `${kernel.length === 1 ? '3 to 5' : '3x3 to 5x5, or 1x3 to 1x5,'} taps for each step of the stride, 1 group, and no dilation beside a stride`,
    );
  }
  return { groups, algorithm };
}

const op = convolution<Window>('conv2d');

/**
 * Convolution of an image as networks use it, y[n,i,j,k] = b[k] + Σ x[n, i·s-p+a·d, j·s-p+b·d, c] · w[a,b,c,k]: a cross-correlation, cells
 * outside of the input being 0. Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016).
 *
 * `add` and `activation` give activation(y + add) without another pass over memory.
 *
 * x [N,H,W,C], w [kh,kw,C/groups,K] give [N,H',W',K] with H' = floor((H + top + bottom - dilation·(kh-1) - 1) / stride) + 1, and W' alike.
 * @throws RangeError where the channels do not agree or the window is larger than the padded input.
 * @example
 * const x = randn([8, 28, 28, 1]), w = randn([5, 5, 1, 6]);
 * ops.conv2d(x, w, { padding: 'same' }).shape; // [8, 28, 28, 6]
 */
export function conv2d(x: Tensor, w: Tensor, options: Conv2dOptions = {}): Tensor {
  checkShapeOf('conv2d', 'input', x, 'N,H,W,C');
  checkShapeOf('conv2d', 'kernel', w, 'kh,kw,C/groups,K');
  checkOptions('conv2d', options, finishedConvOptionNames);
  const window = makeWindow('conv2d', [x.shape[1]!, x.shape[2]!], [w.shape[0]!, w.shape[1]!], options);
  const { bias = null, add = null } = options;
  return apply(op, [x, w, bias, add], { window, ...grouping('conv2d', window, options), ...finishing('conv2d', options) });
}

import { shapeError } from '../errors';
import { native } from '../native';
import { apply, checkShapeOf, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { whole } from '../reach';
import { showShape, sizeOf } from '../shape';
import { Tensor } from '../tensor';
import { algorithms, type ConvOptions, convOptionNames, type Grouping, grouping } from './conv2d';
import { sumTo } from './gradients';
import { clip } from './rectifier';
import {
  makeTransposedWindow,
  type Padding,
  type Pair,
  type TransposedWindow,
  transposedReach,
  transposedSize,
  type Window,
  type Window1d,
} from './window';
import { image, imageKernel, imageWindow } from './window1d';

export interface ConvTransposeOptions<Size, Around> extends ConvOptions<Size, Around> {
  /** Distance between the places in the output that neighbouring cells of the input go to. Default 1. */
  stride?: Size;
  /** Cells cut off around the output; 'same' for input·stride of them. Default 0. */
  padding?: Around;
  /** Cells added behind the output, less than the stride or the dilation: of the sizes a convolution maps to this input. Default 0. */
  outputPadding?: Size;
}

/** Options of `convTranspose2d`. */
export interface ConvTranspose2dOptions extends ConvTransposeOptions<Pair, Padding> {}

/** @internal */
export const convTransposeOptionNames: OptionNames<ConvTranspose2dOptions> = { ...convOptionNames, outputPadding: true };

type Attrs<W extends Window | Window1d> = TransposedWindow<W> & Grouping;

/** The attributes of the convolution this is the adjoint of. What is added behind the output, its windows do not reach. */
function numbers({ window, outputPadding, groups, algorithm }: Attrs<Window | Window1d>): number[] {
  const { stride, padding, dilation } = imageWindow(window);
  const [top, right, bottom, left] = padding;
  const [below, beside] = [outputPadding.at(-2) ?? 0, outputPadding.at(-1)!];
  return [...stride, top, right - beside, bottom - below, left, ...dilation, groups, algorithms[algorithm]];
}

/** @internal Transposed convolution of images, or of sequences: the operation of this name. */
export const transposedConvolution = <W extends Window | Window1d>(name: string): Op<[Tensor, Tensor, Tensor | null], Attrs<W>> => ({
  name,
  infer([x, w, bias], { groups, ...window }) {
    const dtype = commonFloat(name, [x, w, bias]);
    const [channels, width, depth] = [x.shape.at(-1)!, w.shape.at(-2)!, w.shape.at(-1)!];
    const where = `(input ${showShape(x.shape)}, kernel ${showShape(w.shape)}, groups ${groups})`;
    if (channels !== depth) throw shapeError(name, `input has ${channels} channels, kernel expects ${depth} ${where}`);
    if (channels % groups !== 0) throw shapeError(name, `input has ${channels} channels, which groups do not divide ${where}`);
    const kernels = width * groups;
    if (bias) checkShapeOf(name, 'bias', bias, [kernels]);
    return { shape: [x.shape[0]!, ...transposedSize(name, x.shape.slice(1, -1), window), kernels], dtype };
  },
  forward({ inputs: [x, w, bias], attrs, output, needs, save }) {
    native.ops.conv2d_backward_input(image(x).id, imageKernel(w).id, bias?.id ?? 0, image(output).id, ...numbers(attrs));
    save(needs[1] ? x : null, needs[0] ? w : null);
  },
  backward(grad, { saved: [x, w], shapes, needs, attrs }) {
    const gradient = (i: number) => (needs[i] ? Tensor.empty(shapes[i]!, grad.dtype) : null);
    const [g, dx, dw] = [image(grad), gradient(0), gradient(1)];
    if (dx) native.ops.conv2d(g.id, imageKernel(w!).id, 0, 0, image(dx).id, ...numbers(attrs), ...clip(null));
    if (dw) native.ops.conv2d_backward_weight(g.id, image(x!).id, imageKernel(dw).id, 0, ...numbers(attrs));
    return [dx, dw, needs[2] ? sumTo(grad, shapes[2]!) : null];
  },
  linear: () => [0],
  reach: ([, w], { window }, { length }) => [transposedReach(window, 'all'), whole(w!.length), whole(1, [0, length - 1])],
  macs: ([x, w]) => sizeOf(x!.slice(0, -1)) * sizeOf(w!),
});

const op = transposedConvolution<Window>('convTranspose2d');

/**
 * Transposed convolution of an image, the adjoint of `conv2d` with the same kernel and options: <conv2d(y, w), x> = <y, convTranspose2d(x, w)>.
 * Each cell of the input adds the kernel, times its value, to the output: y[n, i·s-p+a·d, j·s-p+b·d, k] += x[n,i,j,c] · w[a,b,k,c]. Dumoulin
 * and Visin, A guide to convolution arithmetic for deep learning (2016).
 *
 * x [N,H,W,C], w [kh,kw,K/groups,C] give [N,H',W',K] with H' = (H-1)·stride - top - bottom + dilation·(kh-1) + outputPadding + 1, and W' alike.
 * @throws RangeError where the channels do not agree or the padding cuts off all of the output.
 * @example
 * const x = randn([8, 14, 14, 16]), w = randn([4, 4, 6, 16]);
 * ops.convTranspose2d(x, w, { stride: 2, padding: 1 }).shape; // [8, 28, 28, 6]
 */
export function convTranspose2d(x: Tensor, w: Tensor, options: ConvTranspose2dOptions = {}): Tensor {
  checkShapeOf('convTranspose2d', 'input', x, 'N,H,W,C');
  checkShapeOf('convTranspose2d', 'kernel', w, 'kh,kw,K/groups,C');
  checkOptions('convTranspose2d', options, convTransposeOptionNames);
  const transposed = makeTransposedWindow<Window>('convTranspose2d', x.shape.slice(1, 3), w.shape.slice(0, 2), options);
  return apply(op, [x, w, options.bias ?? null], { ...transposed, ...grouping('convTranspose2d', transposed.window, options) });
}

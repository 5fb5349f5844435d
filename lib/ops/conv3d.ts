import { native } from '../native';
import { apply, checkShapeOf, type Op } from '../op';
import { checkOptions } from '../options';
import { Tensor } from '../tensor';
import { addBlock, copyBlock } from './block';
import {
  type ConvAttrs,
  type ConvOptions,
  convNumbers,
  convOptionNames,
  convolutionTraits,
  grouping,
  inferConvolution,
  paddedConvolution,
} from './conv2d';
import { sumTo } from './gradients';
import { clip } from './rectifier';
import { permute } from './transpose';
import { makeWindow, type Padding3d, type Triple, type Window3d } from './window';
import { planes, planeWindow } from './window3d';

/** Options of `conv3d`. */
export interface Conv3dOptions extends ConvOptions<Triple, Padding3d> {}

type Attrs = ConvAttrs<Window3d>;
type Volume = readonly [n: number, depth: number, height: number, width: number, channels: number];

// A convolution of volumes is one of images: each plane of the output sees kd planes of the input, whose channels lie beside each other in
// an image [N·D',H,W,groups·kd·C/groups] made for it, the planes of a group together.

const convolution = ({ window, ...others }: Attrs): number[] => convNumbers({ window: planeWindow(window), ...others });

/** Whether each plane of the output sees the one plane of the input at its own place. */
const isPlane = ({ kernel: [kd], stride: [sd], padding: [front, , , back] }: Window3d): boolean =>
  kd === 1 && sd === 1 && front === 0 && back === 0;

/** The planes that tap `tap` of the depth sees: for outputs from `first` on, so many, the input's from `from` on in steps of the stride. */
function planesOf(tap: number, inputs: number, outputs: number, { stride: [step], padding: [front], dilation: [apart] }: Window3d) {
  const shift = tap * apart - front;
  const first = Math.min(Math.max(0, Math.ceil(-shift / step)), outputs);
  const end = Math.min(outputs, Math.floor((inputs - 1 - shift) / step) + 1);
  return { first, count: Math.max(end - first, 0), from: first * step + shift };
}

/** Calls each(size of a block, its start in the volume, its start in the images, steps in the volume) for each tap of the depth. */
function eachBlock(
  [n, depth, height, width, channels]: Volume,
  outputs: number,
  { window, groups }: Attrs,
  each: (size: number[], inVolume: number[], inImages: number[], steps: number[]) => void,
): void {
  const group = channels / groups;
  for (let tap = 0; tap < window.kernel[0]; tap++) {
    const { first, count, from } = planesOf(tap, depth, outputs, window);
    if (count === 0) continue;
    each([n, count, height * width, groups, group], [0, from, 0, 0, 0], [0, first, 0, 0, tap * group], [1, window.stride[0], 1, 1, 1]);
  }
}

/** A volume and the images of it as their blocks lie: [N,D,H·W,groups,C/groups]. */
const asBlocks = (x: Tensor, [n, , height, width]: Volume, count: number, groups: number, group: number): Tensor =>
  x.view([n, count, height * width, groups, group]);

/** The images of a volume. */
function unfold(x: Tensor, outputs: number, attrs: Attrs): Tensor {
  const { window, groups } = attrs;
  if (isPlane(window)) return planes(x);
  const volume = x.shape as unknown as Volume;
  const [n, depth, height, width, channels] = volume;
  const taps = window.kernel[0];
  const unfolded = Tensor.empty([n * outputs, height, width, taps * channels], x.dtype);
  const [from, to] = [
    asBlocks(x, volume, depth, groups, channels / groups),
    asBlocks(unfolded, volume, outputs, groups, (taps * channels) / groups),
  ];
  const isWhole = Array.from({ length: taps }, (_, tap) => planesOf(tap, depth, outputs, window)).every(({ count }) => count === outputs);
  if (!isWhole) native.ops.fill(unfolded.id, 0);
  eachBlock(volume, outputs, attrs, (size, inVolume, inImages, steps) => copyBlock(size, from, inVolume, to, inImages, steps));
  return unfolded;
}

/** The volume whose cells are the sums of those they went to in the images. */
function fold(unfolded: Tensor, volume: Volume, outputs: number, attrs: Attrs): Tensor {
  const { window, groups } = attrs;
  if (isPlane(window)) return unfolded.view(volume);
  const [, depth, , , channels] = volume;
  const x = Tensor.empty(volume, unfolded.dtype);
  native.ops.fill(x.id, 0);
  const [from, to] = [
    asBlocks(unfolded, volume, outputs, groups, (window.kernel[0] * channels) / groups),
    asBlocks(x, volume, depth, groups, channels / groups),
  ];
  eachBlock(volume, outputs, attrs, (size, inVolume, inImages, steps) => addBlock(size, from, inImages, to, inVolume, steps));
  return x;
}

/** The kernel [kd,kh,kw,C/groups,K] for images: [kh,kw,kd·C/groups,K]. */
function imageKernel(w: Tensor): Tensor {
  const [kd, kh, kw, depth, kernels] = w.shape as unknown as Volume;
  if (kd === 1) return w.view([kh, kw, depth, kernels]);
  const moved = Tensor.empty([kh, kw, kd, depth, kernels], w.dtype);
  permute(w, [1, 2, 0, 3, 4], moved);
  return moved.view([kh, kw, kd * depth, kernels]);
}

const op: Op<[Tensor, Tensor, Tensor | null], Attrs> = {
  name: 'conv3d',
  infer: (inputs, attrs) => inferConvolution('conv3d', inputs, attrs),
  forward({ inputs: [x, w, bias], attrs, output, needs, save }) {
    const unfolded = unfold(x, output.shape[1]!, attrs);
    native.ops.conv2d(unfolded.id, imageKernel(w).id, bias?.id ?? 0, 0, planes(output).id, ...convolution(attrs), ...clip(null));
    save(needs[1] ? x : null, needs[0] ? w : null);
  },
  backward(grad, { saved: [x, w], shapes, needs, attrs }) {
    const [volume, outputs, g] = [shapes[0] as unknown as Volume, grad.shape[1]!, planes(grad)];
    const [kd, kh, kw, depth, kernels] = shapes[1] as unknown as Volume;
    const inputGradient = () => {
      const [n, , height, width, channels] = volume;
      const unfolded = Tensor.empty([n * outputs, height, width, kd * channels], grad.dtype);
      native.ops.conv2d_backward_input(g.id, imageKernel(w!).id, 0, unfolded.id, ...convolution(attrs));
      return fold(unfolded, volume, outputs, attrs);
    };
    const kernelGradient = (db: Tensor | null) => {
      const moved = Tensor.empty([kh, kw, kd, depth, kernels], grad.dtype);
      const unfolded = unfold(x!, outputs, attrs);
      const dw = moved.view([kh, kw, kd * depth, kernels]);
      native.ops.conv2d_backward_weight(unfolded.id, g.id, dw.id, db?.id ?? 0, ...convolution(attrs));
      if (kd === 1) return moved.view(shapes[1]!);
      const back = Tensor.empty(shapes[1]!, grad.dtype);
      permute(moved, [2, 0, 1, 3, 4], back);
      return back;
    };
    const db = needs[2] && needs[1] ? Tensor.empty(shapes[2]!, grad.dtype) : null;
    return [needs[0] ? inputGradient() : null, needs[1] ? kernelGradient(db) : null, needs[2] ? (db ?? sumTo(grad, shapes[2]!)) : null];
  },
  padded: paddedConvolution,
  ...convolutionTraits,
};

/**
 * Convolution of a volume, y[n,l,i,j,k] = b[k] + Σ x[n, l·s-p+e·d, i·s-p+a·d, j·s-p+b·d, c] · w[e,a,b,c,k], cells outside of the input being
 * 0. See `conv2d`; `algorithm` is that of its planes.
 *
 * x [N,D,H,W,C], w [kd,kh,kw,C/groups,K] give [N,D',H',W',K] with D' = floor((D + front + back - dilation·(kd-1) - 1) / stride) + 1, and H'
 * and W' alike. For the time of the call it takes memory for kd times the input.
 * @throws RangeError where the channels do not agree or the window is larger than the padded input.
 * @example
 * const x = randn([2, 8, 16, 16, 1]), w = randn([3, 3, 3, 1, 6]);
 * ops.conv3d(x, w, { padding: 'same' }).shape; // [2, 8, 16, 16, 6]
 */
export function conv3d(x: Tensor, w: Tensor, options: Conv3dOptions = {}): Tensor {
  checkShapeOf('conv3d', 'input', x, 'N,D,H,W,C');
  checkShapeOf('conv3d', 'kernel', w, 'kd,kh,kw,C/groups,K');
  checkOptions('conv3d', options, convOptionNames);
  const [[, depth, height, width], [kd, kh, kw]] = [x.shape as unknown as Volume, w.shape as unknown as Volume];
  const window = makeWindow('conv3d', [depth, height, width], [kd, kh, kw], options);
  return apply(op, [x, w, options.bias ?? null], { window, ...grouping('conv3d', planeWindow(window), options) });
}

import { rangeError } from '../errors';
import { checkShapeOf } from '../op';
import { conv1d } from '../ops/conv1d';
import { conv2d } from '../ops/conv2d';
import { conv3d } from '../ops/conv3d';
import { pad } from '../ops/pad';
import type { Finish } from '../ops/rectifier';
import {
  type AnyWindow,
  makeWindow,
  type Padding,
  type Padding1d,
  type Padding3d,
  type Pair,
  paddingAlong,
  type SlidingOptions,
  type Triple,
  windowOptionNames,
} from '../ops/window';
import type { OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { ConvLayer, type ConvLayerOptions } from './convLayer';
import { finish, finishes } from './passes';

/**
 * What the cells of the padding hold: 0, the cells inside the border mirrored at it (which takes an input larger than the padding), or those
 * of the border itself.
 */
export type PaddingMode = 'zeros' | 'reflect' | 'replicate';

export interface ConvOptions<Size, Around> extends ConvLayerOptions<Size, Around> {
  /** What the cells of the padding hold. Default 'zeros'. */
  paddingMode?: PaddingMode;
}

/** Options of `Conv1d`. */
export interface Conv1dOptions extends ConvOptions<number, Padding1d> {}
/** Options of `Conv2d`. */
export interface Conv2dOptions extends ConvOptions<Pair, Padding> {}
/** Options of `Conv3d`. */
export interface Conv3dOptions extends ConvOptions<Triple, Padding3d> {}

const names: OptionNames<Conv2dOptions> = { ...windowOptionNames, paddingMode: true, groups: true, bias: 'boolean' };
const modes: Readonly<Record<PaddingMode, true>> = { zeros: true, reflect: true, replicate: true };

/** What a convolution is given besides its input and its kernel. */
interface Arguments<Size, Around> extends SlidingOptions<Size | number, Around | number>, Finish {
  readonly groups: number;
  readonly bias: Tensor | null;
}

/** The axes of an input, by how many a convolution slides along. */
const layouts = ['', 'N,L,C', 'N,H,W,C', 'N,D,H,W,C'];

abstract class Conv<Size, Around> extends ConvLayer<Size, Around> {
  readonly paddingMode: PaddingMode;

  constructor(axes: number, inChannels: number, outChannels: number, kernelSize: Size, options: ConvOptions<Size, Around>) {
    super(axes, inChannels, outChannels, kernelSize, options, names);
    const { paddingMode = 'zeros' } = options;
    if (!Object.hasOwn(modes, paddingMode)) throw rangeError(new.target.name, 'paddingMode', paddingMode, Object.keys(modes).join(', '));
    this.paddingMode = paddingMode;
  }

  /** The convolution itself, without padding by other values than zeros. */
  protected abstract convolve(x: Tensor, options: Arguments<Size, Around>): Tensor;

  forward(x: Tensor): Tensor {
    return this[finish](x, {});
  }

  /** @internal */
  override get [finishes](): boolean {
    return this.forward === Conv.prototype.forward;
  }

  /** @internal */
  override [finish](x: Tensor, after: Finish): Tensor {
    const { bias, stride, padding, dilation, groups, paddingMode: mode } = this;
    if (mode === 'zeros') return this.convolve(x, { bias, stride, padding, dilation, groups, ...after });
    const { name } = this.constructor;
    checkShapeOf(name, 'input', x, layouts[this.weight.rank - 2]!);
    const window: AnyWindow = makeWindow(name, x.shape.slice(1, -1), this.kernelSize, { stride, padding, dilation });
    const around: readonly (readonly [number, number])[] = [[0, 0], ...paddingAlong(window), [0, 0]];
    return tidy(() => this.convolve(pad(x, around, { mode }), { bias, stride, padding: 0, dilation, groups, ...after }));
  }

  protected override describe(): string {
    return super.describe({ paddingMode: this.paddingMode === 'zeros' ? undefined : this.paddingMode });
  }
}

/**
 * Convolution along one axis with learned kernels: input [N,L,inChannels], output [N,L',outChannels]; see `ops.conv1d` for sizes and
 * options.
 *
 * `weight` [k,inChannels/groups,outChannels] and `bias` [outChannels] start evenly spread over ±1/√(k·inChannels/groups), as PyTorch's do.
 *
 * ```ts
 * const conv = new nn.Conv1d(128, 100, 3);
 * conv.forward(randn([8, 64, 128])).shape; // [8, 62, 100]
 * ```
 */
export class Conv1d extends Conv<number, Padding1d> {
  constructor(inChannels: number, outChannels: number, kernelSize: number, options: Conv1dOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }

  protected override convolve(x: Tensor, options: Arguments<number, Padding1d>): Tensor {
    return conv1d(x, this.weight, options);
  }
}

/**
 * Convolution with learned kernels: input [N,H,W,inChannels], output [N,H',W',outChannels]; see `ops.conv2d` for sizes and options.
 *
 * `weight` [kh,kw,inChannels/groups,outChannels] and `bias` [outChannels] start evenly spread over ±1/√(kh·kw·inChannels/groups), as
 * PyTorch's do.
 *
 * ```ts
 * const conv = new nn.Conv2d(1, 6, 5, { padding: 'same' });
 * conv.forward(randn([8, 28, 28, 1])).shape; // [8, 28, 28, 6]
 * ```
 */
export class Conv2d extends Conv<Pair, Padding> {
  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: Conv2dOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }

  protected override convolve(x: Tensor, options: Arguments<Pair, Padding>): Tensor {
    return conv2d(x, this.weight, options);
  }
}

/**
 * Convolution of volumes with learned kernels: input [N,D,H,W,inChannels], output [N,D',H',W',outChannels]; see `ops.conv3d` for sizes and
 * options.
 *
 * `weight` [kd,kh,kw,inChannels/groups,outChannels] and `bias` [outChannels] start evenly spread over ±1/√(kd·kh·kw·inChannels/groups), as
 * PyTorch's do.
 *
 * ```ts
 * const conv = new nn.Conv3d(1, 6, 3, { padding: 'same' });
 * conv.forward(randn([2, 8, 16, 16, 1])).shape; // [2, 8, 16, 16, 6]
 * ```
 */
export class Conv3d extends Conv<Triple, Padding3d> {
  constructor(inChannels: number, outChannels: number, kernelSize: Triple, options: Conv3dOptions = {}) {
    super(3, inChannels, outChannels, kernelSize, options);
  }

  /** @internal */
  override get [finishes](): boolean {
    return false;
  }

  protected override convolve(x: Tensor, options: Arguments<Triple, Padding3d>): Tensor {
    return conv3d(x, this.weight, options);
  }
}

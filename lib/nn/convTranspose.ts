import { convTranspose1d } from '../ops/convTranspose1d';
import { convTranspose2d } from '../ops/convTranspose2d';
import { makeTransposedWindow, type Padding, type Padding1d, type Pair, windowOptionNames } from '../ops/window';
import type { OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { ConvLayer, type ConvLayerOptions } from './convLayer';

export interface ConvTransposeOptions<Size, Around> extends ConvLayerOptions<Size, Around> {
  /** Cells added behind the output, less than the stride or the dilation: of the sizes a convolution maps to this input. Default 0. */
  outputPadding?: Size;
}

/** Options of `ConvTranspose1d`. */
export interface ConvTranspose1dOptions extends ConvTransposeOptions<number, Padding1d> {}
/** Options of `ConvTranspose2d`. */
export interface ConvTranspose2dOptions extends ConvTransposeOptions<Pair, Padding> {}

const names: OptionNames<ConvTranspose2dOptions> = { ...windowOptionNames, outputPadding: true, groups: true, bias: 'boolean' };

abstract class ConvTranspose<Size, Around> extends ConvLayer<Size, Around> {
  readonly outputPadding: Size | number;

  constructor(axes: number, inChannels: number, outChannels: number, kernelSize: Size, options: ConvTransposeOptions<Size, Around>) {
    super(axes, inChannels, outChannels, kernelSize, options, names, true);
    const ones = new Array<number>(axes).fill(1);
    makeTransposedWindow(new.target.name, ones, this.weight.shape.slice(0, axes), options);
    this.outputPadding = options.outputPadding ?? 0;
  }

  protected override describe(): string {
    return super.describe({ outputPadding: this.outputPadding === 0 ? undefined : this.outputPadding });
  }
}

/**
 * Transposed convolution along one axis with learned kernels, which raises a sequence's length by its stride: input [N,L,inChannels],
 * output [N,L',outChannels]; see `ops.convTranspose1d` for sizes and options.
 *
 * `weight` [k,outChannels/groups,inChannels] and `bias` [outChannels] start evenly spread over ±1/√(k·outChannels/groups), as PyTorch's do.
 *
 * ```ts
 * const up = new nn.ConvTranspose1d(32, 8, 4, { stride: 2, padding: 1 });
 * up.forward(randn([8, 16, 32])).shape; // [8, 32, 8]
 * ```
 */
export class ConvTranspose1d extends ConvTranspose<number, Padding1d> {
  constructor(inChannels: number, outChannels: number, kernelSize: number, options: ConvTranspose1dOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    const { bias, stride, padding, outputPadding, dilation, groups } = this;
    return convTranspose1d(x, this.weight, { bias, stride, padding, outputPadding, dilation, groups });
  }
}

/**
 * Transposed convolution with learned kernels, which raises an image's size by its stride: input [N,H,W,inChannels], output
 * [N,H',W',outChannels]; see `ops.convTranspose2d` for sizes and options.
 *
 * `weight` [kh,kw,outChannels/groups,inChannels] and `bias` [outChannels] start evenly spread over ±1/√(kh·kw·outChannels/groups), as
 * PyTorch's do.
 *
 * ```ts
 * const up = new nn.ConvTranspose2d(16, 6, 4, { stride: 2, padding: 1 });
 * up.forward(randn([8, 14, 14, 16])).shape; // [8, 28, 28, 6]
 * ```
 */
export class ConvTranspose2d extends ConvTranspose<Pair, Padding> {
  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: ConvTranspose2dOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    const { bias, stride, padding, outputPadding, dilation, groups } = this;
    return convTranspose2d(x, this.weight, { bias, stride, padding, outputPadding, dilation, groups });
  }
}

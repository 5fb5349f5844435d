import { conv1d } from '../ops/conv1d';
import { conv2d } from '../ops/conv2d';
import { type Padding, type Padding1d, type Pair, type SlidingOptions, windowOptionNames } from '../ops/window';
import type { OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { ConvLayer, type ConvLayerOptions } from './convLayer';

export interface Conv1dOptions extends ConvLayerOptions<number, Padding1d> {}
export interface Conv2dOptions extends ConvLayerOptions<Pair, Padding> {}

const names: OptionNames<Conv2dOptions> = { ...windowOptionNames, groups: true, bias: true };

/** What a convolution is given besides its input and its kernel. */
interface Arguments<Size, Around> extends SlidingOptions<Size | number, Around | number> {
  readonly groups: number;
  readonly bias: Tensor | null;
}

abstract class Conv<Size, Around> extends ConvLayer<Size, Around> {
  protected abstract convolve(x: Tensor, options: Arguments<Size, Around>): Tensor;

  forward(x: Tensor): Tensor {
    const { bias, stride, padding, dilation, groups } = this;
    return this.convolve(x, { bias, stride, padding, dilation, groups });
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
    super(1, inChannels, outChannels, kernelSize, options, names);
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
    super(2, inChannels, outChannels, kernelSize, options, names);
  }

  protected override convolve(x: Tensor, options: Arguments<Pair, Padding>): Tensor {
    return conv2d(x, this.weight, options);
  }
}

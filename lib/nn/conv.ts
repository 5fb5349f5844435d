import { rangeError } from '../errors';
import { conv1d } from '../ops/conv1d';
import { conv2d } from '../ops/conv2d';
import { makeWindow, type Padding, type Padding1d, type Pair, type SlidingOptions, windowOptionNames } from '../ops/window';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { call, count, weightAndBias } from './layer';
import { Module } from './module';
import type { Parameter } from './parameter';

export interface ConvOptions<Size, Around> extends SlidingOptions<Size, Around> {
  /** Output channels of group i see the input channels of group i only. Divides both. Default 1. */
  groups?: number;
  /** Whether a learned number is added to every output channel. Default true. */
  bias?: boolean;
}

export interface Conv1dOptions extends ConvOptions<number, Padding1d> {}
export interface Conv2dOptions extends ConvOptions<Pair, Padding> {}

const names: OptionNames<Conv2dOptions> = { ...windowOptionNames, groups: true, bias: true };

/** What a convolution is given besides its input and its kernel. */
interface Arguments<Size, Around> extends SlidingOptions<Size | number, Around | number> {
  readonly groups: number;
  readonly bias: Tensor | null;
}

/** A convolution along some axes: its parameters and options. */
abstract class Conv<Size, Around> extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly stride: Size | number;
  readonly padding: Around | number;
  readonly dilation: Size | number;
  readonly groups: number;

  constructor(
    axes: number,
    readonly inChannels: number,
    readonly outChannels: number,
    readonly kernelSize: Size,
    options: ConvOptions<Size, Around>,
  ) {
    super();
    const { name } = new.target;
    checkOptions(name, options, names);
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true } = options;
    count(name, 'inChannels', inChannels);
    count(name, 'outChannels', outChannels);
    count(name, 'groups', groups);
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw rangeError(name, 'groups', groups, `a divisor of both inChannels, ${inChannels}, and outChannels, ${outChannels}`);
    }
    const { kernel } = makeWindow(name, new Array<number>(axes).fill(1), kernelSize, { stride, padding, dilation });
    this.stride = stride;
    this.padding = padding;
    this.dilation = dilation;
    this.groups = groups;
    [this.weight, this.bias] = weightAndBias([...kernel, inChannels / groups, outChannels], outChannels, bias);
  }

  protected abstract convolve(x: Tensor, options: Arguments<Size, Around>): Tensor;

  forward(x: Tensor): Tensor {
    const { bias, stride, padding, dilation, groups } = this;
    return this.convolve(x, { bias, stride, padding, dilation, groups });
  }

  protected override describe(): string {
    const { inChannels, outChannels, kernelSize, stride, padding, dilation, groups, bias } = this;
    return call([inChannels, outChannels, kernelSize], {
      stride: stride === 1 ? undefined : stride,
      padding: padding === 0 ? undefined : padding,
      dilation: dilation === 1 ? undefined : dilation,
      groups: groups === 1 ? undefined : groups,
      bias: bias ? undefined : false,
    });
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

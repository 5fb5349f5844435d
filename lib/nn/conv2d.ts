import { rangeError } from '../errors';
import { conv2d } from '../ops/conv2d';
import { makeWindow, type Padding, type Pair, type WindowOptions, windowOptionNames } from '../ops/window';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { call, count, weightAndBias } from './layer';
import { Module } from './module';
import type { Parameter } from './parameter';

export interface Conv2dOptions extends WindowOptions {
  /** Output channels of group i see the input channels of group i only. Divides both. Default 1. */
  groups?: number;
  /** Whether a learned number is added to every output channel. Default true. */
  bias?: boolean;
}

const names: OptionNames<Conv2dOptions> = { ...windowOptionNames, groups: true, bias: true };

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
export class Conv2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly stride: Pair;
  readonly padding: Padding;
  readonly dilation: Pair;
  readonly groups: number;

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    readonly kernelSize: Pair,
    options: Conv2dOptions = {},
  ) {
    super();
    checkOptions('Conv2d', options, names);
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true } = options;
    count('Conv2d', 'inChannels', inChannels);
    count('Conv2d', 'outChannels', outChannels);
    count('Conv2d', 'groups', groups);
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw rangeError('Conv2d', 'groups', groups, `a divisor of both inChannels, ${inChannels}, and outChannels, ${outChannels}`);
    }
    const { kernel } = makeWindow('Conv2d', [1, 1], kernelSize, { stride, padding, dilation });
    this.stride = stride;
    this.padding = padding;
    this.dilation = dilation;
    this.groups = groups;
    [this.weight, this.bias] = weightAndBias([...kernel, inChannels / groups, outChannels], outChannels, bias);
  }

  forward(x: Tensor): Tensor {
    const { bias, stride, padding, dilation, groups } = this;
    return conv2d(x, this.weight, { bias, stride, padding, dilation, groups });
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

import { rangeError } from '../errors';
import { makeWindow, type SlidingOptions } from '../ops/window';
import { checkOptions, type OptionNames } from '../options';
import { sizeOf } from '../shape';
import { call, count, weightAndBias } from './layer';
import { Module } from './module';
import type { Parameter } from './parameter';

export interface ConvLayerOptions<Size, Around> extends SlidingOptions<Size, Around> {
  /** Output channels of group i see the input channels of group i only. Divides both. Default 1. */
  groups?: number;
  /** Whether a learned number is added to every output channel. Default true. */
  bias?: boolean;
}

/** What layers of learned kernels that slide along some axes share: parameters, options, and how they are shown. */
export abstract class ConvLayer<Size, Around> extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly stride: Size | number;
  readonly padding: Around | number;
  readonly dilation: Size | number;
  readonly groups: number;

  /** @param transposed Whether the kernel is that of the convolution from the output's channels to the input's. */
  constructor(
    axes: number,
    readonly inChannels: number,
    readonly outChannels: number,
    readonly kernelSize: Size,
    options: ConvLayerOptions<Size, Around>,
    names: OptionNames<ConvLayerOptions<Size, Around>>,
    transposed = false,
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
    const [depth, width] = transposed ? [outChannels / groups, inChannels] : [inChannels / groups, outChannels];
    [this.weight, this.bias] = weightAndBias([...kernel, depth, width], bias ? [outChannels] : null, sizeOf(kernel) * depth);
  }

  /** The arguments, and other options that are not at their defaults. */
  protected override describe(others: Readonly<Record<string, unknown>> = {}): string {
    const { inChannels, outChannels, kernelSize, stride, padding, dilation, groups, bias } = this;
    return call([inChannels, outChannels, kernelSize], {
      stride: stride === 1 ? undefined : stride,
      padding: padding === 0 ? undefined : padding,
      ...others,
      dilation: dilation === 1 ? undefined : dilation,
      groups: groups === 1 ? undefined : groups,
      bias: bias ? undefined : false,
    });
  }
}

import { ones, zeros } from '../create';
import { rangeError, shapeError } from '../errors';
import { checkShapeOf, checkTensor } from '../op';
import { checkNormalizedShape, groupNorm, instanceNorm, layerNorm } from '../ops/groupNorm';
import { checkOptions, checkPositive, type OptionNames } from '../options';
import { type Shape, showShape, sizeOf } from '../shape';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { call, count } from './layer';
import { Module } from './module';
import { Parameter } from './parameter';

/** Options of `LayerNorm`. */
export interface LayerNormOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number;
  /** Whether scale and shift are learned. Default true. */
  elementwiseAffine?: boolean;
  /** Whether, where the scale is, the shift is learned too. Default true. */
  bias?: boolean;
}

/** Options of `GroupNorm`. */
export interface GroupNormOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number;
  /** Whether scale and shift are learned. Default true. */
  affine?: boolean;
}

/** Options of `InstanceNorm`. */
export interface InstanceNormOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number;
  /** Whether scale and shift are learned. Default false. */
  affine?: boolean;
}

const layerNames: OptionNames<LayerNormOptions> = { eps: true, elementwiseAffine: true, bias: true };
const affineNames: OptionNames<GroupNormOptions & InstanceNormOptions> = { eps: true, affine: 'boolean' };

/** A scale of ones and a shift of zeros, where they are learned. */
function scaleAndShift(shape: Shape, scale: boolean, shift: boolean): [weight: Parameter | null, bias: Parameter | null] {
  return tidy(() => [scale ? new Parameter(ones(shape)) : null, shift ? new Parameter(zeros(shape)) : null]);
}

/** Throws unless the last axis of x is so many channels; a layer that learns nothing would not notice. */
function checkChannels(operation: string, x: Tensor, channels: number): void {
  if (x.shape[x.rank - 1] === channels) return;
  throw shapeError(operation, `input has shape ${showShape(x.shape)}, expected ${channels} channels, the last axis`);
}

const unlessDefault = (eps: number): number | undefined => (eps === 1e-5 ? undefined : eps);

/**
 * Layer normalisation: the last axes of each sample together, for instance the features of [N,L,C]. See `ops.layerNorm`.
 *
 * `weight` [...normalizedShape] starts as 1 and `bias` as 0.
 *
 * ```ts
 * new nn.LayerNorm(64).forward(randn([8, 10, 64])).shape; // [8, 10, 64]
 * ```
 */
export class LayerNorm extends Module {
  readonly normalizedShape: Shape;
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly eps: number;

  constructor(normalizedShape: number | readonly number[], options: LayerNormOptions = {}) {
    super();
    this.normalizedShape = checkNormalizedShape('LayerNorm', normalizedShape);
    if (sizeOf(this.normalizedShape) === 0) {
      throw rangeError('LayerNorm', 'normalizedShape', normalizedShape, 'the lengths, above 0, of one axis or more');
    }
    checkOptions('LayerNorm', options, layerNames);
    const { eps = 1e-5, elementwiseAffine = true, bias = true } = options;
    checkPositive('LayerNorm', 'eps', eps);
    this.eps = eps;
    [this.weight, this.bias] = scaleAndShift(this.normalizedShape, elementwiseAffine, elementwiseAffine && bias);
  }

  forward(x: Tensor): Tensor {
    const { normalizedShape, weight, bias, eps } = this;
    return layerNorm(x, { normalizedShape, weight, bias, eps });
  }

  protected override describe(): string {
    const { normalizedShape, weight, bias, eps } = this;
    return call([normalizedShape.length === 1 ? normalizedShape[0] : normalizedShape], {
      eps: unlessDefault(eps),
      elementwiseAffine: weight ? undefined : false,
      bias: weight && !bias ? false : undefined,
    });
  }
}

/**
 * Group normalisation: of each sample [N,...,C] the channels in groups, over all places. See `ops.groupNorm`.
 *
 * `weight` [numChannels] starts as 1 and `bias` as 0.
 *
 * ```ts
 * new nn.Sequential(new nn.Conv2d(3, 16, 3), new nn.GroupNorm(4, 16), new nn.ReLU());
 * ```
 */
export class GroupNorm extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly eps: number;

  constructor(
    readonly numGroups: number,
    readonly numChannels: number,
    options: GroupNormOptions = {},
  ) {
    super();
    count('GroupNorm', 'numGroups', numGroups);
    count('GroupNorm', 'numChannels', numChannels);
    if (numChannels % numGroups !== 0) throw rangeError('GroupNorm', 'numGroups', numGroups, `a divisor of numChannels, ${numChannels}`);
    checkOptions('GroupNorm', options, affineNames);
    const { eps = 1e-5, affine = true } = options;
    checkPositive('GroupNorm', 'eps', eps);
    this.eps = eps;
    [this.weight, this.bias] = scaleAndShift([numChannels], affine, affine);
  }

  forward(x: Tensor): Tensor {
    checkTensor('GroupNorm', 'input', x);
    checkChannels('GroupNorm', x, this.numChannels);
    const { numGroups: groups, weight, bias, eps } = this;
    return groupNorm(x, { groups, weight, bias, eps });
  }

  protected override describe(): string {
    return call([this.numGroups, this.numChannels], { eps: unlessDefault(this.eps), affine: this.weight ? undefined : false });
  }
}

/**
 * Instance normalisation of images [N,H,W,C]: each channel of each image over all places. See `ops.instanceNorm`.
 *
 * `weight` [numFeatures], where it is learned, starts as 1 and `bias` as 0.
 *
 * ```ts
 * new nn.InstanceNorm2d(3).forward(randn([8, 28, 28, 3])).shape; // [8, 28, 28, 3]
 * ```
 */
export class InstanceNorm2d extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly eps: number;

  constructor(
    readonly numFeatures: number,
    options: InstanceNormOptions = {},
  ) {
    super();
    count('InstanceNorm2d', 'numFeatures', numFeatures);
    checkOptions('InstanceNorm2d', options, affineNames);
    const { eps = 1e-5, affine = false } = options;
    checkPositive('InstanceNorm2d', 'eps', eps);
    this.eps = eps;
    [this.weight, this.bias] = scaleAndShift([numFeatures], affine, affine);
  }

  forward(x: Tensor): Tensor {
    checkShapeOf('InstanceNorm2d', 'input', x, 'N,H,W,C');
    checkChannels('InstanceNorm2d', x, this.numFeatures);
    const { weight, bias, eps } = this;
    return instanceNorm(x, { weight, bias, eps });
  }

  protected override describe(): string {
    return call([this.numFeatures], { eps: unlessDefault(this.eps), affine: this.weight ? true : undefined });
  }
}

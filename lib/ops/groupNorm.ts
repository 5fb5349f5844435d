import { rangeError, shapeError, typeError } from '../errors';
import { native } from '../native';
import { apply, checkShapeOf, checkTensor, commonFloat, type Op } from '../op';
import { checkOptions, checkPositive, type OptionNames } from '../options';
import { elementwise, whole } from '../reach';
import { isIndex, type Shape, sameShape, showShape, sizeOf } from '../shape';
import { Tensor } from '../tensor';

// Layer, group and instance norm are one operation over x seen as [samples, places, groups, depth]: each sample's group is brought to
// mean 0 and variance 1 over its places and depth.

/** Options of normalisations within a sample. */
export interface NormOptions {
  /** Scale γ. Default: none. */
  weight?: Tensor | null;
  /** Shift β. Default: none. */
  bias?: Tensor | null;
  /** Added to the variance. Default 1e-5. */
  eps?: number;
}

/** Options of `layerNorm`. */
export interface LayerNormOptions extends NormOptions {
  /** The lengths of the last axes, which are normalised together; a number for the last one alone. Default: that of the last axis. */
  normalizedShape?: number | readonly number[];
}

/** Options of `groupNorm`. */
export interface GroupNormOptions extends NormOptions {
  /** How many groups of neighbouring channels are normalised, each for itself. Divides the channels. */
  groups: number;
}

const normNames: OptionNames<NormOptions> = { weight: true, bias: true, eps: true };
const layerNormNames: OptionNames<LayerNormOptions> = { ...normNames, normalizedShape: true };
const groupNormNames: OptionNames<GroupNormOptions> = { ...normNames, groups: true };

interface Attrs {
  readonly samples: number;
  readonly places: number;
  readonly groups: number;
  readonly depth: number;
  /** What weight and bias must be. */
  readonly parameters: Shape;
  readonly eps: number;
}

type Optional = Tensor | null;

/** @param leading How many axes of x are the samples. */
function define(
  name: string,
  leading: (rank: number, attrs: Attrs) => number,
): (x: Tensor, attrs: Omit<Attrs, 'eps'>, options: NormOptions) => Tensor {
  const op: Op<[x: Tensor, weight: Optional, bias: Optional], Attrs> = {
    name,
    infer([x, weight, bias], { parameters }) {
      if (weight) checkShapeOf(name, 'weight', weight, parameters);
      if (bias) checkShapeOf(name, 'bias', bias, parameters);
      return { shape: x.shape, dtype: commonFloat(name, [x, weight, bias]) };
    },
    forward({ inputs: [x, weight, bias], attrs: { samples, places, groups, depth, eps }, output, needs, save }) {
      const statistics = () => Tensor.empty([samples, groups], x.dtype);
      const [mean, invstd] = [statistics(), statistics()];
      const [values, channels] = [
        [samples, places, groups, depth],
        [groups, depth],
      ];
      native.ops.group_norm(
        ...[x.view(values).id, weight?.view(channels).id ?? 0, bias?.view(channels).id ?? 0, output.view(values).id, mean.id, invstd.id],
        eps,
      );
      save(x, mean, invstd, needs[0] ? weight : null);
    },
    backward(grad, { saved: [x, mean, invstd, weight], needs, attrs: { samples, places, groups, depth, parameters } }) {
      const [values, channels] = [
        [samples, places, groups, depth],
        [groups, depth],
      ];
      const gradient = (i: number, shape: Shape) => (needs[i] ? Tensor.empty(shape, grad.dtype) : null);
      const [dx, dweight, dbias] = [gradient(0, grad.shape), gradient(1, parameters), gradient(2, parameters)];
      native.ops.group_norm_backward(
        ...[x!.view(values).id, grad.view(values).id, weight?.view(channels).id ?? 0, mean!.id, invstd!.id],
        ...[dx?.view(values).id ?? 0, dweight?.view(channels).id ?? 0, dbias?.view(channels).id ?? 0],
      );
      return [dx, dweight, dbias];
    },
    // Each output sees its whole sample, through mean and variance.
    reach([x, weight, bias], attrs, output) {
      const samples = Array.from({ length: leading(x!.length, attrs) }, (_, axis) => [axis, axis] as const);
      return [whole(x!.length, ...samples), elementwise(weight!, output)!, elementwise(bias!, output)!];
    },
  };
  return (x, attrs, { weight = null, bias = null, eps = 1e-5 }) => {
    checkPositive(name, 'eps', eps);
    return apply(op, [x, weight, bias], { ...attrs, eps });
  };
}

const layer = define('layerNorm', (rank, { parameters }) => rank - parameters.length);
const group = define('groupNorm', () => 1);
const instance = define('instanceNorm', () => 1);

/**
 * Normalises the last axes of each sample to mean 0 and variance 1, then scales and shifts: γ·(x - μ) / √(σ² + ε) + β. Ba, Kiros and
 * Hinton, Layer normalization (2016).
 *
 * x [...,...normalizedShape] gives the same shape; weight and bias are [...normalizedShape].
 * @throws RangeError where x does not end in these axes, or a parameter is of another shape.
 * @example
 * ops.layerNorm(tensor([[1, 3], [5, 5]])); // [[-1, 1], [0, 0]]
 */
export function layerNorm(x: Tensor, options: LayerNormOptions = {}): Tensor {
  checkTensor('layerNorm', 'input', x);
  checkOptions('layerNorm', options, layerNormNames);
  if (x.rank === 0) throw shapeError('layerNorm', 'input is a scalar, expected rank 1 or more');
  const shape = checkNormalizedShape('layerNorm', options.normalizedShape ?? x.shape[x.rank - 1]!);
  if (!sameShape(x.shape.slice(-shape.length), shape)) {
    throw shapeError('layerNorm', `input has shape ${showShape(x.shape)}, expected [...,${shape.join(',')}] as normalizedShape says`);
  }
  const samples = sizeOf(x.shape.slice(0, x.rank - shape.length));
  return layer(x, { samples, places: 1, groups: 1, depth: sizeOf(shape), parameters: shape }, options);
}

/** The lengths of the axes that a number or a list of them stands for. */
export function checkNormalizedShape(operation: string, value: unknown): number[] {
  const shape: unknown = typeof value === 'number' ? [value] : value;
  if (!Array.isArray(shape)) throw typeError(operation, 'normalizedShape', value, 'an integer or a list of them');
  if (shape.length === 0 || !shape.every(isIndex)) {
    throw rangeError(operation, 'normalizedShape', value, 'the lengths of one axis or more');
  }
  return [...shape];
}

/**
 * Normalises each group of neighbouring channels of each sample to mean 0 and variance 1, over its channels and all places, then scales
 * and shifts every channel: γ·(x - μ) / √(σ² + ε) + β. Wu and He, Group normalization (2018).
 *
 * x [N,...,C] gives the same shape; weight and bias are [C].
 * @throws RangeError where the groups do not divide the channels, a parameter is not [C], or a group has one value, which has no variance.
 * @example
 * ops.groupNorm(randn([8, 28, 28, 16]), { groups: 4 }).shape; // [8, 28, 28, 16]
 */
export function groupNorm(x: Tensor, options: GroupNormOptions): Tensor {
  checkTensor('groupNorm', 'input', x);
  checkOptions('groupNorm', options, groupNormNames);
  const { groups } = options;
  const channels = channelsOf('groupNorm', x);
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw rangeError('groupNorm', 'groups', groups, `a divisor of the ${channels} channels (input ${showShape(x.shape)})`);
  }
  return group(x, grouped('groupNorm', x, groups), options);
}

/**
 * Normalises each channel of each sample to mean 0 and variance 1 over all places, then scales and shifts it: `groupNorm` with a group
 * for each channel. Ulyanov, Vedaldi and Lempitsky, Instance normalization (2016).
 *
 * x [N,...,C] gives the same shape; weight and bias are [C].
 * @throws RangeError where a parameter is not [C], or a channel has one value, which has no variance.
 * @example
 * ops.instanceNorm(randn([8, 28, 28, 3])).shape; // [8, 28, 28, 3]
 */
export function instanceNorm(x: Tensor, options: NormOptions = {}): Tensor {
  checkTensor('instanceNorm', 'input', x);
  checkOptions('instanceNorm', options, normNames);
  return instance(x, grouped('instanceNorm', x, channelsOf('instanceNorm', x)), options);
}

function channelsOf(operation: string, x: Tensor): number {
  if (x.rank < 2) throw shapeError(operation, `input has shape ${showShape(x.shape)}, expected [N,...,C]`);
  return x.shape[x.rank - 1]!;
}

function grouped(operation: string, x: Tensor, groups: number): Omit<Attrs, 'eps'> {
  const channels = x.shape[x.rank - 1]!;
  const [samples, places, depth] = [x.shape[0]!, sizeOf(x.shape.slice(1, -1)), groups > 0 ? channels / groups : 0];
  if (places * depth === 1 && samples > 0) {
    throw shapeError(operation, `input ${showShape(x.shape)} has one value in each of ${groups} groups, which has no variance`);
  }
  return { samples, places, groups, depth, parameters: [channels] };
}

import { rangeError, shapeError } from '../errors';
import { native } from '../native';
import { apply, checkShapeOf, checkTensor, commonFloat, type Op } from '../op';
import { checkOptions, checkPositive, type OptionNames } from '../options';
import { elementwise, whole } from '../reach';
import { showShape } from '../shape';
import { Tensor } from '../tensor';
import { add, mul, sub } from './binary';
import { checkSummand, clip, type Finish, finishing, type Rectifier, rectified } from './rectifier';
import { neg, rsqrt } from './unary';

/** Options of `batchNorm`. */
export interface BatchNormOptions extends Finish {
  /** Scale γ [C]. Default: none. */
  weight?: Tensor | null;
  /** Shift β [C]. Default: none. */
  bias?: Tensor | null;
  /** Mean to normalise by when not training [C]; training updates it in place. */
  runningMean?: Tensor | null;
  /** Variance to normalise by when not training [C]; training updates it in place, with the unbiased variance. */
  runningVar?: Tensor | null;
  /** Whether to normalise by the batch's own statistics. Default false. */
  training?: boolean;
  /** Share of the batch in the updated running statistics. Default 0.1. */
  momentum?: number;
  /** Added to the variance. Default 1e-5. */
  eps?: number;
}

const names: OptionNames<BatchNormOptions> = {
  weight: true,
  bias: true,
  runningMean: true,
  runningVar: true,
  training: 'boolean',
  momentum: true,
  eps: true,
  add: true,
  activation: true,
};

interface Attrs {
  readonly training: boolean;
  readonly momentum: number;
  readonly eps: number;
  readonly activation: Rectifier | null;
}

type Optional = Tensor | null;

const op: Op<[x: Tensor, weight: Optional, bias: Optional, runningMean: Optional, runningVar: Optional, add: Optional], Attrs> = {
  name: 'batchNorm',
  infer([x, weight, bias, runningMean, runningVar, add]) {
    const channels = [x.shape[x.rank - 1]!];
    if (weight) checkShapeOf('batchNorm', 'weight', weight, channels);
    if (bias) checkShapeOf('batchNorm', 'bias', bias, channels);
    if (runningMean) checkShapeOf('batchNorm', 'runningMean', runningMean, channels);
    if (runningVar) checkShapeOf('batchNorm', 'runningVar', runningVar, channels);
    checkSummand('batchNorm', add, x.shape);
    return { shape: x.shape, dtype: commonFloat('batchNorm', [x, weight, bias, runningMean, runningVar, add]) };
  },
  forward({ inputs: [x, weight, bias, runningMean, runningVar, add], attrs, output, recording, needs, save }) {
    const { training, momentum, eps, activation } = attrs;
    const statistics = () => Tensor.empty([x.shape[x.rank - 1]!], x.dtype);
    const mean = training ? statistics() : runningMean;
    const invstd = training || recording ? statistics() : null;
    const tensors = [x.id, weight?.id ?? 0, bias?.id ?? 0, runningMean?.id ?? 0, runningVar?.id ?? 0, add?.id ?? 0, output.id];
    if (training) {
      native.ops.batch_norm_train(...tensors, mean!.id, invstd!.id, momentum, eps, ...clip(activation));
      runningMean?.written();
      runningVar?.written();
    } else {
      native.ops.batch_norm_infer(...tensors, invstd?.id ?? 0, eps, ...clip(activation));
    }
    // Where the gradient stops is seen from the output, or, if nothing was added, from the input: then the output need not be kept.
    const again = activation !== null && !add;
    save(x, mean, invstd, needs[0] || again ? weight : null, again ? bias : null, activation && add ? output : null);
  },
  backward(grad, { saved: [x, mean, invstd, weight, bias, y], needs, attrs }) {
    const empty = (wanted: boolean | undefined, like: Tensor) => (wanted ? Tensor.empty(like.shape, like.dtype) : null);
    const [dx, dweight, dbias] = [empty(needs[0], x!), empty(needs[1], mean!), empty(needs[2], mean!)];
    const dadd = attrs.activation ? empty(needs[5], x!) : grad;
    if (dx || dweight || dbias || attrs.activation) {
      native.ops.batch_norm_backward(
        ...[x!, grad, weight, bias, mean!, invstd!, y, dx, dweight, dbias, attrs.activation ? dadd : null].map((one) => one?.id ?? 0),
        Number(attrs.training),
        ...clip(attrs.activation),
      );
    }
    return [dx, dweight, dbias, null, null, needs[5] ? dadd : null];
  },
  linear: ({ training }) => (training ? null : [0, 5]),
  rectifies: (attrs) => (attrs.activation ? { ...attrs, activation: null } : null),
  absorbs: { summand: 5, rectified },
  affine([, weight, bias, mean, variance], { training, eps }) {
    if (training || !mean || !variance) return null;
    const invstd = rsqrt(add(variance, eps));
    const scale = weight ? mul(invstd, weight) : invstd;
    const past = mul(mean, scale);
    return { scale, shift: bias ? sub(bias, past) : neg(past) };
  },
  // In training the statistics are of all places; all else sees its own.
  reach([x, ...others], { training }, output) {
    const last = x!.length - 1;
    return training ? [whole(x!.length, [last, last]), ...others.map((shape) => elementwise(shape, output)!)] : null;
  },
};

/**
 * Normalises each channel to mean 0 and variance 1, then scales and shifts it: γ·(x - μ) / √(σ² + ε) + β. Ioffe and Szegedy, Batch
 * normalization (2015).
 *
 * x [...,C] gives the same shape. In training μ and σ² are those of the batch over all axes but the last, and the running statistics move
 * towards them; otherwise they are the running statistics. `add` and `activation` give activation(result + add) without another pass.
 * @throws RangeError where a parameter is not [C], or when training on one value a channel, whose variance is not defined.
 * @example
 * const runningMean = zeros([16]), runningVar = ones([16]);
 * const y = ops.batchNorm(randn([8, 28, 28, 16]), { runningMean, runningVar, training: true });
 */
export function batchNorm(x: Tensor, options: BatchNormOptions = {}): Tensor {
  checkTensor('batchNorm', 'input', x);
  checkOptions('batchNorm', options, names);
  const { weight = null, bias = null, runningMean = null, runningVar = null, training = false, momentum = 0.1, eps = 1e-5 } = options;
  const { add = null, activation = null } = options;
  if (x.rank < 2) throw shapeError('batchNorm', `input has shape ${showShape(x.shape)}, expected rank 2 or more, channels last`);
  if (!Number.isFinite(momentum) || momentum < 0 || momentum > 1)
    throw rangeError('batchNorm', 'momentum', momentum, 'a number from 0 to 1');
  checkPositive('batchNorm', 'eps', eps);
  if (!training && !runningMean) {
    throw rangeError('batchNorm', 'runningMean', runningMean, 'a Tensor: without training there are no other statistics');
  }
  if (runningMean && !runningVar) throw rangeError('batchNorm', 'runningVar', runningVar, 'a Tensor beside runningMean');
  if (runningVar && !runningMean) throw rangeError('batchNorm', 'runningMean', runningMean, 'a Tensor beside runningVar');
  if (training && x.size === x.shape[x.rank - 1]!) {
    throw shapeError('batchNorm', `input ${showShape(x.shape)} has one value a channel, training needs more than one`);
  }
  const last = finishing('batchNorm', { activation });
  return apply(op, [x, weight, bias, runningMean, runningVar, add], { training, momentum, eps, ...last });
}

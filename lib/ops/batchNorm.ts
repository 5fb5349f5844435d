import { rangeError, shapeError } from '../errors';
import { native } from '../native';
import { apply, checkShapeOf, checkTensor, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { showShape } from '../shape';
import { Tensor } from '../tensor';

export interface BatchNormOptions {
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
  training: true,
  momentum: true,
  eps: true,
};

interface Attrs {
  readonly training: boolean;
  readonly momentum: number;
  readonly eps: number;
}

type Optional = Tensor | null;

const op: Op<[x: Tensor, weight: Optional, bias: Optional, runningMean: Optional, runningVar: Optional], Attrs> = {
  name: 'batchNorm',
  infer([x, weight, bias, runningMean, runningVar]) {
    const channels = [x.shape[x.rank - 1]!];
    if (weight) checkShapeOf('batchNorm', 'weight', weight, channels);
    if (bias) checkShapeOf('batchNorm', 'bias', bias, channels);
    if (runningMean) checkShapeOf('batchNorm', 'runningMean', runningMean, channels);
    if (runningVar) checkShapeOf('batchNorm', 'runningVar', runningVar, channels);
    return { shape: x.shape, dtype: commonFloat('batchNorm', [x, weight, bias, runningMean, runningVar]) };
  },
  forward({ inputs: [x, weight, bias, runningMean, runningVar], attrs: { training, momentum, eps }, output, recording, needs, save }) {
    const statistics = () => Tensor.empty([x.shape[x.rank - 1]!], x.dtype);
    const mean = training ? statistics() : runningMean;
    const invstd = training || recording ? statistics() : null;
    const tensors = [x.id, weight?.id ?? 0, bias?.id ?? 0, runningMean?.id ?? 0, runningVar?.id ?? 0, output.id];
    if (training) {
      native.ops.batch_norm_train(...tensors, mean!.id, invstd!.id, momentum, eps);
      runningMean?.written();
      runningVar?.written();
    } else {
      native.ops.batch_norm_infer(...tensors, invstd?.id ?? 0, eps);
    }
    save(x, mean, invstd, needs[0] ? weight : null);
  },
  backward(grad, { saved: [x, mean, invstd, weight], needs, attrs: { training } }) {
    const [dx, dweight, dbias] = [x!, mean!, mean!].map((like, i) => (needs[i] ? Tensor.empty(like.shape, like.dtype) : null));
    native.ops.batch_norm_backward(
      ...[x!.id, grad.id, weight?.id ?? 0, mean!.id, invstd!.id, dx?.id ?? 0, dweight?.id ?? 0, dbias?.id ?? 0],
      Number(training),
    );
    return [dx!, dweight!, dbias!, null, null];
  },
};

/**
 * Normalises each channel to mean 0 and variance 1, then scales and shifts it: γ·(x - μ) / √(σ² + ε) + β. Ioffe and Szegedy, Batch
 * normalization (2015).
 *
 * x [...,C] gives the same shape. In training μ and σ² are those of the batch over all axes but the last, and the running statistics move
 * towards them; otherwise they are the running statistics.
 * @throws RangeError where a parameter is not [C], or when training on one value a channel, whose variance is not defined.
 * @example
 * const runningMean = zeros([16]), runningVar = ones([16]);
 * const y = ops.batchNorm(randn([8, 28, 28, 16]), { runningMean, runningVar, training: true });
 */
export function batchNorm(x: Tensor, options: BatchNormOptions = {}): Tensor {
  checkTensor('batchNorm', 'input', x);
  checkOptions('batchNorm', options, names);
  const { weight = null, bias = null, runningMean = null, runningVar = null, training = false, momentum = 0.1, eps = 1e-5 } = options;
  if (x.rank < 2) throw shapeError('batchNorm', `input has shape ${showShape(x.shape)}, expected rank 2 or more, channels last`);
  if (!Number.isFinite(momentum) || momentum < 0 || momentum > 1)
    throw rangeError('batchNorm', 'momentum', momentum, 'a number from 0 to 1');
  if (!Number.isFinite(eps) || eps <= 0) throw rangeError('batchNorm', 'eps', eps, 'a positive number');
  if (!training && !runningMean) {
    throw rangeError('batchNorm', 'runningMean', runningMean, 'a Tensor: without training there are no other statistics');
  }
  if (runningMean && !runningVar) throw rangeError('batchNorm', 'runningVar', runningVar, 'a Tensor beside runningMean');
  if (runningVar && !runningMean) throw rangeError('batchNorm', 'runningMean', runningMean, 'a Tensor beside runningVar');
  if (training && x.size === x.shape[x.rank - 1]!) {
    throw shapeError('batchNorm', `input ${showShape(x.shape)} has one value a channel, training needs more than one`);
  }
  return apply(op, [x, weight, bias, runningMean, runningVar], { training, momentum, eps });
}

import { zerosLike } from '../create';
import { typeError } from '../errors';
import { native } from '../native';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { atLeastZero, fraction, type Group, Optimizer, type Slot, type Updated } from './optimizer';

/** Options of `RMSprop`. */
export interface RMSpropOptions {
  /** Learning rate. Default 0.01. */
  lr?: number;
  /** How much of the running mean of the gradient's square stays at each step. Default 0.99. */
  alpha?: number;
  /** Added to the root of the mean square, against division by 0. Default 1e-8. */
  eps?: number;
  /** L2 penalty: this times the parameter is added to its gradient. Default 0. */
  weightDecay?: number;
  /** How much of the velocity stays at each step. Default 0: no velocity. */
  momentum?: number;
  /** Whether the gradient's variance scales the step, not its mean square (Graves 2013). Default false. */
  centered?: boolean;
}

const names: OptionNames<RMSpropOptions> = { lr: true, alpha: true, eps: true, weightDecay: true, momentum: true, centered: 'boolean' };

function complete(operation: string, options: RMSpropOptions): Required<RMSpropOptions> {
  checkOptions(operation, options, names);
  const { lr = 0.01, alpha = 0.99, eps = 1e-8, weightDecay = 0, momentum = 0, centered = false } = options;
  for (const [what, value] of Object.entries({ lr, eps, weightDecay, momentum })) atLeastZero(operation, what, value);
  fraction(operation, 'alpha', alpha);
  if (typeof centered !== 'boolean') throw typeError(operation, 'centered', centered, 'true or false');
  return { lr, alpha, eps, weightDecay, momentum, centered };
}

/**
 * Steps scaled by a running mean of the gradient's square: `s = alpha · s + (1 - alpha) · g²; v = momentum · v + g / (√s + eps);
 * p = p - lr · v`. Tieleman and Hinton, Lecture 6.5 of Neural networks for machine learning (2012).
 *
 * ```ts
 * const optimizer = new optim.RMSprop(model.parameters(), { lr: 0.001, momentum: 0.9 });
 * ```
 */
export class RMSprop extends Optimizer<RMSpropOptions> {
  /**
   * @throws TypeError, RangeError where these are not float32 or float64 tensors, each once and at least one, or an option is out of range;
   * ReceptiveError `ERR_AUTOGRAD` where an operation made one of the tensors.
   */
  constructor(params: Updated<RMSpropOptions>, options: RMSpropOptions = {}) {
    super('RMSprop', params, options, complete);
  }

  /** @internal */
  protected kept({ momentum, centered }: Required<RMSpropOptions>): readonly string[] {
    return ['square', ...(centered ? ['mean'] : []), ...(momentum > 0 ? ['velocity'] : [])];
  }

  /** @internal */
  protected update(parameter: Tensor, grad: Tensor, { tensors }: Slot, { lr, options }: Group<RMSpropOptions>): void {
    const { alpha, eps, momentum, weightDecay } = options;
    for (const name of this.kept(options)) tensors[name] ??= zerosLike(parameter);
    const { square, mean, velocity } = tensors;
    native.ops.rmsprop(parameter.id, grad.id, square!.id, mean?.id ?? 0, velocity?.id ?? 0, lr, alpha, eps, momentum, weightDecay);
  }
}

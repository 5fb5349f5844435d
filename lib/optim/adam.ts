import { zerosLike } from '../create';
import { rangeError } from '../errors';
import { native } from '../native';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { atLeastZero, fraction, type Group, Optimizer, type Slot, type Updated } from './optimizer';

/** Options of `Adam`. */
export interface AdamOptions {
  /** Learning rate. Default 0.001. */
  lr?: number;
  /** How much of the running means of the gradient and of its square stays at each step. Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Added to the root of the mean square, against division by 0. Default 1e-8. */
  eps?: number;
  /** Adam: L2 penalty added to the gradient, default 0. AdamW: the share of the parameter, times lr, taken off it, default 0.01. */
  weightDecay?: number;
}

const names: OptionNames<AdamOptions> = { lr: true, betas: true, eps: true, weightDecay: true };

const complete =
  (defaultDecay: number) =>
  (operation: string, options: AdamOptions): Required<AdamOptions> => {
    checkOptions(operation, options, names);
    const { lr = 0.001, betas = [0.9, 0.999], eps = 1e-8, weightDecay = defaultDecay } = options;
    atLeastZero(operation, 'lr', lr);
    if (!Array.isArray(betas) || betas.length !== 2) throw rangeError(operation, 'betas', betas, 'two numbers');
    for (const beta of betas) fraction(operation, 'a beta', beta);
    atLeastZero(operation, 'eps', eps);
    atLeastZero(operation, 'weightDecay', weightDecay);
    return { lr, betas: [betas[0], betas[1]], eps, weightDecay };
  };

abstract class AdaptiveMoments extends Optimizer<AdamOptions> {
  constructor(
    name: string,
    params: Updated<AdamOptions>,
    private readonly decoupled: boolean,
    options: AdamOptions,
    defaultDecay: number,
  ) {
    super(name, params, options, complete(defaultDecay));
  }

  /** @internal */
  protected kept(): readonly string[] {
    return ['m', 'v'];
  }

  /** @internal */
  protected update(parameter: Tensor, grad: Tensor, { steps, tensors }: Slot, { lr, options }: Group<AdamOptions>): void {
    const { betas, eps, weightDecay } = options;
    tensors.m ??= zerosLike(parameter);
    tensors.v ??= zerosLike(parameter);
    const { id: m } = tensors.m;
    const { id: v } = tensors.v;
    native.ops.adam(parameter.id, grad.id, m, v, lr, betas[0], betas[1], eps, weightDecay, Number(this.decoupled), steps);
  }
}

/**
 * Steps scaled by running means of the gradient and of its square (Kingma and Ba 2015, algorithm 1).
 *
 * ```ts
 * const optimizer = new optim.Adam(model.parameters(), { lr: 0.001 });
 * ```
 */
export class Adam extends AdaptiveMoments {
  /**
   * @throws TypeError, RangeError where these are not float32 or float64 tensors, each once and at least one, or an option is out of range;
   * ReceptiveError `ERR_AUTOGRAD` where an operation made one of the tensors.
   */
  constructor(params: Updated<AdamOptions>, options: AdamOptions = {}) {
    super('Adam', params, false, options, 0);
  }
}

/** Adam whose weight decay acts on the parameter itself, not through the gradient (Loshchilov and Hutter 2019). */
export class AdamW extends AdaptiveMoments {
  /**
   * @throws TypeError, RangeError where these are not float32 or float64 tensors, each once and at least one, or an option is out of range;
   * ReceptiveError `ERR_AUTOGRAD` where an operation made one of the tensors.
   */
  constructor(params: Updated<AdamOptions>, options: AdamOptions = {}) {
    super('AdamW', params, true, options, 0.01);
  }
}

import { zerosLike } from '../create';
import { rangeError } from '../errors';
import { native } from '../native';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { atLeastZero, type Group, Optimizer, type Slot, type Updated } from './optimizer';

/** Options of `SGD`. */
export interface SGDOptions {
  /** Learning rate. */
  lr: number;
  /** How much of the velocity stays at each step. Default 0: no velocity. */
  momentum?: number;
  /** How much of the gradient does not go into the velocity. Default 0. */
  dampening?: number;
  /** Whether the step looks ahead along the velocity (Sutskever et al. 2013); needs momentum and no dampening. Default false. */
  nesterov?: boolean;
  /** L2 penalty: this times the parameter is added to its gradient. Default 0. */
  weightDecay?: number;
}

const names: OptionNames<SGDOptions> = { lr: true, momentum: true, dampening: true, nesterov: 'boolean', weightDecay: true };

function complete(operation: string, options: SGDOptions): Required<SGDOptions> {
  checkOptions(operation, options, names);
  const { lr, momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 } = options;
  atLeastZero(operation, 'lr', lr);
  atLeastZero(operation, 'momentum', momentum);
  atLeastZero(operation, 'weightDecay', weightDecay);
  if (!Number.isFinite(dampening)) throw rangeError(operation, 'dampening', dampening, 'a finite number');
  if (nesterov && (momentum === 0 || dampening !== 0)) {
    const expected = `false with momentum ${momentum} and dampening ${dampening}: it needs momentum, undampened`;
    throw rangeError(operation, 'nesterov', nesterov, expected);
  }
  return { lr, momentum, dampening, nesterov, weightDecay };
}

/**
 * Stochastic gradient descent: `v = momentum · v + (1 - dampening) · g; p = p - lr · v`, where v starts as the first gradient.
 *
 * ```ts
 * const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
 * ```
 */
export class SGD extends Optimizer<SGDOptions> {
  /**
   * @throws TypeError, RangeError where these are not float32 or float64 tensors, each once and at least one, or an option is out of range;
   * ReceptiveError `ERR_AUTOGRAD` where an operation made one of the tensors.
   */
  constructor(params: Updated<SGDOptions>, options: SGDOptions) {
    super('SGD', params, options, complete);
  }

  /** @internal */
  protected kept({ momentum }: Required<SGDOptions>): readonly string[] {
    return momentum === 0 ? [] : ['velocity'];
  }

  /** @internal */
  protected update(parameter: Tensor, grad: Tensor, slot: Slot, { lr, options }: Group<SGDOptions>): void {
    const { momentum, dampening, nesterov, weightDecay } = options;
    const before = slot.tensors.velocity;
    // Zeros, although the first update would fill it: where that one is left out, the next finds them.
    const velocity = before ?? (momentum === 0 ? null : zerosLike(parameter));
    const first = Number(before === undefined);
    native.ops.sgd(parameter.id, grad.id, velocity?.id ?? 0, lr, momentum, dampening, weightDecay, Number(nesterov), first);
    if (velocity) slot.tensors.velocity = velocity;
  }
}

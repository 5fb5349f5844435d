import { sub } from '../ops/binary';
import { abs, square } from '../ops/unary';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { checkPair, checkReduction, type Reduction, reduced } from './reduction';

export interface LossOptions {
  /** Default 'mean'. */
  reduction?: Reduction;
}

function define(name: string, measure: (difference: Tensor) => Tensor) {
  return (input: Tensor, target: Tensor, { reduction = 'mean' }: LossOptions = {}): Tensor => {
    checkReduction(name, reduction);
    checkPair(name, input, target);
    return tidy(() => reduced(measure(sub(input, target)), reduction));
  };
}

/** The squared error (input - target)², of two tensors of one shape. */
export const mse = define('mse', square);
/** The absolute error |input - target|; its gradient where they are equal is 0. */
export const l1 = define('l1', abs);

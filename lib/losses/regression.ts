import { sub } from '../ops/binary';
import { abs, square } from '../ops/unary';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { checkPair, checkReduction, type Reduction, reduced } from './reduction';

export interface LossOptions {
  /** Default 'mean'. */
  reduction?: Reduction;
}

export const lossOptionNames: OptionNames<LossOptions> = { reduction: true };

function define(name: string, measure: (difference: Tensor) => Tensor) {
  return (input: Tensor, target: Tensor, options: LossOptions = {}): Tensor => {
    checkOptions(name, options, lossOptionNames);
    const { reduction = 'mean' } = options;
    checkReduction(name, reduction);
    checkPair(name, input, target);
    return tidy(() => reduced(measure(sub(input, target)), reduction));
  };
}

/**
 * The squared error (input - target)².
 *
 * input and target [...], of one shape and type, give a scalar, or [...] with reduction 'none'.
 * @throws RangeError where the shapes differ: nothing is broadcast.
 * @example
 * losses.mse(tensor([1, 2]), tensor([1, 4])); // 2
 */
export const mse = define('mse', square);
/**
 * The absolute error |input - target|; its gradient where they are equal is 0.
 *
 * input and target [...], of one shape and type, give a scalar, or [...] with reduction 'none'.
 * @throws RangeError where the shapes differ: nothing is broadcast.
 * @example
 * losses.l1(tensor([1, 2]), tensor([1, 4])); // 1
 */
export const l1 = define('l1', abs);

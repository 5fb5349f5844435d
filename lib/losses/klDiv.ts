import { rangeError } from '../errors';
import { commonFloat } from '../op';
import { mul, sub } from '../ops/binary';
import { elementwise } from '../ops/elementwise';
import { sum } from '../ops/reduce';
import { exp } from '../ops/unary';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { checkPair, type Reduction, reduced, reductions } from './reduction';

/** Options of `klDiv`. */
export interface KlDivOptions {
  /** Whether the target, as the input, holds logarithms of probabilities. Default false. */
  logTarget?: boolean;
  /** 'batchmean' is the sum over the length of the first axis, as the divergence is defined. Default 'mean', over all elements. */
  reduction?: Reduction | 'batchmean';
}

const names: OptionNames<KlDivOptions> = { logTarget: true, reduction: true };

/** x · log(x), 0 at 0. */
const xlogx = elementwise('xlogx', 25, 'input');

/**
 * The divergence of a distribution from the target's, target · (log target - input), element by element. Kullback and Leibler, On
 * information and sufficiency (1951).
 *
 * input [...], logarithms of probabilities, and target [...], of one shape and type, give a scalar, or [...] with reduction 'none'. A
 * target of 0 costs nothing.
 * @throws RangeError where the shapes differ.
 * @example
 * losses.klDiv(ops.logSoftmax(randn([8, 10])), ops.softmax(randn([8, 10])), { reduction: 'batchmean' }).backward();
 */
export function klDiv(input: Tensor, target: Tensor, options: KlDivOptions = {}): Tensor {
  checkOptions('klDiv', options, names);
  const { logTarget = false, reduction = 'mean' } = options;
  if (reduction !== 'batchmean' && !Object.hasOwn(reductions, reduction)) {
    throw rangeError('klDiv', 'reduction', reduction, "'none', 'mean', 'batchmean' or 'sum'");
  }
  checkPair('klDiv', input, target);
  commonFloat('klDiv', [input, target]);
  return tidy(() => {
    const losses = logTarget ? mul(exp(target), sub(target, input)) : sub(xlogx(target), mul(target, input));
    return reduction === 'batchmean' ? mul(sum(losses), 1 / (input.shape[0] ?? 1)) : reduced(losses, reduction);
  });
}

import { add, maximum, mul, sub } from '../ops/binary';
import { abs, exp, log, neg } from '../ops/unary';
import { checkOptions } from '../options';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { checkPair, checkReduction, reduced } from './reduction';
import { type LossOptions, lossOptionNames } from './regression';

/**
 * Binary cross-entropy of σ(logits) against targets from 0 to 1, without computing σ: max(x,0) - x·t + log(1 + e^-|x|), which cannot
 * overflow. (`maximum` halves its gradient between equal operands, which makes the derivative at 0 the right one, 1/2 - t.)
 *
 * logits and targets have one shape and type.
 * @example
 * losses.bceWithLogits(randn([8, 1]), zeros([8, 1])).backward();
 */
export function bceWithLogits(logits: Tensor, targets: Tensor, options: LossOptions = {}): Tensor {
  checkOptions('bceWithLogits', options, lossOptionNames);
  const { reduction = 'mean' } = options;
  checkReduction('bceWithLogits', reduction);
  checkPair('bceWithLogits', logits, targets);
  return tidy(() => {
    const margin = sub(maximum(logits, 0), mul(logits, targets));
    return reduced(add(margin, log(add(exp(neg(abs(logits))), 1))), reduction);
  });
}

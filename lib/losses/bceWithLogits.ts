import { shapeError } from '../errors';
import { checkTensor, commonFloat } from '../op';
import { softplus } from '../ops/activation';
import { add, mul, sub } from '../ops/binary';
import { neg } from '../ops/unary';
import { checkOptions, type OptionNames } from '../options';
import { broadcastShapes, sameShape, showShape } from '../shape';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { checkPair, checkReduction, reduced } from './reduction';
import { type LossOptions, lossOptionNames } from './regression';

/** Options of `bceWithLogits`. */
export interface BceWithLogitsOptions extends LossOptions {
  /** How much each element counts; stretches to the logits' shape. Default: all the same. */
  weight?: Tensor | null;
  /** How much the targets of 1 count beside those of 0, say [C] for each class; stretches to the logits' shape. Default: the same. */
  posWeight?: Tensor | null;
}

const names: OptionNames<BceWithLogitsOptions> = { ...lossOptionNames, weight: true, posWeight: true };

/**
 * Binary cross-entropy of σ(logits) against targets from 0 to 1, -w·(p·t·log σ(x) + (1-t)·log(1-σ(x))), without computing σ: with
 * -log σ(x) = log(1 + e^-x), the softplus of -x, it neither overflows nor cancels.
 *
 * logits and targets [...], of one shape and type, give a scalar, or [...] with reduction 'none'. The mean is over all elements, whatever
 * they weigh. No gradient reaches the weights.
 * @throws RangeError where the shapes of logits and targets differ, or a weight does not stretch to them.
 * @example
 * losses.bceWithLogits(randn([8, 1]), zeros([8, 1])).backward();
 */
export function bceWithLogits(logits: Tensor, targets: Tensor, options: BceWithLogitsOptions = {}): Tensor {
  checkOptions('bceWithLogits', options, names);
  const { reduction = 'mean', weight = null, posWeight = null } = options;
  checkReduction('bceWithLogits', reduction);
  checkPair('bceWithLogits', logits, targets);
  if (weight) checkWeight('weight', weight, logits);
  if (posWeight) checkWeight('posWeight', posWeight, logits);
  commonFloat('bceWithLogits', [logits, targets, weight, posWeight]);
  return tidy(() => {
    const missed = mul(targets, exactSoftplus(neg(logits)));
    const raised = mul(sub(1, targets), exactSoftplus(logits));
    const losses = add(posWeight ? mul(missed, posWeight.detach()) : missed, raised);
    return reduced(weight ? mul(losses, weight.detach()) : losses, reduction);
  });
}

const exactSoftplus = (x: Tensor): Tensor => softplus(x, 1, Infinity);

function checkWeight(what: string, weight: Tensor, logits: Tensor): void {
  checkTensor('bceWithLogits', what, weight);
  if (sameShape(broadcastShapes('bceWithLogits', weight.shape, logits.shape), logits.shape)) return;
  throw shapeError(
    'bceWithLogits',
    `${what} has shape ${showShape(weight.shape)}, which does not stretch to the logits' ${showShape(logits.shape)}`,
  );
}

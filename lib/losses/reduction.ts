import { rangeError, shapeError } from '../errors';
import { checkTensor } from '../op';
import { mean, sum } from '../ops/reduce';
import { sameShape, showShape } from '../shape';
import type { Tensor } from '../tensor';

/** What becomes of the losses of single elements: they stay, or their mean or sum is taken. */
export type Reduction = 'none' | 'mean' | 'sum';

export const reductions: Readonly<Record<Reduction, number>> = { none: 0, mean: 1, sum: 2 };

export function checkReduction(operation: string, reduction: Reduction): void {
  if (!Object.hasOwn(reductions, reduction)) throw rangeError(operation, 'reduction', reduction, "'none', 'mean' or 'sum'");
}

export function reduced(losses: Tensor, reduction: Reduction): Tensor {
  return reduction === 'none' ? losses : reduction === 'mean' ? mean(losses) : sum(losses);
}

/** Losses compare like with like: a broadcast here is nearly always a mistake. */
export function checkPair(operation: string, input: Tensor, target: Tensor): void {
  checkTensor(operation, 'input', input);
  checkTensor(operation, 'target', target);
  if (!sameShape(input.shape, target.shape)) {
    throw shapeError(operation, `target has shape ${showShape(target.shape)}, expected that of the input, ${showShape(input.shape)}`);
  }
}

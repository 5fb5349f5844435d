import { checkTensor } from '../op';
import { argmax } from '../ops/argmax';
import { equal } from '../ops/binary';
import { cast } from '../ops/cast';
import { mean } from '../ops/reduce';
import type { Tensor } from '../tensor';

/** A number that says how good a model's output is: a scalar, the mean over the batch. */
export type Metric = (output: Tensor, target: Tensor) => Tensor;

/**
 * The share of samples whose largest output is that of their class. output [N,C], labels int32 [N] or probabilities [N,C], of which the
 * largest counts.
 */
export const accuracy: Metric = (output, labels) => {
  checkTensor('accuracy', 'labels', labels);
  checkTensor('accuracy', 'output', output);
  const classes = labels.rank === output.rank ? argmax(labels) : labels;
  return mean(cast(equal(argmax(output), classes), 'float32'));
};

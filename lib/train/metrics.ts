import { argmax } from '../ops/argmax';
import { equal } from '../ops/binary';
import { cast } from '../ops/cast';
import { mean } from '../ops/reduce';
import { rowsOf } from './labels';
import type { BatchMetric } from './metric';

export { type Average, type AverageOptions, confusionMatrix, f1, precision, recall } from './confusion';
export { topK } from './topK';

/**
 * The share of samples whose largest output is that of their class.
 *
 * output [...,C], labels int32 [...], or probabilities [...,C], of which the largest counts.
 */
export const accuracy: BatchMetric = (output, target) => {
  const { scores, labels } = rowsOf('accuracy', output, target);
  return mean(cast(equal(argmax(scores), labels), 'float32'));
};

import { dtypeError, rangeError, shapeError } from '../errors';
import { native } from '../native';
import { apply, commonFloat, type Op } from '../op';
import { greater } from '../ops/binary';
import { cast } from '../ops/cast';
import { mean } from '../ops/reduce';
import { showShape } from '../shape';
import type { Tensor } from '../tensor';
import { rowsOf } from './labels';
import type { BatchMetric } from './metric';

/** How many classes have a higher score than the label's: scores [N,C], labels int32 [N] give int32 [N]. */
const rank: Op<[Tensor, Tensor], void> = {
  name: 'labelRank',
  infer([scores, labels]) {
    commonFloat('labelRank', [scores]);
    if (labels.dtype !== 'int32') throw dtypeError('labelRank', `labels are ${labels.dtype}, expected int32 (see ops.cast)`);
    if (scores.shape[1] === 0) throw shapeError('labelRank', `output ${showShape(scores.shape)} has no classes`);
    return { shape: labels.shape, dtype: 'int32' };
  },
  forward({ inputs: [scores, labels], output }) {
    native.ops.label_rank(scores.id, labels.id, output.id);
  },
};

/**
 * The share of samples whose class is among the k of the largest output; of equal outputs the lower classes come first, so that topK(1)
 * is `accuracy`.
 *
 * output [...,C], labels int32 [...] from 0 to C-1, or probabilities [...,C], of which the largest counts.
 * @param k A positive integer.
 * @example
 * new Trainer(model, { optimizer, loss, metrics: { accuracy: metrics.accuracy, top5: metrics.topK(5) } });
 */
export function topK(k: number): BatchMetric {
  if (!Number.isSafeInteger(k) || k < 1 || k >= 2 ** 31) throw rangeError('topK', 'k', k, 'a positive integer');
  return (output, target) => {
    const { scores, labels } = rowsOf('topK', output, target);
    return mean(cast(greater(k, apply(rank, [scores, labels], undefined)), 'float32'));
  };
}

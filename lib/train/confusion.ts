import { dtypeError, rangeError } from '../errors';
import { native } from '../native';
import { apply, type Op } from '../op';
import { argmax } from '../ops/argmax';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { rowsOf } from './labels';
import type { Tally } from './metric';

/** labels and guesses int32 [N] give counts int32 [C,C], a row a label. */
const confusion: Op<[Tensor, Tensor], number> = {
  name: 'confusion',
  infer([labels], classes) {
    if (labels.dtype !== 'int32') throw dtypeError('confusion', `labels are ${labels.dtype}, expected int32 (see ops.cast)`);
    return { shape: [classes, classes], dtype: 'int32' };
  },
  forward({ inputs: [labels, guesses], output }) {
    native.ops.confusion(labels.id, guesses.id, output.id);
  },
};

function count(output: Tensor, target: Tensor): Tensor {
  const { scores, labels } = rowsOf('confusionMatrix', output, target);
  return apply(confusion, [labels, argmax(scores)], scores.shape[1]!);
}

/**
 * How many samples of each class were taken for which: row i, column j counts those of class i whose largest output was that of j.
 *
 * output [...,C], labels int32 [...] from 0 to C-1, or probabilities [...,C], of which the largest counts.
 * @example
 * const { confusion } = await evaluate(model, test, { loss, metrics: { confusion: metrics.confusionMatrix } });
 */
export const confusionMatrix: Tally<number[][]> = {
  count,
  finish: (sum, [classes]) => Array.from({ length: classes! }, (_, i) => Array.from(sum.subarray(i * classes!, (i + 1) * classes!))),
};

/** Of classes one number: their mean, classes that neither occur nor were guessed left out; or as if they were one class. Or one number each. */
export type Average = 'macro' | 'micro' | 'none';

/** Options of metrics that average over classes. */
export interface AverageOptions<A extends Average = Average> {
  /** Default 'macro'. */
  average?: A;
}

const names: OptionNames<AverageOptions> = { average: true };

/** What a class got: samples of it that were found, others taken for it, and samples of it that were missed. */
interface Found {
  readonly right: number;
  readonly wrong: number;
  readonly missed: number;
}

const total = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0);

function define(name: string, of: (found: Found) => number) {
  const score = (found: Found): number => of(found) || 0; // NaN is 0 of 0
  const finish = (matrix: number[][], average: Average): number | number[] => {
    const classes = matrix.map((row, i): Found => {
      const right = row[i]!;
      return { right, wrong: total(matrix.map((other) => other[i]!)) - right, missed: total(row) - right };
    });
    if (average === 'none') return classes.map(score);
    if (average === 'micro') {
      const sum = (key: keyof Found) => total(classes.map((found) => found[key]));
      return score({ right: sum('right'), wrong: sum('wrong'), missed: sum('missed') });
    }
    const present = classes.filter(({ right, wrong, missed }) => right + wrong + missed > 0);
    return total(present.map(score)) / present.length;
  };
  function metric(options: AverageOptions<'none'> & { average: 'none' }): Tally<number[]>;
  function metric(options?: AverageOptions<'macro' | 'micro'>): Tally<number>;
  function metric(options: AverageOptions = {}): Tally<number | number[]> {
    checkOptions(name, options, names);
    const { average = 'macro' } = options;
    if (!['macro', 'micro', 'none'].includes(average)) throw rangeError(name, 'average', average, "'macro', 'micro' or 'none'");
    return { count, finish: (sum, shape) => finish(confusionMatrix.finish(sum, shape), average) };
  }
  return metric;
}

/**
 * Of the samples taken for a class, the share that is of it; 0 where there are none. Takes what `confusionMatrix` does.
 * @example
 * metrics: { precision: metrics.precision({ average: 'none' }) } // a list, one number a class
 */
export const precision = define('precision', ({ right, wrong }) => right / (right + wrong));

/** Of the samples of a class, the share that was found; 0 where there are none. Takes what `confusionMatrix` does. */
export const recall = define('recall', ({ right, missed }) => right / (right + missed));

/** The harmonic mean of precision and recall, 2 right / (2 right + wrong + missed). Takes what `confusionMatrix` does. */
export const f1 = define('f1', ({ right, wrong, missed }) => (2 * right) / (2 * right + wrong + missed));

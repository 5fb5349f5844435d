import { rangeError } from '../errors';
import { apply, checkShapeOf, checkTensor, commonFloat } from '../op';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { lookup } from './gather';

/** Options of `embedding`. */
export interface EmbeddingOptions {
  /** A row that stands for padding and gets no gradient; a negative one counts from the end. Default: none. */
  paddingIdx?: number | null;
}

/** @internal */
export const embeddingOptionNames: OptionNames<EmbeddingOptions> = { paddingIdx: true };

/** @internal The row of a table that a padding index names; null for none. */
export function paddingRow(operation: string, paddingIdx: number | null | undefined, rows: number): number | null {
  if (paddingIdx == null) return null;
  if (!Number.isInteger(paddingIdx) || paddingIdx < -rows || paddingIdx >= rows) {
    throw rangeError(operation, 'paddingIdx', paddingIdx, `an integer from ${-rows} to ${rows - 1}, or null`);
  }
  return paddingIdx < 0 ? paddingIdx + rows : paddingIdx;
}

const op = lookup('embedding');

/**
 * Rows of a table by their numbers, as words are looked up: y[…,d] = weight[index[…],d]. A row's gradient is the sum over the places it
 * went to; of the table's gradient only the rows in use are touched once it is filled with zeros.
 *
 * index int32 of any shape, weight [V,D] give [...index.shape,D]. A number that is no row of the table is an error when the result is
 * read.
 * @throws TypeError where the index is not int32.
 * @example
 * ops.embedding(tensor(Int32Array.of(4, 2, 0), [1, 3]), randn([10, 8]), { paddingIdx: 0 }).shape; // [1, 3, 8]
 */
export function embedding(index: Tensor, weight: Tensor, options: EmbeddingOptions = {}): Tensor {
  checkTensor('embedding', 'index', index);
  checkShapeOf('embedding', 'weight', weight, 'V,D');
  commonFloat('embedding', [weight]);
  checkOptions('embedding', options, embeddingOptionNames);
  return apply(op, [weight, index], { constant: paddingRow('embedding', options.paddingIdx, weight.shape[0]!) ?? -1 });
}

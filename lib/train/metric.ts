import type { TypedArray } from '../dtype';
import type { Shape } from '../shape';
import type { Tensor } from '../tensor';

/** A score of a batch, a scalar: the score of all data is the mean over batches, by their numbers of samples. */
export type BatchMetric = (output: Tensor, target: Tensor) => Tensor;

/**
 * A score that is no mean of batches' scores. Of each batch it counts something; the counts of all batches are added up on the native
 * thread, and the sum is read once, when there are no more. (A BatchMetric is the tally that counts its value times the number of samples.)
 *
 * ```ts
 * const largest: Tally<number> = { count: (output) => ops.max(output, { axis: 0 }), finish: (sum) => Math.max(...sum) };
 * ```
 */
export interface Tally<Result> {
  /** What a batch adds: of one shape and type for all batches, int32 where it must stay exact beyond 2^24. */
  count(output: Tensor, target: Tensor): Tensor;
  /** The score, from the sum in row-major order. */
  finish(sum: TypedArray, shape: Shape): Result;
}

/** What a Trainer and `evaluate` can report beside the loss. */
export type Metric<Result = unknown> = BatchMetric | Tally<Result>;

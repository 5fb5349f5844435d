import type { Tensor } from '../tensor';

/** Samples and their targets, the first axis counting both. */
export interface Samples {
  readonly x: Tensor;
  readonly y: Tensor;
}

/** Anything that has a number of samples and can make a batch of some of them. */
export interface Dataset {
  readonly length: number;
  /** The length of each sample, where they differ in it. */
  readonly lengths?: ArrayLike<number>;
  /** Names of the classes, where labels are places in this list. */
  readonly classes?: readonly string[];
  /** New tensors of the samples of these indices, in this order. */
  batch(indices: Int32Array): Samples | Promise<Samples>;
}

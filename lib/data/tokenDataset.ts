import { tensor } from '../create';
import { rangeError, typeError } from '../errors';
import { isIndex } from '../shape';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import type { Dataset, Samples } from './dataset';

/** The number that fills a batch up behind its shorter sequences. */
export const paddingId = 0;

/**
 * Sequences of numbers with a class each. A batch is x int32 [N,L], as long as its longest sequence and at least 1, the others filled up
 * with 0 behind; and y int32 [N].
 */
export class TokenDataset implements Dataset {
  readonly length: number;
  readonly lengths: Int32Array;

  constructor(
    readonly sequences: readonly Int32Array[],
    readonly labels: Int32Array,
  ) {
    if (!Array.isArray(sequences) || !sequences.every((sequence) => sequence instanceof Int32Array)) {
      throw typeError('TokenDataset', 'sequences', sequences, 'a list of Int32Array');
    }
    if (!(labels instanceof Int32Array)) throw typeError('TokenDataset', 'labels', labels, 'an Int32Array');
    if (labels.length !== sequences.length) {
      throw rangeError('TokenDataset', 'the number of labels', labels.length, `${sequences.length}, one a sequence`);
    }
    this.length = sequences.length;
    this.lengths = Int32Array.from(sequences, ({ length }) => length);
  }

  batch(indices: Int32Array): Samples {
    const chosen = Array.from(indices, (i) => {
      if (!isIndex(i) || i >= this.length) throw rangeError('TokenDataset', 'an index', i, `an integer from 0 to ${this.length - 1}`);
      return i;
    });
    return tidy(() => ({
      x: padded(chosen.map((i) => this.sequences[i]!)),
      y: tensor(Int32Array.from(chosen, (i) => this.labels[i]!)),
    }));
  }
}

/** @internal Sequences below each other, int32 [N,L], as long as the longest and at least 1; 0 behind the shorter ones. */
export function padded(sequences: readonly Int32Array[]): Tensor {
  const length = sequences.reduce((most, sequence) => Math.max(most, sequence.length), 1);
  const rows = new Int32Array(sequences.length * length).fill(paddingId);
  for (const [n, sequence] of sequences.entries()) rows.set(sequence, n * length);
  return tensor(rows, [sequences.length, length]);
}

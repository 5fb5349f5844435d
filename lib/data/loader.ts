import { rangeError, typeError } from '../errors';
import { checkOptions, type OptionNames } from '../options';
import { takeRandom } from '../random';
import { scope } from '../scope';
import { Augmentation, type AugmentOptions } from './augment';
import type { Dataset, Samples } from './dataset';
import { identity, identityByLength, permutation, permutationByLength } from './permutation';

/** One batch; its tensors belong to whoever receives it. */
export interface Batch extends Samples {
  /** Number of samples. */
  readonly size: number;
}

export interface DataLoaderOptions {
  batchSize: number;
  /** Whether each pass goes through the samples in a new random order. Default false. */
  shuffle?: boolean;
  /** What happens to images by chance, such as `{ flip: true, crop: { padding: 4 } }`. Default: nothing. */
  augment?: AugmentOptions;
  /** Of orders and augmentation, 0 to 2^53 - 1: the same seed gives the same batches. Default: drawn from what `manualSeed` set. */
  seed?: number;
  /**
   * Whether samples of about the same length share a batch, so that little of it is padding; the dataset then has `lengths`. Shuffled, it
   * is batches that come in random order, and 50 batches' worth of samples drawn at random that are sorted into them. Default false.
   */
  byLength?: boolean;
  /** Whether a last batch of fewer samples is left out. Default false. */
  dropLast?: boolean;
}

const names: OptionNames<DataLoaderOptions> = {
  batchSize: true,
  shuffle: true,
  augment: true,
  byLength: true,
  seed: true,
  dropLast: true,
};

/**
 * Goes through a dataset in batches, any number of times. The next batch is asked for before the one at hand is given out, so that it
 * is prepared while that one is worked on.
 *
 * ```ts
 * for await (const { x, y, size } of new data.DataLoader(train, { batchSize: 64, shuffle: true, seed: 1 })) …
 * ```
 */
export class DataLoader implements AsyncIterable<Batch> {
  /** Passes begun so far; with the seed, it decides the next pass's order and augmentation. Settable, to go on where a run stopped. */
  epoch = 0;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly byLength: boolean;
  readonly seed: number;
  readonly dropLast: boolean;
  readonly #augmentation: Augmentation | null;

  constructor(
    readonly dataset: Dataset,
    options: DataLoaderOptions,
  ) {
    const { length, batch } = dataset ?? {};
    if (!Number.isSafeInteger(length) || typeof batch !== 'function') {
      throw typeError('DataLoader', 'dataset', dataset, 'an object with a length and a function batch(indices)');
    }
    checkOptions('DataLoader', options, names);
    const { batchSize, shuffle = false, augment, byLength = false, seed, dropLast = false } = options;
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) throw rangeError('DataLoader', 'batchSize', batchSize, 'a positive integer');
    if (seed !== undefined && !(Number.isSafeInteger(seed) && seed >= 0)) {
      throw rangeError('DataLoader', 'seed', seed, 'an integer from 0 to 2^53 - 1');
    }
    if (byLength && dataset.lengths?.length !== length) {
      throw typeError(
        'DataLoader',
        "the dataset's lengths",
        dataset.lengths,
        `a number for each of its ${length} samples, since byLength is set`,
      );
    }
    this.batchSize = batchSize;
    this.shuffle = shuffle;
    this.byLength = byLength;
    this.seed = seed ?? (shuffle || augment ? drawSeed() : 0);
    this.dropLast = dropLast;
    this.#augmentation = augment === undefined ? null : new Augmentation(augment, this.seed, dataset);
  }

  /** Batches in a pass. */
  get length(): number {
    const batches = this.dataset.length / this.batchSize;
    return this.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  #order(): Int32Array {
    const { batchSize, dataset, seed, epoch } = this;
    if (this.byLength) {
      const lengths = dataset.lengths!;
      return this.shuffle ? permutationByLength(lengths, batchSize, seed, epoch) : identityByLength(lengths);
    }
    return this.shuffle ? permutation(dataset.length, seed, epoch) : identity(dataset.length);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, void> {
    const { batchSize, dataset, length } = this;
    const order = this.#order();
    const epoch = this.epoch++;
    const prepare = (step: number): Promise<Batch> | null => {
      if (step >= length) return null;
      const first = step * batchSize;
      const indices = order.slice(first, first + batchSize);
      const samples = () => (this.#augmentation ? this.#augmentation.batch(indices, { epoch, first }) : dataset.batch(indices));
      const batch = (async () => ({ ...(await scope.outside(samples)), size: indices.length }))();
      batch.catch(() => {}); // reported where it is awaited
      return batch;
    };
    let next = prepare(0);
    try {
      for (let step = 0; next; step++) {
        const batch: Batch = await next;
        next = prepare(step + 1);
        yield batch;
      }
    } finally {
      await next?.then(
        ({ x, y }) => {
          x.dispose();
          y.dispose();
        },
        () => {},
      );
    }
  }
}

function drawSeed(): number {
  const [low, high, position] = takeRandom(1);
  return ((high & 0x1fffff) * 2 ** 32 + low + position) % Number.MAX_SAFE_INTEGER;
}

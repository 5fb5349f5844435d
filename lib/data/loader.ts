import { rangeError, typeError } from '../errors';
import { checkOptions, type OptionNames } from '../options';
import { type RandomState, randomState, setRandomState, takeRandom } from '../random';
import { scope } from '../scope';
import { Augmentation, type AugmentOptions } from './augment';
import { checkSamples, type Dataset, type Samples } from './dataset';
import { identity, identityByLength, permutation, permutationByLength } from './permutation';

/** One batch; its tensors belong to whoever receives it. */
export interface Batch extends Samples {
  /** Number of samples. */
  readonly size: number;
}

/** Options of a `DataLoader`. */
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
  shuffle: 'boolean',
  augment: true,
  byLength: true,
  seed: true,
  dropLast: 'boolean',
};

/** Where a loader stands, fit for JSON: what it needs to go on with the same batches. */
export interface LoaderState {
  readonly seed: number;
  /** The pass that is under way, or the next one, counted from 0. */
  readonly epoch: number;
  /** The batch of it that is given out next, counted from 0. */
  readonly batch: number;
  /** Batches in a pass. */
  readonly length: number;
  /** Of the common generator, before that batch was put together; null where it has not been yet. */
  readonly random: Readonly<RandomState> | null;
}

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
  readonly dropLast: boolean;
  readonly #augment: AugmentOptions | undefined;
  #seed: number;
  #augmentation: Augmentation | null;
  /** Of the pass under way, the batch that comes next. */
  #ahead: Pick<LoaderState, 'epoch' | 'batch' | 'random'> | null = null;
  /** Where the next pass begins, if not at its start. */
  #begin: Pick<LoaderState, 'batch' | 'random'> = { batch: 0, random: null };

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
    this.dropLast = dropLast;
    this.#augment = augment;
    this.#seed = seed ?? (shuffle || augment ? drawSeed() : 0);
    this.#augmentation = this.#seededAugmentation();
  }

  #seededAugmentation(): Augmentation | null {
    return this.#augment === undefined ? null : new Augmentation(this.#augment, this.#seed, this.dataset);
  }

  /** What orders of samples are drawn from. */
  get seed(): number {
    return this.#seed;
  }

  /** Where the loader stands: in the middle of the latest pass, or between passes. */
  state(): LoaderState {
    const { epoch, batch, random } = this.#ahead ?? { epoch: this.epoch, ...this.#begin };
    return { seed: this.#seed, epoch, batch, length: this.length, random };
  }

  /**
   * Goes on from a state that `state` gave, perhaps in another process: the next pass begins there. The batches are the same where the
   * dataset is; one that draws random numbers does so before the first await of its `batch`.
   * @throws RangeError where a pass has not as many batches as it had.
   */
  restore(state: LoaderState): void {
    const { seed, epoch, batch, length, random } = state ?? {};
    for (const [what, n] of Object.entries({ seed, epoch, batch })) {
      if (!(Number.isSafeInteger(n) && n >= 0)) throw typeError('DataLoader.restore', what, n, 'what state() gave');
    }
    if (length !== this.length) throw rangeError('DataLoader.restore', 'length', length, `${this.length}, the batches of a pass here`);
    this.#seed = seed;
    this.#augmentation = this.#seededAugmentation();
    this.epoch = epoch;
    this.#ahead = null;
    this.#begin = { batch, random };
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

  /** The batches of the next epoch. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, void> {
    const { batchSize, dataset, length } = this;
    const order = this.#order();
    const epoch = this.epoch++;
    const begin = this.#begin;
    this.#begin = { batch: 0, random: null };
    const prepare = (step: number): Promise<Batch> | null => {
      this.#ahead = { epoch, batch: step, random: step < length ? randomState() : null };
      if (step >= length) return null;
      const first = step * batchSize;
      const indices = order.slice(first, first + batchSize);
      const size = indices.length;
      const samples = async () => {
        if (this.#augmentation) return this.#augmentation.batch(indices, { epoch, first });
        const given: unknown = await dataset.batch(indices);
        checkSamples(dataset, given, size);
        return given;
      };
      // the size first: an object that begins with a spread costs several times as much to make and to read
      const batch = (async () => Object.assign({ size, ...(await scope.outside(samples)) }, { size }))();
      batch.catch(() => {}); // reported where it is awaited
      return batch;
    };
    let next = begin.random ? withRandomState(begin.random, () => prepare(begin.batch)) : prepare(begin.batch);
    try {
      for (let step = begin.batch; next; step++) {
        const batch: Batch = await next;
        next = prepare(step + 1);
        yield batch;
      }
    } finally {
      this.#ahead = null;
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

/** Runs fn from a state of the common generator, which then goes on where it was. */
function withRandomState<R>(state: Readonly<RandomState>, fn: () => R): R {
  const now = randomState();
  setRandomState(state);
  try {
    return fn();
  } finally {
    setRandomState(now);
  }
}

function drawSeed(): number {
  const [low, high, position] = takeRandom(1, 'a DataLoader without a seed');
  return ((high & 0x1fffff) * 2 ** 32 + low + position) % Number.MAX_SAFE_INTEGER;
}

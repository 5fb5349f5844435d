import type { Samples } from '../data';
import { rangeError, typeError } from '../errors';
import { checkTensor } from '../op';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { type Pending, reading } from './totals';

/** A batch whose size, where it is left out, is the first dimension of x. */
export interface SizedSamples extends Samples {
  readonly size?: number;
}

/** Batches to go through: a DataLoader, or anything alike. Their tensors are disposed of once they have been used. */
export interface Batches extends AsyncIterable<SizedSamples> {
  /** Number of batches in a pass, where known. */
  readonly length?: number;
  /**
   * Where it stands, fit for JSON, and going on from there: see `DataLoader`. Of batches without these, those that were trained on are
   * gone through and left out when a training is resumed, so they must come in the same order.
   */
  state?(): object;
  /** Goes on from what `state` gave. */
  restore?(state: object): void;
}

/** What is done with batches. */
export interface Steps {
  /** Records the work on a batch; gives scalars to be read. */
  step(batch: Samples): Tensor[];
  /** Takes in what was read of a batch. */
  finish(pending: Pending): Promise<unknown>;
  /** How many batches to leave out first, and what to do then. Default none. */
  readonly skip?: number;
  skipped?(): void;
}

/** Takes steps, each recorded before the scores of the one before are awaited: the native thread never waits for this one. */
export async function pipelined(operation: string, loader: Batches, signal: AbortSignal | undefined, steps: Steps): Promise<void> {
  checkBatches(operation, 'loader', loader);
  signal?.throwIfAborted();
  let previous: Pending | null = null;
  let left = steps.skip ?? 0;
  for await (const batch of loader) {
    const size = sizeOfBatch(operation, batch);
    let current: Pending | null = null;
    try {
      if (left === 0 && !signal?.aborted) current = tidy(() => reading(steps.step(batch), size));
    } finally {
      batch.x.dispose();
      batch.y.dispose();
    }
    if (left > 0 && --left === 0) steps.skipped?.();
    if (previous) await steps.finish(previous);
    previous = current;
    if (signal?.aborted) break;
  }
  if (previous) await steps.finish(previous);
  signal?.throwIfAborted();
}

export function checkBatches(
  operation: string,
  what: string,
  batches: Partial<AsyncIterable<unknown> & Iterable<unknown>> | null | undefined,
): void {
  if (typeof (batches?.[Symbol.asyncIterator] ?? batches?.[Symbol.iterator]) !== 'function') {
    throw typeError(operation, what, batches, 'an iterable of batches, such as a DataLoader');
  }
}

/** The number of samples in a batch, which must be one. */
function sizeOfBatch(operation: string, batch: Partial<SizedSamples> | null | undefined): number {
  checkTensor(operation, "a batch's x", batch?.x);
  checkTensor(operation, "a batch's y", batch?.y);
  const size = batch?.size ?? batch?.x?.shape[0];
  if (!Number.isSafeInteger(size) || size! < 1) throw rangeError(operation, "a batch's size", size, 'a positive integer');
  return size!;
}

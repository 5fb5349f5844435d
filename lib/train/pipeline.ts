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
}

/** Takes steps, each recorded before the scores of the one before are awaited: the native thread never waits for this one. */
export async function pipelined(
  operation: string,
  loader: Batches,
  signal: AbortSignal | undefined,
  step: (batch: Samples) => Tensor[],
  finish: (pending: Pending) => Promise<unknown>,
): Promise<void> {
  checkBatches(operation, loader);
  signal?.throwIfAborted();
  let previous: Pending | null = null;
  for await (const batch of loader) {
    const size = sizeOfBatch(operation, batch);
    let current: Pending | null = null;
    try {
      if (!signal?.aborted) current = tidy(() => reading(step(batch), size));
    } finally {
      batch.x.dispose();
      batch.y.dispose();
    }
    if (previous) await finish(previous);
    previous = current;
    if (signal?.aborted) break;
  }
  if (previous) await finish(previous);
  signal?.throwIfAborted();
}

function checkBatches(operation: string, loader: Partial<AsyncIterable<unknown> & Iterable<unknown>> | null | undefined): void {
  if (typeof (loader?.[Symbol.asyncIterator] ?? loader?.[Symbol.iterator]) !== 'function') {
    throw typeError(operation, 'loader', loader, 'an iterable of batches, such as a DataLoader');
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

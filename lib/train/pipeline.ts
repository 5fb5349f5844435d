import type { Batch } from '../data';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { type Pending, reading } from './averages';

/** Batches to go through: a DataLoader, or anything alike. */
export interface Batches extends AsyncIterable<Batch> {
  /** Number of batches in a pass, where known. */
  readonly length?: number;
}

/** Takes steps, each recorded before the scores of the one before are awaited: the native thread never waits for this one. */
export async function pipelined(
  loader: Batches,
  signal: AbortSignal | undefined,
  step: (batch: Batch) => Tensor[],
  finish: (pending: Pending) => Promise<unknown>,
): Promise<void> {
  signal?.throwIfAborted();
  let previous: Pending | null = null;
  for await (const batch of loader) {
    let current: Pending | null = null;
    try {
      if (!signal?.aborted) current = tidy(() => reading(step(batch), batch.size));
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

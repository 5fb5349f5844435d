import { generator, wordsOf } from './generator';

// Orders of samples: the same for a seed and an epoch on every machine.

/** The numbers from 0 to n - 1 in random order, every order being as likely (Fisher and Yates). */
export function permutation(n: number, seed: number, epoch: number): Int32Array {
  return shuffled(n, generator([...wordsOf(seed), epoch]));
}

/** The same, from random words. */
export function shuffled(n: number, random: () => number): Int32Array {
  const order = identity(n);
  for (let last = n - 1; last > 0; last--) {
    const choices = last + 1;
    const fair = 2 ** 32 - (2 ** 32 % choices); // draws from here on would favour small numbers
    let draw = random();
    while (draw >= fair) draw = random();
    const chosen = draw % choices;
    const moved = order[last]!;
    order[last] = order[chosen]!;
    order[chosen] = moved;
  }
  return order;
}

export const identity = (n: number): Int32Array => new Int32Array(n).map((_, i) => i);

/** All samples, the shortest first. */
export const identityByLength = (lengths: ArrayLike<number>): Int32Array => identity(lengths.length).sort(ascending(lengths));

const ascending =
  (lengths: ArrayLike<number>) =>
  (a: number, b: number): number =>
    lengths[a]! - lengths[b]!;

/** How many batches' worth of samples, drawn at random, are sorted by length together. */
const batchesInPool = 50;

/**
 * An order whose batches hold samples of about the same length: drawn at random, pools of many batches are sorted by length and cut
 * into batches, and those are put in random order. A batch that is not full holds any lengths, and comes last.
 */
export function permutationByLength(lengths: ArrayLike<number>, batchSize: number, seed: number, epoch: number): Int32Array {
  const n = lengths.length;
  const drawn = permutation(n, seed, epoch);
  const full = Math.floor(n / batchSize);
  for (let first = 0; first < full; first += batchesInPool) {
    drawn.subarray(first * batchSize, Math.min(first + batchesInPool, full) * batchSize).sort(ascending(lengths));
  }
  const order = new Int32Array(n);
  // An epoch of its own, for draws that owe nothing to those above.
  permutation(full, seed, -1 - epoch).forEach((batch, i) => {
    order.set(drawn.subarray(batch * batchSize, (batch + 1) * batchSize), i * batchSize);
  });
  order.set(drawn.subarray(full * batchSize), full * batchSize);
  return order;
}

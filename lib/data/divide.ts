import { rangeError } from '../errors';
import { permutation } from './permutation';

/**
 * Which samples go to each part of a `split`: at random this fraction of each class, rounded down, to the test, the rest to training, both
 * in order.
 * @param together Indices of samples that go to one part together, under the class of the first. Default: each sample goes alone.
 */
export function divide(
  { labels, classes }: { labels: Int32Array; classes: readonly string[] },
  fraction: number,
  seed: number,
  together: readonly (readonly number[])[] = Array.from(labels.keys(), (i) => [i]),
): { train: number[]; test: number[] } {
  if (!(fraction >= 0 && fraction <= 1)) throw rangeError('split', 'fraction', fraction, 'a number from 0 to 1');
  if (!(Number.isSafeInteger(seed) && seed >= 0)) throw rangeError('split', 'seed', seed, 'an integer from 0 to 2^53 - 1');
  const counts = classes.map(() => 0);
  for (const label of labels) counts[label]!++;
  const left = counts.map((n) => Math.floor(n * fraction));
  const isTest = new Uint8Array(labels.length);
  for (const i of permutation(together.length, seed, 0)) {
    const group = together[i]!;
    const label = labels[group[0]!]!;
    if (group.length > left[label]!) continue;
    left[label]! -= group.length;
    for (const index of group) isTest[index] = 1;
  }
  const part = (wanted: number) => Array.from(isTest.keys()).filter((i) => isTest[i] === wanted);
  return { train: part(0), test: part(1) };
}

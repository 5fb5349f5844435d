// Random numbers for what is prepared in JavaScript: orders of samples, augmentations. The same on every machine.

const rotate = (x: number, k: number): number => (x << k) | (x >>> (32 - k));

/** xoshiro128** (Blackman and Vigna 2018): 32 random bits at a call. Its state is filled by splitmix32 from the words of the seed. */
export function generator(words: readonly number[]): () => number {
  let mix = 0;
  const next = (): number => {
    mix = (mix + 0x9e3779b9) | 0;
    let z = Math.imul(mix ^ (mix >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
  for (const word of words) {
    mix ^= word;
    mix = next();
  }
  let [a, b, c, d] = [next(), next(), next(), next()];
  return () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result;
  };
}

/** The words of a seed of up to 53 bits. */
export const wordsOf = (seed: number): [low: number, high: number] => [seed >>> 0, Math.floor(seed / 2 ** 32)];

/** A number from 0 to, not including, 1. */
export const fraction = (random: () => number): number => random() / 2 ** 32;

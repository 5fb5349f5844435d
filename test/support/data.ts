import { randn, type Tensor, tensor } from '../../lib';

/** Numbers in [0, 1) that depend on the seed only (mulberry32), for data that must not come from the code under test. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** A float64 leaf of normal samples. */
export const leaf = (...shape: number[]): Tensor => randn(shape, { dtype: 'float64', requiresGrad: true });

/** The numbers 0 to n-1 in an order that depends on the seed. */
export function shuffled(n: number, seed = 1): number[] {
  const next = randomNumbers(seed);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** A float64 leaf of values at least 0.1 from each other and from 0, for functions that have corners. */
export const spacedLeaf = (...shape: number[]): Tensor => {
  const size = sizeOf(shape);
  const values = shuffled(size).map((k) => (k - size / 2 + 0.5 + (size % 2 ? 0.5 : 0)) * 0.2 + 0.01);
  return tensor(Float64Array.from(values), shape, { requiresGrad: true });
};

/** A float64 leaf of values from 0.5 to 2, for functions of positive numbers. */
export const positiveLeaf = (...shape: number[]): Tensor => {
  const next = randomNumbers(2);
  return tensor(
    Float64Array.from({ length: sizeOf(shape) }, () => 0.5 + 1.5 * next()),
    shape,
    { requiresGrad: true },
  );
};

/** Small integers in float64: sums and products of them are exact, in any order. */
export const integers = (shape: readonly number[], seed = 3): Float64Array => {
  const next = randomNumbers(seed);
  return Float64Array.from({ length: sizeOf(shape) }, () => Math.floor(next() * 9) - 4);
};

/** The inner product of two lists of numbers. */
export function inner(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/**
 * The error function: up to 1 by its power series, beyond by the continued fraction of 1 - erf, both to double precision (Abramowitz and
 * Stegun 7.1.6 and 7.1.14).
 */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (Number.isNaN(x) || z === 0) return x;
  return Math.sign(x) * (z < 1 ? series(z) : 1 - tail(z));
}

/** The probability that a normal variable is below x. */
export const normalBelow = (x: number): number => (x < -Math.SQRT2 ? tail(-x / Math.SQRT2) / 2 : (1 + erf(x / Math.SQRT2)) / 2);

/** The normal density. */
export const normalDensity = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

function series(z: number): number {
  let [sum, term] = [z, z];
  for (let n = 1; term > 1e-18 * sum; n++) {
    term *= (2 * z * z) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum;
}

function tail(z: number): number {
  let fraction = z;
  for (let n = 400; n > 0; n--) fraction = z + n / 2 / fraction;
  return Math.exp(-z * z) / fraction / Math.sqrt(Math.PI);
}

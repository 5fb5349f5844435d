import { rangeError } from '../errors';
import type { Rectifier } from '../op';
import type { Tensor } from '../tensor';
import { elementwise, parametric } from './elementwise';

/** -x. */
export const neg = elementwise('neg', 0, 'input', [], { linear: () => 'all' });
/** |x|; its gradient at 0 is 0. */
export const abs = elementwise('abs', 1, 'input');
/** e to the x. */
export const exp = elementwise('exp', 2, 'output');
/** The natural logarithm; -infinity at 0, NaN below. */
export const log = elementwise('log', 3, 'input');
/** The square root; NaN below 0. */
export const sqrt = elementwise('sqrt', 4, 'output');
/** x². */
export const square = elementwise('square', 5, 'input');
/** 1 / x. */
export const reciprocal = elementwise('reciprocal', 19, 'output');
/** 1 / √x; infinity at 0, NaN below. */
export const rsqrt = elementwise('rsqrt', 20, 'output');
/** The sine of x in radians. */
export const sin = elementwise('sin', 21, 'input');
/** The cosine of x in radians. */
export const cos = elementwise('cos', 22, 'input');
/** The error function, 2/√π · ∫₀ˣ e^-t² dt. */
export const erf = elementwise('erf', 23, 'input');
/** 1, 0 or -1, and NaN of NaN. No gradient: it is 0 wherever there is one. */
export const sign = elementwise('sign', 26, null);
/** The largest integer not above x. No gradient: it is 0 wherever there is one. */
export const floor = elementwise('floor', 27, null);
/** The smallest integer not below x. No gradient: it is 0 wherever there is one. */
export const ceil = elementwise('ceil', 28, null);
/** The nearest integer, halves to even. No gradient: it is 0 wherever there is one. */
export const round = elementwise('round', 29, null);

/** @internal The rectifier that brings values into these ends, where one does. */
export function rectifierBetween([low, high]: readonly number[]): Rectifier | null {
  if (low !== 0) return null;
  return high === Infinity ? 'relu' : high === 6 ? 'relu6' : null;
}

const clampTo = parametric('clamp', 10, 'input', { rectifier: rectifierBetween });

/**
 * x brought into [min, max]: min(max(x, min), max). The gradient passes within, the ends included.
 *
 * x [...] gives the same shape.
 * @param min Default -infinity.
 * @param max Default infinity.
 * @throws RangeError where min is above max.
 * @example
 * ops.clamp(tensor([-2, 0.5, 3]), 0, 1); // [0, 0.5, 1]
 */
export function clamp(x: Tensor, min = -Infinity, max = Infinity): Tensor {
  checkInterval('clamp', min, max);
  return clampTo(x, min, max);
}

/** Throws unless these are numbers, the second not below the first. */
export function checkInterval(operation: string, min: number, max: number): void {
  if (typeof min !== 'number' || Number.isNaN(min)) throw rangeError(operation, 'min', min, 'a number');
  if (typeof max !== 'number' || !(max >= min)) throw rangeError(operation, 'max', max, `a number of at least min, ${min}`);
}

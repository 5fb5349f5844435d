import { rangeError } from '../errors';
import { checkFinite, checkOptions, checkPositive, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { elementwise, parametric } from './elementwise';
import { checkInterval, rectifierBetween } from './unary';

/** max(x, 0), the rectified linear unit; its gradient at 0 is 0. */
export const relu = elementwise('relu', 6, 'output', [], { rectifies: true, rectifier: () => 'relu' });
/**
 * min(max(x, 0), 6); its gradient at both ends is 0. Howard et al., MobileNets (2017).
 * @example
 * ops.relu6(tensor([-1, 3, 8])); // [0, 3, 6]
 */
export const relu6 = elementwise('relu6', 9, 'output', [0, 6], { rectifies: true, rectifier: () => 'relu6' });
/** 1 / (1 + e to the -x). */
export const sigmoid = elementwise('sigmoid', 7, 'output');
/** The hyperbolic tangent. */
export const tanh = elementwise('tanh', 8, 'output');
/** x · sigmoid(x), also called swish. Elfwing, Uchibe and Doya, Sigmoid-weighted linear units (2018). */
export const silu = elementwise('silu', 15, 'input');
/** x · min(max(x + 3, 0), 6) / 6. Howard et al., Searching for MobileNetV3 (2019). */
export const hardSwish = elementwise('hardSwish', 16, 'input');
/** min(max(x + 3, 0), 6) / 6; its gradient at both ends is 0. */
export const hardSigmoid = elementwise('hardSigmoid', 17, 'output');

const hardtanhOf = parametric('hardtanh', 9, 'output', { rectifier: rectifierBetween });

/**
 * x brought into [min, max]; unlike `clamp`, its gradient at both ends is 0.
 *
 * x [...] gives the same shape.
 * @param min Default -1.
 * @param max Default 1.
 * @throws RangeError where min is above max.
 * @example
 * ops.hardtanh(tensor([-2, 0.5, 3])); // [-1, 0.5, 1]
 */
export function hardtanh(x: Tensor, min = -1, max = 1): Tensor {
  checkInterval('hardtanh', min, max);
  return hardtanhOf(x, min, max);
}

// Where the slope is negative the output does not tell on which side of 0 x was.
const leakyOfRising = parametric('leakyRelu', 11, 'output');
const leakyOfFalling = parametric('leakyRelu', 11, 'input');

/**
 * x where it is above 0, else slope · x. Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic models (2013).
 *
 * x [...] gives the same shape. The gradient at 0 is the slope.
 * @param slope Default 0.01.
 * @throws RangeError where the slope is not finite.
 * @example
 * ops.leakyRelu(tensor([-2, 3]), 0.1); // [-0.2, 3]
 */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  checkFinite('leakyRelu', 'slope', slope);
  return (slope < 0 ? leakyOfFalling : leakyOfRising)(x, slope);
}

const eluOf = parametric('elu', 12, 'output');

/**
 * x where it is above 0, else alpha · (e^x - 1). Clevert, Unterthiner and Hochreiter, Exponential linear units (2016).
 *
 * x [...] gives the same shape. The gradient at 0 is alpha.
 * @param alpha Default 1.
 * @throws RangeError where alpha is negative or not finite.
 * @example
 * ops.elu(tensor([-1, 3])); // [-0.632, 3]
 */
export function elu(x: Tensor, alpha = 1): Tensor {
  checkAlpha('elu', alpha);
  return eluOf(x, alpha);
}

/** Throws unless alpha is what `elu` takes. */
export function checkAlpha(operation: string, alpha: number): void {
  if (!(Number.isFinite(alpha) && alpha >= 0)) throw rangeError(operation, 'alpha', alpha, 'a finite number of at least 0');
}

/** Options of `gelu`. */
export interface GeluOptions {
  /** 'tanh' takes the normal distribution for σ(2·√(2/π)·(x + 0.044715·x³)), as GPT-2 did. Default 'none', the exact one. */
  approximate?: 'none' | 'tanh';
}

const geluNames: OptionNames<GeluOptions> = { approximate: true };

const gelus = { none: elementwise('gelu', 13, 'input'), tanh: elementwise('geluTanh', 14, 'input') };

/**
 * x · Φ(x), Φ the normal distribution: the Gaussian error linear unit. Hendrycks and Gimpel (2016).
 *
 * x [...] gives the same shape.
 * @throws RangeError where the approximation is none of these.
 * @example
 * ops.gelu(tensor([-1, 2])); // [-0.159, 1.954]
 */
export function gelu(x: Tensor, options: GeluOptions = {}): Tensor {
  return gelus[checkGelu('gelu', options)](x);
}

/** The approximation that options of `gelu` ask for. */
export function checkGelu(operation: string, options: GeluOptions): 'none' | 'tanh' {
  checkOptions(operation, options, geluNames);
  const { approximate = 'none' } = options;
  if (!Object.hasOwn(gelus, approximate)) throw rangeError(operation, 'approximate', approximate, "'none' or 'tanh'");
  return approximate;
}

const softplusOf = parametric('softplus', 18, 'input');

/**
 * log(1 + e^(beta·x)) / beta, a smooth max(x, 0). Dugas et al. (2000).
 *
 * x [...] gives the same shape.
 * @param beta Default 1.
 * @param threshold Where beta·x is above it the result is x itself. Default 20; Infinity for none, which does not overflow.
 * @throws RangeError where beta is not positive, or the threshold no number.
 * @example
 * ops.softplus(tensor([0, 30])); // [0.693, 30]
 */
export function softplus(x: Tensor, beta = 1, threshold = 20): Tensor {
  checkSoftplus('softplus', beta, threshold);
  return softplusOf(x, beta, threshold);
}

/** Throws unless these are what `softplus` takes. */
export function checkSoftplus(operation: string, beta: number, threshold: number): void {
  checkPositive(operation, 'beta', beta);
  if (typeof threshold !== 'number' || Number.isNaN(threshold)) throw rangeError(operation, 'threshold', threshold, 'a number');
}

import { rangeError } from '../errors';
import { commonFloat } from '../op';
import { mul, sub } from '../ops/binary';
import { parametric } from '../ops/elementwise';
import { abs, square } from '../ops/unary';
import { checkOptions, checkPositive, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { checkPair, checkReduction, type Reduction, reduced } from './reduction';

/** Options of losses over pairs of numbers. */
export interface LossOptions {
  /** Default 'mean'. */
  reduction?: Reduction;
}

export const lossOptionNames: OptionNames<LossOptions> = { reduction: true };

/** The reduced measure of input - target. */
function compare(name: string, input: Tensor, target: Tensor, reduction: Reduction, measure: (difference: Tensor) => Tensor): Tensor {
  checkReduction(name, reduction);
  checkPair(name, input, target);
  commonFloat(name, [input, target]);
  return tidy(() => reduced(measure(sub(input, target)), reduction));
}

function define(name: string, measure: (difference: Tensor) => Tensor) {
  return (input: Tensor, target: Tensor, options: LossOptions = {}): Tensor => {
    checkOptions(name, options, lossOptionNames);
    return compare(name, input, target, options.reduction ?? 'mean', measure);
  };
}

/**
 * The squared error (input - target)².
 *
 * input and target [...], of one shape and type, give a scalar, or [...] with reduction 'none'.
 * @throws RangeError where the shapes differ: nothing is broadcast.
 * @example
 * losses.mse(tensor([1, 2]), tensor([1, 4])); // 2
 */
export const mse = define('mse', square);
/**
 * The absolute error |input - target|; its gradient where they are equal is 0.
 *
 * input and target [...], of one shape and type, give a scalar, or [...] with reduction 'none'.
 * @throws RangeError where the shapes differ: nothing is broadcast.
 * @example
 * losses.l1(tensor([1, 2]), tensor([1, 4])); // 1
 */
export const l1 = define('l1', abs);

/** Options of `huber`. */
export interface HuberOptions extends LossOptions {
  /** The difference at which the square becomes a line. Default 1. */
  delta?: number;
}

/** Options of `smoothL1`. */
export interface SmoothL1Options extends LossOptions {
  /** The difference at which the square becomes a line; 0 for the absolute error itself. Default 1. */
  beta?: number;
}

const huberNames: OptionNames<HuberOptions> = { ...lossOptionNames, delta: true };
const smoothL1Names: OptionNames<SmoothL1Options> = { ...lossOptionNames, beta: true };

/** d² / 2 up to the parameter δ, then δ·(|d| - δ/2). */
const bend = parametric('huber', 24, 'input');

/**
 * Half the squared error where |input - target| is at most delta, beyond it a line of slope delta that continues it: outliers pull no harder
 * than that. Huber, Robust estimation of a location parameter (1964).
 *
 * input and target [...], of one shape and type, give a scalar, or [...] with reduction 'none'.
 * @throws RangeError where the shapes differ, or delta is not positive.
 * @example
 * losses.huber(tensor([1, 2]), tensor([1, 4])); // 0.75
 */
export function huber(input: Tensor, target: Tensor, options: HuberOptions = {}): Tensor {
  checkOptions('huber', options, huberNames);
  const { delta = 1, reduction = 'mean' } = options;
  checkPositive('huber', 'delta', delta);
  return compare('huber', input, target, reduction, (difference) => bend(difference, delta));
}

/**
 * `huber` divided by beta, so that the line has slope 1: close to the absolute error, and smooth where that has its corner. Girshick,
 * Fast R-CNN (2015).
 *
 * input and target [...], of one shape and type, give a scalar, or [...] with reduction 'none'.
 * @throws RangeError where the shapes differ, or beta is negative.
 * @example
 * losses.smoothL1(tensor([1, 2]), tensor([1, 4]), { beta: 0.5 }); // 0.875
 */
export function smoothL1(input: Tensor, target: Tensor, options: SmoothL1Options = {}): Tensor {
  checkOptions('smoothL1', options, smoothL1Names);
  const { beta = 1, reduction = 'mean' } = options;
  if (!(Number.isFinite(beta) && beta >= 0)) throw rangeError('smoothL1', 'beta', beta, 'a finite number of at least 0');
  return compare('smoothL1', input, target, reduction, beta === 0 ? abs : (difference) => mul(bend(difference, beta), 1 / beta));
}

import { rangeError, typeError } from '../errors';
import { checkOptions, type OptionNames } from '../options';
import { atLeastZero } from './optimizer';

// Learning rates as functions of the step, so that any step of a run can be asked for. They compose as functions do; see warmUp.

/** The learning rate of a step, counted from 0, of a run of so many steps. */
export type Schedule = (step: number, steps: number) => number;

/** Options of `step`. */
export interface StepOptions {
  /** Steps between two falls; `30 * loader.length` is every 30 epochs. */
  stepSize: number;
  /** What the rate is multiplied by. Default 0.1. */
  gamma?: number;
}

const stepNames: OptionNames<StepOptions> = { stepSize: true, gamma: true };

/**
 * Falls by the factor gamma every stepSize steps.
 * @param lr The rate of the first step.
 * @example
 * optim.step(0.1, { stepSize: 30 * loader.length }); // 0.1 for 30 epochs, then 0.01
 */
export function step(lr: number, options: StepOptions): Schedule {
  checkOptions('step', options, stepNames);
  const { stepSize, gamma = 0.1 } = options;
  atLeastZero('step', 'lr', lr);
  positive('step', 'stepSize', stepSize);
  atLeastZero('step', 'gamma', gamma);
  return (at) => lr * gamma ** Math.floor(at / stepSize);
}

/** Options of `multiStep`. */
export interface MultiStepOptions {
  /** The steps at which the rate falls. */
  milestones: readonly number[];
  /** What the rate is multiplied by. Default 0.1. */
  gamma?: number;
}

const multiStepNames: OptionNames<MultiStepOptions> = { milestones: true, gamma: true };

/**
 * Falls by the factor gamma at each milestone.
 * @param lr The rate of the first step.
 * @example
 * optim.multiStep(0.1, { milestones: [30, 60, 80].map((epoch) => epoch * loader.length) });
 */
export function multiStep(lr: number, options: MultiStepOptions): Schedule {
  checkOptions('multiStep', options, multiStepNames);
  const { milestones, gamma = 0.1 } = options;
  atLeastZero('multiStep', 'lr', lr);
  if (!Array.isArray(milestones)) throw typeError('multiStep', 'milestones', milestones, 'a list of steps');
  for (const milestone of milestones) atLeastZero('multiStep', 'a milestone', milestone);
  atLeastZero('multiStep', 'gamma', gamma);
  const sorted = [...milestones];
  return (at) => lr * gamma ** sorted.filter((milestone) => milestone <= at).length;
}

/** Options of `exponential`. */
export interface ExponentialOptions {
  /** What the rate is multiplied by over stepSize steps. */
  gamma: number;
  /** Default 1; `loader.length` makes gamma the factor of an epoch. */
  stepSize?: number;
}

const exponentialNames: OptionNames<ExponentialOptions> = { gamma: true, stepSize: true };

/**
 * Falls a little at every step, by the factor gamma in stepSize of them.
 * @param lr The rate of the first step.
 * @example
 * optim.exponential(0.1, { gamma: 0.95, stepSize: loader.length });
 */
export function exponential(lr: number, options: ExponentialOptions): Schedule {
  checkOptions('exponential', options, exponentialNames);
  const { gamma, stepSize = 1 } = options;
  atLeastZero('exponential', 'lr', lr);
  positive('exponential', 'stepSize', stepSize);
  atLeastZero('exponential', 'gamma', gamma);
  return (at) => lr * gamma ** (at / stepSize);
}

/** From one value to another along half a cosine; progress from 0 to 1, beyond which it stays. */
const halfCosine = (from: number, to: number, progress: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * Math.min(progress, 1)))) / 2;

/** Options of `cosine`. */
export interface CosineOptions {
  /** The learning rate at the end. Default 0. */
  final?: number;
}

const cosineNames: OptionNames<CosineOptions> = { final: true };

/**
 * Falls from lr to `final` along half a cosine, and stays there (Loshchilov and Hutter, SGDR, 2017, without restarts).
 * @param lr The rate of the first step.
 * @example
 * optim.cosine(0.1, { final: 1e-4 });
 */
export function cosine(lr: number, options: CosineOptions = {}): Schedule {
  checkOptions('cosine', options, cosineNames);
  const { final = 0 } = options;
  atLeastZero('cosine', 'lr', lr);
  atLeastZero('cosine', 'final', final);
  return (at, steps) => halfCosine(lr, final, at / steps);
}

/** Options of `cosineRestarts`. */
export interface CosineRestartsOptions extends CosineOptions {
  /** Steps of the first fall. */
  period: number;
  /** How many times as long as the one before each further fall is, at least 1. Default 1. */
  growth?: number;
}

const cosineRestartsNames: OptionNames<CosineRestartsOptions> = { ...cosineNames, period: true, growth: true };

/**
 * Falls from lr to `final` along half a cosine, jumps back to lr and falls again (Loshchilov and Hutter, SGDR, 2017).
 * @param lr The rate of the first step of each fall.
 * @example
 * optim.cosineRestarts(0.1, { period: 10 * loader.length, growth: 2 }); // restarts after 10, 30 and 70 epochs
 */
export function cosineRestarts(lr: number, options: CosineRestartsOptions): Schedule {
  checkOptions('cosineRestarts', options, cosineRestartsNames);
  const { period, growth = 1, final = 0 } = options;
  atLeastZero('cosineRestarts', 'lr', lr);
  atLeastZero('cosineRestarts', 'final', final);
  positive('cosineRestarts', 'period', period);
  if (!(growth >= 1 && Number.isFinite(growth))) throw rangeError('cosineRestarts', 'growth', growth, 'a finite number of at least 1');
  return (at) => {
    let [since, length] = [at, period];
    if (growth === 1) since %= length;
    else for (; since >= length; length *= growth) since -= length;
    return halfCosine(lr, final, since / length);
  };
}

/** Options of `oneCycle`. */
export interface OneCycleOptions {
  /** The share of the run in which the rate rises, from 0 to 1. Default 0.3. */
  pctStart?: number;
  /** How many times as high as the first rate the highest is. Default 25. */
  divFactor?: number;
  /** How many times as high as the last rate the first is. Default 10,000. */
  finalDivFactor?: number;
}

const oneCycleNames: OptionNames<OneCycleOptions> = { pctStart: true, divFactor: true, finalDivFactor: true };

/**
 * Rises along half a cosine to lr, then falls along another to almost nothing (Smith and Topin, Super-convergence, 2018): the two phases
 * of PyTorch's OneCycleLR. Momentum stays as it is.
 * @param lr The highest rate.
 * @example
 * optim.oneCycle(0.4, { pctStart: 0.2 });
 */
export function oneCycle(lr: number, options: OneCycleOptions = {}): Schedule {
  checkOptions('oneCycle', options, oneCycleNames);
  const { pctStart = 0.3, divFactor = 25, finalDivFactor = 1e4 } = options;
  atLeastZero('oneCycle', 'lr', lr);
  if (!(pctStart >= 0 && pctStart <= 1)) throw rangeError('oneCycle', 'pctStart', pctStart, 'a number from 0 to 1');
  positive('oneCycle', 'divFactor', divFactor);
  positive('oneCycle', 'finalDivFactor', finalDivFactor);
  const [first, last] = [lr / divFactor, lr / divFactor / finalDivFactor];
  return (at, steps) => {
    const top = pctStart * steps - 1; // the step of the highest rate
    return at < top ? halfCosine(first, lr, at / top) : halfCosine(lr, last, (at - top) / (steps - 1 - top || 1));
  };
}

/** Options of `warmUp`. */
export interface WarmUpOptions {
  /** Steps until the schedule itself begins. */
  steps: number;
  /** What share of the schedule's first rate the rate begins with. Default 1/3. */
  startFactor?: number;
}

const warmUpNames: OptionNames<WarmUpOptions> = { steps: true, startFactor: true };

/**
 * Rises linearly to a schedule's first rate, and then follows it over the rest of the run.
 * @param schedule For a rate that stays, a function that gives it: `() => 0.1`.
 * @example
 * optim.warmUp(optim.cosine(0.1), { steps: 5 * loader.length });
 */
export function warmUp(schedule: Schedule, options: WarmUpOptions): Schedule {
  if (typeof schedule !== 'function') throw typeError('warmUp', 'schedule', schedule, 'a function of step and steps');
  checkOptions('warmUp', options, warmUpNames);
  const { steps: rise, startFactor = 1 / 3 } = options;
  atLeastZero('warmUp', 'steps', rise);
  if (!(startFactor >= 0 && startFactor <= 1)) throw rangeError('warmUp', 'startFactor', startFactor, 'a number from 0 to 1');
  return (at, steps) => {
    const rest = Math.max(steps - rise, 1); // a run that ends before the rise does still asks for the first rate
    return at < rise ? schedule(0, rest) * (startFactor + ((1 - startFactor) * at) / rise) : schedule(at - rise, rest);
  };
}

function positive(operation: string, what: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value))) throw rangeError(operation, what, value, 'a positive number');
}

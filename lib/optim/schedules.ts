import { rangeError } from '../errors';
import { checkOptions, type OptionNames } from '../options';

/** The learning rate of a step, counted from 0, of a run of so many steps. */
export type Schedule = (step: number, steps: number) => number;

export interface CosineOptions {
  /** The learning rate at the end. Default 0. */
  final?: number;
}

const names: OptionNames<CosineOptions> = { final: true };

/** Falls from lr to `final` along half a cosine (Loshchilov and Hutter, SGDR, 2017, without restarts). */
export function cosine(lr: number, options: CosineOptions = {}): Schedule {
  checkOptions('cosine', options, names);
  const { final = 0 } = options;
  for (const [what, value] of Object.entries({ lr, final })) {
    if (!(value >= 0 && Number.isFinite(value))) throw rangeError('cosine', what, value, 'a number of at least 0');
  }
  return (step, steps) => final + ((lr - final) * (1 + Math.cos((Math.PI * step) / steps))) / 2;
}

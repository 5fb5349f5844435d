import { rangeError, typeError } from '../errors';
import { checkOptions, type OptionNames } from '../options';
import { checkMode, isBetter, type Mode } from './best';
import { atLeastZero } from './optimizer';

/** Options of `Plateau`. */
export interface PlateauOptions {
  /** Whether low or high scores are good. Default 'min'. */
  mode?: Mode;
  /** What the rate is multiplied by, from 0 up to, not including, 1. Default 0.1. */
  factor?: number;
  /** Scores in a row that may bring nothing better; the next one that does not lowers the rate. Default 10. */
  patience?: number;
  /** By how much a score must be better than the best one to count. Default 1e-4. */
  threshold?: number;
  /** Whether the threshold is a share of the best score or a difference. Default 'rel'. */
  thresholdMode?: 'rel' | 'abs';
  /** Scores after a fall during which none counts as bad. Default 0. */
  cooldown?: number;
  /** The least all falls together multiply the rate by. Default 0. */
  minScale?: number;
}

/** @internal */
export const plateauNames: OptionNames<PlateauOptions> = {
  mode: true,
  factor: true,
  patience: true,
  threshold: true,
  thresholdMode: true,
  cooldown: true,
  minScale: true,
};

/** Where a plateau stands, fit for JSON. */
export interface PlateauState {
  readonly scale: number;
  readonly best: number | null;
  readonly bad: number;
  readonly cooling: number;
}

/**
 * Lowers the learning rate when a score no longer gets better: the rule of PyTorch's ReduceLROnPlateau. It gives a factor, so it goes with
 * any rate; `Trainer` has it as its option `plateau`.
 *
 * ```ts
 * const plateau = new optim.Plateau({ patience: 3 });
 * for (…) optimizer.lr = 0.1 * plateau.update(validationLoss); // after each epoch
 * ```
 */
export class Plateau {
  readonly #options: Required<PlateauOptions>;
  #state: PlateauState = { scale: 1, best: null, bad: 0, cooling: 0 };

  constructor(options: PlateauOptions = {}) {
    checkOptions('Plateau', options, plateauNames);
    const { mode = 'min', factor = 0.1, patience = 10, threshold = 1e-4, thresholdMode = 'rel', cooldown = 0, minScale = 0 } = options;
    checkMode('Plateau', mode);
    if (!(factor >= 0 && factor < 1)) throw rangeError('Plateau', 'factor', factor, 'a number from 0 up to, not including, 1');
    for (const [what, n] of Object.entries({ patience, cooldown })) {
      if (!(Number.isSafeInteger(n) && n >= 0)) throw rangeError('Plateau', what, n, 'an integer of at least 0');
    }
    atLeastZero('Plateau', 'threshold', threshold);
    if (thresholdMode !== 'rel' && thresholdMode !== 'abs') throw rangeError('Plateau', 'thresholdMode', thresholdMode, "'rel' or 'abs'");
    if (!(minScale >= 0 && minScale <= 1)) throw rangeError('Plateau', 'minScale', minScale, 'a number from 0 to 1');
    this.#options = { mode, factor, patience, threshold, thresholdMode, cooldown, minScale };
  }

  /** What to multiply the rate by. */
  get scale(): number {
    return this.#state.scale;
  }

  /** Takes in a score; what to multiply the rate by from now on. */
  update(score: number): number {
    if (typeof score !== 'number') throw typeError('Plateau.update', 'score', score, 'a number');
    const { mode, factor, patience, threshold, thresholdMode, cooldown, minScale } = this.#options;
    let { scale, best, bad, cooling } = this.#state;
    const margin = thresholdMode === 'rel' ? Math.abs(best ?? 0) * threshold : threshold;
    if (isBetter(score, best, mode, margin)) [best, bad] = [score, 0];
    else bad++;
    if (cooling > 0) [cooling, bad] = [cooling - 1, 0];
    if (bad > patience) [scale, bad, cooling] = [Math.max(scale * factor, minScale), 0, cooldown];
    this.#state = { scale, best, bad, cooling };
    return scale;
  }

  /** What `restore` needs to go on from here. */
  state(): PlateauState {
    return this.#state;
  }

  /** Goes on from what `state` gave. */
  restore(state: PlateauState): void {
    const { scale, best, bad, cooling } = state ?? {};
    if (![scale, best ?? 0, bad, cooling].every(Number.isFinite)) throw typeError('Plateau.restore', 'state', state, 'what state() gave');
    this.#state = { scale, best, bad, cooling };
  }
}

import { rangeError, typeError } from '../errors';
import type { Module, StateDict } from '../nn/module';
import { disposeAll, snapshot } from '../nn/stateDict';
import { isBetter } from '../optim/best';
import { atLeastZero } from '../optim/optimizer';
import { checkOptions, type OptionNames } from '../options';
import { Watch, type WatchOptions } from './watch';

/** When a training stops before its last epoch. */
export interface EarlyStoppingOptions extends WatchOptions {
  /** After so many epochs in a row without a better score the training ends. */
  patience: number;
  /** By how much a score must be better to count. Default 0. */
  minDelta?: number;
  /** Whether the model gets back the weights and buffers of its best epoch when the training ends, early or not. Default true. */
  restoreBest?: boolean;
}

const names: OptionNames<EarlyStoppingOptions> = { metric: true, mode: true, patience: true, minDelta: true, restoreBest: true };

/** The best epoch of a training so far. */
export interface Best {
  /** Counted from 1. */
  readonly epoch: number;
  readonly score: number;
}

/** Where early stopping stands but for the best weights, fit for JSON. */
export interface EarlyStoppingState {
  readonly best: Best | null;
  /** Epochs since then. */
  readonly waited: number;
}

/** Ends a training that no longer gets better (Prechelt, Early stopping - but when?, 1998), and keeps the weights of the best epoch. */
export class EarlyStopping {
  readonly #watch: Watch;
  readonly #options: Required<Pick<EarlyStoppingOptions, 'patience' | 'minDelta' | 'restoreBest'>>;
  #state: EarlyStoppingState = { best: null, waited: 0 };
  #weights: StateDict | null = null;

  constructor(
    private readonly model: Module,
    options: EarlyStoppingOptions,
    metrics: readonly string[],
  ) {
    checkOptions('earlyStopping', options, names);
    const { patience, minDelta = 0, restoreBest = true } = options;
    this.#watch = new Watch('earlyStopping', options, metrics);
    if (!Number.isSafeInteger(patience) || patience < 1) throw rangeError('earlyStopping', 'patience', patience, 'a positive integer');
    atLeastZero('earlyStopping', 'minDelta', minDelta);
    if (typeof restoreBest !== 'boolean') throw typeError('earlyStopping', 'restoreBest', restoreBest, 'true or false');
    this.#options = { patience, minDelta, restoreBest };
  }

  get best(): Best | null {
    return this.#state.best;
  }

  /** Whether the training is to end. */
  get stopped(): boolean {
    return this.#state.waited >= this.#options.patience;
  }

  /** Takes in an epoch's scores; of a better one, the weights as they are now. */
  update(epoch: number, scores: object): void {
    const score = this.#watch.of(scores);
    const { best, waited } = this.#state;
    if (!isBetter(score, best?.score ?? null, this.#watch.mode, this.#options.minDelta)) {
      this.#state = { best, waited: waited + 1 };
      return;
    }
    this.#state = { best: { epoch, score }, waited: 0 };
    if (this.#options.restoreBest) this.#keep(this.model.stateDict());
  }

  #keep(weights: StateDict): void {
    this.dispose();
    this.#weights = snapshot(weights);
  }

  /** Gives the model its best weights back. */
  finish(): void {
    if (this.#weights) this.model.loadStateDict(this.#weights);
  }

  state(): EarlyStoppingState {
    return this.#state;
  }

  /** The best weights, which stay as they are. */
  tensors(): StateDict {
    return this.#weights ?? {};
  }

  restore(state: EarlyStoppingState, weights: StateDict): void {
    this.#state = state;
    if (state.best && this.#options.restoreBest) this.#keep(weights);
  }

  dispose(): void {
    disposeAll(this.tensors());
    this.#weights = null;
  }
}

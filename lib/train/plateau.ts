import { Plateau, type PlateauOptions, type PlateauState, plateauNames } from '../optim/plateau';
import { checkOptions, type OptionNames } from '../options';
import { Watch, type WatchOptions } from './watch';

/** When to lower the learning rate, and by which score. */
export interface WatchedPlateauOptions extends WatchOptions, Omit<PlateauOptions, 'mode'> {}

const names: OptionNames<WatchedPlateauOptions> = { ...plateauNames, metric: true };

/** A plateau that is given the scores of epochs. */
export class WatchedPlateau {
  readonly #watch: Watch;
  readonly #plateau: Plateau;

  constructor(options: WatchedPlateauOptions, metrics: readonly string[]) {
    checkOptions('plateau', options, names);
    const { metric, mode, ...rest } = options;
    this.#watch = new Watch('plateau', { metric, mode }, metrics);
    this.#plateau = new Plateau({ ...rest, mode: this.#watch.mode });
  }

  get scale(): number {
    return this.#plateau.scale;
  }

  /** Takes in an epoch's scores; what to multiply the rate by from now on. */
  update(scores: object): number {
    return this.#plateau.update(this.#watch.of(scores));
  }

  state(): PlateauState {
    return this.#plateau.state();
  }

  restore(state: PlateauState): void {
    this.#plateau.restore(state);
  }
}

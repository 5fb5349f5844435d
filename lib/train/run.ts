import { Watch } from '../anomaly';
import type { Samples } from '../data';
import { ReceptiveError, typeError } from '../errors';
import { fileError } from '../formats/file';
import { inMode, modulesOf } from '../nn/mode';
import type { Module, StateDict } from '../nn/module';
import { disposeAll, prefixed, shared, snapshot, unprefixed } from '../nn/stateDict';
import { clipGradNorm, type Optimizer, type OptimizerState, type PlateauState, type Schedule } from '../optim';
import { type RandomState, randomState, setRandomState } from '../random';
import type { Tensor } from '../tensor';
import type { Checkpoint, Checkpoints } from './checkpoints';
import type { EarlyStopping, EarlyStoppingState } from './earlyStopping';
import type { BatchScores, Measures, Scores } from './measures';
import type { Metric } from './metric';
import { type Batches, pipelined } from './pipeline';
import type { WatchedPlateau } from './plateau';
import { Totals, type TotalsState } from './totals';

/** Scores of one pass over the training data, each batch's taken before its update. */
export type Epoch<M> = Scores<M> & {
  /** Counted from 1. */
  epoch: number;
  steps: number;
  /** Time the training took, validation not included. */
  seconds: number;
  imagesPerSecond: number;
};

/** Scores of one step, before its update. */
export type Step<M> = BatchScores<M> & {
  /** Counted from 1. */
  epoch: number;
  /** Of this epoch, counted from 1. */
  step: number;
  /** In an epoch, where the loader knows. */
  steps: number | undefined;
  /** Trained on in this epoch so far. */
  images: number;
};

/** Options of `Trainer.fit`. */
export interface FitOptions<M> {
  /** Passes over the training data. */
  epochs: number;
  /** Measured after each epoch. */
  validation?: Batches;
  /** Stops the training after the running step; `fit` then throws the signal's reason, and the model is fit for use. */
  signal?: AbortSignal;
  /** Called when a step's loss is known. */
  onStep?: (step: Step<M>) => void;
  /** Whether to go on from the newest checkpoint, if there is one. `epochs` counts those before it as well. Default false. */
  resume?: boolean;
}

/** What a trainer brings to a run. */
export interface Setup<M extends Record<string, Metric>> {
  readonly model: Module;
  readonly optimizer: Optimizer;
  readonly measures: Measures<M>;
  readonly schedule: Schedule | undefined;
  readonly clipNorm: number | undefined;
  readonly detectAnomaly: boolean;
  readonly plateau: WatchedPlateau | null;
  readonly stopping: EarlyStopping | null;
  /** Where to, and after how many updates each. */
  readonly checkpoints: Checkpoints<Progress> | null;
  readonly every: number;
}

/** Where the sources of a training's numbers stand. */
interface Position {
  readonly random: Readonly<RandomState>;
  readonly loader: object | null;
  readonly validation: object | null;
}

/** What a checkpoint says besides its tensors. */
export interface Progress extends Position {
  readonly version: 1;
  readonly epoch: number;
  readonly seconds: number;
  readonly totals: TotalsState;
  readonly optimizer: Omit<OptimizerState, 'tensors'>;
  readonly plateau: PlateauState | null;
  readonly stopping: EarlyStoppingState | null;
}

/** A checkpoint of an update whose scores are not known yet. */
type Unscored = Checkpoint<Omit<Progress, 'totals' | 'seconds'>>;

/** An update that was recorded, and whose scores are not known yet. */
interface Recorded {
  readonly checkpoint: Unscored | null;
  /** What was not finite in it, where that is looked for. */
  readonly fault: Promise<string | null> | null;
}

/** One call of `fit`: how far it has come, and each step on. All that a checkpoint holds is found here. */
export class Run<M extends Record<string, Metric>> {
  /** The epoch under way, counted from 1. */
  #epoch = 1;
  /** Updates made, in all epochs. */
  #updates = 0;
  /** What the epoch under way took before. */
  #seconds = 0;
  #totals: Totals<M>;
  /** After the latest update or epoch. */
  #position: Position;
  /** Batches to leave out: those of the epoch that were trained on, where the loader cannot be told where to begin. */
  #skip = 0;

  constructor(
    private readonly setup: Setup<M>,
    private readonly loader: Batches,
    private readonly options: FitOptions<M>,
  ) {
    if (setup.schedule && loader.length === undefined) {
      throw typeError('fit', "the loader's length", loader.length, 'a number, since there is a schedule');
    }
    this.#totals = new Totals('fit', setup.measures);
    this.#position = this.#here();
  }

  get ended(): boolean {
    return this.#epoch > this.options.epochs || this.setup.stopping?.stopped === true;
  }

  /** Trains for an epoch, or for what is left of it. */
  async train(): Promise<Epoch<M>> {
    const { model, optimizer, checkpoints, every } = this.setup;
    const began = performance.now() - 1000 * this.#seconds;
    const elapsed = () => (performance.now() - began) / 1000;
    const recorded: Recorded[] = [];
    optimizer.zeroGrad();
    const modules = modulesOf(model);
    try {
      await pipelined('fit', this.loader, this.options.signal, {
        step: (batch) => {
          const { scalars, fault } = this.#update(batch, modules);
          this.#position = this.#here();
          recorded.push({ checkpoint: checkpoints && this.#updates % every === 0 ? this.#unscored() : null, fault });
          return scalars;
        },
        finish: async (pending) => {
          const fault = await recorded[0]!.fault;
          const scores = await this.#totals.add(pending);
          if (fault) throw this.#diverged(`${fault},`);
          this.#report(scores);
          const { checkpoint } = recorded.shift()!;
          if (checkpoint) await checkpoints!.write(this.#scored(checkpoint, elapsed()));
        },
        skip: this.#skip,
        skipped: () => setRandomState(this.#position.random),
      });
    } finally {
      for (const { checkpoint } of recorded) if (checkpoint) disposeAll(checkpoint.tensors);
      this.#seconds = elapsed();
      this.#skip = 0;
    }
    const { steps, samples } = this.#totals;
    const seconds = this.#seconds;
    return { epoch: this.#epoch, steps, ...(await this.#totals.result()), seconds, imagesPerSecond: samples / seconds } as Epoch<M>;
  }

  /** Queues one update, and gives the batch's scalars from before it, the loss first. */
  #update(batch: Samples, modules: readonly Module[]): { scalars: Tensor[]; fault: Recorded['fault'] } {
    const { model, optimizer, schedule, clipNorm, detectAnomaly, plateau } = this.setup;
    if (schedule) optimizer.lr = schedule(this.#updates, this.loader.length! * this.options.epochs) * (plateau?.scale ?? 1);
    const watch = detectAnomaly ? new Watch(model) : null;
    const differentiate = () => {
      const scalars = inMode(model, 'training', () => this.#totals.measure(model, batch), modules);
      scalars[0]!.backward();
      return scalars;
    };
    const scalars = watch ? watch.run(differentiate) : differentiate();
    const fault = watch?.found() ?? null;
    fault?.catch(() => {}); // reported where it is awaited
    if (clipNorm !== undefined) clipGradNorm(optimizer.parameters, clipNorm).dispose();
    optimizer.step();
    optimizer.zeroGrad();
    this.#updates++;
    return { scalars, fault };
  }

  #report(scores: BatchScores<M>): void {
    const { steps: step, samples: images } = this.#totals;
    if (!Number.isFinite(scores.loss)) throw this.#diverged(`the loss is ${scores.loss}`);
    this.options.onStep?.({ epoch: this.#epoch, step, steps: this.loader.length, images, ...scores } as Step<M>);
  }

  #diverged(fault: string): ReceptiveError {
    const place = `at epoch ${this.#epoch}, step ${this.#totals.steps}`;
    const advice = this.setup.detectAnomaly
      ? ''
      : '; lower the learning rate, or look for values that are not finite in the data (detectAnomaly: true says which operation gave them)';
    return new ReceptiveError('ERR_DIVERGED', `fit: ${fault} ${place}${advice}`);
  }

  /** Takes in the scores of the epoch, validation included, and turns to the next one. */
  endEpoch(scores: object): void {
    const { optimizer, schedule, plateau, stopping } = this.setup;
    if (plateau) {
      const before = plateau.scale;
      const after = plateau.update(scores);
      if (!schedule && after !== before) optimizer.lr *= after / before;
    }
    stopping?.update(this.#epoch, scores);
    this.#epoch++;
    this.#seconds = 0;
    this.#totals.dispose();
    this.#totals = new Totals('fit', this.setup.measures);
    this.#position = this.#here();
  }

  /** Begins to write a checkpoint of what has been done. */
  async save(): Promise<void> {
    const { checkpoints } = this.setup;
    await checkpoints?.write(this.#scored(this.#unscored(), this.#seconds));
  }

  /** Whether there is nothing that the newest checkpoint does not hold. */
  get saved(): boolean {
    return this.#updates <= Math.max(0, this.setup.checkpoints?.newest ?? Infinity);
  }

  #here(): Position {
    const { loader, options } = this;
    return { random: randomState(), loader: loader.state?.() ?? null, validation: options.validation?.state?.() ?? null };
  }

  #unscored(): Unscored {
    const { model, optimizer, plateau, stopping } = this.setup;
    const { tensors, ...state } = optimizer.stateDict();
    return {
      updates: this.#updates,
      tensors: {
        ...prefixed('model.', snapshot(model.stateDict())),
        ...prefixed('optimizer.', snapshot(tensors)),
        ...prefixed('best.', shared(stopping?.tensors() ?? {})),
        ...prefixed('total.', shared(this.#totals.tensors())),
      },
      progress: {
        version: 1,
        epoch: this.#epoch,
        optimizer: state,
        plateau: plateau?.state() ?? null,
        stopping: stopping?.state() ?? null,
        ...this.#position,
      },
    };
  }

  #scored({ progress, ...rest }: Unscored, seconds: number): Checkpoint<Progress> {
    return { ...rest, progress: { ...progress, totals: this.#totals.state(), seconds } };
  }

  /** Goes on from a checkpoint, whose tensors it frees. */
  restore({ path, updates, tensors, progress }: Checkpoint<Progress> & { path: string }): void {
    try {
      this.#restore(tensors, progress);
    } catch (cause) {
      throw fileError(path, `is not of this training: ${(cause as Error).message}`, cause);
    } finally {
      disposeAll(tensors);
    }
    this.#updates = updates;
    this.#epoch = progress.epoch;
    this.#seconds = progress.seconds;
  }

  #restore(tensors: StateDict, { optimizer, plateau, stopping, totals, random, loader, validation }: Progress): void {
    const { setup, options } = this;
    setup.model.loadStateDict(unprefixed('model.', tensors));
    setup.optimizer.loadStateDict({ ...optimizer, tensors: unprefixed('optimizer.', tensors) });
    if (plateau) setup.plateau?.restore(plateau);
    if (stopping) setup.stopping?.restore(stopping, unprefixed('best.', tensors));
    this.#totals.restore(totals, unprefixed('total.', tensors));
    if (loader && this.loader.restore) this.loader.restore(loader);
    else this.#skip = totals.steps;
    if (validation) options.validation?.restore?.(validation);
    setRandomState(random);
    this.#position = { random, loader, validation };
  }

  /** At the training's end. */
  finish(): void {
    this.setup.stopping?.finish();
  }

  dispose(): void {
    this.#totals.dispose();
    this.setup.stopping?.dispose();
  }
}

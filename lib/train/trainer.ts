import { ReceptiveError, rangeError, typeError } from '../errors';
import { Module } from '../nn/module';
import { Optimizer, type Schedule } from '../optim';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { type CheckpointOptions, Checkpoints, checkCheckpointOptions } from './checkpoints';
import { type Best, EarlyStopping, type EarlyStoppingOptions } from './earlyStopping';
import { type EvaluateOptions, evaluateOptionNames, score } from './evaluate';
import { Measures, type Objective, objectiveNames, type Scores } from './measures';
import type { Metric } from './metric';
import { type Batches, checkBatches } from './pipeline';
import { WatchedPlateau, type WatchedPlateauOptions } from './plateau';
import { type Epoch, type FitOptions, type Progress, Run } from './run';

export interface TrainerOptions<M extends Record<string, Metric>> extends Objective<M> {
  optimizer: Optimizer;
  /** The learning rate of each step of a `fit`, such as `optim.cosine(0.05)`. By default the optimiser's own stays. */
  schedule?: Schedule;
  /** When to multiply the rate by a factor, after an epoch that brought nothing better; see `optim.Plateau`. By default never. */
  plateau?: WatchedPlateauOptions;
  /** The most the norm of all gradients together may be; see `optim.clipGradNorm`. By default anything. */
  clipNorm?: number;
  /** Whether to look at everything a step computes for numbers that are not finite; see `detectAnomaly`. Slower. Default false. */
  detectAnomaly?: boolean;
  /** When to end a training that no longer gets better. By default never. */
  earlyStopping?: EarlyStoppingOptions;
  /** Where to save what is needed to go on after a crash to the same bits; see `fit`'s `resume`. By default nowhere. */
  checkpoint?: CheckpointOptions;
}

const trainerNames: OptionNames<TrainerOptions<never>> = {
  ...objectiveNames,
  optimizer: true,
  schedule: true,
  plateau: true,
  clipNorm: true,
  detectAnomaly: true,
  earlyStopping: true,
  checkpoint: true,
};

const fitNames: OptionNames<FitOptions<never>> = { epochs: true, validation: true, signal: true, onStep: true, resume: 'boolean' };

/**
 * Trains a model and measures it.
 *
 * A model in training mode is trained as it is: modules inside that were put in inference mode, say `model.trunk.eval()`, stay so, and their
 * running statistics as they are. One that is in inference mode itself is put in training mode while it trains, with all that is inside. Each
 * module's mode is set back.
 *
 * ```ts
 * const trainer = new Trainer(model, { optimizer, loss: losses.crossEntropy, metrics: { accuracy: metrics.accuracy } });
 * for await (const epoch of trainer.fit(train, { epochs: 5, validation: test })) console.log(epoch.loss, epoch.validation.accuracy);
 * ```
 */
export class Trainer<M extends Record<string, Metric> = Record<never, Metric>> {
  readonly optimizer: Optimizer;
  readonly #measures: Measures<M>;
  readonly #options: Pick<TrainerOptions<M>, 'schedule' | 'plateau' | 'clipNorm' | 'detectAnomaly' | 'earlyStopping'>;
  readonly #checkpoint: Required<CheckpointOptions> | null;
  /** Of the latest `fit`. */
  #stopping: EarlyStopping | null = null;

  /**
   * @throws TypeError, RangeError for options that cannot be used; ReceptiveError `ERR_INVALID_VALUE` where the model has parameters to learn, or
   * seems to have none, and the optimizer holds none of them.
   */
  constructor(
    readonly model: Module,
    options: TrainerOptions<M>,
  ) {
    if (!(model instanceof Module)) throw typeError('Trainer', 'model', model, 'a Module');
    checkOptions('Trainer', options, trainerNames);
    const { optimizer, schedule, plateau, clipNorm, detectAnomaly = false, earlyStopping, checkpoint } = options;
    if (!(optimizer instanceof Optimizer)) throw typeError('Trainer', 'optimizer', optimizer, 'an optimizer, such as optim.SGD');
    checkOptimizer(model, optimizer);
    if (schedule !== undefined && typeof schedule !== 'function') {
      throw typeError('Trainer', 'schedule', schedule, 'a function of step and steps');
    }
    if (clipNorm !== undefined && !(typeof clipNorm === 'number' && clipNorm >= 0)) {
      throw rangeError('Trainer', 'clipNorm', clipNorm, 'a number of at least 0');
    }
    if (typeof detectAnomaly !== 'boolean') throw typeError('Trainer', 'detectAnomaly', detectAnomaly, 'true or false');
    this.optimizer = optimizer;
    this.#measures = new Measures('Trainer', options);
    this.#options = { schedule, plateau, clipNorm, detectAnomaly, earlyStopping };
    this.#checkpoint = checkpoint === undefined ? null : checkCheckpointOptions(checkpoint);
    this.#makePlateau(); // now, not when it is needed: what is wrong with their options
    this.#makeStopping();
  }

  #makePlateau(): WatchedPlateau | null {
    const { plateau } = this.#options;
    return plateau === undefined ? null : new WatchedPlateau(plateau, this.#measures.all);
  }

  #makeStopping(): EarlyStopping | null {
    const { earlyStopping } = this.#options;
    return earlyStopping === undefined ? null : new EarlyStopping(this.model, earlyStopping, this.#measures.all);
  }

  /** With early stopping, the best epoch of the latest `fit` and its score; else null. */
  get best(): Best | null {
    return this.#stopping?.best ?? null;
  }

  /**
   * Trains for a number of epochs and gives each one's scores as it ends. Steps are queued one ahead of the one that runs; the event loop
   * stays free. A batch's tensors are disposed of after its step.
   *
   * With checkpoints, a run that was killed goes on with `resume: true` from the newest one, in the middle of an epoch too, and comes to
   * the same bits as one that was not, given the same data, options and instruction set. An aborted run leaves a checkpoint of its last
   * step.
   * @throws ReceptiveError `ERR_DIVERGED` when the loss is not a finite number, or anything else where that is looked for; `ERR_FILE` when a
   * checkpoint cannot be written, is not of this training, or is there and `resume` is not set.
   */
  fit(loader: Batches, options: FitOptions<M> & { validation: Batches }): AsyncGenerator<Epoch<M> & { validation: Scores<M> }, void, void>;
  fit(loader: Batches, options: FitOptions<M> & { validation?: undefined }): AsyncGenerator<Epoch<M>, void, void>;
  fit(loader: Batches, options: FitOptions<M>): AsyncGenerator<Epoch<M> & { validation?: Scores<M> }, void, void>;
  async *fit(loader: Batches, options: FitOptions<M>): AsyncGenerator<Epoch<M> & { validation?: Scores<M> }, void, void> {
    checkOptions('fit', options, fitNames);
    const { epochs, validation, signal, resume = false } = options;
    if (!Number.isSafeInteger(epochs) || epochs < 1) throw rangeError('fit', 'epochs', epochs, 'a positive integer');
    checkBatches('fit', 'loader', loader);
    if (validation !== undefined) checkBatches('fit', 'validation', validation);
    const checkpoints = await this.#openCheckpoints(resume);
    const run = this.#begin(loader, options, checkpoints);
    let failed = false;
    try {
      const saved = resume ? await checkpoints!.read() : null;
      if (saved) run.restore(saved);
      while (!run.ended) {
        const trained = await run.train();
        const epoch = validation ? { ...trained, validation: await this.evaluate(validation, { signal }) } : trained;
        run.endEpoch(epoch);
        await run.save();
        yield epoch;
      }
      run.finish();
    } catch (error) {
      failed = true;
      if (signal?.aborted && error === signal.reason && checkpoints && !run.saved) {
        await run.save();
        await checkpoints.settled();
      }
      throw error;
    } finally {
      run.dispose();
      await checkpoints?.settled().catch((error) => {
        if (!failed) throw error;
      });
    }
  }

  async #openCheckpoints(resume: boolean): Promise<Checkpoints<Progress> | null> {
    if (typeof resume !== 'boolean') throw typeError('fit', 'resume', resume, 'true or false');
    if (!this.#checkpoint) {
      if (resume) throw rangeError('fit', 'resume', resume, 'false, since the Trainer has no checkpoint option');
      return null;
    }
    const checkpoints = await Checkpoints.open<Progress>(this.#checkpoint);
    if (!resume) await checkpoints.checkEmpty();
    return checkpoints;
  }

  #begin(loader: Batches, options: FitOptions<M>, checkpoints: Checkpoints<Progress> | null): Run<M> {
    const { schedule, clipNorm, detectAnomaly = false } = this.#options;
    this.#stopping = this.#makeStopping();
    const { model, optimizer } = this;
    const every = this.#checkpoint?.every ?? Infinity;
    const rules = { schedule, clipNorm, detectAnomaly, plateau: this.#makePlateau(), stopping: this.#stopping };
    return new Run({ model, optimizer, measures: this.#measures, ...rules, checkpoints, every }, loader, options);
  }

  /**
   * The mean loss and metrics of the model over all samples, in inference mode; as the function `evaluate`, with this trainer's objective.
   *
   * ```ts
   * const { loss, accuracy } = await trainer.evaluate(test);
   * ```
   * @throws ReceptiveError where the loader gives no samples; the signal's reason once it is aborted.
   */
  async evaluate(loader: Batches, options: EvaluateOptions = {}): Promise<Scores<M>> {
    checkOptions('evaluate', options, evaluateOptionNames);
    return score(this.model, loader, this.#measures, options.signal);
  }
}

/** A model whose own parameters are all frozen may have an optimizer of others, such as a learned prompt. */
function checkOptimizer(model: Module, optimizer: Optimizer): void {
  const parameters = new Set<Tensor>(model.parameters());
  const learns = parameters.size === 0 || [...parameters].some(({ requiresGrad }) => requiresGrad);
  if (!learns || optimizer.parameters.some((parameter) => parameters.has(parameter))) return;
  const hint = 'layers in #private fields, Sets and other objects are not found';
  throw new ReceptiveError('ERR_INVALID_VALUE', `Trainer: the optimizer holds none of what model.parameters() gives (${hint})`);
}

import type { Samples } from '../data';
import { ReceptiveError, rangeError, typeError } from '../errors';
import { inMode } from '../nn/mode';
import { Module } from '../nn/module';
import { Optimizer, type Schedule } from '../optim';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { type EvaluateOptions, evaluateOptionNames, score } from './evaluate';
import { type BatchScores, Measures, type Objective, objectiveNames, type Scores } from './measures';
import type { Metric } from './metric';
import { type Batches, pipelined } from './pipeline';
import { Totals } from './totals';

export interface TrainerOptions<M extends Record<string, Metric>> extends Objective<M> {
  optimizer: Optimizer;
  /** The learning rate of each step of a `fit`, such as `optim.cosine(0.05)`. By default the optimiser's own stays. */
  schedule?: Schedule;
}

const trainerNames: OptionNames<TrainerOptions<never>> = { ...objectiveNames, optimizer: true, schedule: true };

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

export interface FitOptions<M> {
  /** Passes over the training data. */
  epochs: number;
  /** Measured after each epoch. */
  validation?: Batches;
  /** Stops the training after the running step; `fit` then throws the signal's reason, and the model is fit for use. */
  signal?: AbortSignal;
  /** Called when a step's loss is known. */
  onStep?: (step: Step<M>) => void;
}

const fitNames: OptionNames<FitOptions<never>> = { epochs: true, validation: true, signal: true, onStep: true };

/**
 * Trains a model and measures it.
 *
 * ```ts
 * const trainer = new Trainer(model, { optimizer, loss: losses.crossEntropy, metrics: { accuracy: metrics.accuracy } });
 * for await (const epoch of trainer.fit(train, { epochs: 5, validation: test })) console.log(epoch.loss, epoch.validation.accuracy);
 * ```
 */
export class Trainer<M extends Record<string, Metric> = Record<never, Metric>> {
  readonly optimizer: Optimizer;
  readonly #measures: Measures<M>;
  readonly #schedule: Schedule | undefined;

  constructor(
    readonly model: Module,
    options: TrainerOptions<M>,
  ) {
    if (!(model instanceof Module)) throw typeError('Trainer', 'model', model, 'a Module');
    checkOptions('Trainer', options, trainerNames);
    const { optimizer, schedule } = options;
    if (!(optimizer instanceof Optimizer)) throw typeError('Trainer', 'optimizer', optimizer, 'an optimizer, such as optim.SGD');
    if (schedule !== undefined && typeof schedule !== 'function')
      throw typeError('Trainer', 'schedule', schedule, 'a function of step and steps');
    this.optimizer = optimizer;
    this.#measures = new Measures('Trainer', options);
    this.#schedule = schedule;
  }

  /**
   * Trains for a number of epochs and gives each one's scores as it ends. Steps are queued one ahead of the one that runs; the event loop
   * stays free. A batch's tensors are disposed of after its step.
   * @throws ReceptiveError `ERR_DIVERGED` when the loss is not a finite number.
   */
  fit(loader: Batches, options: FitOptions<M> & { validation: Batches }): AsyncGenerator<Epoch<M> & { validation: Scores<M> }, void, void>;
  fit(loader: Batches, options: FitOptions<M> & { validation?: undefined }): AsyncGenerator<Epoch<M>, void, void>;
  fit(loader: Batches, options: FitOptions<M>): AsyncGenerator<Epoch<M> & { validation?: Scores<M> }, void, void>;
  async *fit(loader: Batches, options: FitOptions<M>): AsyncGenerator<Epoch<M> & { validation?: Scores<M> }, void, void> {
    checkOptions('fit', options, fitNames);
    const { epochs, validation, signal, onStep } = options;
    if (!Number.isSafeInteger(epochs) || epochs < 1) throw rangeError('fit', 'epochs', epochs, 'a positive integer');
    const begin = this.#scheduled(loader, epochs);
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const result = await this.#epoch(epoch, loader, begin, signal, onStep);
      if (validation) yield { ...result, validation: await this.evaluate(validation, { signal }) };
      else yield result;
    }
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

  /** What to do before each step: set the learning rate the schedule has for it. */
  #scheduled(loader: Batches, epochs: number): () => void {
    const schedule = this.#schedule;
    if (!schedule) return () => {};
    const { length } = loader;
    if (length === undefined) throw typeError('fit', "the loader's length", length, 'a number, since there is a schedule');
    let step = 0;
    return () => {
      this.optimizer.lr = schedule(step++, length * epochs);
    };
  }

  async #epoch(
    epoch: number,
    loader: Batches,
    begin: () => void,
    signal: AbortSignal | undefined,
    onStep: FitOptions<M>['onStep'],
  ): Promise<Epoch<M>> {
    const totals = new Totals('fit', this.#measures);
    const started = performance.now();
    this.optimizer.zeroGrad();
    try {
      await pipelined(
        'fit',
        loader,
        signal,
        (batch) => {
          begin();
          return this.#train(batch, totals);
        },
        async (pending) => {
          const scores = await totals.add(pending);
          const { steps: step, samples: images } = totals;
          if (!Number.isFinite(scores.loss)) {
            const advice = 'lower the learning rate, or look for values that are not finite in the data';
            throw new ReceptiveError('ERR_DIVERGED', `fit: the loss is ${scores.loss} at epoch ${epoch}, step ${step}; ${advice}`);
          }
          onStep?.({ epoch, step, steps: loader.length, images, ...scores } as Step<M>);
        },
      );
      const seconds = (performance.now() - started) / 1000;
      const { steps, samples } = totals;
      return { epoch, steps, ...(await totals.result()), seconds, imagesPerSecond: samples / seconds } as Epoch<M>;
    } finally {
      totals.dispose();
    }
  }

  /** Queues one update, and gives the batch's loss and metrics from before it. */
  #train(batch: Samples, totals: Totals<M>): Tensor[] {
    const scores = inMode(this.model, 'training', () => totals.measure(this.model, batch));
    scores[0]!.backward();
    this.optimizer.step();
    this.optimizer.zeroGrad();
    return scores;
  }
}

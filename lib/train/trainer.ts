import { noGrad } from '../autograd';
import type { Batch } from '../data';
import { ReceptiveError, rangeError, typeError } from '../errors';
import { Module } from '../nn/module';
import { Optimizer } from '../optim';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { Averages, type Pending, reading } from './averages';
import type { Metric } from './metrics';

/** Batches to go through: a DataLoader, or anything alike. */
export interface Batches extends AsyncIterable<Batch> {
  /** Number of batches in a pass, where known. */
  readonly length?: number;
}

export interface TrainerOptions<M extends Record<string, Metric>> {
  optimizer: Optimizer;
  /** The scalar to make small, of the model's output and the batch's targets: `losses.crossEntropy`. */
  loss: (output: Tensor, target: Tensor) => Tensor;
  /** Reported beside the loss, by name. */
  metrics?: M;
}

/** Mean loss and metrics over samples. */
export type Scores<M> = { loss: number } & { [Name in keyof M]: number };

/** Scores of one pass over the training data, each batch's taken before its update. */
export type Epoch<M> = Scores<M> & {
  /** Counted from 1. */
  epoch: number;
  steps: number;
  /** Time the training took, validation not included. */
  seconds: number;
  imagesPerSecond: number;
};

export type Step<M> = Scores<M> & {
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
  epochs: number;
  /** Stops the training after the running step; `fit` then throws the signal's reason, and the model is fit for use. */
  signal?: AbortSignal;
  /** Called when a step's loss is known. */
  onStep?: (step: Step<M>) => void;
}

type Name<M> = 'loss' | Extract<keyof M, string>;

const reserved: readonly string[] = ['loss', 'epoch', 'step', 'steps', 'images', 'seconds', 'imagesPerSecond', 'validation'];

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
  readonly #loss: TrainerOptions<M>['loss'];
  readonly #metrics: readonly Metric[];
  readonly #names: readonly Name<M>[];

  constructor(
    readonly model: Module,
    { optimizer, loss, metrics }: TrainerOptions<M>,
  ) {
    if (!(model instanceof Module)) throw typeError('Trainer', 'model', model, 'a Module');
    if (!(optimizer instanceof Optimizer)) throw typeError('Trainer', 'optimizer', optimizer, 'an optimizer, such as optim.SGD');
    if (typeof loss !== 'function') throw typeError('Trainer', 'loss', loss, 'a function of output and target');
    const measured = Object.entries(metrics ?? {});
    for (const [name, metric] of measured) {
      if (typeof metric !== 'function') throw typeError('Trainer', `metrics.${name}`, metric, 'a function of output and target');
      if (reserved.includes(name)) throw rangeError('Trainer', 'a metric name', name, `none of ${reserved.join(', ')}`);
    }
    this.optimizer = optimizer;
    this.#loss = loss;
    this.#metrics = measured.map(([, metric]) => metric);
    this.#names = ['loss', ...measured.map(([name]) => name as Name<M>)] as Name<M>[];
  }

  /**
   * Trains for a number of epochs and gives each one's scores as it ends. Steps are queued one ahead of the one that runs; the event loop
   * stays free.
   * @throws ReceptiveError `ERR_DIVERGED` when the loss is not a finite number.
   */
  fit(loader: Batches, options: FitOptions<M> & { validation: Batches }): AsyncGenerator<Epoch<M> & { validation: Scores<M> }, void, void>;
  fit(loader: Batches, options: FitOptions<M> & { validation?: undefined }): AsyncGenerator<Epoch<M>, void, void>;
  fit(
    loader: Batches,
    options: FitOptions<M> & { validation?: Batches },
  ): AsyncGenerator<Epoch<M> & { validation?: Scores<M> }, void, void>;
  async *fit(
    loader: Batches,
    { epochs, validation, signal, onStep }: FitOptions<M> & { validation?: Batches },
  ): AsyncGenerator<Epoch<M> & { validation?: Scores<M> }, void, void> {
    if (!Number.isSafeInteger(epochs) || epochs < 1) throw rangeError('fit', 'epochs', epochs, 'a positive integer');
    const restore = remember(this.model);
    try {
      for (let epoch = 1; epoch <= epochs; epoch++) {
        const result = await this.#epoch(epoch, loader, signal, onStep);
        if (validation) yield { ...result, validation: await this.evaluate(validation, { signal }) };
        else yield result;
      }
    } finally {
      restore();
    }
  }

  /** The mean loss and metrics over all samples, in inference mode. @throws The signal's reason once it is aborted. */
  async evaluate(loader: Batches, { signal }: { signal?: AbortSignal } = {}): Promise<Scores<M>> {
    const restore = remember(this.model);
    const averages = new Averages('evaluate', this.#names);
    try {
      this.model.eval();
      await pipelined(
        loader,
        signal,
        (batch) => noGrad(() => this.#measure(batch)),
        (pending) => averages.add(pending),
      );
      return averages.result() as Scores<M>;
    } finally {
      restore();
    }
  }

  async #epoch(epoch: number, loader: Batches, signal: AbortSignal | undefined, onStep: FitOptions<M>['onStep']): Promise<Epoch<M>> {
    const averages = new Averages('fit', this.#names);
    const started = performance.now();
    this.model.train();
    this.optimizer.zeroGrad();
    await pipelined(
      loader,
      signal,
      (batch) => this.#train(batch),
      async (pending) => {
        const scores = await averages.add(pending);
        const { steps: step, samples: images } = averages;
        if (!Number.isFinite(scores.loss)) {
          const advice = 'lower the learning rate, or look for values that are not finite in the data';
          throw new ReceptiveError('ERR_DIVERGED', `fit: the loss is ${scores.loss} at epoch ${epoch}, step ${step}; ${advice}`);
        }
        onStep?.({ ...scores, epoch, step, steps: loader.length, images } as Step<M>);
      },
    );
    const seconds = (performance.now() - started) / 1000;
    const scores = averages.result();
    return { ...scores, epoch, steps: averages.steps, seconds, imagesPerSecond: averages.samples / seconds } as Epoch<M>;
  }

  /** Queues one update, and gives the batch's loss and metrics from before it. */
  #train(batch: Batch): Tensor[] {
    const scores = this.#measure(batch);
    scores[0]!.backward();
    this.optimizer.step();
    this.optimizer.zeroGrad();
    return scores;
  }

  #measure({ x, y }: Batch): Tensor[] {
    const output = this.model.forward(x);
    const loss = this.#loss(output, y);
    return [loss, ...noGrad(() => this.#metrics.map((metric) => metric(output, y)))];
  }
}

/** Takes steps, each recorded before the scores of the one before are awaited: the native thread never waits for this one. */
async function pipelined(
  loader: Batches,
  signal: AbortSignal | undefined,
  step: (batch: Batch) => Tensor[],
  finish: (pending: Pending) => Promise<unknown>,
): Promise<void> {
  signal?.throwIfAborted();
  let previous: Pending | null = null;
  for await (const batch of loader) {
    let current: Pending | null = null;
    try {
      if (!signal?.aborted) current = tidy(() => reading(step(batch), batch.size));
    } finally {
      batch.x.dispose();
      batch.y.dispose();
    }
    if (previous) await finish(previous);
    previous = current;
    if (signal?.aborted) break;
  }
  if (previous) await finish(previous);
  signal?.throwIfAborted();
}

/** Notes which mode each module is in; the function it gives sets them back. */
function remember(model: Module): () => void {
  const modes = Array.from(model.namedModules(), ([, module]) => [module, module.training] as const);
  return () => {
    for (const [module, training] of modes) module.training = training;
  };
}

import { noGrad } from '../autograd';
import type { Samples } from '../data';
import { rangeError, shapeError, typeError } from '../errors';
import { inMode } from '../nn/mode';
import { Module } from '../nn/module';
import { checkTensor } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { showShape } from '../shape';
import type { Tensor } from '../tensor';
import { Averages } from './averages';
import type { Metric } from './metrics';
import { type Batches, pipelined } from './pipeline';

function checkScalar(operation: string, what: string, value: unknown): void {
  checkTensor(operation, what, value);
  if (value.size !== 1) throw shapeError(operation, `${what} has shape ${showShape(value.shape)}, expected a scalar (see ops.mean)`);
}

/** What a model is to be good at. */
export interface Objective<M extends Record<string, Metric>> {
  /** The scalar to make small, of the model's output and the batch's targets: `losses.crossEntropy`. */
  loss: (output: Tensor, target: Tensor) => Tensor;
  /** Reported beside the loss, by name. */
  metrics?: M;
}

export const objectiveNames: OptionNames<Objective<never>> = { loss: true, metrics: true };

/** Mean loss and metrics over samples. */
export type Scores<M> = { loss: number } & { [Name in keyof M]: number };

type Name<M> = 'loss' | Extract<keyof M, string>;

const reserved: readonly string[] = ['loss', 'epoch', 'step', 'steps', 'images', 'seconds', 'imagesPerSecond', 'validation'];

/** An objective that was checked: the loss and the metrics of a batch, and their names. */
export class Measures<M extends Record<string, Metric>> {
  readonly names: readonly Name<M>[];
  readonly #loss: Objective<M>['loss'];
  readonly #metrics: readonly Metric[];

  constructor(operation: string, { loss, metrics }: Objective<M>) {
    if (typeof loss !== 'function') throw typeError(operation, 'loss', loss, 'a function of output and target');
    if (metrics !== undefined && (typeof metrics !== 'object' || metrics === null)) {
      throw typeError(operation, 'metrics', metrics, 'an object of functions');
    }
    const measured = Object.entries(metrics ?? {});
    for (const [name, metric] of measured) {
      if (typeof metric !== 'function') throw typeError(operation, `metrics.${name}`, metric, 'a function of output and target');
      if (reserved.includes(name)) throw rangeError(operation, 'a metric name', name, `none of ${reserved.join(', ')}`);
    }
    this.#loss = loss;
    this.#metrics = measured.map(([, metric]) => metric);
    this.names = ['loss', ...measured.map(([name]) => name as Name<M>)] as Name<M>[];
  }

  /** Scalars in the order of the names; the loss first, on the tape where gradients are on. */
  of(operation: string, model: Module, { x, y }: Samples): Tensor[] {
    const output = model.forward(x);
    const loss = this.#loss(output, y);
    const scores = [loss, ...noGrad(() => this.#metrics.map((metric) => metric(output, y)))];
    for (const [i, score] of scores.entries()) checkScalar(operation, `what ${i === 0 ? 'loss' : `metrics.${this.names[i]}`} gives`, score);
    return scores;
  }
}

export interface EvaluateOptions {
  /** Stops after the running batch; the promise then rejects with the signal's reason. */
  signal?: AbortSignal;
}

export const evaluateOptionNames: OptionNames<EvaluateOptions> = { signal: true };

/**
 * The mean loss and metrics of a model over all samples, in inference mode.
 *
 * ```ts
 * const { loss, accuracy } = await evaluate(model, test, { loss: losses.crossEntropy, metrics: { accuracy: metrics.accuracy } });
 * ```
 * @throws The signal's reason once it is aborted.
 */
export async function evaluate<M extends Record<string, Metric> = Record<never, Metric>>(
  model: Module,
  loader: Batches,
  options: Objective<M> & EvaluateOptions,
): Promise<Scores<M>> {
  if (!(model instanceof Module)) throw typeError('evaluate', 'model', model, 'a Module');
  checkOptions('evaluate', options, { ...objectiveNames, ...evaluateOptionNames });
  return score(model, loader, new Measures('evaluate', options), options.signal);
}

/** @internal */
export async function score<M extends Record<string, Metric>>(
  model: Module,
  loader: Batches,
  measures: Measures<M>,
  signal: AbortSignal | undefined,
): Promise<Scores<M>> {
  const averages = new Averages('evaluate', measures.names);
  await pipelined(
    'evaluate',
    loader,
    signal,
    (batch) => inMode(model, 'inference', () => noGrad(() => measures.of('evaluate', model, batch))),
    (pending) => averages.add(pending),
  );
  return averages.result() as Scores<M>;
}

import { noGrad } from '../autograd';
import { typeError } from '../errors';
import { inMode } from '../nn/mode';
import { Module } from '../nn/module';
import { checkOptions, type OptionNames } from '../options';
import { Measures, type Objective, objectiveNames, type Scores } from './measures';
import type { Metric } from './metric';
import { type Batches, pipelined } from './pipeline';
import { Totals } from './totals';

/** Options of `evaluate`. */
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
  const totals = new Totals('evaluate', measures);
  try {
    await pipelined('evaluate', loader, signal, {
      step: (batch) => inMode(model, 'inference', () => noGrad(() => totals.measure(model, batch))),
      finish: (pending) => totals.add(pending),
    });
    return await totals.result();
  } finally {
    totals.dispose();
  }
}

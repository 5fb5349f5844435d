import { noGrad } from '../autograd';
import type { Samples } from '../data';
import { rangeError, shapeError, typeError } from '../errors';
import type { Module } from '../nn/module';
import { checkTensor, observe } from '../op';
import type { OptionNames } from '../options';
import { showShape } from '../shape';
import type { Tensor } from '../tensor';
import type { BatchMetric, Metric, Tally } from './metric';

/** What a model is to be good at. */
export interface Objective<M extends Record<string, Metric>> {
  /** The scalar to make small, of the model's output and the batch's targets: `losses.crossEntropy`. */
  loss: (output: Tensor, target: Tensor) => Tensor;
  /** Reported beside the loss, by name: functions like the loss, and tallies. */
  metrics?: M & Record<string, Metric>;
}

export const objectiveNames: OptionNames<Objective<never>> = { loss: true, metrics: true };

/** The loss, a mean over samples, and the metrics. */
export type Scores<M> = { loss: number } & { [Name in keyof M]: M[Name] extends Tally<infer Result> ? Result : number };

/** The loss and the metrics of one batch. Tallies are not among them: they are read once, at the end. */
export type BatchScores<M> = { loss: number } & { [Name in keyof M as M[Name] extends Tally<unknown> ? never : Name]: number };

/** What is measured of one batch. */
export interface Measured {
  /** In the order of `names`, the loss first; on the tape where gradients are on. */
  readonly scalars: Tensor[];
  /** In the order of `tallies`. */
  readonly counts: Tensor[];
}

const reserved: readonly string[] = ['loss', 'epoch', 'step', 'steps', 'images', 'seconds', 'imagesPerSecond', 'validation'];

/** An objective that was checked. */
export class Measures<M extends Record<string, Metric>> {
  /** Of what is a scalar of each batch. */
  readonly names: readonly string[];
  readonly tallies: readonly (readonly [name: string, tally: Tally<unknown>])[];
  /** All names, in the order they were given. */
  readonly all: readonly string[];
  readonly #loss: Objective<M>['loss'];
  readonly #metrics: readonly BatchMetric[];

  constructor(operation: string, { loss, metrics }: Objective<M>) {
    if (typeof loss !== 'function') throw typeError(operation, 'loss', loss, 'a function of output and target');
    if (metrics !== undefined && (typeof metrics !== 'object' || metrics === null)) {
      throw typeError(operation, 'metrics', metrics, 'an object of functions');
    }
    const given: [string, Metric][] = Object.entries(metrics ?? {});
    const scalars: [string, BatchMetric][] = [];
    const tallies: [string, Tally<unknown>][] = [];
    for (const [name, metric] of given) {
      if (typeof metric === 'function') scalars.push([name, metric]);
      else if (isTally(metric)) tallies.push([name, metric]);
      else throw typeError(operation, `metrics.${name}`, metric, 'a function of output and target, or a tally { count, finish }');
      if (reserved.includes(name)) throw rangeError(operation, 'a metric name', name, `none of ${reserved.join(', ')}`);
    }
    this.#loss = loss;
    this.#metrics = scalars.map(([, metric]) => metric);
    this.names = ['loss', ...scalars.map(([name]) => name)];
    this.tallies = tallies;
    this.all = ['loss', ...given.map(([name]) => name)];
  }

  of(operation: string, model: Module, { x, y }: Samples): Measured {
    const output = model.forward(x);
    const loss = this.#loss(output, y);
    // What only measures is no part of the model: nobody who watches that is told.
    const beside = <R>(fn: () => R): R => observe(null, () => noGrad(fn));
    const scalars = [loss, ...beside(() => this.#metrics.map((metric) => metric(output, y)))];
    for (const [i, scalar] of scalars.entries()) {
      checkScalar(operation, `what ${i === 0 ? 'loss' : `metrics.${this.names[i]}`} gives`, scalar);
    }
    const counts = beside(() => this.tallies.map(([, tally]) => tally.count(output, y)));
    for (const [i, count] of counts.entries()) checkTensor(operation, `what metrics.${this.tallies[i]![0]} counts`, count);
    return { scalars, counts };
  }
}

function isTally(value: unknown): value is Tally<unknown> {
  const { count, finish } = (value ?? {}) as Partial<Tally<unknown>>;
  return typeof count === 'function' && typeof finish === 'function';
}

function checkScalar(operation: string, what: string, value: unknown): void {
  checkTensor(operation, what, value);
  if (value.size !== 1) throw shapeError(operation, `${what} has shape ${showShape(value.shape)}, expected a scalar (see ops.mean)`);
}

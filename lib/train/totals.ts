import type { Samples } from '../data';
import { dtypeError, ReceptiveError, shapeError } from '../errors';
import type { Module, StateDict } from '../nn/module';
import { disposeAll, snapshot } from '../nn/stateDict';
import { scope } from '../scope';
import { sameShape, showShape } from '../shape';
import type { Tensor } from '../tensor';
import type { BatchScores, Measures, Scores } from './measures';
import type { Metric } from './metric';

/** Scalars of one batch on their way from the native thread. */
export interface Pending {
  readonly size: number;
  readonly values: Promise<number[]>;
}

/** Asks for the values of scalars, and frees them. */
export function reading(scalars: readonly Tensor[], size: number): Pending {
  const values = Promise.all(scalars.map((scalar) => scalar.item()));
  for (const scalar of scalars) scalar.dispose();
  values.catch(() => {}); // reported where it is awaited
  return { size, values };
}

/** What a Totals holds beside its tallies, fit for JSON. */
export interface TotalsState {
  readonly samples: number;
  readonly steps: number;
  /** By name; what is not finite is null in JSON. */
  readonly sums: Readonly<Record<string, number | null>>;
}

/** What was measured of some batches: of the loss and the batch metrics sums on this side, of tallies tensors on the native one. */
export class Totals<M extends Record<string, Metric>> implements Disposable {
  /** Samples so far. */
  samples = 0;
  /** Batches so far. */
  steps = 0;
  readonly #sums: number[];
  readonly #counts = new Map<string, Tensor>();

  constructor(
    private readonly operation: string,
    private readonly measures: Measures<M>,
  ) {
    this.#sums = measures.names.map(() => 0);
  }

  /** Queues what is to be measured of a batch, and adds its counts. @returns The scalars, for `add` when they are known; the loss first. */
  measure(model: Module, batch: Samples): Tensor[] {
    const { scalars, counts } = this.measures.of(this.operation, model, batch);
    for (const [i, count] of counts.entries()) this.#count(this.measures.tallies[i]![0], count);
    return scalars;
  }

  #count(name: string, count: Tensor): void {
    const before = this.#counts.get(name);
    if (count.dtype === 'uint8') throw dtypeError(this.operation, `what metrics.${name} counts is uint8, which cannot be added up`);
    if (before && !(sameShape(count.shape, before.shape) && count.dtype === before.dtype)) {
      const [now, then] = [count, before].map(({ dtype, shape }) => `${dtype} ${showShape(shape)}`);
      throw shapeError(this.operation, `what metrics.${name} counts is ${now}, expected what it was for the batch before, ${then}`);
    }
    // Always new memory: a batch's failure follows its results, and is not lost in a sum that was there before.
    this.#counts.set(
      name,
      scope.outside(() => (before ? before.plus(count) : count.copy())),
    );
    before?.dispose();
  }

  /** Takes in the scalars of one batch, and gives them by name. */
  async add({ size, values }: Pending): Promise<BatchScores<M>> {
    const batch = await values;
    this.samples += size;
    this.steps++;
    for (const [i, value] of batch.entries()) this.#sums[i]! += value * size;
    return Object.fromEntries(this.measures.names.map((name, i) => [name, batch[i]!])) as BatchScores<M>;
  }

  /** The scores of all batches. */
  async result(): Promise<Scores<M>> {
    if (this.samples === 0) throw new ReceptiveError('ERR_INVALID_VALUE', `${this.operation}: the loader gave no samples`);
    const scores: Record<string, unknown> = {};
    for (const name of this.measures.all) scores[name] = undefined; // their order
    for (const [i, name] of this.measures.names.entries()) scores[name] = this.#sums[i]! / this.samples;
    for (const [name, tally] of this.measures.tallies) {
      const sum = this.#counts.get(name)!;
      scores[name] = tally.finish(await sum.data(), sum.shape);
    }
    return scores as Scores<M>;
  }

  /** What has been measured, but for the tallies. */
  state(): TotalsState {
    const sums = Object.fromEntries(this.measures.names.map((name, i) => [name, this.#sums[i]!]));
    return { samples: this.samples, steps: this.steps, sums };
  }

  /** The sums of the tallies, which stay as they are. */
  tensors(): StateDict {
    return Object.fromEntries(this.#counts);
  }

  restore({ samples, steps, sums }: TotalsState, counts: StateDict): void {
    const given = [...Object.keys(sums), ...Object.keys(counts)].sort();
    const expected = steps > 0 ? [...this.measures.all].sort() : [...this.measures.names].sort();
    if (given.join() !== expected.join()) {
      throw new ReceptiveError(
        'ERR_INVALID_VALUE',
        `${this.operation}: the metrics are ${given.join(', ')}, expected ${expected.join(', ')}`,
      );
    }
    this.samples = samples;
    this.steps = steps;
    for (const [i, name] of this.measures.names.entries()) this.#sums[i] = sums[name] ?? Number.NaN;
    for (const [name, count] of Object.entries(snapshot(counts))) this.#counts.set(name, count);
  }

  dispose(): void {
    disposeAll(this.tensors());
    this.#counts.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

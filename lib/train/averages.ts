import { ReceptiveError } from '../errors';
import type { Tensor } from '../tensor';

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

/** Means over samples of the loss and the metrics, batch by batch. */
export class Averages<Name extends string> {
  /** Samples so far. */
  samples = 0;
  steps = 0;
  readonly #totals: number[];

  constructor(
    private readonly operation: string,
    private readonly names: readonly Name[],
  ) {
    this.#totals = names.map(() => 0);
  }

  /** Takes in one batch, and gives its values by name. */
  async add({ size, values }: Pending): Promise<Record<Name, number>> {
    const batch = await values;
    this.samples += size;
    this.steps++;
    for (const [i, value] of batch.entries()) this.#totals[i]! += value * size;
    return this.#named(batch);
  }

  result(): Record<Name, number> {
    if (this.samples === 0) throw new ReceptiveError('ERR_INVALID_VALUE', `${this.operation}: the loader gave no samples`);
    return this.#named(this.#totals.map((total) => total / this.samples));
  }

  #named(values: readonly number[]): Record<Name, number> {
    return Object.fromEntries(this.names.map((name, i) => [name, values[i]!])) as Record<Name, number>;
  }
}

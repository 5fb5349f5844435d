import { type Command, Option } from 'commander';
import { fileError } from '../../formats/file';
import { addShared, fraction } from '../arguments';
import type { Description, SavedModel } from './task';

// How a user's data, which come in one piece, become a part to train on, one that chooses the epoch, and one to test with.

/** Labelled samples that can be divided. */
interface Divisible<S> {
  readonly length: number;
  readonly classes: readonly string[];
  split(fraction: number, seed: number): { train: S; test: S };
}

export interface PartOptions {
  data?: string;
  testData?: string;
  testFraction: number;
  validationFraction: number;
  seed: number;
}

/** What a model file says of the data it was trained on. */
export interface DividedDescription extends Description {
  /** The part that was held out for the test; null where that was data of its own. */
  readonly heldOut: { readonly fraction: number; readonly seed: number } | null;
}

export function addPartOptions(command: Command, name: 'train' | 'evaluate'): void {
  if (name === 'evaluate') {
    const only = new Option('--held-out', 'measure on what the training held out of this data, not on all of it');
    addShared(command, only.default(false));
    return;
  }
  command
    .option('--test-data <path>', 'what to test on, of the same classes (default: a part of the data)')
    .option('--test-fraction <share>', 'share of the data that is held out for the test, of each class', fraction, 0.2)
    .option('--validation-fraction <share>', 'share of the rest that chooses the best epoch; 0 keeps the last epoch', fraction, 0.1);
}

/** Divides what was read from `--data`; the tests are of it, or what `readTests` gives for a path of their own. */
export async function divideData<S extends Divisible<S>>(
  whole: S,
  { data: path, testData, testFraction, validationFraction, seed }: PartOptions,
  unit: string,
  readTests: (path: string) => Promise<S>,
): Promise<{ train: S; validation: S | undefined; test: S; heldOut: DividedDescription['heldOut'] }> {
  const { classes } = whole;
  if (classes.length < 2) throw fileError(path!, `all its ${unit} are of class ${classes[0]}, expected two classes or more`);
  const first = testData ? { train: whole, test: await readTests(testData) } : whole.split(testFraction, seed);
  const { train, test: validation } = first.train.split(validationFraction, seed);
  for (const [part, { length }] of Object.entries({ 'train on': train, 'test on': first.test })) {
    if (length === 0) throw fileError(path!, `its ${whole.length} ${unit} leave none to ${part}`);
  }
  return {
    train,
    validation: validation.length > 0 ? validation : undefined,
    test: first.test,
    heldOut: testData ? null : { fraction: testFraction, seed },
  };
}

/** The part of data that a model's training held out of them. */
export function heldOutOf<S extends Divisible<S>>({ path, description: { heldOut } }: SavedModel<DividedDescription>, whole: S): S {
  if (typeof heldOut !== 'object' || heldOut === null) {
    throw fileError(path, 'its training held nothing out of its data: it was tested on data of their own');
  }
  return whole.split(heldOut.fraction, heldOut.seed).test;
}

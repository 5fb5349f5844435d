import { rangeError, typeError } from '../errors';
import { checkOptions, type OptionNames } from '../options';
import { divide } from './divide';
import { TokenDataset } from './tokenDataset';
import type { Tokenizer } from './tokenizer';
import { unhurried } from './unhurried';

/** Options of a `TextDataset`. */
export interface TextDatasetOptions {
  /** The names of the classes, in the order of a network's outputs. Default: those of the labels, sorted. */
  classes?: readonly string[];
}

const names: OptionNames<TextDatasetOptions> = { classes: true };

/**
 * Texts with a class each, as `data.csv`, `data.jsonl` and `data.textFolder` read them. A network takes them as numbers: `encode`.
 *
 * ```ts
 * const reviews = new data.TextDataset(['a fine film', 'not for me'], ['good', 'bad']);
 * reviews.classes; // ['bad', 'good'], and reviews.labels is [1, 0]
 * ```
 * @throws RangeError where there are not as many labels as texts, or a label is none of the classes.
 */
export class TextDataset {
  readonly texts: readonly string[];
  /** The place in `classes` of each text's class. */
  readonly labels: Int32Array;
  readonly classes: readonly string[];

  constructor(texts: readonly string[], labels: readonly string[], options: TextDatasetOptions = {}) {
    checkStrings('TextDataset', 'texts', texts);
    checkStrings('TextDataset', 'labels', labels);
    checkOptions('TextDataset', options, names);
    if (labels.length !== texts.length)
      throw rangeError('TextDataset', 'the number of labels', labels.length, `${texts.length}, one a text`);
    this.classes = options.classes ? checkClasses('TextDataset', options.classes) : [...new Set(labels)].sort();
    this.texts = texts;
    const numbers = new Map(this.classes.map((name, i) => [name, i]));
    this.labels = Int32Array.from(labels, (label) => {
      const number = numbers.get(label);
      if (number === undefined) throw rangeError('TextDataset', 'a label', label, `one of ${this.classes.join(', ')}`);
      return number;
    });
  }

  /** How many there are. */
  get length(): number {
    return this.texts.length;
  }

  /** The texts of these indices, in this order, under the same classes. */
  subset(indices: ArrayLike<number>): TextDataset {
    const chosen = Array.from(indices, (i) => {
      if (!(i in this.texts)) throw rangeError('subset', 'an index', i, `an integer from 0 to ${this.length - 1}`);
      return i;
    });
    return new TextDataset(
      chosen.map((i) => this.texts[i]!),
      chosen.map((i) => this.classes[this.labels[i]!]!),
      { classes: this.classes },
    );
  }

  /**
   * Two parts, at random: `test` holds this fraction of each class, rounded down, `train` the rest; both keep the order of the whole.
   * Texts that occur several times go to one part all together, so that no text of the test was seen in training.
   * @param seed 0 to 2^53 - 1. The same one splits the same texts the same way.
   */
  split(fraction: number, seed: number): { train: TextDataset; test: TextDataset } {
    const { train, test } = divide(this, fraction, seed, this.#alike());
    return { train: this.subset(train), test: this.subset(test) };
  }

  /**
   * The texts as numbers, to be given to a `DataLoader`. Takes its time in short turns, which leave the event loop free.
   *
   * ```ts
   * const tokenizer = await data.Tokenizer.fit(train.texts, { maxLength: 200 });
   * const batches = new data.DataLoader(await train.encode(tokenizer), { batchSize: 50, shuffle: true, byLength: true });
   * ```
   */
  async encode(tokenizer: Tokenizer): Promise<TokenDataset> {
    const sequences: Int32Array[] = [];
    for await (const text of unhurried(this.texts)) sequences.push(tokenizer.encode(text));
    return new TokenDataset(sequences, this.labels);
  }

  /** The indices of each text that differs from those before. */
  #alike(): number[][] {
    const alike = new Map<string, number[]>();
    for (const [i, text] of this.texts.entries()) {
      const indices = alike.get(text);
      if (indices) indices.push(i);
      else alike.set(text, [i]);
    }
    return [...alike.values()];
  }
}

/** @internal Throws unless value is a list of strings. */
export function checkStrings(operation: string, what: string, value: unknown): asserts value is readonly string[] {
  if (!Array.isArray(value)) throw typeError(operation, what, value, 'a list of strings');
  const wrong = value.findIndex((item) => typeof item !== 'string');
  if (wrong >= 0) throw typeError(operation, `${what}[${wrong}]`, value[wrong], 'a string');
}

/** @internal Class names as an option gives them: all different. */
export function checkClasses(operation: string, classes: unknown): readonly string[] {
  checkStrings(operation, 'classes', classes);
  const twice = classes.find((name, i) => classes.indexOf(name) !== i);
  if (twice !== undefined) throw rangeError(operation, 'classes', classes, `each name once, ${JSON.stringify(twice)} is there twice`);
  return [...classes];
}

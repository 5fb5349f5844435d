import { rangeError, typeError } from '../errors';
import { fileError } from '../formats/file';
import type { TextEncoding } from '../formats/text';
import type { OptionNames } from '../options';
import { checkClasses, TextDataset } from './textDataset';

// What the readers of texts share.

/** Options of what reads texts from files. */
export interface TextFileOptions {
  /** The names of the classes, in the order of a network's outputs; any other label is an error. Default: those found, sorted. */
  classes?: readonly string[];
  /** Default 'utf-8'. */
  encoding?: TextEncoding;
}

export const textFileOptionNames: OptionNames<TextFileOptions> = { classes: true, encoding: true };

export function checkTextFileOptions(operation: string, { classes, encoding = 'utf-8' }: TextFileOptions) {
  if (encoding !== 'utf-8' && encoding !== 'latin1') throw rangeError(operation, 'encoding', encoding, "'utf-8' or 'latin1'");
  return { classes: classes && checkClasses(operation, classes), encoding };
}

export function checkPath(operation: string, what: string, path: unknown): asserts path is string {
  if (typeof path !== 'string' || path === '') throw typeError(operation, what, path, 'a path');
}

/** Samples as they are read, each checked where it is found. */
export class Labelled {
  readonly #texts: string[] = [];
  readonly #labels: string[] = [];
  readonly #known: ReadonlySet<string> | undefined;

  constructor(readonly classes: readonly string[] | undefined) {
    this.#known = classes && new Set(classes);
  }

  /** Takes a sample in. @returns What is wrong with it, if anything. */
  add(text: string, label: string): string | undefined {
    if (label === '') return 'the label is empty';
    if (this.#known && !this.#known.has(label)) return `the label is ${JSON.stringify(label)}, expected one of ${this.classes!.join(', ')}`;
    this.#texts.push(text);
    this.#labels.push(label);
    return undefined;
  }

  /** All of them. @param path Where they were looked for. */
  dataset(path: string): TextDataset {
    if (this.#texts.length === 0) throw fileError(path, 'holds no samples');
    return new TextDataset(this.#texts, this.#labels, { classes: this.classes });
  }
}

import { rangeError, typeError } from '../errors';
import { CsvError, type CsvRecord, parseCsv } from '../formats/csv';
import { fileError } from '../formats/file';
import { lineError, readText } from '../formats/text';
import { checkOptions, type OptionNames } from '../options';
import { isIndex } from '../shape';
import { checkPath, checkTextFileOptions, Labelled, type TextFileOptions, textFileOptionNames } from './labelled';
import type { TextDataset } from './textDataset';
import { unhurried } from './unhurried';

/** A column, by its name in the header or by its place, counted from 0. */
export type Column = string | number;

/** Options of `csv`. */
export interface CsvOptions extends TextFileOptions {
  /** The path of the file. */
  file: string;
  /** The column of the texts. Default 'text', or 0 without a header. */
  text?: Column;
  /** The column of the labels. Default 'label', or 1 without a header. */
  label?: Column;
  /** Whether the first record names the columns. Default true. */
  header?: boolean;
  /** One character between fields. Default ','. */
  delimiter?: string;
  /** One character around fields that hold a delimiter or a line end; null where quotes are text like any other. Default '"'. */
  quote?: string | null;
}

const names: OptionNames<CsvOptions> = {
  ...textFileOptionNames,
  file: true,
  text: true,
  label: true,
  header: true,
  delimiter: true,
  quote: true,
};

/**
 * Texts and their classes from a file of comma-separated values (RFC 4180), or of values separated by another character.
 *
 * ```ts
 * const reviews = await data.csv({ file: 'reviews.tsv', text: 'review', label: 'stars', delimiter: '\t' });
 * const { train, test } = reviews.split(0.2, 1);
 * ```
 * @throws ReceptiveError `ERR_FILE`, which names the file, the line and what is wrong there: a quote out of place, more or fewer fields than
 * in the first record, no such column, an empty or unknown label, bytes that are not UTF-8.
 */
export async function csv(options: CsvOptions): Promise<TextDataset> {
  checkOptions('csv', options, names);
  const { file, header = true, delimiter = ',', quote = '"' } = options;
  checkPath('csv', 'file', file);
  if (typeof header !== 'boolean') throw typeError('csv', 'header', header, 'true or false');
  checkCharacters(delimiter, quote);
  const { text = header ? 'text' : 0, label = header ? 'label' : 1 } = options;
  checkColumn('text', text, header);
  checkColumn('label', label, header);
  const { classes, encoding } = checkTextFileOptions('csv', options);

  const content = await readText(file, encoding);
  const samples = new Labelled(classes);
  let first: CsvRecord | undefined;
  let columns: readonly [text: number, label: number] = [0, 0];
  try {
    for await (const record of unhurried(parseCsv(content, { delimiter, quote }))) {
      const { line, fields } = record;
      if (!first) {
        first = record;
        columns = [find(file, first, text), find(file, first, label)];
        if (header) continue;
      }
      if (fields.length !== first.fields.length) {
        const counted = `${fields.length} ${fields.length === 1 ? 'field' : 'fields'}`;
        throw new CsvError(line, `has ${counted}, line ${first.line} has ${first.fields.length}`);
      }
      const fault = samples.add(fields[columns[0]]!, fields[columns[1]]!);
      if (fault) throw new CsvError(line, fault);
    }
  } catch (cause) {
    throw cause instanceof CsvError ? lineError(file, cause.line, cause.message, cause) : cause;
  }
  if (!first) throw fileError(file, 'is empty');
  return samples.dataset(file);
}

/** The place of a column. */
function find(file: string, { line, fields }: CsvRecord, column: Column): number {
  if (typeof column === 'number') {
    if (column < fields.length) return column;
    throw lineError(file, line, `has ${fields.length} fields, so no column ${column} counted from 0`);
  }
  const at = fields.indexOf(column);
  if (at < 0) throw lineError(file, line, `names no column ${JSON.stringify(column)}, but ${fields.join(', ')}`);
  if (fields.includes(column, at + 1)) throw lineError(file, line, `names two columns ${JSON.stringify(column)}`);
  return at;
}

function checkColumn(what: string, column: unknown, header: boolean): void {
  if (isIndex(column) || (header && typeof column === 'string')) return;
  const expected = header
    ? 'the name of a column, or its place counted from 0'
    : 'the place of a column, counted from 0, as there is no header';
  throw typeError('csv', what, column, expected);
}

function checkCharacters(delimiter: unknown, quote: unknown): void {
  const isCharacter = (value: unknown): value is string => typeof value === 'string' && value.length === 1 && !/[\r\n]/.test(value);
  if (!isCharacter(delimiter)) throw rangeError('csv', 'delimiter', delimiter, 'one character other than a line end');
  if (quote !== null && !isCharacter(quote)) throw rangeError('csv', 'quote', quote, 'one character other than a line end, or null');
  if (quote === delimiter) throw rangeError('csv', 'quote', quote, 'another character than the delimiter');
}

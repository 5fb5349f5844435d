import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Command } from 'commander';
import * as data from '../../data';
import { ReceptiveError } from '../../errors';
import { asFileError, fileError } from '../../formats/file';
import { oneOf } from '../arguments';

/** How a file of labelled texts is read; a model file keeps it, so that a measurement reads the same way. */
export interface TextSource {
  readonly text?: string;
  readonly label?: string;
  readonly delimiter?: string;
  readonly header: boolean;
  readonly encoding: data.TextEncoding;
}

export interface SourceOptions {
  text?: string;
  label?: string;
  delimiter?: string;
  header: boolean;
  encoding?: data.TextEncoding;
}

export function addSourceOptions(command: Command, name: 'train' | 'evaluate'): void {
  const of = name === 'train' ? '' : 'text: '; // evaluate has the options of all tasks
  command
    .option('--text <column>', `${of}the column, or the member of a JSON object, that holds the text (default: text)`)
    .option('--label <column>', `${of}the one that holds the label (default: label)`)
    .option('--delimiter <character>', `${of}what is between the columns (default: a tab in .tsv, else a comma)`)
    .option('--no-header', `${of}the first line does not name the columns, which are then numbers from 0`)
    .option('--encoding <name>', `${of}utf-8 or latin1 (default: utf-8)`, oneOf(['utf-8', 'latin1']));
}

/** What the options say, and where they say nothing what was said before. */
export function sourceOf(options: SourceOptions, before: TextSource = { header: true, encoding: 'utf-8' }): TextSource {
  return {
    text: options.text ?? before.text,
    label: options.label ?? before.label,
    delimiter: options.delimiter ?? before.delimiter,
    header: options.header && before.header,
    encoding: options.encoding ?? before.encoding,
  };
}

/** The labelled texts of a file, by what its name ends in, or of a folder of folders. */
export async function readTexts(path: string | undefined, source: TextSource, classes?: readonly string[]): Promise<data.TextDataset> {
  if (path === undefined) throw new ReceptiveError('ERR_FILE', 'no texts: give a file or a folder with --data PATH');
  const { text, label, delimiter, header, encoding } = source;
  const found = await stat(path).catch((cause) => {
    throw asFileError(path, cause);
  });
  if (found.isDirectory()) return data.textFolder({ dir: path, encoding, classes });
  switch (extname(path).toLowerCase()) {
    case '.csv':
    case '.tsv':
      return data.csv({
        file: path,
        text: column(text, header),
        label: column(label, header),
        delimiter: delimiter ?? (path.toLowerCase().endsWith('.tsv') ? '\t' : ','),
        header,
        encoding,
        classes,
      });
    case '.jsonl':
    case '.ndjson':
      return data.jsonl({ file: path, text, label, encoding, classes });
    default:
      throw fileError(path, 'is neither a folder nor a .csv, .tsv, .jsonl or .ndjson file');
  }
}

/** A column as `data.csv` takes it: without a header a number. */
const column = (name: string | undefined, header: boolean): data.Column | undefined =>
  name !== undefined && !header && /^\d+$/.test(name) ? Number(name) : name;

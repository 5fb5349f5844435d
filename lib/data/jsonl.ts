import { typeError } from '../errors';
import { fileError } from '../formats/file';
import { lineError, readText } from '../formats/text';
import { checkOptions, type OptionNames } from '../options';
import { checkPath, checkTextFileOptions, Labelled, type TextFileOptions, textFileOptionNames } from './labelled';
import type { TextDataset } from './textDataset';
import { unhurried } from './unhurried';

/** Options of `jsonl`. */
export interface JsonlOptions extends TextFileOptions {
  /** The path of the file. */
  file: string;
  /** The member that holds the text. Default 'text'. */
  text?: string;
  /** The member that holds the label: a string, a number or a boolean. Default 'label'. */
  label?: string;
}

const names: OptionNames<JsonlOptions> = { ...textFileOptionNames, file: true, text: true, label: true };

/**
 * Texts and their classes from a file of JSON objects, one a line (jsonlines.org). Blank lines are passed over.
 *
 * ```ts
 * const messages = await data.jsonl({ file: 'messages.jsonl', text: 'body', label: 'kind' });
 * ```
 * @throws ReceptiveError `ERR_FILE`, which names the file, the line and what is wrong there.
 */
export async function jsonl(options: JsonlOptions): Promise<TextDataset> {
  checkOptions('jsonl', options, names);
  const { file, text = 'text', label = 'label' } = options;
  checkPath('jsonl', 'file', file);
  for (const [what, member] of Object.entries({ text, label })) {
    if (typeof member !== 'string') throw typeError('jsonl', what, member, 'the name of a member');
  }
  const { classes, encoding } = checkTextFileOptions('jsonl', options);

  const content = await readText(file, encoding);
  if (content === '') throw fileError(file, 'is empty');
  const samples = new Labelled(classes);
  let line = 0;
  for await (const [json] of unhurried(content.matchAll(/[^\n]*\n?/g))) {
    line++;
    if (json.trim() === '') continue;
    const fault = read(json.trim(), text, label, samples);
    if (fault) throw lineError(file, line, fault);
  }
  return samples.dataset(file);
}

/** Takes the sample of a line in, or says what is wrong with it. */
function read(json: string, text: string, label: string, samples: Labelled): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    return `is not JSON: ${(cause as Error).message}`;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is not a JSON object';
  const member = (name: string): unknown => (Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined);
  const [words, name] = [member(text), member(label)];
  if (typeof words !== 'string') return `its ${JSON.stringify(text)} is ${kind(words)}, expected a string`;
  if (typeof name !== 'string' && typeof name !== 'number' && typeof name !== 'boolean') {
    return `its ${JSON.stringify(label)} is ${kind(name)}, expected a string, a number or a boolean`;
  }
  return samples.add(words, String(name));
}

const kind = (value: unknown): string => {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
};

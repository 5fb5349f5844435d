import { join } from 'node:path';
import { typeError } from '../errors';
import { fileError } from '../formats/file';
import { readText } from '../formats/text';
import { checkOptions, type OptionNames } from '../options';
import { namesIn } from './folder';
import { checkPath, checkTextFileOptions, Labelled, type TextFileOptions, textFileOptionNames } from './labelled';
import type { TextDataset } from './textDataset';

/** Options of `textFolder`. */
export interface TextFolderOptions extends TextFileOptions {
  /** The folder that holds a folder for each class. */
  dir: string;
  /** How the names of the files end. Default '.txt'. */
  extension?: string;
}

const names: OptionNames<TextFolderOptions> = { ...textFileOptionNames, dir: true, extension: true };

/** Files that are read at the same time. */
const atOnce = 16;

/**
 * Texts from a folder of folders: each is a class under its name, each file in it that ends in `extension` a text. Hidden folders and
 * other files are passed over. The order is that of the names.
 *
 * ```ts
 * const mail = await data.textFolder({ dir: 'mail' }); // mail/ham/1.txt, mail/spam/1.txt, …
 * ```
 * @throws ReceptiveError `ERR_FILE`, which names the file and what is wrong with it: a folder without texts, bytes that are not UTF-8.
 */
export async function textFolder(options: TextFolderOptions): Promise<TextDataset> {
  checkOptions('textFolder', options, names);
  const { dir, extension = '.txt' } = options;
  checkPath('textFolder', 'dir', dir);
  if (typeof extension !== 'string') throw typeError('textFolder', 'extension', extension, 'how file names end');
  const { classes, encoding } = checkTextFileOptions('textFolder', options);

  const folders = (await namesIn(dir, (entry) => entry.isDirectory())).filter((name) => !name.startsWith('.'));
  if (folders.length === 0) throw fileError(dir, 'holds no folders, expected one for each class');
  const samples = new Labelled(classes);
  for (const folder of folders) {
    const path = join(dir, folder);
    const files = (await namesIn(path, (entry) => entry.isFile())).filter((name) => name.endsWith(extension));
    if (files.length === 0) throw fileError(path, `holds no files whose names end in ${extension}`);
    for (let first = 0; first < files.length; first += atOnce) {
      const texts = await Promise.all(files.slice(first, first + atOnce).map((file) => readText(join(path, file), encoding)));
      for (const text of texts) {
        const fault = samples.add(text, folder);
        if (fault) throw fileError(path, fault);
      }
    }
  }
  return samples.dataset(dir);
}

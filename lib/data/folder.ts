import type { Dirent, Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asFileError } from '../formats/file';

/** The names of the entries of a folder that are wanted, links being what they lead to, in order. */
export async function namesIn(path: string, wanted: (entry: Dirent | Stats) => boolean): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    const resolved = entries.map(async (entry) => (entry.isSymbolicLink() ? await stat(join(path, entry.name)) : entry));
    const kinds = await Promise.all(resolved);
    return entries.flatMap(({ name }, i) => (wanted(kinds[i]!) ? [name] : [])).sort();
  } catch (cause) {
    throw asFileError(path, cause);
  }
}

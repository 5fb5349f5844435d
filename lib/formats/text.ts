import { readFile } from 'node:fs/promises';
import { asFileError, fileError } from './file';

/** How a text file's bytes are read: UTF-8, or Windows-1252, in which every file is some text. */
export type TextEncoding = 'utf-8' | 'latin1';

/** The text of a file, without a byte order mark. A file that is not in its encoding is an error that names the line. */
export async function readText(path: string, encoding: TextEncoding): Promise<string> {
  const bytes = await readFile(path).catch((cause) => {
    throw asFileError(path, cause);
  });
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    const line = encoding === 'utf-8' ? firstUndecodable(bytes) : null;
    throw line === null ? asFileError(path, cause) : lineError(path, line, 'is not valid UTF-8', cause);
  }
}

/** The first line, counted from 1, that is not UTF-8; null where all are. No byte of a longer character is a line feed. */
function firstUndecodable(bytes: Uint8Array): number | null {
  for (let line = 1, start = 0; start < bytes.length; line++) {
    const feed = bytes.indexOf(0x0a, start);
    const end = feed < 0 ? bytes.length : feed;
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(start, end));
    } catch {
      return line;
    }
    start = end + 1;
  }
  return null;
}

/** What is wrong with a line, counted from 1, of a file: `reviews.csv: line 7: has 3 fields, expected 2`. */
export const lineError = (path: string, line: number, fault: string, cause?: unknown): Error =>
  fileError(path, `line ${line}: ${fault}`, cause);

import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ReceptiveError } from '../errors';

/** A file that is missing, damaged or not what it claims to be: `mnist/labels: 12 bytes follow the last label`. */
export const fileError = (path: string, fault: string, cause?: unknown): ReceptiveError =>
  new ReceptiveError('ERR_FILE', `${path}: ${fault}`, { cause });

/** The error for what the system said about a file; one that already names its fault passes. */
export function asFileError(path: string, cause: unknown): ReceptiveError {
  return cause instanceof ReceptiveError ? cause : fileError(path, (cause as Error).message, cause);
}

/**
 * Writes a file so that at every moment, a crash or a full disk included, the path holds the whole old file or the whole new one: into a
 * temporary file beside it, flushed to the disk, then renamed.
 */
export async function writeAtomically(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2, 10)}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await unlink(temporary).catch(() => {});
    throw asFileError(path, cause);
  }
  await syncFolder(dirname(path));
}

/** Makes a rename last. Not every system lets a folder be opened; there the rename lasts by itself or not at all. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => null);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

/** Fills bytes from a place in a file; fails where the file ends before. */
export async function readFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let filled = 0; filled < bytes.byteLength; ) {
    const { bytesRead } = await file.read(bytes, filled, bytes.byteLength - filled, position + filled);
    if (bytesRead === 0) throw new Error(`ends at byte ${position + filled}, expected ${position + bytes.byteLength} bytes`);
    filled += bytesRead;
  }
}

/** Writes all of the bytes at the file's end. */
export async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.byteLength; ) {
    written += (await file.write(bytes, written)).bytesWritten;
  }
}

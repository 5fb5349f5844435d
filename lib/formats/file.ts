import { type FileHandle, mkdir, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ReceptiveError } from '../errors';

/** A file that is missing, damaged or not what it claims to be: `mnist/labels: 12 bytes follow the last label`. */
export const fileError = (path: string, fault: string, cause?: unknown): ReceptiveError =>
  new ReceptiveError('ERR_FILE', `${path}: ${fault}`, { cause });

/** The error for what the system said about a file; one that already names its fault, or is a kernel's, passes. */
export function asFileError(path: string, cause: unknown): Error {
  const { code, message } = cause as Error & { code?: unknown };
  return cause instanceof ReceptiveError || code === 'ERR_KERNEL' ? (cause as Error) : fileError(path, message, cause);
}

/**
 * Writes a file so that at every moment, a crash or a full disk included, the path holds the whole old file or the whole new one: into a
 * temporary file beside it, flushed to the disk, then renamed.
 */
export async function writeAtomically(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const temporary = temporaryBeside(path);
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

/**
 * Makes sure, before the work whose result goes there, that a file can be written: makes its folder, and a file beside it that is removed
 * again.
 */
export async function checkWritable(path: string): Promise<void> {
  try {
    await makeFolder(dirname(path));
    const existing = await stat(path).catch(() => null);
    if (existing?.isDirectory()) throw fileError(path, 'is a folder, expected the path of a file');
    const probe = temporaryBeside(path);
    await (await open(probe, 'wx')).close();
    await unlink(probe);
  } catch (cause) {
    throw asFileError(path, cause);
  }
}

/** Makes a folder and those around it. Node's own `recursive` never returns where the system says ENOENT for good, as in /proc. */
export async function makeFolder(path: string): Promise<void> {
  const make = () =>
    mkdir(path).catch(async (error) => {
      if (!(await stat(path).catch(() => null))?.isDirectory()) throw error;
    });
  try {
    await make();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await make();
  }
}

const temporaryBeside = (path: string): string => `${path}.${process.pid}.${Math.random().toString(36).slice(2, 10)}.tmp`;

/** Makes a rename last. Not every system lets a folder be opened; there the rename lasts by itself or not at all. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => null);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

/** The most bytes asked of the system at once: Node ends the process when a length does not fit 31 bits. */
const pieceBytes = 2 ** 30;

/** Fills bytes from a place in a file; fails where the file ends before. */
export async function readFully(file: FileHandle, bytes: Uint8Array, position: number, most = pieceBytes): Promise<void> {
  for (let filled = 0; filled < bytes.byteLength; ) {
    const { bytesRead } = await file.read(bytes, filled, Math.min(bytes.byteLength - filled, most), position + filled);
    if (bytesRead === 0) throw new Error(`ends at byte ${position + filled}, expected ${position + bytes.byteLength} bytes`);
    filled += bytesRead;
  }
}

/** What a file holds as JSON. `missing` says what it is without that, `damaged` what is wrong where it cannot be read. */
export function jsonOf(path: string, text: string | undefined, missing: string, damaged: string): unknown {
  if (text === undefined) throw fileError(path, missing);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw fileError(path, damaged, cause);
  }
}

/** Whether bytes begin as text does: in UTF-8, without controls. The last character of those looked at may be cut off. */
export function isText(bytes: Uint8Array): boolean {
  const start = bytes.subarray(0, 64);
  if (!start.every((byte) => byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte !== 127))) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(start, { stream: bytes.length > 64 });
    return true;
  } catch {
    return false;
  }
}

/** What TypeScript's library has as of ES2024. */
type Resizable = ArrayBuffer & { resize(bytes: number): void };
type ResizableConstructor = new (bytes: number, options: { maxByteLength: number }) => Resizable;

/**
 * Memory for what is read of files, given back all at once: V8 would keep it until it collects, which may be when as much again is in use.
 */
export class Staging {
  readonly #buffers: Resizable[] = [];

  /** So many bytes, zero. */
  take(bytes: number): Uint8Array {
    const buffer = new (ArrayBuffer as unknown as ResizableConstructor)(bytes, { maxByteLength: bytes });
    this.#buffers.push(buffer);
    return new Uint8Array(buffer, 0, bytes);
  }

  /** Behind this what was taken has no bytes. */
  release(): void {
    for (const buffer of this.#buffers) buffer.resize(0);
    this.#buffers.length = 0;
  }
}

/** Writes all of the bytes at the file's end. */
export async function writeFully(file: FileHandle, bytes: Uint8Array, most = pieceBytes): Promise<void> {
  for (let written = 0; written < bytes.byteLength; ) {
    written += (await file.write(bytes, written, Math.min(bytes.byteLength - written, most))).bytesWritten;
  }
}

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { isIndex, type Shape, showShape, sizeOf } from '../shape';
import { asFileError, readFully } from './file';

// IDX, the format of the MNIST files (LeCun, Cortes and Burges): two zero bytes, the element type, the number of dimensions; each
// dimension as a big-endian 32-bit number; the elements, row-major. Often gzipped, whatever the file's name says.

export interface Idx {
  readonly shape: Shape;
  readonly data: Uint8Array;
}

const types: ReadonlyMap<number, string> = new Map([
  [0x08, 'uint8'],
  [0x09, 'int8'],
  [0x0b, 'int16'],
  [0x0c, 'int32'],
  [0x0d, 'float32'],
  [0x0e, 'float64'],
]);

/** The most deflate can shrink anything by: a longest match of 258 bytes from two bits. */
const maxRatio = 1032;

/** Reads an IDX file of bytes with so many dimensions, plain or gzipped. Memory is taken only once the file's size vouches for it. */
export async function readIdx(path: string, rank: number): Promise<Idx> {
  try {
    const { size, gzipped } = await examine(path);
    const source = createReadStream(path, { highWaterMark: 1 << 20 });
    // Either stream's fault reaches the reader of the last, and a reader that leaves off closes both.
    const chunks = gzipped ? pipeline(source, createGunzip(), () => {}) : source;
    return await collect(chunks, rank, gzipped ? size * maxRatio : size);
  } catch (cause) {
    throw asFileError(path, cause);
  }
}

async function examine(path: string): Promise<{ size: number; gzipped: boolean }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size === 0) throw new Error('is empty');
    const start = Buffer.alloc(Math.min(size, 2));
    await readFully(file, start, 0);
    return { size, gzipped: start.equals(Buffer.from([0x1f, 0x8b])) };
  } finally {
    await file.close();
  }
}

/** Puts the chunks of an IDX file together; leaves off reading as soon as there are more bytes than its header declares. */
async function collect(chunks: AsyncIterable<Buffer>, rank: number, mostBytes: number): Promise<Idx> {
  const headerBytes = 4 + 4 * rank;
  let start = Buffer.alloc(0);
  let shape: Shape | undefined;
  let data = new Uint8Array(0);
  let filled = 0;
  for await (let chunk of chunks) {
    if (!shape) {
      start = Buffer.concat([start, chunk]);
      if (start.byteLength < headerBytes) continue;
      shape = parseHeader(start, rank);
      const total = headerBytes + sizeOf(shape);
      if (total > mostBytes) throw new Error(`shape ${showShape(shape)} takes ${total} bytes, the file holds at most ${mostBytes}`);
      data = new Uint8Array(sizeOf(shape));
      chunk = start.subarray(headerBytes);
    }
    if (filled + chunk.byteLength > data.byteLength) {
      throw new Error(`more bytes follow the ${data.byteLength} that shape ${showShape(shape)} takes`);
    }
    data.set(chunk, filled);
    filled += chunk.byteLength;
  }
  if (!shape) throw new Error(`has ${start.byteLength} bytes, the header alone takes ${headerBytes}`);
  if (filled < data.byteLength)
    throw new Error(`ends after ${filled} of the ${data.byteLength} bytes that shape ${showShape(shape)} takes`);
  return { shape, data };
}

function parseHeader(bytes: Buffer, rank: number): Shape {
  const type = types.get(bytes[2]!);
  if (bytes[0] !== 0 || bytes[1] !== 0 || type === undefined) {
    throw new Error(`begins with ${bytes.toString('hex', 0, 4)}, which is no IDX file of bytes (expected 0000080${rank})`);
  }
  if (type !== 'uint8') throw new Error(`holds ${type} values, expected uint8`);
  if (bytes[3] !== rank) throw new Error(`has ${bytes[3]} dimensions, expected ${rank}`);
  const shape = Array.from({ length: rank }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  if (!shape.every(isIndex)) throw new Error(`has shape ${showShape(shape)}, expected dimensions up to 2147483647`);
  return shape;
}

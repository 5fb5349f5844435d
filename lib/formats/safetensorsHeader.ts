import { maxRank, showShape } from '../shape';

// The header of a safetensors file: 8 bytes of length, little-endian; JSON of that length, padded with spaces; then the tensors' bytes.
// https://huggingface.co/docs/safetensors (Format). What is read here comes from strangers: nothing is believed before it is checked.

/** The most a header may take, as in the reference implementation. */
export const maxHeaderBytes = 100_000_000;

/** Bytes an element takes, by the format's name for its type. */
export const elementBytes: ReadonlyMap<string, number> = new Map([
  ['F64', 8],
  ['F32', 4],
  ['F16', 2],
  ['BF16', 2],
  ['I64', 8],
  ['I32', 4],
  ['U8', 1],
]);

export interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Where its bytes begin and end, counted from the end of the header. */
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  /** In the order of their bytes. */
  readonly entries: readonly Entry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** A header as bytes, its length included, so padded that the data begin at a multiple of 8. */
export function encodeHeader({ entries, metadata }: Header): Buffer {
  const header = Object.create(null) as Record<string, unknown>;
  header.__metadata__ = metadata;
  for (const { name, dtype, shape, begin, end } of entries) header[name] = { dtype, shape, data_offsets: [begin, end] };
  const json = Buffer.from(JSON.stringify(header));
  const length = Math.ceil(json.byteLength / 8) * 8;
  const bytes = Buffer.alloc(8 + length, ' ');
  bytes.writeBigUInt64LE(BigInt(length));
  json.copy(bytes, 8);
  return bytes;
}

/** The header that JSON holds, checked against the number of bytes that follow it. Throws an Error that says the fault. */
export function decodeHeader(json: Uint8Array, dataBytes: number): Header {
  let text: string;
  let parsed: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(json);
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new Error(`header is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (!isObject(parsed) || json[0] !== 0x7b) throw new Error('header is not a JSON object');
  if (countColons(text) !== countKeys(parsed)) throw new Error('header has a key twice');

  const entries: Entry[] = [];
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '__metadata__') metadata = checkMetadata(value);
    else entries.push(checkEntry(name, value, dataBytes));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCover(entries, dataBytes);
  return { entries, metadata };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

const isOffset = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Colons outside of strings: one a key, those included that JSON.parse dropped because another of the same name followed. */
function countColons(json: string): number {
  let colons = 0;
  let quoted = false;
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === '"') quoted = !quoted;
    else if (c === '\\') i++;
    else if (c === ':' && !quoted) colons++;
  }
  return colons;
}

function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const items: unknown[] = Object.values(value);
  return items.reduce((keys: number, item) => keys + countKeys(item), Array.isArray(value) ? 0 : items.length);
}

function checkMetadata(value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value) || !Object.values(value).every((item) => typeof item === 'string')) {
    throw new Error('__metadata__ is not an object of strings');
  }
  return Object.assign(Object.create(null), value) as Record<string, string>;
}

function checkEntry(name: string, value: unknown, dataBytes: number): Entry {
  const fault = (text: string): Error => new Error(`tensor ${JSON.stringify(name)}: ${text}`);
  if (!isObject(value)) throw fault('is not described by an object');
  const { dtype, shape, data_offsets: offsets } = value;
  const bytes = typeof dtype === 'string' ? elementBytes.get(dtype) : undefined;
  if (bytes === undefined) {
    throw fault(`dtype is ${JSON.stringify(dtype)}, which is not one of ${[...elementBytes.keys()].join(', ')}`);
  }
  if (!Array.isArray(shape) || shape.length > maxRank || !shape.every((n) => isOffset(n) && n < 2 ** 31)) {
    throw fault(`shape is ${JSON.stringify(shape)}, expected at most ${maxRank} integers from 0 to 2147483647`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isOffset)) {
    throw fault(`data_offsets is ${JSON.stringify(offsets)}, expected two integers of at least 0`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes) throw fault(`bytes ${begin} to ${end} lie outside of the file's data of ${dataBytes} bytes`);
  // Exact: as soon as a product of dimensions is over 2^53 its double is over any file's size too.
  const size = shape.includes(0) ? 0 : (shape as number[]).reduce((product, n) => product * n, bytes);
  if (size !== end - begin) throw fault(`${dtype} of shape ${showShape(shape)} takes ${size} bytes, its data_offsets hold ${end - begin}`);
  return { name, dtype: dtype as string, shape: shape as number[], begin, end };
}

/** The tensors must follow each other without holes or overlaps up to the end of the file. */
function checkCover(entries: readonly Entry[], dataBytes: number): void {
  let at = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== at) throw new Error(`tensor ${JSON.stringify(name)}: begins at byte ${begin}, the one before ends at ${at}`);
    at = end;
  }
  if (at !== dataBytes) throw new Error(`${dataBytes - at} bytes follow the last tensor`);
}

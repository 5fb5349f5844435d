import { type Shape, showShape, sizeOf } from '../../shape';
import { fromBfloat, fromHalf } from '../half';
import { bytesOf, type ElementType, type HostData, hostData, isBigType, isFloatType } from './elementType';
import type { TensorProto } from './proto';

// Small tensors on the host: shapes and what is computed of them, constants, and what initialisers hold before they are uploaded.

/** A small tensor on the host. */
export interface HostTensor {
  readonly type: ElementType;
  readonly shape: Shape;
  readonly data: HostData;
}

/** A cell as numbers and texts are computed with: 64-bit integers are bigint, all else numbers. */
export type Cell = number | bigint | string;

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** The elements of a tensor of a file, whose size is held against its shape first. */
export function hostOf({ name, type, shape, raw, numbers, strings }: TensorProto): HostTensor {
  const fault = (text: string): Error => new Error(`tensor ${JSON.stringify(name)}: ${text}`);
  // Exact: as soon as a product of dimensions is over 2^53 its double is over any file's size too.
  const size = shape.includes(0) ? 0 : sizeOf(shape);
  const expected = `${type} of shape ${showShape(shape)}`;
  if (type === 'string') {
    if (strings.length !== size) throw fault(`${strings.length} texts do not fill ${expected}`);
    return { type, shape, data: strings };
  }
  if (raw) {
    if (raw.byteLength !== size * bytesOf(type)) {
      throw fault(`${expected} takes ${size * bytesOf(type)} bytes, the file holds ${raw.byteLength}`);
    }
    return { type, shape, data: fromBytes(type, raw) };
  }
  if (type === 'float16' || type === 'bfloat16') {
    if (numbers.length !== size) throw fault(`${numbers.length} values do not fill ${expected}`);
    const widen = type === 'float16' ? fromHalf : fromBfloat;
    return { type, shape, data: Float32Array.from(numbers, (bits) => widen(Number(bits) & 0xffff)) };
  }
  if (numbers.length !== size) throw fault(`${numbers.length} values do not fill ${expected}`);
  return { type, shape, data: ofCells(type, numbers) };
}

/** Copied, so that a shape does not keep the whole file in memory; more than this is copied by whoever keeps it. */
export const copiedBytes = 4096;

/** The same, its elements in memory of their own: not in the file's, which goes when all is read, however much of it they are. */
export function owned(host: HostTensor): HostTensor {
  return Array.isArray(host.data) ? host : { ...host, data: host.data.slice() };
}

/** Elements of bytes in the file's order; a view of them where they are many and aligned. */
function fromBytes(type: ElementType, bytes: Uint8Array): HostData {
  const width = bytesOf(type);
  const count = bytes.byteLength / width;
  if (type === 'float16' || type === 'bfloat16') {
    const widen = type === 'float16' ? fromHalf : fromBfloat;
    return Float32Array.from({ length: count }, (_, i) => widen(bytes[2 * i]! | (bytes[2 * i + 1]! << 8)));
  }
  const aligned = littleEndian && bytes.byteOffset % width === 0 && bytes.byteLength > copiedBytes;
  const own = aligned ? bytes : littleEndian ? new Uint8Array(bytes) : swapped(bytes, width);
  type View = new (buffer: ArrayBufferLike, offset: number, length: number) => HostData;
  const Type = hostData(type, 0).constructor as View;
  return new Type(own.buffer, own.byteOffset, count);
}

function swapped(bytes: Uint8Array, width: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  for (let at = 0; at < copy.length; at += width) copy.subarray(at, at + width).reverse();
  return copy;
}

/** Cells as elements of a type: integers wrap around, as a cast in C does, and what is not 0 is true. */
export function ofCells(type: ElementType, cells: ArrayLike<Cell>): HostData {
  const data = hostData(type, cells.length) as Cell[];
  for (let i = 0; i < cells.length; i++) data[i] = toCell(type, cells[i]!);
  return data as unknown as HostData;
}

function toCell(type: ElementType, cell: Cell): Cell {
  if (type === 'string') return String(cell);
  if (typeof cell === 'string') return toCell(type, Number(cell));
  if (type === 'bool') return Number(Boolean(cell));
  if (isBigType(type)) return typeof cell === 'bigint' ? cell : toBig(cell);
  if (isFloatType(type)) return Number(cell);
  return typeof cell === 'bigint' ? Number(BigInt.asIntN(32, cell)) : Math.trunc(cell);
}

function toBig(value: number): bigint {
  if (Number.isNaN(value)) return 0n;
  return value === Infinity ? 2n ** 63n - 1n : value === -Infinity ? -(2n ** 63n) : BigInt(Math.trunc(value));
}

export const hostTensor = (type: ElementType, shape: Shape, cells: ArrayLike<Cell>): HostTensor => ({
  type,
  shape,
  data: ofCells(type, cells),
});

/** A vector of int64, as shapes are. */
export const int64s = (values: readonly number[]): HostTensor => hostTensor('int64', [values.length], values);

/** Elements as numbers, those beyond 2^53 rounded: for bounds and sizes. */
export const numbersOf = ({ data }: HostTensor): number[] => Array.from(data as ArrayLike<Cell>, Number);

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

// Protobuf messages as fields, https://protobuf.dev/programming-guides/encoding. What is read here comes from strangers: every length is
// held against the bytes that are there before anything is made of it. Throws Errors that say the fault.

/** What is done with a field, by its number. Others are skipped. */
export type Fields = Readonly<Record<number, (reader: BinaryReader, type: WireType) => void>>;

export function readMessage(bytes: Uint8Array, fields: Fields): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const field = fields[number];
    if (field) field(reader, type);
    else reader.skip(type, number);
    if (reader.pos > reader.len) throw new Error(`a field of ${reader.len} bytes ends before its value`);
  }
}

function expectType(type: WireType, expected: WireType): void {
  if (type !== expected) throw new Error(`a field has wire type ${type}, expected ${expected}`);
}

/** The bytes of a string, a byte array or a message; no copy. */
export function readBytes(reader: BinaryReader, type: WireType): Uint8Array {
  expectType(type, WireType.LengthDelimited);
  return reader.bytes();
}

const decoder = new TextDecoder('utf-8', { fatal: true });

export const readText = (reader: BinaryReader, type: WireType): string => decodeText(readBytes(reader, type));

export function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Error('a text is not UTF-8');
  }
}

export function readInt64(reader: BinaryReader, type: WireType): bigint {
  expectType(type, WireType.Varint);
  return BigInt(reader.int64());
}

export function readFloat(reader: BinaryReader, type: WireType): number {
  expectType(type, WireType.Bit32);
  return reader.float();
}

export function readDouble(reader: BinaryReader, type: WireType): number {
  expectType(type, WireType.Bit64);
  return reader.double();
}

/** A repeated number, one or packed, behind those of the list. */
export function readRepeated<T>(
  list: T[],
  own: WireType,
  one: (reader: BinaryReader, type: WireType) => T,
): (reader: BinaryReader, type: WireType) => void {
  return (reader, type) => {
    if (type === own) {
      list.push(one(reader, type));
      return;
    }
    const packed = new BinaryReader(readBytes(reader, type));
    while (packed.pos < packed.len) list.push(one(packed, own));
  };
}

export { WireType };

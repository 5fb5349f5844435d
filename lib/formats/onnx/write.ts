import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { toBfloat, toHalf } from '../half';
import { codeOf, type ElementType } from './elementType';
import type { HostTensor } from './host';
import type { AttributeKind, ValueInfo } from './proto';
import type { OnnxAttribute, OnnxModel, OnnxNode } from './read';

// The bytes of an ONNX file, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto: what `readOnnx` reads.

/** What is written of a model. */
export type WrittenModel = Pick<OnnxModel, 'producer' | 'opset' | 'nodes' | 'initializers' | 'inputs' | 'outputs' | 'metadata'>;

/** The version of the file format: that of ONNX 1.12, which knows opset 17. */
const irVersion = 8;

/** A message inside another, as field `number`. */
function message(writer: BinaryWriter, number: number, write: (writer: BinaryWriter) => void): void {
  writer.tag(number, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}

const text = (writer: BinaryWriter, number: number, value: string): BinaryWriter =>
  writer.tag(number, WireType.LengthDelimited).string(value);

const integer = (writer: BinaryWriter, number: number, value: number | bigint): BinaryWriter =>
  writer.tag(number, WireType.Varint).int64(String(value));

/** The bytes of an ONNX file. */
export function encodeOnnx({ producer, opset, nodes, initializers, inputs, outputs, metadata }: WrittenModel): Uint8Array {
  const writer = new BinaryWriter();
  integer(writer, 1, irVersion);
  text(writer, 2, producer);
  message(writer, 7, (graph) => {
    for (const node of nodes) message(graph, 1, (one) => writeNode(one, node));
    text(graph, 2, 'graph');
    for (const [name, host] of initializers) message(graph, 5, (one) => writeTensor(one, name, host));
    for (const info of inputs) message(graph, 11, (one) => writeValueInfo(one, info));
    for (const info of outputs) message(graph, 12, (one) => writeValueInfo(one, info));
  });
  message(writer, 8, (version) => integer(text(version, 1, ''), 2, opset));
  for (const [key, value] of metadata) message(writer, 14, (entry) => text(text(entry, 1, key), 2, value));
  return writer.finish();
}

function writeNode(writer: BinaryWriter, { name, operator, domain, inputs, outputs, attributes }: OnnxNode): void {
  for (const input of inputs) text(writer, 1, input);
  for (const output of outputs) text(writer, 2, output);
  text(writer, 3, name);
  text(writer, 4, operator);
  for (const [attribute, value] of attributes) message(writer, 5, (one) => writeAttribute(one, attribute, value));
  if (domain !== '') text(writer, 7, domain);
}

/** Where an AttributeProto keeps its value, and the number of its type. */
const kinds: Readonly<Partial<Record<AttributeKind, readonly [field: number, type: number]>>> = {
  float: [2, 1],
  int: [3, 2],
  string: [4, 3],
  tensor: [5, 4],
  floats: [7, 6],
  ints: [8, 7],
  strings: [9, 8],
};

function writeAttribute(writer: BinaryWriter, name: string, { kind, value }: OnnxAttribute): void {
  const [field, type] = kinds[kind]!;
  text(writer, 1, name);
  const list = Array.isArray(value) ? (value as readonly (number | bigint | string)[]) : [value as number | bigint | string];
  for (const one of kind === 'tensor' ? [] : list) {
    if (kind === 'float' || kind === 'floats') writer.tag(field, WireType.Bit32).float(one as number);
    else if (kind === 'int' || kind === 'ints') integer(writer, field, one as bigint);
    else text(writer, field, one as string);
  }
  if (kind === 'tensor') message(writer, field, (tensor) => writeTensor(tensor, '', value as HostTensor));
  integer(writer, 20, type);
}

function writeTensor(writer: BinaryWriter, name: string, { type, shape, data }: HostTensor): void {
  for (const dimension of shape) integer(writer, 1, dimension);
  integer(writer, 2, codeOf(type));
  if (Array.isArray(data)) for (const one of data) text(writer, 6, one);
  text(writer, 8, name);
  if (!Array.isArray(data)) writer.tag(9, WireType.LengthDelimited).bytes(rawBytes(type, data));
}

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Elements as the file has them, little-endian. */
function rawBytes(type: ElementType, data: Exclude<HostTensor['data'], string[]>): Uint8Array {
  const narrow = type === 'float16' ? toHalf : type === 'bfloat16' ? toBfloat : null;
  const elements = narrow ? Uint16Array.from(data as Float32Array, narrow) : data;
  const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
  if (littleEndian || elements.BYTES_PER_ELEMENT === 1) return bytes;
  const swapped = new Uint8Array(bytes);
  for (let at = 0; at < swapped.length; at += elements.BYTES_PER_ELEMENT) swapped.subarray(at, at + elements.BYTES_PER_ELEMENT).reverse();
  return swapped;
}

function writeValueInfo(writer: BinaryWriter, { name, type, shape }: ValueInfo): void {
  text(writer, 1, name);
  if (!type) return;
  message(writer, 2, (kind) =>
    message(kind, 1, (tensor) => {
      integer(tensor, 1, codeOf(type));
      if (!shape) return;
      message(tensor, 2, (dims) => {
        for (const n of shape) {
          message(dims, 1, (dimension) => {
            if (typeof n === 'number') integer(dimension, 1, n);
            else if (n !== '') text(dimension, 2, n);
          });
        }
      });
    }),
  );
}

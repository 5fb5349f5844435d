import type { ElementType } from './elementType';
import { elementTypeOf } from './elementType';
import {
  decodeText,
  type Fields,
  readBytes,
  readDouble,
  readFloat,
  readInt64,
  readMessage,
  readRepeated,
  readText,
  WireType,
} from './wire';

// The messages of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) that a model is made of, as far as they are used.

/** Where the bytes of a tensor lie outside of the model's file. */
export interface ExternalData {
  readonly location: string;
  readonly offset: number;
  readonly length: number | null;
}

export interface TensorProto {
  name: string;
  type: ElementType;
  shape: number[];
  /** Its elements as bytes, little-endian. */
  raw: Uint8Array | null;
  /** Its elements as numbers, where the file holds them so. */
  numbers: (number | bigint)[];
  strings: string[];
  external: ExternalData | null;
}

/** What kind of value an attribute holds. */
export type AttributeKind = 'float' | 'int' | 'string' | 'tensor' | 'floats' | 'ints' | 'strings' | 'graph' | 'other';

export interface AttributeProto {
  readonly name: string;
  readonly kind: AttributeKind;
  readonly value: number | bigint | string | TensorProto | number[] | bigint[] | string[] | null;
}

export interface NodeProto {
  name: string;
  operator: string;
  domain: string;
  inputs: string[];
  outputs: string[];
  attributes: AttributeProto[];
}

/** A dimension: a number, the name of one that varies, or '' for one that varies and has none. */
export type Dimension = number | string;

/** What a graph says of a value: its name, element type and shape. */
export interface ValueInfo {
  readonly name: string;
  /** Undefined where it is no tensor, or of a type that is not known. */
  readonly type: ElementType | undefined;
  /** Null where the file does not say. */
  readonly shape: readonly Dimension[] | null;
}

export interface GraphProto {
  name: string;
  nodes: NodeProto[];
  initializers: TensorProto[];
  inputs: ValueInfo[];
  outputs: ValueInfo[];
}

export interface ModelProto {
  irVersion: number;
  producer: string;
  /** Version by domain; '' is ONNX's own. */
  opsets: Map<string, number>;
  graph: GraphProto;
  metadata: Map<string, string>;
}

/** The most nodes, initialisers and attributes a file may have: each takes far more memory than bytes of the file. */
const maxItems = 2 ** 20;
const maxDims = 64;

export function decodeModel(bytes: Uint8Array): ModelProto {
  const model = { irVersion: 0, producer: '', opsets: new Map<string, number>(), metadata: new Map<string, string>() };
  let graph: GraphProto | null = null;
  const budget = { items: maxItems };
  readMessage(bytes, {
    1: (r, t) => {
      model.irVersion = Number(readInt64(r, t));
    },
    2: (r, t) => {
      model.producer = readText(r, t);
    },
    7: (r, t) => {
      graph = decodeGraph(readBytes(r, t), budget);
    },
    8: (r, t) => model.opsets.set(...decodeOpset(readBytes(r, t))),
    14: (r, t) => model.metadata.set(...decodeEntry(readBytes(r, t))),
  });
  if (!graph) throw new Error('has no graph: it is no ONNX model');
  return { ...model, graph };
}

type Budget = { items: number };

function spend(budget: Budget): void {
  if (--budget.items < 0) throw new Error(`has more than ${maxItems} nodes, initialisers and attributes`);
}

function decodeOpset(bytes: Uint8Array): [string, number] {
  let [domain, version] = ['', 0];
  readMessage(bytes, {
    1: (r, t) => {
      domain = readText(r, t);
    },
    2: (r, t) => {
      version = Number(readInt64(r, t));
    },
  });
  return [domain === 'ai.onnx' ? '' : domain, version];
}

function decodeEntry(bytes: Uint8Array): [string, string] {
  let [key, value] = ['', ''];
  readMessage(bytes, {
    1: (r, t) => {
      key = readText(r, t);
    },
    2: (r, t) => {
      value = readText(r, t);
    },
  });
  return [key, value];
}

function decodeGraph(bytes: Uint8Array, budget: Budget): GraphProto {
  const graph: GraphProto = { name: '', nodes: [], initializers: [], inputs: [], outputs: [] };
  readMessage(bytes, {
    1: (r, t) => void graph.nodes.push(decodeNode(readBytes(r, t), budget)),
    2: (r, t) => {
      graph.name = readText(r, t);
    },
    5: (r, t) => {
      spend(budget);
      graph.initializers.push(decodeTensor(readBytes(r, t)));
    },
    11: (r, t) => void graph.inputs.push(decodeValueInfo(readBytes(r, t), budget)),
    12: (r, t) => void graph.outputs.push(decodeValueInfo(readBytes(r, t), budget)),
    15: () => {
      throw new Error('has sparse initialisers, which are not supported');
    },
  });
  return graph;
}

function decodeNode(bytes: Uint8Array, budget: Budget): NodeProto {
  spend(budget);
  const node: NodeProto = { name: '', operator: '', domain: '', inputs: [], outputs: [], attributes: [] };
  readMessage(bytes, {
    1: (r, t) => void node.inputs.push(readText(r, t)),
    2: (r, t) => void node.outputs.push(readText(r, t)),
    3: (r, t) => {
      node.name = readText(r, t);
    },
    4: (r, t) => {
      node.operator = readText(r, t);
    },
    5: (r, t) => {
      spend(budget);
      node.attributes.push(decodeAttribute(readBytes(r, t)));
    },
    7: (r, t) => {
      node.domain = readText(r, t);
    },
  });
  node.name ||= node.outputs.find((output) => output !== '') ?? node.operator;
  if (node.operator === '') throw new Error(`node ${JSON.stringify(node.name)} has no operator`);
  if (node.domain === 'ai.onnx') node.domain = '';
  return node;
}

/** AttributeProto.AttributeType. */
const kinds: Readonly<Record<number, AttributeKind>> = {
  1: 'float',
  2: 'int',
  3: 'string',
  4: 'tensor',
  5: 'graph',
  6: 'floats',
  7: 'ints',
  8: 'strings',
  10: 'graph',
};

function decodeAttribute(bytes: Uint8Array): AttributeProto {
  let [name, type] = ['', 0];
  let tensor: TensorProto | null = null;
  const one: { float: number; int: bigint; string: string } = { float: 0, int: 0n, string: '' };
  const many: { floats: number[]; ints: bigint[]; strings: string[] } = { floats: [], ints: [], strings: [] };
  readMessage(bytes, {
    1: (r, t) => {
      name = readText(r, t);
    },
    2: (r, t) => {
      one.float = readFloat(r, t);
    },
    3: (r, t) => {
      one.int = readInt64(r, t);
    },
    4: (r, t) => {
      one.string = readText(r, t);
    },
    5: (r, t) => {
      tensor = decodeTensor(readBytes(r, t));
    },
    7: readRepeated(many.floats, WireType.Bit32, readFloat),
    8: readRepeated(many.ints, WireType.Varint, readInt64),
    9: (r, t) => void many.strings.push(decodeText(readBytes(r, t))),
    20: (r, t) => {
      type = Number(readInt64(r, t));
    },
  });
  if (name === '') throw new Error('an attribute has no name');
  const kind = kinds[type] ?? 'other';
  if (kind === 'tensor') {
    if (!tensor) throw new Error(`attribute ${name} has no tensor`);
    return { name, kind, value: tensor };
  }
  if (kind === 'float' || kind === 'int' || kind === 'string') return { name, kind, value: one[kind] };
  if (kind === 'floats' || kind === 'ints' || kind === 'strings') return { name, kind, value: many[kind] };
  return { name, kind, value: null };
}

export function decodeTensor(bytes: Uint8Array): TensorProto {
  let [name, code, location, segmented] = ['', 0, 0n, false];
  let raw: Uint8Array | null = null;
  const dims: bigint[] = [];
  const numbers: (number | bigint)[] = [];
  const strings: string[] = [];
  const entries = new Map<string, string>();
  const fields: Fields = {
    1: readRepeated(dims, WireType.Varint, readInt64),
    2: (r, t) => {
      code = Number(readInt64(r, t));
    },
    3: () => {
      segmented = true;
    },
    4: readRepeated(numbers, WireType.Bit32, readFloat),
    5: readRepeated(numbers, WireType.Varint, readInt64),
    6: (r, t) => void strings.push(readText(r, t)),
    7: readRepeated(numbers, WireType.Varint, readInt64),
    8: (r, t) => {
      name = readText(r, t);
    },
    9: (r, t) => {
      raw = readBytes(r, t);
    },
    10: readRepeated(numbers, WireType.Bit64, readDouble),
    11: readRepeated(numbers, WireType.Varint, readInt64),
    13: (r, t) => entries.set(...decodeEntry(readBytes(r, t))),
    14: (r, t) => {
      location = readInt64(r, t);
    },
  };
  readMessage(bytes, fields);
  const fault = (text: string): Error => new Error(`tensor ${JSON.stringify(name)}: ${text}`);
  const type = elementTypeOf(code);
  if (!type) throw fault(`element type ${code} is not supported`);
  if (segmented) throw fault('is stored in segments, which is not supported');
  if (dims.length > maxDims) throw fault(`has ${dims.length} dimensions, at most ${maxDims} are allowed`);
  const shape = dims.map((n) => {
    if (n < 0n || n > 0x7fffffffn) throw fault(`has a dimension of ${n}, expected 0 to 2147483647`);
    return Number(n);
  });
  return { name, type, shape, raw, numbers, strings, external: location === 1n ? externalData(entries, fault) : null };
}

function externalData(entries: ReadonlyMap<string, string>, fault: (text: string) => Error): ExternalData {
  const location = entries.get('location');
  if (!location) throw fault('has external data without a location');
  const count = (key: string): number | null => {
    const text = entries.get(key);
    if (text === undefined) return null;
    if (!/^\d{1,15}$/.test(text))
      throw fault(`its external data has ${key} ${JSON.stringify(text.slice(0, 40))}, expected a count of bytes`);
    return Number(text);
  };
  return { location, offset: count('offset') ?? 0, length: count('length') };
}

function decodeValueInfo(bytes: Uint8Array, budget: Budget): ValueInfo {
  spend(budget);
  let name = '';
  let type: ElementType | undefined;
  let shape: Dimension[] | null = null;
  const tensor: Fields = {
    1: (r, t) => {
      type = elementTypeOf(Number(readInt64(r, t)));
    },
    2: (r, t) => {
      shape = decodeShape(readBytes(r, t));
    },
  };
  readMessage(bytes, {
    1: (r, t) => {
      name = readText(r, t);
    },
    2: (r, t) => readMessage(readBytes(r, t), { 1: (inner, kind) => readMessage(readBytes(inner, kind), tensor) }),
  });
  return { name, type, shape };
}

function decodeShape(bytes: Uint8Array): Dimension[] {
  const shape: Dimension[] = [];
  readMessage(bytes, {
    1: (r, t) => {
      let dimension: Dimension = '';
      readMessage(readBytes(r, t), {
        1: (inner, kind) => {
          dimension = Number(readInt64(inner, kind));
        },
        2: (inner, kind) => {
          dimension = readText(inner, kind);
        },
      });
      // some exporters write a dimension that varies as -1 or 0
      shape.push(typeof dimension === 'number' && dimension < 0 ? '' : dimension);
      if (shape.length > maxDims) throw new Error(`a value has more than ${maxDims} dimensions`);
    },
  });
  return shape;
}

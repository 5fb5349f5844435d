import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { dtypeOf } from '../../dtype';
import { typeError } from '../../errors';
import { asFileError, fileError, isText, readFully, Staging } from '../file';
import { bytesOf } from './elementType';
import { copiedBytes, type HostTensor, hostOf, owned } from './host';
import { type AttributeKind, decodeModel, decodeTensor, type GraphProto, type ModelProto, type TensorProto, type ValueInfo } from './proto';

/** The value of an attribute. Integers are bigint, exact. */
export type AttributeValue = number | bigint | string | HostTensor | readonly number[] | readonly bigint[] | readonly string[] | null;

/** An attribute of a node. */
export interface OnnxAttribute {
  readonly kind: AttributeKind;
  readonly value: AttributeValue;
}

/** One node of a graph: an operator, the values it reads ('' for one left out) and makes, by name. */
export interface OnnxNode {
  /** Its name in the file, or, where it has none, that of its first output. */
  readonly name: string;
  readonly operator: string;
  /** '' for ONNX's own operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

/** What an ONNX file says. */
export interface OnnxModel {
  /** What errors call it: its path. */
  readonly source: string;
  readonly producer: string;
  /** The version of ONNX's own operators. */
  readonly opset: number;
  /** Versions of other domains' operators. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, HostTensor>;
  /** What it is given: initialisers that may be given as well are left out. */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads an ONNX file, or the bytes of one: its graph and weights, checked, with float16 and bfloat16 widened to float32. Data outside of
 * the file must lie in its folder.
 * @throws ReceptiveError (ERR_FILE) that names the file and its fault.
 * @example
 * const { inputs, nodes } = await readOnnx('model.onnx');
 */
export const readOnnx = (source: string | Uint8Array): Promise<OnnxModel> => readStaged('readOnnx', source, new Staging());

/** @internal The same for the function of this name, with what is read of files in memory that can be given back once the model is not used any more. */
export async function readStaged(operation: string, source: string | Uint8Array, staging: Staging): Promise<OnnxModel> {
  if (typeof source !== 'string') {
    if (dtypeOf(source) !== 'uint8') throw typeError(operation, 'source', source, 'a path or a Uint8Array');
    return readModel('ONNX model', source, null, staging);
  }
  try {
    const file = await open(source, 'r');
    let bytes: Uint8Array;
    try {
      const { size } = await file.stat();
      if (size >= 2 ** 31)
        throw new Error(`has ${size} bytes, an ONNX file at most 2147483647 (others keep their weights as external data)`);
      bytes = staging.take(size);
      await readFully(file, bytes, 0);
    } finally {
      await file.close();
    }
    return await readModel(source, bytes, dirname(source), staging);
  } catch (cause) {
    throw asFileError(source, cause);
  }
}

/** @internal A tensor of a file of one, as data sets for tests are kept. */
export const readTensor = (bytes: Uint8Array): HostTensor => hostOf(decodeTensor(bytes));

async function readModel(source: string, bytes: Uint8Array, folder: string | null, staging: Staging): Promise<OnnxModel> {
  try {
    const proto = decoded(bytes);
    if (folder !== null) for (const tensor of proto.graph.initializers) align(tensor);
    await fetchExternal(proto.graph, folder, staging);
    return checked(source, proto);
  } catch (cause) {
    throw asFileError(source, cause instanceof RangeError ? fileError(source, cause.message, cause) : cause);
  }
}

/** What the bytes say, where they are those of a model at all. */
function decoded(bytes: Uint8Array): ModelProto {
  try {
    return decodeModel(bytes);
  } catch (cause) {
    throw bytes.length > 0 && isText(bytes)
      ? new Error(`is not an ONNX file: it looks like text (${(cause as Error).message})`, { cause })
      : cause;
  }
}

/**
 * Moves elements of a file that is in memory of our own to where they can be looked at without a copy: down, by less than the tag and the
 * length take that stand before so many.
 */
function align(tensor: TensorProto): void {
  const { raw, type } = tensor;
  const beyond = raw && type !== 'string' && bytesOf(type) <= 4 && raw.byteLength > copiedBytes ? raw.byteOffset % bytesOf(type) : 0;
  if (!raw || beyond === 0) return;
  const moved = new Uint8Array(raw.buffer, raw.byteOffset - beyond, raw.byteLength + beyond).copyWithin(0, beyond);
  tensor.raw = moved.subarray(0, raw.byteLength);
}

/** Reads what lies outside of the model's file into its tensors. */
async function fetchExternal(graph: GraphProto, folder: string | null, staging: Staging): Promise<void> {
  const tensors = [...graph.initializers, ...graph.nodes.flatMap(({ attributes }) => attributes.flatMap(({ value }) => tensorIn(value)))];
  const files = new Map<string, { file: FileHandle; size: number }>();
  let [asked, there] = [0, 0];
  try {
    for (const tensor of tensors) {
      if (!tensor.external) continue;
      const { location, offset, length } = tensor.external;
      const fault = (text: string): Error => new Error(`tensor ${JSON.stringify(tensor.name)}: its external data ${text}`);
      if (folder === null) throw fault(`${JSON.stringify(location)} cannot be found: the model was given as bytes`);
      let open = files.get(location);
      if (!open) {
        open = await openInside(folder, location, fault);
        files.set(location, open);
        there += open.size;
      }
      const bytes = length ?? open.size - offset;
      if (bytes < 0 || offset + bytes > open.size) {
        throw fault(`are bytes ${offset} to ${offset + bytes} of ${location}, which has ${open.size}`);
      }
      const size = tensor.shape.includes(0) ? 0 : tensor.shape.reduce((product, n) => product * n, bytesOf(tensor.type));
      if (size !== bytes || tensor.type === 'string') throw fault(`are ${bytes} bytes, the tensor takes ${size}`);
      asked += bytes;
      if (asked > 4 * there + 65536) throw fault('are asked for again and again');
      const raw = staging.take(bytes);
      await readFully(open.file, raw, offset);
      tensor.raw = raw;
    }
  } finally {
    for (const { file } of files.values()) await file.close();
  }
}

const tensorIn = (value: unknown): TensorProto[] =>
  typeof value === 'object' && value !== null && 'external' in value ? [value as TensorProto] : [];

/** Opens a file of external data, which must be a plain file inside of the folder, links followed. */
async function openInside(folder: string, location: string, fault: (text: string) => Error): Promise<{ file: FileHandle; size: number }> {
  const outside = () => fault(`${JSON.stringify(location.slice(0, 200))} lies outside of the model's folder`);
  if (isAbsolute(location) || /^[a-z]:/i.test(location) || location.includes('\0') || location.split(/[\\/]/).includes('..')) {
    throw outside();
  }
  const path = await realpath(join(folder, location)).catch(() => null);
  if (path === null) throw fault(`${JSON.stringify(location.slice(0, 200))} does not exist`);
  const way = relative(await realpath(folder), path);
  if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) throw outside();
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  const stat = await file.stat();
  if (!stat.isFile()) {
    await file.close();
    throw fault(`${JSON.stringify(location.slice(0, 200))} is no file`);
  }
  return { file, size: stat.size };
}

/** A tensor of an attribute: of a constant, which becomes a weight, where it lies in the file, others in memory of their own. */
const heldBy = (operator: string, tensor: TensorProto): HostTensor => (operator === 'Constant' ? hostOf(tensor) : owned(hostOf(tensor)));

/** The model of a file, once what its parts say of each other is found to agree. */
function checked(source: string, { producer, opsets, graph, metadata }: ModelProto): OnnxModel {
  const opset = opsets.get('') ?? (graph.nodes.every(({ domain }) => domain !== '') ? 1 : undefined);
  if (opset === undefined || !Number.isSafeInteger(opset) || opset < 1) throw new Error('does not say the version of its operators');
  const initializers = new Map<string, HostTensor>();
  for (const tensor of graph.initializers) {
    if (tensor.name === '' || initializers.has(tensor.name))
      throw new Error(`has initialiser ${JSON.stringify(tensor.name)} twice or unnamed`);
    initializers.set(tensor.name, hostOf(tensor));
  }
  const known = new Set(initializers.keys());
  const inputs = graph.inputs.filter(({ name }) => !initializers.has(name));
  const define = (what: string, name: string) => {
    if (known.has(name)) throw new Error(`${what} ${JSON.stringify(name)} is defined twice`);
    known.add(name);
  };
  for (const { name } of inputs) define('input', name);
  const nodes: OnnxNode[] = [];
  for (const { name, operator, domain, inputs: reads, outputs, attributes } of graph.nodes) {
    for (const read of reads) {
      if (read !== '' && !known.has(read)) {
        throw new Error(`node ${JSON.stringify(name)} (${operator}) reads ${JSON.stringify(read)}, which nothing before it makes`);
      }
    }
    for (const output of outputs) if (output !== '') define('value', output);
    const byName = new Map<string, OnnxAttribute>();
    for (const { name: attribute, kind, value } of attributes) {
      byName.set(attribute, { kind, value: kind === 'tensor' ? heldBy(operator, value as TensorProto) : (value as AttributeValue) });
    }
    nodes.push({ name, operator, domain, inputs: reads, outputs, attributes: byName });
  }
  if (graph.outputs.length === 0) throw new Error('has no output');
  for (const { name } of graph.outputs) {
    if (!known.has(name)) throw new Error(`output ${JSON.stringify(name)} is made by nothing`);
  }
  return { source, producer, opset, opsets, nodes, initializers, inputs, outputs: graph.outputs, metadata };
}

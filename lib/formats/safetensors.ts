import { type FileHandle, open } from 'node:fs/promises';
import { type Dtype, dtypes } from '../dtype';
import { typeError } from '../errors';
import { native } from '../native';
import { type LoadOptions, loadOptionNames, Module, type StateDict } from '../nn/module';
import { disposeAll, snapshot } from '../nn/stateDict';
import { copyBlock } from '../ops/block';
import { checkOptions, type OptionNames } from '../options';
import { scope } from '../scope';
import { Tensor } from '../tensor';
import { asFileError, fileError, isText, readFully, writeAtomically, writeFully } from './file';
import { fromBfloat, fromHalf } from './half';
import { checkStateOptions, fromFile, type StateOptions, stateOptionNames, toFile } from './layout';
import { decodeHeader, type Entry, elementBytes, encodeHeader, type Header, maxHeaderBytes } from './safetensorsHeader';

const names: Readonly<Record<Dtype, string>> = { float32: 'F32', float64: 'F64', int32: 'I32', uint8: 'U8' };

/** Options of `save`. */
export interface SaveOptions extends StateOptions {
  /** Text to keep with the tensors, such as the architecture's name. `format` is set to receptive, or to pt with PyTorch's layout. */
  metadata?: Readonly<Record<string, string>>;
}

const saveOptionNames: OptionNames<SaveOptions> = { ...stateOptionNames, metadata: true };

export interface LoadFileOptions extends LoadOptions, StateOptions {}

const loadFileNames: OptionNames<LoadFileOptions> = { ...stateOptionNames, ...loadOptionNames };

/**
 * Saves a model's parameters and buffers, or tensors by name, as a safetensors file: the values they have now, whatever is queued later.
 * The file is replaced whole or not at all.
 *
 * ```ts
 * await save('lenet5.safetensors', model, { metadata: { architecture: 'lenet5' } });
 * ```
 */
export async function save(path: string, model: Module | StateDict, options: SaveOptions = {}): Promise<void> {
  checkOptions('save', options, saveOptionNames);
  const { metadata = {} } = options;
  if (typeof path !== 'string') throw typeError('save', 'path', path, 'a string');
  if (typeof model !== 'object' || model === null) throw typeError('save', 'model', model, 'a Module or an object of tensors by name');
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw typeError('save', `metadata.${key}`, value, 'a string');
  }
  checkStateOptions('save', options);
  if (!(model instanceof Module) && (options.layout === 'torch' || options.keyMap)) {
    throw typeError('save', 'model', model, 'a Module, whose layers say how their tensors lie');
  }
  const given = Object.entries(model instanceof Module ? model.stateDict() : model);
  for (const [name, tensor] of given) {
    if (!(tensor instanceof Tensor)) throw typeError('save', `tensor ${name}`, tensor, 'a Tensor');
    if (name === '__metadata__') throw typeError('save', 'a tensor name', name, 'another one, the format reserves it');
    tensor.use('save', name);
  }
  const copies = model instanceof Module ? toFile(model, options) : snapshot(Object.fromEntries(given));
  try {
    await writeTensors(path, copies, { ...metadata, format: options.layout === 'torch' ? 'pt' : 'receptive' });
  } finally {
    disposeAll(copies);
  }
}

/**
 * @internal Writes a safetensors file of tensors that nobody writes to meanwhile. They are read a piece at a time: the event loop is held,
 * and memory taken, for a piece only.
 */
export async function writeTensors(path: string, named: StateDict, metadata: Readonly<Record<string, string>>): Promise<void> {
  const tensors = Object.entries(named);
  // Wide elements first, so that each tensor's bytes are aligned to its type.
  tensors.sort(([a, x], [b, y]) => dtypes[y.dtype].bytes - dtypes[x.dtype].bytes || (a < b ? -1 : 1));
  let end = 0;
  const entries = tensors.map(([name, { dtype, shape, size }]): Entry => {
    const begin = end;
    end += size * dtypes[dtype].bytes;
    return { name, dtype: names[dtype], shape, begin, end };
  });
  const header = encodeHeader({ entries, metadata: { ...metadata, format: metadata.format ?? 'receptive' } });
  await writeAtomically(path, async (file) => {
    await writeFully(file, header);
    for (const [, tensor] of tensors) for await (const bytes of piecesOf(tensor)) await writeFully(file, bytes);
  });
}

/** The most bytes of a tensor read at once: copying them holds the event loop for a millisecond or two. */
const pieceBytes = 2 ** 22;

async function* piecesOf(tensor: Tensor): AsyncGenerator<Uint8Array> {
  const { size, dtype } = tensor;
  const most = pieceBytes / dtypes[dtype].bytes;
  for (let begin = 0; begin < size; begin += most) {
    const n = Math.min(most, size - begin);
    const piece = scope.outside(() => (n === size ? tensor.share() : flatPiece(tensor, begin, n)));
    try {
      yield new Uint8Array((await piece.data()).buffer);
    } finally {
      piece.dispose();
    }
  }
}

function flatPiece(tensor: Tensor, begin: number, n: number): Tensor {
  const flat = tensor.view([tensor.size]);
  const piece = Tensor.empty([n], tensor.dtype);
  copyBlock([n], flat, [begin], piece, [0]);
  flat.dispose();
  return piece;
}

/**
 * Loads a safetensors file into a model. Nothing is written unless everything fits.
 *
 * With `layout: 'torch'` the file is a `state_dict` of PyTorch: kernels are turned round, running_mean is runningMean, num_batches_tracked is
 * left out. Where the model flattens images, features are put in the order of the layers here; `input` says how large these are where that
 * matters and the model does not say it itself.
 *
 * ```ts
 * await load('resnet18.safetensors', models.resnet18(), { layout: 'torch' });
 * ```
 * @param options.strict Whether tensors missing on either side are errors. Default true.
 * @returns The file's metadata.
 */
export async function load(path: string, model: Module, options: LoadFileOptions = {}): Promise<Readonly<Record<string, string>>> {
  if (!(model instanceof Module)) throw typeError('load', 'model', model, 'a Module');
  checkOptions('load', options, loadFileNames);
  checkStateOptions('load', options);
  const file = await readSafetensors(path);
  fill(model, path, file, options);
  return file.metadata;
}

/** @internal Copies what was read from a file into a model, and frees it. */
export function fill(model: Module, path: string, { tensors }: SafetensorsFile, options: LoadFileOptions = {}): void {
  const { strict = true, ...state } = options;
  try {
    if (state.layout !== 'torch' && !state.keyMap) {
      model.loadStateDict(tensors, { strict });
    } else {
      const own = fromFile(model, tensors, state, strict);
      try {
        model.loadStateDict(own, { strict: false });
      } finally {
        disposeAll(own);
      }
    }
  } catch (cause) {
    throw fileError(path, (cause as Error).message, cause);
  } finally {
    disposeAll(tensors);
  }
}

/** What a safetensors file holds. */
export interface SafetensorsFile {
  /** By name, in an object without a prototype. */
  readonly tensors: StateDict;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Reads a safetensors file. F16 and BF16 become float32, I64 int32. */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  if (typeof path !== 'string') throw typeError('readSafetensors', 'path', path, 'a string');
  const tensors = Object.create(null) as StateDict;
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const { entries, metadata, dataStart } = await readHeader(file, size);
      for (const entry of entries) tensors[entry.name] = await readTensor(file, entry, dataStart);
      return { tensors, metadata };
    } finally {
      await file.close();
    }
  } catch (cause) {
    disposeAll(tensors);
    throw asFileError(path, cause);
  }
}

async function readHeader(file: FileHandle, size: number): Promise<Header & { dataStart: number }> {
  if (size < 8) throw new Error(`has ${size} bytes, a safetensors file has at least 8`);
  const prefix = Buffer.alloc(8);
  await readFully(file, prefix, 0);
  const length = Number(prefix.readBigUInt64LE());
  if (length > maxHeaderBytes || length > size - 8) {
    const start = Buffer.alloc(Math.min(size, 65));
    await readFully(file, start, 0);
    const kind = otherKind(start);
    if (kind) throw new Error(`is no safetensors file: it looks like ${kind}`);
  }
  if (length > maxHeaderBytes) throw new Error(`header claims ${length} bytes, at most ${maxHeaderBytes} are allowed`);
  if (length > size - 8) throw new Error(`header claims ${length} bytes, ${size - 8} follow`);
  const json = Buffer.alloc(length);
  await readFully(file, json, 8);
  return { ...decodeHeader(json, size - 8 - length), dataStart: 8 + length };
}

/** What a file seems to be instead, by its first bytes; null where they could be those of a damaged one. */
function otherKind(start: Buffer): string | null {
  // An ONNX model begins with its version, a small number, and mostly the producer's name, or the next field.
  if (start[0] === 0x08 && start[1]! > 0 && start[1]! < 32 && [0x12, 0x1a, 0x22, 0x2a, 0x32, 0x3a].includes(start[2]!))
    return 'an ONNX model';
  return isText(start) ? 'text' : null;
}

async function readTensor(file: FileHandle, entry: Entry, dataStart: number): Promise<Tensor> {
  const bytes = Buffer.alloc(entry.end - entry.begin);
  await readFully(file, bytes, dataStart + entry.begin);
  const { dtype, values } = decode(entry, bytes);
  return scope.outside(() => {
    const tensor = Tensor.empty(entry.shape, dtype);
    native.upload(tensor.id, values);
    return tensor;
  });
}

function decode({ name, dtype }: Entry, bytes: Buffer): { dtype: Dtype; values: ArrayBufferView } {
  const own = (Object.keys(names) as Dtype[]).find((key) => names[key] === dtype);
  if (own) return { dtype: own, values: bytes };
  const count = bytes.byteLength / elementBytes.get(dtype)!;
  if (dtype === 'I64') {
    const values = Int32Array.from({ length: count }, (_, i) => {
      const value = bytes.readBigInt64LE(8 * i);
      if (value !== BigInt.asIntN(32, value)) throw new Error(`tensor ${JSON.stringify(name)}: ${value} does not fit int32`);
      return Number(value);
    });
    return { dtype: 'int32', values };
  }
  const widen = dtype === 'BF16' ? fromBfloat : fromHalf;
  return { dtype: 'float32', values: Float32Array.from({ length: count }, (_, i) => widen(bytes.readUInt16LE(2 * i))) };
}

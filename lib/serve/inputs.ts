import { readImages } from '../data';
import { type Dtype, dtypes, toArray } from '../dtype';
import type { SessionValue } from '../graph/feeds';
import { maxRank, type Shape, showShape, sizeOf } from '../shape';
import { called, type HostArray, numbersOf, varies } from './feeds';
import type { Model } from './model';
import { Problem, unreadable } from './problem';

// What requests hold, as the arrays a session takes.

type Feeds = Record<string, HostArray>;
type Claim = (bytes: number) => void;

/** The shape header of raw tensors, in requests and answers. */
export const shapeHeader = 'x-tensor-shape';

/** The media types a model takes. */
export function mediaTypes({ images, tokenizer, session }: Model): string[] {
  return [
    'application/json',
    ...(session.inputs.length === 1 ? ['application/octet-stream'] : []),
    ...(images ? ['image/*'] : []),
    ...(tokenizer ? ['text/plain'] : []),
  ];
}

/**
 * Bytes of tokens that texts may always become, even where a body may only be smaller: one text has as many tokens as the model takes, and
 * a short one is padded.
 */
const mostTokens = 2 ** 20;

/**
 * The inputs of a request.
 * @param type Of the body, without parameters. @param shape What the request says of a raw tensor's shape. @param most Bytes of a body.
 * @param claim Is told of bytes that are made of the body and lie beside it, and throws where there is no room for them.
 * @throws Problem; TypeError, RangeError for numbers that the input does not take.
 */
export async function readInputs(
  model: Model,
  type: string,
  shape: string | null,
  body: Buffer,
  most: number,
  claim: Claim,
): Promise<Feeds> {
  const types = mediaTypes(model);
  const known = types.includes(type) || (type.startsWith('image/') && types.includes('image/*'));
  if (!known) throw new Problem(415, 'ERR_MEDIA_TYPE', `the body is ${type || 'of no type'}, expected ${types.join(', ')}`);
  if (type === 'application/json') return readJson(model, body, most, claim);
  if (type === 'application/octet-stream') return { [model.session.inputs[0]!.name]: readRaw(model.session.inputs[0]!, shape, body) };
  if (type === 'text/plain') return readTexts(model, [decoded(body)], most, claim);
  return readImage(model, body, claim);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decoded(body: Buffer): string {
  try {
    return utf8.decode(body);
  } catch {
    throw unreadable('the body is not UTF-8');
  }
}

async function readImage({ session, images }: Model, body: Buffer, claim: Claim): Promise<Feeds> {
  try {
    using tensor = await readImages([body], images!);
    claim(tensor.size * dtypes[tensor.dtype].bytes);
    return { [session.inputs[0]!.name]: { data: await tensor.data(), shape: tensor.shape } };
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_FILE') throw unreadable((error as Error).message, 'ERR_IMAGE');
    throw error;
  }
}

/** Numbers of texts, all of one length: that of the input, or the next one of those that have a plan. */
function readTexts({ session, tokenizer, lengths }: Model, texts: readonly string[], mostBody: number, claim: Claim): Feeds {
  const { name, shape } = session.inputs[0]!;
  const paddedTo = (longest: number) => (varies(shape[1]) ? (lengths.find((n) => n >= longest) ?? lengths.at(-1)!) : (shape[1] as number));
  // A short text takes a few bytes of a body and, beside a long one, thousands of padding.
  const most = Math.max(mostBody, mostTokens);
  const check = (length: number) => {
    const bytes = texts.length * length * Int32Array.BYTES_PER_ELEMENT;
    if (bytes <= most) return length;
    const message = `${texts.length} texts, padded to ${length} tokens, take ${bytes} bytes, more than ${most}: send fewer together`;
    throw new Problem(413, 'ERR_BODY_TOO_LARGE', message);
  };
  let length = check(paddedTo(1));
  const rows = texts.map((text) => {
    const row = tokenizer!.encode(text);
    if (row.length > length) length = check(paddedTo(row.length));
    return row;
  });
  claim(rows.length * length * Int32Array.BYTES_PER_ELEMENT);
  const data = new Int32Array(rows.length * length);
  for (const [i, row] of rows.entries()) data.set(row.subarray(0, length), i * length);
  return { [name]: { data, shape: [rows.length, length] } };
}

/** Little-endian numbers. The shape may be left out where the number of bytes says it. */
function readRaw({ name, dtype, shape: wanted }: SessionValue, said: string | null, body: Buffer): HostArray {
  const { bytes } = dtypes[dtype];
  const shape = said === null ? impliedShape(name, wanted, body.byteLength / bytes) : parseShape(said);
  const size = sizeOf(shape);
  if (size * bytes !== body.byteLength) {
    throw unreadable(
      `${called(name)} has ${body.byteLength} bytes, ${dtype} of shape ${showShape(shape)} takes ${size * bytes}`,
      'ERR_SHAPE',
    );
  }
  return { data: numbersOf(dtype, body), shape };
}

function parseShape(text: string): Shape {
  const shape = text.split(',').map((part) => (/^\s*\d{1,10}\s*$/.test(part) ? Number(part) : Number.NaN));
  if (shape.length > maxRank || !shape.every((n) => n < 2 ** 31) || sizeOf(shape) > Number.MAX_SAFE_INTEGER) {
    throw unreadable(`the shape is ${JSON.stringify(text.slice(0, 60))}, expected lengths with commas between them`, 'ERR_SHAPE');
  }
  return shape;
}

/** The shape of so many numbers where only one length is unknown. */
function impliedShape(name: string, wanted: SessionValue['shape'], size: number): Shape {
  const free = wanted.filter(varies).length;
  const rest = wanted.reduce<number>((product, n) => (varies(n) ? product : product * (n as number)), 1);
  const length = free === 1 ? size / rest : 1;
  if (free > 1 || !Number.isSafeInteger(length) || (free === 0 && size !== rest)) {
    throw unreadable(`${called(name)} is [${wanted}]: say the shape in ?shape=, or in the header ${shapeHeader}`, 'ERR_SHAPE');
  }
  return wanted.map((n) => (varies(n) ? length : (n as number)));
}

/** `{ "inputs": … }` or, where the model takes texts, `{ "texts": ["…"] }`. */
function readJson(model: Model, body: Buffer, most: number, claim: Claim): Feeds {
  let value: unknown;
  const text = decoded(body);
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw unreadable(`the body is not JSON: ${(error as Error).message}`, 'ERR_JSON');
  }
  if (!isObject(value)) throw unreadable('the body is no JSON object');
  const members = model.tokenizer ? ['inputs', 'texts'] : ['inputs'];
  const [member, ...others] = Object.keys(value);
  if (member === undefined || !members.includes(member) || others.length > 0) {
    throw unreadable(`the body has members ${Object.keys(value).slice(0, 5).join(', ') || 'none'}, expected one of ${members.join(', ')}`);
  }
  if (member === 'texts') {
    const { texts } = value;
    if (Array.isArray(texts) && texts.length === 0) throw unreadable('texts is an empty list');
    if (!Array.isArray(texts) || !texts.every((one) => typeof one === 'string')) {
      throw unreadable('texts is no list of strings');
    }
    return readTexts(model, texts as string[], most, claim);
  }
  const { inputs } = model.session;
  const given = value.inputs;
  const named = isObject(given) && !('data' in given && 'shape' in given);
  if (!named && inputs.length > 1) throw unreadable(`inputs is no object of ${inputs.map(({ name }) => name).join(', ')}`);
  const values = named ? given : { [inputs[0]!.name]: given };
  for (const name of Object.keys(values)) {
    if (!inputs.some((input) => input.name === name)) {
      throw unreadable(`there is no ${called(name.slice(0, 60))}, expected ${inputs.map((input) => input.name).join(', ')}`);
    }
  }
  const entries = inputs.map((input) => {
    if (!Object.hasOwn(values, input.name)) throw unreadable(`${called(input.name)} is missing`);
    const array = readArray(model, input, values[input.name]);
    claim(array.data.byteLength);
    return [input.name, array] as const;
  });
  return Object.fromEntries(entries);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Nested arrays, or { data, shape }; where the batch axis is left out it is one row. */
function readArray({ batcher }: Model, { name, dtype, shape: wanted }: SessionValue, value: unknown): HostArray {
  const { data, shape } = isObject(value) ? flatArray(name, dtype, value) : nestedArray(name, dtype, value);
  return { data, shape: batcher.together && shape.length === wanted.length - 1 ? [1, ...shape] : shape };
}

function flatArray(name: string, dtype: Dtype, { data, shape }: Record<string, unknown>): HostArray {
  const isShape = Array.isArray(shape) && shape.length <= maxRank && shape.every((n) => Number.isSafeInteger(n) && n >= 0 && n < 2 ** 31);
  if (!Array.isArray(data) || !isShape) throw unreadable(`${called(name)} is neither nested arrays nor { data, shape }`);
  return { data: numbers(name, dtype, data), shape: shape as number[] };
}

function nestedArray(name: string, dtype: Dtype, value: unknown): HostArray {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level) && shape.length <= maxRank; level = level[0]) shape.push(level.length);
  if (shape.length > maxRank) throw unreadable(`${called(name)} is nested more than ${maxRank} deep`, 'ERR_SHAPE');
  const flat: unknown[] = [];
  const walk = (level: unknown, axis: number): void => {
    if (axis === shape.length) flat.push(level);
    else if (!Array.isArray(level) || level.length !== shape[axis]) throw unreadable(`${called(name)} is nested unevenly`, 'ERR_SHAPE');
    else if (axis === shape.length - 1) for (const item of level) flat.push(item);
    else for (const item of level) walk(item, axis + 1);
  };
  walk(value, 0);
  return { data: numbers(name, dtype, flat), shape };
}

function numbers(name: string, dtype: Dtype, values: readonly unknown[]): HostArray['data'] {
  const odd = values.findIndex((one) => typeof one !== 'number');
  if (odd >= 0)
    throw unreadable(
      `element ${odd} of ${called(name)} is ${JSON.stringify(values[odd])?.slice(0, 40)}, expected a number`,
      'ERR_INVALID_TYPE',
    );
  return toArray(called(name), values as number[], dtype);
}

import { type Dtype, dtypes, type TypedArray } from '../dtype';
import { shapeError, typeError } from '../errors';
import { checkArray, checkFit, checkNamed, type SessionValue } from '../graph/feeds';
import type { Session } from '../graph/session';
import { type Shape, showShape, sizeOf } from '../shape';
import { Tensor } from '../tensor';

/** Numbers of this process, in row-major order, with their shape: what batches are put together from, and cut into. */
export interface HostArray {
  readonly data: TypedArray;
  readonly shape: Shape;
}

/** Whether an axis of an input or output may have any length. */
export const varies = (length: number | string | undefined): boolean => typeof length === 'string' || length === -1;

/** Whether the first axis of everything that goes in or comes out may have any length: rows that can run together. */
export const hasRows = ({ inputs, outputs }: Session): boolean =>
  inputs.length > 0 && [...inputs, ...outputs].every(({ shape }) => varies(shape[0]));

export const arrayOf = (dtype: Dtype, length: number): TypedArray => new dtypes[dtype].array(length);

/** Little-endian bytes as numbers, in place where they are aligned; the processors this runs on are little-endian. */
export function numbersOf(dtype: Dtype, bytes: Uint8Array): TypedArray {
  const length = bytes.byteLength / dtypes[dtype].bytes;
  if (bytes.byteOffset % dtypes[dtype].bytes === 0) {
    const view = dtypes[dtype].array as unknown as new (buffer: ArrayBufferLike, offset: number, length: number) => TypedArray;
    return new view(bytes.buffer, bytes.byteOffset, length);
  }
  const data = arrayOf(dtype, length);
  new Uint8Array(data.buffer).set(bytes);
  return data;
}

/** How an input is named in messages. */
export const called = (name: string): string => `input ${JSON.stringify(name)}`;

/**
 * The data of each input, in the session's order, and how many rows there are: 1 where they are no rows.
 * @throws TypeError, RangeError that name the input that is missing, unknown, or not of the type and shape the session takes.
 */
export function checkFeeds(session: Session, feeds: Readonly<Record<string, HostArray>>): { arrays: HostArray[]; rows: number } {
  checkNamed('run', feeds, session.inputs);
  const lengths = new Map<string, number>();
  const arrays = session.inputs.map((input) => checkFeed(input, feeds[input.name], lengths));
  if (!hasRows(session)) return { arrays, rows: 1 };
  const rows = arrays[0]!.shape[0]!;
  const other = arrays.findIndex(({ shape }) => shape[0] !== rows);
  if (other > 0) {
    const [a, b] = [session.inputs[0]!, session.inputs[other]!];
    throw shapeError('run', `${called(a.name)} has ${rows} rows, ${called(b.name)} has ${arrays[other]!.shape[0]}`);
  }
  return { arrays, rows };
}

function checkFeed({ name, shape, dtype }: SessionValue, feed: HostArray | undefined, lengths: Map<string, number>): HostArray {
  const what = called(name);
  if ((feed as unknown) instanceof Tensor) {
    throw typeError('run', what, feed, '{ data, shape }: a Batcher takes arrays, such as await tensor.data(), no Tensors', 'a Tensor');
  }
  if (typeof feed !== 'object' || feed === null || !Array.isArray(feed.shape)) throw typeError('run', what, feed, '{ data, shape }');
  checkArray(`the data of ${what}`, feed.data, dtype);
  checkFit('run', what, feed.shape, shape, lengths);
  if (sizeOf(feed.shape) !== feed.data.length) {
    throw shapeError('run', `${what} holds ${feed.data.length} numbers, its shape ${showShape(feed.shape)} takes ${sizeOf(feed.shape)}`);
  }
  return { data: feed.data, shape: feed.shape };
}

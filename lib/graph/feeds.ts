import { tensor } from '../create';
import { type Dtype, dtypeOf, dtypes, type TypedArray } from '../dtype';
import { dtypeError, rangeError, shapeError, typeError } from '../errors';
import { type Shape, showShape } from '../shape';
import { Tensor } from '../tensor';

// What a session is given.

/** An input or output of a session. */
export interface SessionValue {
  readonly name: string;
  /** Lengths of the axes; of one that may vary its name, or -1. */
  readonly shape: readonly (number | string)[];
  readonly dtype: Dtype;
}

/**
 * Data for an input: a tensor, or numbers in row-major order with their shape, in the typed array of the input's type; an int32 input
 * takes 64-bit integers, too, that fit 32 bits.
 */
export type Feed = Tensor | { readonly data: TypedArray | BigInt64Array; readonly shape: Shape };

/** Throws unless feeds is an object of inputs by name, and of no others; a tensor is none. */
export function checkNamed(
  operation: string,
  feeds: unknown,
  inputs: readonly Pick<SessionValue, 'name'>[],
): asserts feeds is Readonly<Record<string, unknown>> {
  const wanted = () =>
    `an object of inputs by name, { ${inputs.map(({ name }) => (/^\w+$/.test(name) ? name : JSON.stringify(name))).join(': …, ')}: … }`;
  if (feeds instanceof Tensor) throw typeError(operation, 'feeds', feeds, wanted(), 'a Tensor');
  if (typeof feeds !== 'object' || feeds === null) throw typeError(operation, 'feeds', feeds, wanted());
  for (const name of Object.keys(feeds)) {
    if (inputs.some((input) => input.name === name)) continue;
    throw rangeError(operation, 'input', name, `one of ${inputs.map((input) => input.name).join(', ')}`);
  }
}

/** The typed array of a type, with its article. */
const arrayFor = (dtype: Dtype): string => `${dtype === 'int32' ? 'an' : 'a'} ${dtypes[dtype].array.name}`;

/** Throws unless data is the typed array that elements of this type are in: none is converted. */
export function checkArray(what: string, data: unknown, dtype: Dtype): asserts data is TypedArray {
  const came = dtypeOf(data);
  if (came === dtype) return;
  const expected = `${arrayFor(dtype)} (${dtype})`;
  const given = came ? arrayFor(came) : isLong(data) ? 'a BigInt64Array' : null;
  if (given === null) throw typeError('run', what, data, expected);
  throw dtypeError('run', `${what} is ${given}, expected ${expected}`, { argument: what, expected });
}

/** Across realms, as `dtypeOf` is. */
const isLong = (data: unknown): data is BigInt64Array => Object.prototype.toString.call(data) === '[object BigInt64Array]';

/** The size of batches that alone is taken, if there is one, and how to have others taken. */
export interface OtherBatches {
  readonly length: number | string | null;
  readonly how: string;
}

/**
 * Throws unless a shape is one that an input may have; `sizes` are those of axes by name, as far as inputs before it said. `otherBatches` is
 * said where the first axis alone is not, and is the batch.
 */
export function checkFit(
  operation: string,
  what: string,
  received: Shape,
  wanted: SessionValue['shape'],
  sizes: Map<string, number>,
  otherBatches?: OtherBatches,
): void {
  const misfit = (n: number, axis: number) => {
    const length = wanted[axis]!;
    if (!Number.isSafeInteger(n) || n < 0) return true;
    if (typeof length === 'number') return length >= 0 && length !== n;
    const known = sizes.get(length) ?? n;
    sizes.set(length, known);
    return known !== n;
  };
  const misfits = received.length === wanted.length ? received.flatMap((n, axis) => (misfit(n, axis) ? [axis] : [])) : null;
  if (misfits?.length === 0) return;
  const expected = `[${wanted.join(',')}]`;
  const batch = misfits?.join() === '0' && typeof wanted[0] === 'number' && wanted[0] === otherBatches?.length;
  const hint = batch ? `; for batches of any size ${otherBatches!.how}` : '';
  const message = `${what} has shape ${showShape(received)}, expected ${expected}${hint}`;
  throw shapeError(operation, message, { argument: what, received, expected });
}

/** Numbers that are no tensor yet as one. */
export function filled(what: string, feed: unknown, dtype: Dtype): Tensor {
  if (typeof feed !== 'object' || feed === null || !('data' in feed) || !('shape' in feed)) {
    throw typeError('run', what, feed, 'a Tensor, or { data, shape }');
  }
  const { data, shape } = feed as { data: unknown; shape: Shape };
  if (dtype === 'int32' && isLong(data)) return tensor(narrowed(what, data), shape, { dtype });
  checkArray(`the data of ${what}`, data, dtype);
  return tensor(data, shape, { dtype });
}

/** 64-bit integers as 32-bit ones. */
function narrowed(what: string, values: BigInt64Array): Int32Array {
  return Int32Array.from(values, (value, i) => {
    if (value !== BigInt.asIntN(32, value))
      throw rangeError('run', `element ${i} of ${what}`, Number(value), `an integer from ${-(2 ** 31)} to ${2 ** 31 - 1}`);
    return Number(value);
  });
}

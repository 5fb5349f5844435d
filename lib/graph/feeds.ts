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
 * Data for an input: a tensor, or numbers in row-major order with their shape, in the typed array of the input's type; 64-bit integers
 * must fit 32 bits.
 */
export type Feed = Tensor | { readonly data: TypedArray | BigInt64Array; readonly shape: Shape };

/** Throws unless feeds is an object of inputs by name; a tensor is none. */
export function checkNamed(
  operation: string,
  feeds: unknown,
  names: readonly string[],
): asserts feeds is Readonly<Record<string, unknown>> {
  const wanted = `an object of inputs by name, { ${names.map((name) => (/^\w+$/.test(name) ? name : JSON.stringify(name))).join(': …, ')}: … }`;
  if (feeds instanceof Tensor) throw typeError(operation, 'feeds', feeds, wanted, 'a Tensor');
  if (typeof feeds !== 'object' || feeds === null) throw typeError(operation, 'feeds', feeds, wanted);
}

/** Throws unless data is the typed array that elements of this type are in: none is converted. */
export function checkArray(what: string, data: unknown, dtype: Dtype): asserts data is TypedArray {
  const came = dtypeOf(data);
  const expected = `a ${dtypes[dtype].array.name} (${dtype})`;
  if (came === undefined) throw typeError('run', what, data, expected);
  if (came !== dtype)
    throw dtypeError('run', `${what} is a ${dtypes[came].array.name}, expected ${expected}`, { argument: what, expected });
}

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
  if (Object.prototype.toString.call(data) === '[object BigInt64Array]') {
    const numbers = checked(what, Float64Array.from(data as BigInt64Array, Number), dtype);
    return tensor(dtypes[dtype].array.from(numbers), shape, { dtype });
  }
  checkArray(`the data of ${what}`, data, dtype);
  return tensor(data, shape, { dtype });
}

/** 64-bit integers that are elements of a type. */
function checked(what: string, values: ArrayLike<number>, dtype: Dtype): ArrayLike<number> {
  const [low, high] = dtype === 'uint8' ? [0, 255] : [-(2 ** 31), 2 ** 31 - 1];
  if (dtype === 'int32' || dtype === 'uint8') {
    for (let i = 0; i < values.length; i++) {
      if (!(values[i]! >= low && values[i]! <= high))
        throw rangeError('run', `element ${i} of ${what}`, values[i], `an integer from ${low} to ${high}`);
    }
  }
  return values;
}

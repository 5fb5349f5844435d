import { rangeError, typeError } from './errors';

/** Element types. Training is float32; float64 runs plain scalar loops (gradient checks); int32 holds labels, uint8 images. */
export type Dtype = 'float32' | 'float64' | 'int32' | 'uint8';
/** The typed arrays that hold elements of tensors. */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

interface DtypeInfo {
  /** The number the addon knows it by. */
  readonly code: number;
  readonly bytes: number;
  readonly array: {
    readonly name: string;
    new (length: number): TypedArray;
    new (buffer: ArrayBuffer): TypedArray;
    from(values: ArrayLike<number>): TypedArray;
  };
}

export const dtypes: Readonly<Record<Dtype, DtypeInfo>> = {
  float32: { code: 0, bytes: 4, array: Float32Array },
  float64: { code: 1, bytes: 8, array: Float64Array },
  int32: { code: 2, bytes: 4, array: Int32Array },
  uint8: { code: 3, bytes: 1, array: Uint8Array },
};

/** The integers a type holds; null for floating point. */
const range: Readonly<Record<Dtype, readonly [number, number] | null>> = {
  float32: null,
  float64: null,
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint8: [0, 255],
};

/** Throws unless value is a number that an element of this type can be: for int32 and uint8 an integer in range. */
export function checkValue(operation: string, value: unknown, dtype: Dtype): void {
  const expected = `a number that ${dtype} holds`;
  if (typeof value !== 'number') throw typeError(operation, 'a value', value, expected);
  const bounds = range[dtype];
  if (bounds && !(Number.isInteger(value) && value >= bounds[0] && value <= bounds[1])) {
    throw rangeError(operation, 'a value', value, `an integer from ${bounds[0]} to ${bounds[1]} (${dtype}); see ops.cast`);
  }
}

/** Numbers as elements of this type, none of which may change but by rounding to floating point. */
export function toArray(operation: string, values: ArrayLike<number>, dtype: Dtype): TypedArray {
  if (!isFloat(dtype)) for (let i = 0; i < values.length; i++) checkValue(operation, values[i], dtype);
  return dtypes[dtype].array.from(values);
}

export const isFloat = (dtype: Dtype): boolean => dtype === 'float32' || dtype === 'float64';

const byTag: Readonly<Record<string, Dtype>> = {
  Float32Array: 'float32',
  Float64Array: 'float64',
  Int32Array: 'int32',
  Uint8Array: 'uint8',
  Uint8ClampedArray: 'uint8',
};

const tagOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!.get!;

/**
 * The element type of a typed array, or undefined for any other value. Asks the array itself, not its constructor: arrays made in
 * another realm (a vm context, jest) count.
 */
export function dtypeOf(value: unknown): Dtype | undefined {
  return ArrayBuffer.isView(value) ? byTag[tagOf.call(value) as string] : undefined;
}

/** Element types. Training is float32; float64 runs plain scalar loops (gradient checks); int32 holds labels, uint8 images. */
export type Dtype = 'float32' | 'float64' | 'int32' | 'uint8';
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

interface DtypeInfo {
  /** The number the addon knows it by. */
  readonly code: number;
  readonly bytes: number;
  readonly array: { new (length: number): TypedArray; new (buffer: ArrayBuffer): TypedArray; from(values: ArrayLike<number>): TypedArray };
}

export const dtypes: Readonly<Record<Dtype, DtypeInfo>> = {
  float32: { code: 0, bytes: 4, array: Float32Array },
  float64: { code: 1, bytes: 8, array: Float64Array },
  int32: { code: 2, bytes: 4, array: Int32Array },
  uint8: { code: 3, bytes: 1, array: Uint8Array },
};

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

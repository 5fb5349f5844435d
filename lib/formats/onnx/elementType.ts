import type { Dtype } from '../../dtype';

// Element types of ONNX, by the numbers of TensorProto.DataType, how the host keeps them, and what native tensors they become.

/** ONNX's element types. */
export type ElementType =
  | 'float32'
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'string'
  | 'bool'
  | 'float16'
  | 'float64'
  | 'uint32'
  | 'uint64'
  | 'bfloat16';

/** Elements on the host: half precision as float32, bool as 0 and 1, 64-bit integers exactly. */
export type HostData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | string[];

interface TypeInfo {
  /** TensorProto.DataType. */
  readonly code: number;
  /** Bytes an element takes in a file; 0 for text, which has no fixed size. */
  readonly bytes: number;
  readonly make: (length: number) => HostData;
  /** What a tensor of it is to the kernels; null for text. */
  readonly dtype: Dtype | null;
}

const types: Readonly<Record<ElementType, TypeInfo>> = {
  float32: { code: 1, bytes: 4, make: (n) => new Float32Array(n), dtype: 'float32' },
  uint8: { code: 2, bytes: 1, make: (n) => new Uint8Array(n), dtype: 'uint8' },
  int8: { code: 3, bytes: 1, make: (n) => new Int8Array(n), dtype: 'int32' },
  uint16: { code: 4, bytes: 2, make: (n) => new Uint16Array(n), dtype: 'int32' },
  int16: { code: 5, bytes: 2, make: (n) => new Int16Array(n), dtype: 'int32' },
  int32: { code: 6, bytes: 4, make: (n) => new Int32Array(n), dtype: 'int32' },
  int64: { code: 7, bytes: 8, make: (n) => new BigInt64Array(n), dtype: 'int32' },
  string: { code: 8, bytes: 0, make: (n) => new Array<string>(n).fill(''), dtype: null },
  bool: { code: 9, bytes: 1, make: (n) => new Uint8Array(n), dtype: 'uint8' },
  float16: { code: 10, bytes: 2, make: (n) => new Float32Array(n), dtype: 'float32' },
  float64: { code: 11, bytes: 8, make: (n) => new Float64Array(n), dtype: 'float64' },
  uint32: { code: 12, bytes: 4, make: (n) => new Uint32Array(n), dtype: 'int32' },
  uint64: { code: 13, bytes: 8, make: (n) => new BigUint64Array(n), dtype: 'int32' },
  bfloat16: { code: 16, bytes: 2, make: (n) => new Float32Array(n), dtype: 'float32' },
};

const byCode = new Map(Object.entries(types).map(([name, { code }]) => [code, name as ElementType]));

/** The type a number stands for; undefined for one that is not supported. */
export const elementTypeOf = (code: number): ElementType | undefined => byCode.get(code);

export const codeOf = (type: ElementType): number => types[type].code;
export const bytesOf = (type: ElementType): number => types[type].bytes;
export const dtypeFor = (type: ElementType): Dtype | null => types[type].dtype;
export const hostData = (type: ElementType, length: number): HostData => types[type].make(length);

export const isFloatType = (type: ElementType): boolean =>
  type === 'float32' || type === 'float64' || type === 'float16' || type === 'bfloat16';
export const isBigType = (type: ElementType): boolean => type === 'int64' || type === 'uint64';
export const isIntegerType = (type: ElementType): boolean => type !== 'string' && type !== 'bool' && !isFloatType(type);

import { checkValue, type Dtype, dtypeOf, dtypes, isFloat, type TypedArray, toArray } from './dtype';
import { dtypeError, rangeError, shapeError, typeError } from './errors';
import { native } from './native';
import { checkTensor } from './op';
import { checkOptions, type OptionNames } from './options';
import { takeRandom } from './random';
import { checkShape, maxRank, type Shape, showShape, sizeOf } from './shape';
import { type NestedNumbers, Tensor } from './tensor';

/** Options of the functions that make tensors. */
export interface TensorOptions {
  /** Default: float32, or what the data's own type is. */
  dtype?: Dtype;
  /** Whether `backward()` leaves a gradient on the tensor. Default false. */
  requiresGrad?: boolean;
}

const names: OptionNames<TensorOptions> = { dtype: true, requiresGrad: 'boolean' };

function complete(operation: string, options: TensorOptions, otherwise: Dtype): Required<TensorOptions> {
  checkOptions(operation, options, names);
  const { dtype = otherwise, requiresGrad = false } = options;
  if (!Object.hasOwn(dtypes, dtype)) throw typeError(operation, 'dtype', dtype, Object.keys(dtypes).join(', '));
  if (requiresGrad && !isFloat(dtype))
    throw dtypeError(operation, `a ${dtype} tensor cannot require a gradient, expected float32 or float64`);
  return { dtype, requiresGrad };
}

function finish(tensor: Tensor, requiresGrad: boolean): Tensor {
  if (requiresGrad) tensor.requiresGrad = true;
  return tensor;
}

function upload(array: TypedArray, shape: Shape, dtype: Dtype): Tensor {
  const tensor = Tensor.empty(shape, dtype);
  native.upload(tensor.id, array);
  return tensor;
}

/**
 * A tensor of given values.
 * @param values A number, nested arrays of numbers, or a typed array (copied).
 * @param shape Its shape; by default that of the nesting, or one axis for a typed array.
 */
export function tensor(values: TypedArray | Uint8ClampedArray | NestedNumbers, shape?: Shape | null, options: TensorOptions = {}): Tensor {
  const arrayType = dtypeOf(values);
  const { flat, natural } = arrayType ? { flat: values as TypedArray, natural: [(values as TypedArray).length] } : flatten(values);
  const wanted = shape == null ? natural : checkShape('tensor', shape);
  if (sizeOf(wanted) !== flat.length) {
    throw shapeError('tensor', `${flat.length} values do not fill shape ${showShape(wanted)}, which holds ${sizeOf(wanted)}`);
  }
  const { dtype, requiresGrad } = complete('tensor', options, arrayType ?? 'float32');
  const array = arrayType === dtype ? (flat as TypedArray) : toArray('tensor', flat, dtype);
  return finish(upload(array, wanted, dtype), requiresGrad);
}

/** The numbers in nested arrays, in order, and the shape of the nesting, which must be rectangular. */
function flatten(values: unknown): { flat: number[]; natural: number[] } {
  const lengths: number[] = [];
  for (let level = values; Array.isArray(level) && lengths.length <= maxRank; level = level[0]) lengths.push(level.length);
  const natural = checkShape('tensor', lengths);
  const flat: number[] = [];
  const visit = (value: unknown, depth: number): void => {
    if (typeof value === 'number') {
      if (depth !== natural.length) throw shapeError('tensor', 'the nested arrays have unequal depths, expected a rectangular array');
      flat.push(value);
    } else if (Array.isArray(value)) {
      if (depth >= natural.length || value.length !== natural[depth]) {
        throw shapeError(
          'tensor',
          `nested arrays of ${value.length} and ${natural[depth] ?? 'no'} elements beside each other, expected a rectangular array`,
        );
      }
      for (const item of value) visit(item, depth + 1);
    } else {
      const expected = 'a number, nested arrays of numbers, or a Float32Array, Float64Array, Int32Array or Uint8Array';
      throw typeError('tensor', 'a value', value, expected);
    }
  };
  visit(values, 0);
  return { flat, natural };
}

/** A tensor whose elements are all the same number. */
export const full = (shape: Shape, value: number, options: TensorOptions = {}): Tensor => filled('full', shape, value, options);

function filled(operation: string, shape: Shape, value: number, options: TensorOptions = {}): Tensor {
  const { dtype, requiresGrad } = complete(operation, options, 'float32');
  checkValue(operation, value, dtype);
  const made = Tensor.empty(checkShape(operation, shape), dtype);
  native.ops.fill(made.id, value);
  return finish(made, requiresGrad);
}

/** A tensor of zeros. */
export const zeros = (shape: Shape, options?: TensorOptions): Tensor => filled('zeros', shape, 0, options);
/** A tensor of ones. */
export const ones = (shape: Shape, options?: TensorOptions): Tensor => filled('ones', shape, 1, options);

/** The numbers from start (default 0) up to, not including, stop, in steps (default 1). */
export function arange(start: number, stop?: number, step = 1, options: TensorOptions = {}): Tensor {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  if (!Number.isFinite(from) || !Number.isFinite(to))
    throw rangeError('arange', 'bound', Number.isFinite(from) ? to : from, 'a finite number');
  if (!Number.isFinite(step) || step === 0) throw rangeError('arange', 'step', step, 'a finite number other than 0');
  const { dtype, requiresGrad } = complete('arange', options, 'float32');
  const count = checkShape('arange', [Math.max(0, Math.ceil((to - from) / step))])[0]!;
  const values = Float64Array.from({ length: count }, (_, i) => from + i * step);
  return finish(upload(toArray('arange', values, dtype), [count], dtype), requiresGrad);
}

function random(operation: string, kind: number, shape: Shape, a: number, b: number, options: TensorOptions): Tensor {
  const { dtype, requiresGrad } = complete(operation, options, 'float32');
  if (!isFloat(dtype)) throw dtypeError(operation, `dtype is ${dtype}, expected float32 or float64`);
  const made = Tensor.empty(checkShape(operation, shape), dtype);
  native.ops.random(made.id, kind, a, b, ...takeRandom(made.size, operation));
  return finish(made, requiresGrad);
}

/** Samples of the normal distribution of mean 0 and standard deviation 1. See `manualSeed`. */
export const randn = (shape: Shape, options: TensorOptions = {}): Tensor => random('randn', 1, shape, 0, 1, options);

/** Samples spread evenly over [low, high). */
export function uniform(shape: Shape, low = 0, high = 1, options: TensorOptions = {}): Tensor {
  if (!Number.isFinite(low)) throw rangeError('uniform', 'low', low, 'a finite number');
  if (!Number.isFinite(high) || high < low) throw rangeError('uniform', 'high', high, `a finite number of at least ${low}`);
  return random('uniform', 0, shape, low, high, options);
}

/** A tensor of the bytes of a buffer (copied), taken as elements in this machine's byte order. */
export function fromBuffer(buffer: ArrayBuffer | ArrayBufferView, shape: Shape, options: TensorOptions = {}): Tensor {
  const { dtype, requiresGrad } = complete('fromBuffer', options, 'float32');
  const bytes = ArrayBuffer.isView(buffer) ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength) : bytesOf(buffer);
  const wanted = checkShape('fromBuffer', shape);
  const expected = sizeOf(wanted) * dtypes[dtype].bytes;
  if (bytes.byteLength !== expected) {
    throw shapeError('fromBuffer', `${bytes.byteLength} bytes do not fill ${dtype} of shape ${showShape(wanted)}, which takes ${expected}`);
  }
  return finish(upload(bytes, wanted, dtype), requiresGrad);
}

function bytesOf(buffer: unknown): Uint8Array {
  const tag = Object.prototype.toString.call(buffer);
  if (tag !== '[object ArrayBuffer]' && tag !== '[object SharedArrayBuffer]')
    throw typeError('fromBuffer', 'buffer', buffer, 'an ArrayBuffer or a view of one');
  return new Uint8Array(buffer as ArrayBuffer);
}

/** The shape and the options of a tensor made in the likeness of x. */
function like(operation: string, x: Tensor, options: TensorOptions): [Shape, TensorOptions] {
  checkTensor(operation, 'input', x);
  checkOptions(operation, options, names);
  return [x.shape, { dtype: x.dtype, ...options }];
}

/** A tensor of x's shape and type whose elements are all the same number. */
export function fullLike(x: Tensor, value: number, options: TensorOptions = {}): Tensor {
  const [shape, own] = like('fullLike', x, options);
  return full(shape, value, own);
}

/** Zeros in x's shape and type. */
export function zerosLike(x: Tensor, options: TensorOptions = {}): Tensor {
  const [shape, own] = like('zerosLike', x, options);
  return full(shape, 0, own);
}

/** Ones in x's shape and type. */
export function onesLike(x: Tensor, options: TensorOptions = {}): Tensor {
  const [shape, own] = like('onesLike', x, options);
  return full(shape, 1, own);
}

/** `randn` in x's shape and type. */
export function randnLike(x: Tensor, options: TensorOptions = {}): Tensor {
  const [shape, own] = like('randnLike', x, options);
  return randn(shape, own);
}

/** `uniform` in x's shape and type. */
export function uniformLike(x: Tensor, low = 0, high = 1, options: TensorOptions = {}): Tensor {
  const [shape, own] = like('uniformLike', x, options);
  return uniform(shape, low, high, own);
}

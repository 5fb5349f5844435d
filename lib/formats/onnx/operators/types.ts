import type { Dtype } from '../../../dtype';
import * as ops from '../../../ops';
import type { Tensor } from '../../../tensor';
import { dtypeFor, type ElementType, isFloatType, isIntegerType } from '../elementType';
import type { Run, Value } from '../value';
import { unsupported } from './operator';

// Element types that no tensor has: bool is 0 and 1 in whatever type a comparison left, narrow integers are int32 brought into their range.

/** The type that values of an element type are computed in. */
export function computeDtype(type: ElementType): Dtype {
  const dtype = dtypeFor(type);
  if (dtype === null) throw unsupported('computes with texts');
  return dtype === 'uint8' ? 'int32' : dtype;
}

/** The value in the type it is computed in, axes as they lie. */
export function numeric(run: Run, value: Value): Value {
  const tensor = run.tensor(value);
  const dtype = computeDtype(value.type);
  return run.like(value, tensor.dtype === dtype ? tensor : ops.cast(tensor, dtype));
}

const wrapping: Partial<Record<ElementType, readonly [low: number, range: number]>> = {
  uint8: [0, 2 ** 8],
  int8: [-(2 ** 7), 2 ** 8],
  uint16: [0, 2 ** 16],
  int16: [-(2 ** 15), 2 ** 16],
};

/** What arithmetic gave in int32, as integers of a narrower type wrap around. */
export function wrapped(tensor: Tensor, type: ElementType): Tensor {
  const bounds = wrapping[type];
  if (!bounds || tensor.dtype !== 'int32') return tensor;
  const [low, range] = bounds;
  const shifted = ops.sub(tensor, low);
  const rest = ops.sub(shifted, ops.mul(ops.div(shifted, range), range));
  return ops.add(ops.add(rest, ops.mul(ops.greater(0, rest), range)), low);
}

/** 1 where a value is not 0, else 0, in this type. */
export function truth(tensor: Tensor, dtype: Dtype): Tensor {
  const number = tensor.dtype === 'uint8' ? ops.cast(tensor, 'int32') : tensor;
  return ops.cast(ops.sub(1, ops.equal(number, 0)), dtype);
}

/** A tensor as one of its element type that leaves the model, or that the kernels of that type take. */
export function settled(tensor: Tensor, type: ElementType): Tensor {
  const dtype = dtypeFor(type);
  if (dtype === null) throw unsupported('computes with texts');
  return tensor.dtype === dtype ? tensor : ops.cast(tensor, dtype);
}

/** x in another type as ONNX casts: towards 0 to integers, to 0 and 1 for bool. */
export function castTo(run: Run, value: Value, type: ElementType): Value {
  const from = value.type;
  const tensor = run.tensor(value);
  const dtype = dtypeFor(type);
  if (dtype === null || from === 'string') throw unsupported(`Cast of ${from} to ${type}`);
  if (type === 'bool') return run.like(value, from === 'bool' ? tensor : truth(tensor, 'uint8'), type);
  // halves are computed as float32, and not rounded
  if (isFloatType(type)) return run.like(value, ops.cast(tensor, dtype), type);
  const whole = isFloatType(from) ? towardsZero(tensor) : tensor;
  const narrow = isIntegerType(type) && isIntegerType(from) && whole.dtype === 'int32' ? wrapped(whole, type) : whole;
  return run.like(value, ops.cast(narrow, dtype), type);
}

/** The integer next to a number on the side of 0. */
export const towardsZero = (x: Tensor): Tensor => ops.mul(ops.sign(x), ops.floor(ops.abs(x)));

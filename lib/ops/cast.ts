import { type Dtype, dtypes, isFloat } from '../dtype';
import { rangeError } from '../errors';
import { native } from '../native';
import { apply, checkTensor, type Op } from '../op';
import type { Tensor } from '../tensor';
import { converted } from './gradients';
import { reshape } from './reshape';

function define(dtype: Dtype): Op<[Tensor], Dtype> {
  return {
    name: 'cast',
    infer: ([x]) => ({ shape: x.shape, dtype }),
    forward({ inputs: [x], output }) {
      native.ops.cast(x.id, output.id, 1, 0);
    },
    // Only a floating-point input can need a gradient, of its own type; a cast to integers is constant almost everywhere and has none.
    backward: isFloat(dtype) ? (grad) => [converted(grad, dtype === 'float32' ? 'float64' : 'float32')] : undefined,
    linear: () => (isFloat(dtype) ? 'all' : null),
  };
}

const to: Readonly<Record<Dtype, Op<[Tensor], Dtype>>> = {
  float32: define('float32'),
  float64: define('float64'),
  int32: define('int32'),
  uint8: define('uint8'),
};

/**
 * x in another element type. To int32 and uint8 numbers are rounded, halves to even, and those out of range become the nearest end.
 * The gradient passes through casts between floating-point types.
 */
export function cast(x: Tensor, dtype: Dtype): Tensor {
  checkTensor('cast', 'input', x);
  if (!Object.hasOwn(dtypes, dtype)) throw rangeError('cast', 'dtype', dtype, Object.keys(dtypes).join(', '));
  return x.dtype === dtype ? reshape(x, x.shape) : apply(to[dtype], [x], dtype);
}

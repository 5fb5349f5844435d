import type { Dtype } from '../dtype';
import { native } from '../native';
import { type Shape, sameShape } from '../shape';
import { Tensor } from '../tensor';

// What gradient rules share. Nothing here is recorded on the tape.

/** Sums a gradient over the axes along which an operand was stretched, back to the operand's shape. */
export function sumTo(grad: Tensor, shape: Shape): Tensor {
  if (sameShape(grad.shape, shape)) return grad;
  const extra = grad.rank - shape.length;
  let mask = 2 ** extra - 1;
  for (let axis = extra; axis < grad.rank; axis++) if (shape[axis - extra] === 1 && grad.shape[axis] !== 1) mask |= 1 << axis;
  const summed = Tensor.empty(shape, grad.dtype);
  const whole = extra === 0 || mask === 2 ** extra - 1 ? summed : summed.view([...new Array<number>(extra).fill(1), ...shape]);
  native.ops.reduce(grad.id, whole.id, 0, mask);
  return summed;
}

/** x * factor. */
export function scaled(x: Tensor, factor: number): Tensor {
  const y = Tensor.empty(x.shape, x.dtype);
  native.ops.cast(x.id, y.id, factor, 0);
  return y;
}

/** x · factors, which stretch to x's shape. */
export function multiplied(x: Tensor, factors: Tensor, product = Tensor.empty(x.shape, x.dtype)): Tensor {
  native.ops.binary(x.id, factors.id, product.id, 2);
  return product;
}

/** x in another type. */
export function converted(x: Tensor, dtype: Dtype): Tensor {
  const y = Tensor.empty(x.shape, dtype);
  native.ops.cast(x.id, y.id, 1, 0);
  return y;
}

import { shapeError } from '../errors';
import { native } from '../native';
import { apply, type Op } from '../op';
import { broadcastShapes, checkShape, type Shape, sameShape, showShape, stridesOf } from '../shape';
import type { Tensor } from '../tensor';
import { sumTo } from './gradients';

const op: Op<[Tensor], Shape> = {
  name: 'expand',
  infer([x], shape) {
    if (!sameShape(broadcastShapes('expand', x.shape, shape), shape)) {
      throw shapeError('expand', `input ${showShape(x.shape)} does not stretch to ${showShape(shape)}`);
    }
    return { shape, dtype: x.dtype };
  },
  forward({ inputs: [x], output }) {
    const strides = stridesOf(x.shape).map((step, axis) => (x.shape[axis] === 1 ? 0 : step));
    const padded = [...new Array<number>(output.rank - x.rank).fill(0), ...strides];
    native.ops.copy(x.id, output.id, output.rank, ...output.shape, 0, ...padded, 0, ...stridesOf(output.shape));
  },
  backward: (grad, { shapes: [shape] }) => [sumTo(grad, shape!)],
  linear: () => 'all',
};

/** Repeats x along its axes of dimension 1, and new leading axes, to fill the shape (NumPy's broadcast_to). */
export function expand(x: Tensor, shape: Shape): Tensor {
  return apply(op, [x], checkShape('expand', shape));
}

import { rangeError, typeError } from '../errors';
import { native } from '../native';
import { apply, checkTensor, type Op } from '../op';
import { along } from '../reach';
import { checkAxis, stridesOf } from '../shape';
import { Tensor } from '../tensor';

/** @internal Copies x with its axes in another order: axis i of the result is axis permutation[i] of x. */
export function permute(x: Tensor, permutation: readonly number[], output: Tensor): void {
  const strides = stridesOf(x.shape);
  const read = permutation.map((axis) => strides[axis]!);
  native.ops.copy(x.id, output.id, x.rank, ...output.shape, 0, ...read, 0, ...stridesOf(output.shape));
}

const op: Op<[Tensor], readonly number[]> = {
  name: 'transpose',
  infer: ([x], permutation) => ({ shape: permutation.map((axis) => x.shape[axis]!), dtype: x.dtype }),
  forward({ inputs: [x], attrs, output }) {
    permute(x, attrs, output);
  },
  backward(grad, { shapes: [shape], attrs }) {
    const inverse = attrs.map((_, axis) => attrs.indexOf(axis));
    const dx = Tensor.empty(shape!, grad.dtype);
    permute(grad, inverse, dx);
    return [dx];
  },
  linear: () => 'all',
  reach: (_shapes, permutation) => [permutation.map((_, axis) => along(permutation.indexOf(axis)))],
};

/**
 * The axes in another order: axis i of the result is axis permutation[i] of x. Default: in reverse.
 * @example
 * ops.transpose(randn([8, 3, 32, 32]), [0, 2, 3, 1]).shape; // [8, 32, 32, 3]
 */
export function transpose(x: Tensor, permutation?: readonly number[]): Tensor {
  checkTensor('transpose', 'input', x);
  if (permutation !== undefined && !Array.isArray(permutation)) throw typeError('transpose', 'permutation', permutation, 'a list of axes');
  const axes = permutation?.map((axis) => checkAxis('transpose', axis, x.rank)) ?? x.shape.map((_, i) => x.rank - 1 - i);
  if (axes.length !== x.rank || new Set(axes).size !== x.rank) {
    throw rangeError('transpose', 'permutation', permutation, `each of ${x.rank} axes once`);
  }
  return apply(op, [x], axes);
}

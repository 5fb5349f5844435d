import { dtypeError, shapeError } from '../errors';
import { native } from '../native';
import { apply, checkTensor, type Op } from '../op';
import { along } from '../reach';
import { maxRank, showShape } from '../shape';
import { Tensor } from '../tensor';

interface Attrs {
  /** A row without gradient; -1 for none. */
  readonly constant: number;
}

/** @internal Rows by their numbers: the operation of this name. */
export const lookup = (name: 'gather' | 'embedding'): Op<[table: Tensor, index: Tensor], Attrs> => ({
  name,
  infer([x, index]) {
    if (x.rank === 0) throw shapeError(name, 'input is a scalar, expected rank 1 or more');
    if (index.dtype !== 'int32') throw dtypeError(name, `index is ${index.dtype}, expected int32`);
    if (index.rank + x.rank - 1 > maxRank) {
      throw shapeError(name, `input ${showShape(x.shape)} by index ${showShape(index.shape)} has more than ${maxRank} axes`);
    }
    return { shape: [...index.shape, ...x.shape.slice(1)], dtype: x.dtype };
  },
  forward({ inputs: [x, index], output, save }) {
    const [numbers, rows] = [index.view([index.size]), output.view([index.size, ...x.shape.slice(1)])];
    native.ops[name](x.id, numbers.id, rows.id);
    save(index);
  },
  backward(grad, { shapes: [shape], saved: [index], attrs: { constant } }) {
    const dx = Tensor.empty(shape!, grad.dtype);
    const [numbers, rows] = [index!.view([index!.size]), grad.view([index!.size, ...shape!.slice(1)])];
    native.ops.scatter_add(rows.id, numbers.id, dx.id, constant);
    return [dx, null];
  },
  linear: () => [0],
  reach: ([x, index]) => [x!.map((_, i) => (i === 0 ? null : along(index!.length + i - 1))), index!.map((_, i) => along(i))],
});

const op = lookup('gather');

/**
 * Rows of x by their numbers, y[i,…] = x[index[i],…]. A row's gradient is the sum over the places it went to.
 *
 * x [V,...], index int32 of any shape give [...index.shape,...]. A number that is not a row of x is an error when the result is read.
 */
export function gather(x: Tensor, index: Tensor): Tensor {
  checkTensor('gather', 'input', x);
  checkTensor('gather', 'index', index);
  return apply(op, [x, index], { constant: -1 });
}

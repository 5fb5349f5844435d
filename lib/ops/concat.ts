import { dtypeError, shapeError, typeError } from '../errors';
import { apply, checkTensor, type Op } from '../op';
import { along as same } from '../reach';
import { checkAxis, type Shape, sameShape, showShape } from '../shape';
import { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { copyBlock } from './block';
import { reshape } from './reshape';

/** A start that is `at` along one axis and 0 along the others. */
const along = (rank: number, axis: number, at: number): Shape => Array.from({ length: rank }, (_, i) => (i === axis ? at : 0));

const op: Op<readonly Tensor[], number> = {
  name: 'concat',
  infer(list, axis) {
    const first = list[0]!;
    const rest = (shape: Shape) => shape.filter((_, i) => i !== axis);
    for (const x of list) {
      if (x.dtype !== first.dtype) throw dtypeError('concat', `inputs are ${first.dtype} and ${x.dtype}, expected the same type`);
      if (x.rank !== first.rank || !sameShape(rest(x.shape), rest(first.shape))) {
        throw shapeError('concat', `shapes ${showShape(first.shape)} and ${showShape(x.shape)} differ beside axis ${axis}`);
      }
    }
    const total = list.reduce((sum, x) => sum + x.shape[axis]!, 0);
    return { shape: first.shape.map((n, i) => (i === axis ? total : n)), dtype: first.dtype };
  },
  forward({ inputs, attrs: axis, output }) {
    let at = 0;
    for (const x of inputs) {
      copyBlock(x.shape, x, along(x.rank, axis, 0), output, along(x.rank, axis, at));
      at += x.shape[axis]!;
    }
  },
  backward(grad, { shapes, needs, attrs: axis }) {
    let at = 0;
    return shapes.map((shape, i) => {
      const start = along(shape.length, axis, at);
      at += shape[axis]!;
      if (!needs[i]) return null;
      const dx = Tensor.empty(shape, grad.dtype);
      copyBlock(shape, grad, start, dx, along(shape.length, axis, 0));
      return dx;
    });
  },
  linear: () => 'all',
  reach(shapes, axis) {
    let at = 0;
    return shapes.map((shape) => {
      const from = -at;
      at += shape[axis]!;
      return shape.map((_, i) => (i === axis ? { ...same(i, from), within: true } : same(i)));
    });
  },
};

function checkList(operation: string, list: readonly Tensor[]): Tensor {
  if (!Array.isArray(list) || list.length === 0) throw typeError(operation, 'list', list, 'a list of at least one Tensor');
  list.forEach((x, i) => {
    checkTensor(operation, `input ${i}`, x);
  });
  return list[0];
}

/**
 * Tensors of one shape, but for one axis, behind each other along that axis. Default axis 0.
 * @example
 * ops.concat([zeros([2, 3]), ones([1, 3])]).shape; // [3, 3]
 */
export function concat(list: readonly Tensor[], axis = 0): Tensor {
  const first = checkList('concat', list);
  return apply(op, list, checkAxis('concat', axis, first.rank));
}

/** Tensors of one shape beside each other along a new axis, which becomes this one of the result. Default 0. */
export function stack(list: readonly Tensor[], axis = 0): Tensor {
  const first = checkList('stack', list);
  const at = checkAxis('stack', axis, first.rank + 1);
  for (const x of list) {
    if (!sameShape(x.shape, first.shape)) throw shapeError('stack', `shapes ${showShape(first.shape)} and ${showShape(x.shape)} differ`);
  }
  return tidy(() =>
    concat(
      list.map((x) => reshape(x, x.shape.toSpliced(at, 0, 1))),
      at,
    ),
  );
}

import { full } from '../create';
import { typeError } from '../errors';
import { native } from '../native';
import { apply, checkTensor, commonFloat, type Op } from '../op';
import { broadcastShapes } from '../shape';
import { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { sumTo } from './gradients';

/** Runs the kernel outside of the tape, for gradient rules. */
function choose(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  const y = Tensor.empty(broadcastShapes('where', broadcastShapes('where', condition.shape, a.shape), b.shape), a.dtype);
  native.ops.where(condition.id, a.id, b.id, y.id);
  return y;
}

const op: Op<[condition: Tensor, a: Tensor, b: Tensor], void> = {
  name: 'where',
  infer([condition, a, b]) {
    const shape = broadcastShapes('where', broadcastShapes('where', condition.shape, a.shape), b.shape);
    return { shape, dtype: a.dtype === b.dtype ? a.dtype : commonFloat('where', [a, b]) };
  },
  forward({ inputs: [condition, a, b], output, save }) {
    native.ops.where(condition.id, a.id, b.id, output.id);
    save(condition);
  },
  backward(g, { saved: [condition], shapes, needs }) {
    const nothing = full([], 0, { dtype: g.dtype });
    return [
      null,
      needs[1] ? sumTo(choose(condition!, g, nothing), shapes[1]!) : null,
      needs[2] ? sumTo(choose(condition!, nothing, g), shapes[2]!) : null,
    ];
  },
  linear: () => [1, 2],
};

/**
 * a where the condition is not 0, else b, element by element with broadcasting. What is not chosen has no effect, NaN and infinity included,
 * and a gradient of 0. A choice may be a number.
 *
 * condition, of any type, a and b, of one type, broadcast to the shape of the result.
 * @throws RangeError where the shapes do not broadcast; TypeError where the choices differ in type, or are both numbers.
 * @example
 * ops.where(ops.greater(x, 0), x, ops.mul(x, 0.1)); // a leaky rectifier
 */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  checkTensor('where', 'condition', condition);
  if (typeof a === 'number' && typeof b === 'number') throw typeError('where', 'b', b, 'a Tensor, as a is a number');
  return tidy(() => {
    const [yes, no] = [a, b].map((choice, i) => {
      const other = i === 0 ? b : a;
      const one = typeof choice === 'number' && other instanceof Tensor ? full([], choice, { dtype: other.dtype }) : choice;
      checkTensor('where', i === 0 ? 'a' : 'b', one);
      return one;
    }) as [Tensor, Tensor];
    return apply(op, [condition, yes, no], undefined);
  });
}

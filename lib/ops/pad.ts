import { checkValue } from '../dtype';
import { typeError } from '../errors';
import { native } from '../native';
import { apply, checkTensor, type Op } from '../op';
import { isIndex, type Shape } from '../shape';
import { Tensor } from '../tensor';
import { copyBlock } from './block';

interface Attrs {
  readonly before: Shape;
  readonly after: Shape;
  readonly value: number;
}

const origin = (shape: Shape): Shape => shape.map(() => 0);

const op: Op<[Tensor], Attrs> = {
  name: 'pad',
  infer: ([x], { before, after }) => ({ shape: x.shape.map((n, i) => before[i]! + n + after[i]!), dtype: x.dtype }),
  forward({ inputs: [x], attrs: { before, value }, output }) {
    native.ops.fill(output.id, value);
    copyBlock(x.shape, x, origin(x.shape), output, before);
  },
  backward(grad, { shapes: [shape], attrs: { before } }) {
    const dx = Tensor.empty(shape!, grad.dtype);
    copyBlock(shape!, grad, before, dx, origin(shape!));
    return [dx];
  },
};

/**
 * x with cells of one value around it.
 * @param padding For each axis how many cells come before and how many after: [[before, after], …].
 * @param value What they hold. Default 0.
 * @example
 * ops.pad(ones([2, 2]), [[0, 0], [1, 1]]).shape; // [2, 4]
 */
export function pad(x: Tensor, padding: readonly (readonly [before: number, after: number])[], value = 0): Tensor {
  checkTensor('pad', 'input', x);
  const isPair = (pair: unknown) => Array.isArray(pair) && pair.length === 2 && pair.every(isIndex);
  if (!Array.isArray(padding) || padding.length !== x.rank || !padding.every(isPair)) {
    throw typeError('pad', 'padding', padding, `[before, after] for each of ${x.rank} axes, integers of at least 0`);
  }
  checkValue('pad', value, x.dtype);
  return apply(op, [x], { before: padding.map(([n]) => n), after: padding.map(([, n]) => n), value });
}

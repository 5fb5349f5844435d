import { shapeError } from '../errors';
import { native } from '../native';
import { apply, checkTensor, commonFloat, type Op } from '../op';
import { showShape } from '../shape';
import { Tensor } from '../tensor';

const op: Op<[Tensor, Tensor], void> = {
  name: 'prelu',
  infer([x, weight]) {
    const channels = x.shape[x.rank - 1] ?? 1;
    if (weight.rank !== 1 || (weight.size !== 1 && weight.size !== channels)) {
      throw shapeError(
        'prelu',
        `weight has shape ${showShape(weight.shape)}, expected [1] or [${channels}], the channels (input ${showShape(x.shape)})`,
      );
    }
    return { shape: x.shape, dtype: commonFloat('prelu', [x, weight]) };
  },
  forward({ inputs: [x, weight], output, save }) {
    native.ops.prelu(x.id, weight.id, output.id);
    save(x, weight);
  },
  backward(grad, { saved: [x, weight], needs }) {
    const [dx, dweight] = [x!, weight!].map((like, i) => (needs[i] ? Tensor.empty(like.shape, like.dtype) : null));
    native.ops.prelu_backward(x!.id, weight!.id, grad.id, dx?.id ?? 0, dweight?.id ?? 0);
    return [dx!, dweight!];
  },
};

/**
 * x where it is above 0, else weight · x: a rectifier whose slope is learned. He et al., Delving deep into rectifiers (2015).
 *
 * x [...,C] gives the same shape; weight [1] is one slope for all, [C] one for each channel, the last axis. The gradient at 0 is the slope.
 * @throws RangeError where the weight is neither.
 * @example
 * ops.prelu(tensor([[-2, -2], [3, 3]]), tensor([0.5, 0.1])); // [[-1, -0.2], [3, 3]]
 */
export function prelu(x: Tensor, weight: Tensor): Tensor {
  checkTensor('prelu', 'input', x);
  checkTensor('prelu', 'weight', weight);
  return apply(op, [x, weight], undefined);
}

import { native } from '../native';
import { apply, checkTensor, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { along } from '../reach';
import { checkAxis } from '../shape';
import { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { transpose } from './transpose';

/** Options of `softmax`. */
export interface SoftmaxOptions {
  /** The axis along which the values become a distribution; a negative one counts from the end. Default the last. */
  axis?: number;
}

const names: OptionNames<SoftmaxOptions> = { axis: true };

function define(name: string, log: 0 | 1): (x: Tensor, options?: SoftmaxOptions) => Tensor {
  const op: Op<[Tensor], void> = {
    name,
    infer: ([x]) => ({ shape: x.shape, dtype: commonFloat(name, [x]) }),
    forward({ inputs: [x], output, save }) {
      native.ops.softmax(x.id, output.id, log);
      save(output);
    },
    backward(grad, { saved: [y] }) {
      const dx = Tensor.empty(grad.shape, grad.dtype);
      native.ops.softmax_backward(y!.id, grad.id, dx.id, log);
      return [dx];
    },
    reach: ([x]) => [x!.map((_, i) => (i < x!.length - 1 ? along(i) : null))],
  };
  return (x, options = {}) => {
    checkTensor(name, 'input', x);
    checkOptions(name, options, names);
    const { axis = -1 } = options;
    const along = checkAxis(name, axis, x.rank);
    const last = x.rank - 1;
    if (along === last) return apply(op, [x], undefined);
    const exchanged = x.shape.map((_, i) => (i === along ? last : i === last ? along : i));
    return tidy(() => transpose(apply(op, [transpose(x, exchanged)], undefined), exchanged));
  };
}

/**
 * e^x over its sum along an axis: positive numbers that sum to 1, in x's shape.
 * @example
 * ops.softmax(tensor([0, Math.log(3)])); // [0.25, 0.75]
 */
export const softmax = define('softmax', 0);
/** The logarithm of `softmax`, exact where the softmax itself would be 0. */
export const logSoftmax = define('logSoftmax', 1);

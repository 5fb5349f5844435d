import { rangeError } from '../errors';
import { native } from '../native';
import { apply, checkTensor, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { takeRandom } from '../random';
import { Tensor } from '../tensor';
import { reshape } from './reshape';

export interface DropoutOptions {
  /** Whether anything is dropped. Default false. */
  training?: boolean;
}

const names: OptionNames<DropoutOptions> = { training: true };

interface Attrs {
  readonly p: number;
  /** The random numbers that decide, the same in both directions. */
  readonly random: readonly number[];
}

const op: Op<[Tensor], Attrs> = {
  name: 'dropout',
  infer: ([x]) => ({ shape: x.shape, dtype: commonFloat('dropout', [x]) }),
  forward({ inputs: [x], attrs: { p, random }, output }) {
    native.ops.dropout(x.id, output.id, p, ...random);
  },
  backward(grad, { attrs: { p, random } }) {
    const dx = Tensor.empty(grad.shape, grad.dtype);
    native.ops.dropout(grad.id, dx.id, p, ...random);
    return [dx];
  },
  linear: () => 'all',
};

/**
 * In training sets each element to 0 with probability p and divides the others by 1 - p, so that the expected value stays; otherwise
 * leaves x as it is. Srivastava et al., Dropout (2014). See `manualSeed`.
 * @param p From 0 to, not including, 1. Default 0.5.
 */
export function dropout(x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor {
  checkTensor('dropout', 'input', x);
  checkOptions('dropout', options, names);
  if (!Number.isFinite(p) || p < 0 || p >= 1) throw rangeError('dropout', 'p', p, 'a number from 0 to, not including, 1');
  const { training = false } = options;
  if (!training || p === 0) return reshape(x, x.shape);
  return apply(op, [x], { p, random: takeRandom(x.size) });
}

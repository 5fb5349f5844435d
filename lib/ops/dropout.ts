import { rangeError } from '../errors';
import { native } from '../native';
import { apply, checkShapeOf, checkTensor, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { takeRandom } from '../random';
import { Tensor } from '../tensor';
import { multiplied } from './gradients';
import { reshape } from './reshape';

/** Options of `dropout`. */
export interface DropoutOptions {
  /** Whether anything is dropped. Default false. */
  training?: boolean;
}

const names: OptionNames<DropoutOptions> = { training: 'boolean' };

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

/** Dropout of whole channels of a sample: the operation of this name. */
const channelwise = (name: string): Op<[Tensor], Attrs> => ({
  name,
  infer: ([x]) => ({ shape: x.shape, dtype: commonFloat(name, [x]) }),
  forward({ inputs: [x], attrs: { p, random }, output, save }) {
    const factors = Tensor.empty(
      x.shape.map((n, axis) => (axis === 0 || axis === x.rank - 1 ? n : 1)),
      x.dtype,
    );
    native.ops.fill(factors.id, 1);
    native.ops.dropout(factors.id, factors.id, p, ...random);
    multiplied(x, factors, output);
    save(factors);
  },
  backward: (grad, { saved: [factors] }) => [multiplied(grad, factors!)],
  linear: () => 'all',
});

const [sequences, images] = [channelwise('dropout1d'), channelwise('dropout2d')];

/** @internal Throws unless p is a probability to drop with. */
export function checkProbability(operation: string, p: number): void {
  if (typeof p !== 'number' || !(p >= 0 && p <= 1)) throw rangeError(operation, 'p', p, 'a number from 0 to 1');
}

/** Runs the operation where anything is to be dropped, which `count` random numbers decide. */
function drop(operation: Op<[Tensor], Attrs>, x: Tensor, p: number, options: DropoutOptions, count: number): Tensor {
  checkOptions(operation.name, options, names);
  checkProbability(operation.name, p);
  const { training = false } = options;
  if (!training || p === 0) return reshape(x, x.shape);
  return apply(operation, [x], { p, random: takeRandom(count, `${operation.name} that trains`) });
}

/**
 * In training sets each element to 0 with probability p and divides the others by 1 - p, so that the expected value stays; otherwise
 * leaves x as it is. Srivastava et al., Dropout (2014). See `manualSeed`.
 * @param p From 0 to 1, which drops all. Default 0.5.
 */
export function dropout(x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor {
  checkTensor('dropout', 'input', x);
  return drop(op, x, p, options, x.size);
}

/**
 * Dropout of whole channels of a sequence: in training each [n,·,c] of x [N,L,C] is set to 0 with probability p, all others are divided
 * by 1 - p. Neighbours along a sequence are alike, so to drop single elements hides little. Tompson et al., Efficient object localization
 * using convolutional networks (2015).
 * @param p From 0 to 1, which drops all. Default 0.5.
 * @example
 * ops.dropout1d(ones([8, 64, 128]), 0.2, { training: true }); // 8 · 128 channels, of which about a fifth is 0
 */
export function dropout1d(x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor {
  checkShapeOf('dropout1d', 'input', x, 'N,L,C');
  return drop(sequences, x, p, options, x.shape[0]! * x.shape[2]!);
}

/**
 * Dropout of whole channels of an image: in training each [n,·,·,c] of x [N,H,W,C] is set to 0 with probability p, all others are divided
 * by 1 - p. See `dropout1d`.
 * @param p From 0 to 1, which drops all. Default 0.5.
 * @example
 * ops.dropout2d(ones([8, 28, 28, 16]), 0.2, { training: true }); // 8 · 16 channels, of which about a fifth is 0
 */
export function dropout2d(x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor {
  checkShapeOf('dropout2d', 'input', x, 'N,H,W,C');
  return drop(images, x, p, options, x.shape[0]! * x.shape[3]!);
}

import { isFloat } from '../dtype';
import { dtypeError, rangeError, shapeError } from '../errors';
import { native } from '../native';
import { checkTensor } from '../op';
import { checkFinite, checkOptions, type OptionNames } from '../options';
import { takeRandom } from '../random';
import { showShape, sizeOf } from '../shape';
import type { Tensor } from '../tensor';

// Initial values, written into a tensor that is returned. Random ones follow `manualSeed`. Weights are laid out as layers keep them:
// [out, in] for linear ones, [kh, kw, in / groups, out] for convolutions.

/** Values that one output is summed from (in), and outputs that one input goes to (out). */
export function fans(weight: Tensor): { in: number; out: number } {
  checkTensor('init', 'tensor', weight);
  const { shape, rank } = weight;
  if (rank < 2) throw shapeError('init', `a tensor of shape ${showShape(shape)} has no fan in and out, expected at least 2 dimensions`);
  if (rank === 2) return { in: shape[1]!, out: shape[0]! };
  const window = sizeOf(shape.slice(0, -2));
  return { in: shape[rank - 2]! * window, out: shape[rank - 1]! * window };
}

/** What follows a layer, for `gain`. */
export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu';

/** How much a weight's standard deviation is raised to make up for what follows it. @param slope Of the leaky rectifier, default 0.01. */
export function gain(nonlinearity: Nonlinearity, slope = 0.01): number {
  switch (nonlinearity) {
    case 'linear':
    case 'sigmoid':
      return 1;
    case 'tanh':
      return 5 / 3;
    case 'relu':
      return Math.SQRT2;
    case 'leakyRelu':
      return Math.sqrt(2 / (1 + slope ** 2));
    default:
      throw rangeError('init', 'nonlinearity', nonlinearity, 'linear, sigmoid, tanh, relu or leakyRelu');
  }
}

function sample(operation: string, tensor: Tensor, kind: number, a: number, b: number): Tensor {
  checkTensor(operation, 'tensor', tensor);
  tensor.use(operation);
  if (!isFloat(tensor.dtype)) throw dtypeError(operation, `tensor is ${tensor.dtype}, expected float32 or float64`);
  native.ops.random(tensor.id, kind, a, b, ...takeRandom(tensor.size));
  tensor.written();
  return tensor;
}

/** Spread evenly over [low, high). */
export function uniform(tensor: Tensor, low = 0, high = 1): Tensor {
  checkFinite('init.uniform', 'low', low);
  checkFinite('init.uniform', 'high', high);
  if (high < low) throw rangeError('init.uniform', 'high', high, `at least low, ${low}`);
  return sample('init.uniform', tensor, 0, low, high);
}

/** Of the normal distribution. */
export function normal(tensor: Tensor, mean = 0, std = 1): Tensor {
  checkFinite('init.normal', 'mean', mean);
  checkFinite('init.normal', 'std', std);
  if (std < 0) throw rangeError('init.normal', 'std', std, 'a number of at least 0');
  return sample('init.normal', tensor, 1, mean, std);
}

/** The same number everywhere. */
export function constant(tensor: Tensor, value: number): Tensor {
  checkTensor('init.constant', 'tensor', tensor);
  if (typeof value !== 'number') throw rangeError('init.constant', 'value', value, 'a number');
  native.ops.fill(tensor.use('init.constant'), value);
  tensor.written();
  return tensor;
}

/** Zeros. */
export const zeros = (tensor: Tensor): Tensor => constant(tensor, 0);
/** Ones. */
export const ones = (tensor: Tensor): Tensor => constant(tensor, 1);

/** Of variance gain² · 2 / (in + out), evenly (Glorot and Bengio 2010). */
export function xavierUniform(tensor: Tensor, scale = 1): Tensor {
  const bound = scale * Math.sqrt(6 / (fans(tensor).in + fans(tensor).out));
  return uniform(tensor, -bound, bound);
}

/** Of variance gain² · 2 / (in + out), normally (Glorot and Bengio 2010). */
export function xavierNormal(tensor: Tensor, scale = 1): Tensor {
  return normal(tensor, 0, scale * Math.sqrt(2 / (fans(tensor).in + fans(tensor).out)));
}

/** Options of Kaiming initialisers. */
export interface KaimingOptions {
  /** Whose variance is kept: that of values going forward (in) or of gradients coming back (out). Default in. */
  mode?: 'in' | 'out';
  /** What follows the layer. Default leakyRelu. */
  nonlinearity?: Nonlinearity;
  /** Slope of the leaky rectifier. Default 0, a plain one. */
  slope?: number;
}

const names: OptionNames<KaimingOptions> = { mode: true, nonlinearity: true, slope: true };

function kaimingStd(operation: string, tensor: Tensor, options: KaimingOptions): number {
  checkOptions(operation, options, names);
  const { mode = 'in', nonlinearity = 'leakyRelu', slope = 0 } = options;
  if (mode !== 'in' && mode !== 'out') throw rangeError(operation, 'mode', mode, 'in or out');
  return gain(nonlinearity, slope) / Math.sqrt(fans(tensor)[mode]);
}

/** Of variance gain² / fan, evenly (He et al. 2015). */
export function kaimingUniform(tensor: Tensor, options: KaimingOptions = {}): Tensor {
  const bound = Math.sqrt(3) * kaimingStd('init.kaimingUniform', tensor, options);
  return uniform(tensor, -bound, bound);
}

/** Of variance gain² / fan, normally (He et al. 2015). */
export function kaimingNormal(tensor: Tensor, options: KaimingOptions = {}): Tensor {
  return normal(tensor, 0, kaimingStd('init.kaimingNormal', tensor, options));
}

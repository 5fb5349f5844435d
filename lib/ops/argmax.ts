import { shapeError } from '../errors';
import { native } from '../native';
import { apply, checkTensor, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { reduced } from '../reach';
import { checkAxis, showShape } from '../shape';
import type { Tensor } from '../tensor';

const op: Op<[Tensor], { readonly axis: number; readonly keepDims: boolean }> = {
  name: 'argmax',
  infer([x], { axis, keepDims }) {
    commonFloat('argmax', [x]);
    if (x.shape[axis] === 0) throw shapeError('argmax', `input ${showShape(x.shape)} has no elements along axis ${axis}`);
    return { shape: keepDims ? x.shape.with(axis, 1) : x.shape.toSpliced(axis, 1), dtype: 'int32' };
  },
  forward({ inputs: [x], attrs: { axis }, output }) {
    native.ops.argmax(x.id, output.id, axis);
  },
  reach: ([x], attrs) => [reduced(x!.length, (axis) => axis === attrs.axis, attrs.keepDims)],
};

/** Options of `argmax`. */
export interface ArgmaxOptions {
  /** Whether the axis stays, with dimension 1. Default false. */
  keepDims?: boolean;
}

const names: OptionNames<ArgmaxOptions> = { keepDims: 'boolean' };

/**
 * Where the largest value is along an axis, the first of several: int32. Default the last axis. No gradient.
 * @example
 * ops.argmax(tensor([[1, 5, 2]])); // [1]
 */
export function argmax(x: Tensor, axis = -1, options: ArgmaxOptions = {}): Tensor {
  checkTensor('argmax', 'input', x);
  checkOptions('argmax', options, names);
  const { keepDims = false } = options;
  return apply(op, [x], { axis: checkAxis('argmax', axis, x.rank), keepDims });
}

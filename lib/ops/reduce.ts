import { rangeError, shapeError, typeError } from '../errors';
import { native } from '../native';
import { apply, checkTensor, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { reduced } from '../reach';
import { checkAxis, type Shape, showShape } from '../shape';
import type { Tensor } from '../tensor';
import { div, equal, mul } from './binary';
import { expand } from './expand';
import { scaled } from './gradients';
import { reshape } from './reshape';

/** Options of reductions. */
export interface ReduceOptions {
  /** The axis or axes to reduce; negative ones count from the end. Default: all. */
  axis?: number | readonly number[];
  /** Whether reduced axes stay, with dimension 1. Default false. */
  keepDims?: boolean;
}

const names: OptionNames<ReduceOptions> = { axis: true, keepDims: 'boolean' };

interface Attrs {
  /** Bit i is set where axis i is reduced. */
  readonly mask: number;
  readonly keepDims: boolean;
}

const isReduced = (mask: number, axis: number): boolean => ((mask >> axis) & 1) === 1;

const keptShape = (shape: Shape, mask: number): number[] => shape.map((n, axis) => (isReduced(mask, axis) ? 1 : n));

function maskOf(name: string, axis: ReduceOptions['axis'], rank: number): number {
  if (axis === undefined) return (1 << rank) - 1;
  const axes = typeof axis === 'number' ? [axis] : axis;
  if (!Array.isArray(axes)) throw typeError(name, 'axis', axis, 'an integer or a list of them');
  let mask = 0;
  for (const one of axes) {
    const bit = 1 << checkAxis(name, one, rank);
    if ((mask & bit) !== 0) throw rangeError(name, 'axis', axis, 'each axis at most once');
    mask |= bit;
  }
  return mask;
}

function define(name: string, kind: number, backward: NonNullable<Op<[Tensor], Attrs>['backward']>) {
  const op: Op<[Tensor], Attrs> = {
    name,
    infer([x], { mask, keepDims }) {
      const shape = keepDims ? keptShape(x.shape, mask) : x.shape.filter((_, axis) => !isReduced(mask, axis));
      const dtype = x.dtype === 'int32' && kind !== 1 ? x.dtype : commonFloat(name, [x]);
      if (kind >= 2 && x.shape.some((n, axis) => n === 0 && isReduced(mask, axis))) {
        throw shapeError(name, `input ${showShape(x.shape)} has no elements along a reduced axis`);
      }
      return { shape, dtype };
    },
    forward({ inputs: [x], attrs, output, save }) {
      native.ops.reduce(x.id, output.id, kind, attrs.mask);
      if (kind >= 2) save(x, output);
    },
    backward,
    linear: () => 'all',
    reach: ([x], { mask, keepDims }) => [reduced(x!.length, (axis) => isReduced(mask, axis), keepDims)],
  };
  return (x: Tensor, options: ReduceOptions = {}): Tensor => {
    checkTensor(name, 'input', x);
    checkOptions(name, options, names);
    const { axis, keepDims = false } = options;
    return apply(op, [x], { mask: maskOf(name, axis, x.rank), keepDims });
  };
}

/** Sum over axes. int32 sums saturate. */
export const sum = define('sum', 0, (grad, { shapes: [shape], attrs }) => [expand(reshape(grad, keptShape(shape!, attrs.mask)), shape!)]);

/** Arithmetic mean over axes; NaN of no elements. */
export const mean = define('mean', 1, (grad, { shapes: [shape], attrs }) => {
  const count = shape!.reduce((n, dimension, axis) => (isReduced(attrs.mask, axis) ? n * dimension : n), 1);
  return [expand(scaled(reshape(grad, keptShape(shape!, attrs.mask)), 1 / count), shape!)];
});

// The gradient of an extremum goes in equal shares to the elements that attain it.
const extremum: NonNullable<Op<[Tensor], Attrs>['backward']> = (grad, { saved, attrs }) => {
  const [x, y] = saved as [Tensor, Tensor];
  const kept = keptShape(x.shape, attrs.mask);
  const attains = equal(x, reshape(y, kept));
  const share = div(
    reshape(grad, kept),
    sum(attains, { axis: kept.flatMap((_, i) => (isReduced(attrs.mask, i) ? [i] : [])), keepDims: true }),
  );
  return [mul(attains, share)];
};

/** Largest element over axes; where several are equal they share the gradient. */
export const max = define('max', 2, extremum);
/** Smallest element over axes; where several are equal they share the gradient. */
export const min = define('min', 3, extremum);

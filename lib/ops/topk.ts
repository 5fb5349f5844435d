import { tensor } from '../create';
import { rangeError } from '../errors';
import { native } from '../native';
import { apply, checkTensor, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { along } from '../reach';
import { checkAxis, isIndex, sizeOf } from '../shape';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { add } from './binary';
import { gather } from './gather';
import { reshape } from './reshape';
import { transpose } from './transpose';

interface Attrs {
  readonly k: number;
  readonly largest: boolean;
}

const op: Op<[Tensor], Attrs> = {
  name: 'topk',
  infer: ([x], { k }) => ({ shape: [...x.shape.slice(0, -1), k], dtype: 'int32' }),
  forward({ inputs: [x], attrs: { largest }, output }) {
    native.ops.topk(x.id, output.id, Number(largest));
  },
  reach: ([x]) => [x!.map((_, i) => (i < x!.length - 1 ? along(i) : null))],
};

/** Options of `topk`. */
export interface TopkOptions {
  /** The axis along which elements are compared; a negative one counts from the end. Default the last. */
  axis?: number;
  /** Whether the largest are wanted, or the smallest. Default true. */
  largest?: boolean;
}

const names: OptionNames<TopkOptions> = { axis: true, largest: true };

/** What `topk` gives. */
export interface Top {
  /** The elements, the best first. */
  readonly values: Tensor;
  /** Where along the axis each lies: int32. */
  readonly indices: Tensor;
}

/**
 * The k largest elements along an axis, in order, and where they lie; of equal ones the first comes first. NaN counts as the greatest. The
 * gradient goes to the elements chosen.
 *
 * x [...,n,...] gives values and indices, both [...,k,...].
 * @throws RangeError where k is more than the axis has.
 * @example
 * const { values, indices } = ops.topk(tensor([3, 1, 4, 1, 5]), 2); // [5, 4], [4, 2]
 */
export function topk(x: Tensor, k: number, options: TopkOptions = {}): Top {
  checkTensor('topk', 'input', x);
  checkOptions('topk', options, names);
  const { axis = -1, largest = true } = options;
  const place = checkAxis('topk', axis, x.rank);
  const length = x.shape[place]!;
  if (!isIndex(k) || k > length) throw rangeError('topk', 'k', k, `an integer from 0 to ${length}, the elements along axis ${place}`);
  const last = x.rank - 1;
  const exchanged = x.shape.map((_, i) => (i === place ? last : i === last ? place : i));
  return tidy(() => {
    const rows = place === last ? x : transpose(x, exchanged);
    const indices = apply(op, [rows], { k, largest: largest === true });
    const values = chosen(rows, indices, k);
    if (place === last) return { values, indices };
    return { values: transpose(values, exchanged), indices: transpose(indices, exchanged) };
  });
}

/** The elements of each row by their places in it. */
function chosen(x: Tensor, indices: Tensor, k: number): Tensor {
  const count = sizeOf(x.shape.slice(0, -1));
  const length = x.shape[x.rank - 1]!;
  if (x.size > 2 ** 31 - 1) throw rangeError('topk', 'number of elements', x.size, 'at most 2147483647');
  const starts = tensor(
    Int32Array.from({ length: count }, (_, row) => row * length),
    [count, 1],
  );
  const places = add(reshape(indices, [count, k]), starts);
  return reshape(gather(reshape(x, [x.size]), places), indices.shape);
}

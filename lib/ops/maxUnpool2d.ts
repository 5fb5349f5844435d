import { dtypeError, rangeError, shapeError } from '../errors';
import { native } from '../native';
import { apply, checkShapeOf, checkTensor, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { type Shape, sameShape, showShape } from '../shape';
import { Tensor } from '../tensor';
import { maxPoolNumbers, placesType } from './maxPool2d';
import {
  checkPadding,
  makeWindow,
  type Pair,
  perAxis,
  transposedReach,
  type Window,
  type WindowOptions,
  windowOptionNames,
} from './window';

/** Options of `maxUnpool2d`. */
export interface MaxUnpool2dOptions extends WindowOptions {
  /** Height and width of the pool's window. */
  kernelSize: Pair;
  /** Default: the kernel's size. */
  stride?: Pair;
  /** Height and width of the pool's input. Default: the smallest that a pool without ceil mode makes the same of. */
  outputSize?: Pair;
}

const names: OptionNames<MaxUnpool2dOptions> = { ...windowOptionNames, kernelSize: true, outputSize: true };

interface Attrs {
  readonly window: Window;
  readonly size: Shape;
}

const op: Op<[y: Tensor, indices: Tensor], Attrs> = {
  name: 'maxUnpool2d',
  infer([y, indices], { window, size }) {
    const [expected, { dtype }] = [placesType(window), indices];
    if (dtype !== expected) {
      throw dtypeError('maxUnpool2d', `indices are ${dtype}, expected ${expected} for a kernel of ${window.kernel.join('x')}`);
    }
    if (!sameShape(indices.shape, y.shape)) {
      throw shapeError('maxUnpool2d', `indices have shape ${showShape(indices.shape)}, expected that of the input, ${showShape(y.shape)}`);
    }
    return { shape: [y.shape[0]!, ...size, y.shape[3]!], dtype: commonFloat('maxUnpool2d', [y]) };
  },
  forward({ inputs: [y, indices], attrs: { window }, output, save }) {
    native.ops.max_pool2d_backward(y.id, indices.id, output.id, ...maxPoolNumbers(window));
    save(indices);
  },
  backward(grad, { saved: [indices], attrs: { window } }) {
    const dy = Tensor.empty(indices!.shape, grad.dtype);
    native.ops.max_unpool2d_backward(grad.id, indices!.id, dy.id, ...maxPoolNumbers(window));
    return [dy, null];
  },
  linear: () => [0],
  reach: (_shapes, { window }) => [transposedReach(window, 'one'), transposedReach(window, 'one')],
};

/** The sizes along an axis that a pool, in ceil mode or not, makes so many windows of; the usual one makes them without ceil mode. */
function sizesOf(
  windows: number,
  axis: 0 | 1,
  { kernel, stride, padding, dilation }: Window,
): { least: number; usual: number; most: number } {
  const [before, after] = axis === 0 ? [padding[0], padding[2]] : [padding[3], padding[1]];
  const last = (windows - 1) * stride[axis];
  const usual = last + dilation[axis] * (kernel[axis] - 1) + 1 - before - after;
  return { least: Math.max(usual - stride[axis] + 1, last - before + 1, 1), usual, most: usual + stride[axis] - 1 };
}

/**
 * Puts the outputs of a max pool back to where its maxima were, with 0 in all other cells: with the same window as the pool, its adjoint
 * for these indices. Zeiler and Fergus, Visualizing and understanding convolutional networks (2014). Where windows overlap, values that
 * go to one cell are added. (In PyTorch one of them wins.)
 *
 * y and indices [N,H',W',C], as `maxPool2dWithIndices` gives them, give [N,H,W,C]. By default H = (H' - 1)·stride + dilation·(k - 1) + 1,
 * less the padding; with padding 'same', H'·stride. An index that names no cell of the image puts its value nowhere.
 * @throws RangeError where the pool does not make H' x W' windows of `outputSize`.
 * @example
 * const { output, indices } = ops.maxPool2dWithIndices(x, { kernelSize: 3, stride: 2 });
 * ops.maxUnpool2d(output, indices, { kernelSize: 3, stride: 2, outputSize: [x.shape[1], x.shape[2]] }).shape; // x.shape
 */
export function maxUnpool2d(y: Tensor, indices: Tensor, options: MaxUnpool2dOptions): Tensor {
  checkShapeOf('maxUnpool2d', 'input', y, 'N,H,W,C');
  checkTensor('maxUnpool2d', 'indices', indices);
  checkOptions('maxUnpool2d', options, names);
  const { kernelSize, stride = kernelSize, padding, dilation, outputSize } = options;
  const windows = [y.shape[1]!, y.shape[2]!] as const;
  if (windows.includes(0)) throw shapeError('maxUnpool2d', `input has shape ${showShape(y.shape)}, expected at least one row and column`);
  const over = (size: readonly [number, number]) => makeWindow('maxUnpool2d', size, kernelSize, { stride, padding, dilation });
  const steps = over([1, 1]).stride;
  const given = outputSize === undefined ? null : (perAxis('maxUnpool2d', 'outputSize', outputSize, 2) as [number, number]);
  const same = [windows[0] * steps[0], windows[1] * steps[1]] as const;
  const window = over(given ?? same);
  checkPadding('maxUnpool2d', window);
  const [rows, columns] = [sizesOf(windows[0], 0, window), sizesOf(windows[1], 1, window)];
  const size = given ?? (padding === 'same' ? same : ([rows.usual, columns.usual] as const));
  if (size[0] < rows.least || size[0] > rows.most || size[1] < columns.least || size[1] > columns.most) {
    const between = `${rows.least} to ${rows.most} rows and ${columns.least} to ${columns.most} columns`;
    throw rangeError('maxUnpool2d', 'outputSize', outputSize ?? size, `${between}, of which this pool makes ${windows.join('x')} windows`);
  }
  return apply(op, [y, indices], { window, size });
}

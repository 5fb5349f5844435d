import { rangeError, shapeError, typeError } from '../errors';
import { native } from '../native';
import { apply, checkShapeOf, commonFloat, type Op } from '../op';
import { along, between, type Reach, type Reaches } from '../reach';
import { isIndex, type Shape, showShape } from '../shape';
import { Tensor } from '../tensor';
import { image } from './window1d';

// Pools that are told the size of their output: window i of O along an axis of n cells goes from floor(i·n / O) to, not including,
// ceil((i + 1)·n / O), as in PyTorch. Where O divides n these are the windows of a pool with kernel and stride n / O; else neighbours may
// share a cell.

/** How many windows along an axis; null for as many as there are cells. */
export type AdaptiveSize = number | null;
/** One size for both axes, or [vertical, horizontal]. */
export type AdaptivePair = AdaptiveSize | readonly [AdaptiveSize, AdaptiveSize];

/** @internal The size along each axis that an argument gives. */
export function adaptiveSizes(operation: string, outputSize: unknown, axes: number): AdaptiveSize[] {
  const list: unknown[] = axes > 1 && Array.isArray(outputSize) ? outputSize : new Array(axes).fill(outputSize);
  const expected = `a positive integer or null${axes > 1 ? ', or a pair of them' : ''}`;
  if (list.length !== axes || !list.every((n) => n === null || typeof n === 'number')) {
    throw typeError(operation, 'outputSize', outputSize, expected);
  }
  if (!list.every((n) => n === null || (isIndex(n) && n > 0))) throw rangeError(operation, 'outputSize', outputSize, expected);
  return list.slice() as AdaptiveSize[];
}

/** @internal Throws where an axis has no cells. */
export function checkCells(operation: string, x: Tensor): void {
  if (x.shape.slice(1).includes(0)) {
    throw shapeError(operation, `input has shape ${showShape(x.shape)}, expected at least one cell along each axis but the first`);
  }
}

type Sizes = readonly AdaptiveSize[];
type Pool = Op<[Tensor], Sizes>;

const infer = (name: string, [x]: readonly [Tensor], sizes: Sizes): ReturnType<Pool['infer']> => {
  checkCells(name, x);
  return { shape: [x.shape[0]!, ...sizes.map((n, axis) => n ?? x.shape[axis + 1]!), x.shape.at(-1)!], dtype: commonFloat(name, [x]) };
};

/** What windows see of the cells along an axis. One window sees all. */
function shareReach(cells: number, windows: number, axis: number): Reach | null {
  const step = cells / windows;
  if (windows === 1) return null;
  // Window o goes from floor(o·step) to, not including, ceil((o + 1)·step), and both products are multiples of 1 / windows.
  return between(axis, step, 1 / windows - 1, step - 1 / windows);
}

const reach = ([x]: readonly Shape[], _sizes: Sizes, output: Shape): Reaches[] => [
  x!.map((cells, axis) => (axis === 0 || axis === x!.length - 1 ? along(axis) : shareReach(cells, output[axis]!, axis))),
];

const averaging = (name: string): Pool => ({
  name,
  infer: (inputs, sizes) => infer(name, inputs, sizes),
  forward({ inputs: [x], output }) {
    native.ops.adaptive_avg_pool2d(image(x).id, image(output).id);
  },
  backward(grad, { shapes: [shape] }) {
    const dx = Tensor.empty(shape!, grad.dtype);
    native.ops.adaptive_avg_pool2d_backward(image(grad).id, image(dx).id);
    return [dx];
  },
  linear: () => 'all',
  reach,
});

/** The most cells that the addon takes a window to have, which decides how it keeps the place of a maximum. */
function mostCells(input: Shape, output: Shape): number {
  const along = (size: number, windows: number) => (size % windows === 0 ? size / windows : Math.min(Math.floor(size / windows) + 2, size));
  return input.slice(1, -1).reduce((cells, size, axis) => cells * along(size, output[axis + 1]!), 1);
}

const maximum = (name: string): Pool => ({
  name,
  infer: (inputs, sizes) => infer(name, inputs, sizes),
  forward({ inputs: [x], output, recording, save }) {
    const position = recording ? Tensor.empty(output.shape, mostCells(x.shape, output.shape) <= 256 ? 'uint8' : 'int32') : null;
    native.ops.adaptive_max_pool2d(image(x).id, image(output).id, position ? image(position).id : 0);
    if (position) save(position);
  },
  backward(grad, { shapes: [shape], saved: [position] }) {
    const dx = Tensor.empty(shape!, grad.dtype);
    native.ops.adaptive_max_pool2d_backward(image(grad).id, image(position!).id, image(dx).id);
    return [dx];
  },
  linear: () => 'all',
  reach,
});

const [avg1d, avg2d] = [averaging('adaptiveAvgPool1d'), averaging('adaptiveAvgPool2d')];
const [max1d, max2d] = [maximum('adaptiveMaxPool1d'), maximum('adaptiveMaxPool2d')];

function pool(op: Pool, x: Tensor, outputSize: unknown, axes: string): Tensor {
  checkShapeOf(op.name, 'input', x, axes);
  return apply(op, [x], adaptiveSizes(op.name, outputSize, x.rank - 2));
}

/**
 * The mean of each of so many windows that share a sequence out: window i covers the cells from floor(i·L / L') to, not including,
 * ceil((i + 1)·L / L').
 *
 * x [N,L,C] gives [N,L',C].
 * @param outputSize L'; null for L.
 * @throws RangeError where the input has no cells.
 * @example
 * ops.adaptiveAvgPool1d(randn([8, 31, 100]), 4).shape; // [8, 4, 100]
 */
export function adaptiveAvgPool1d(x: Tensor, outputSize: AdaptiveSize): Tensor {
  return pool(avg1d, x, outputSize, 'N,L,C');
}

/**
 * The mean of each of so many windows that share an image out: window (i, j) covers the rows from floor(i·H / H') to, not including,
 * ceil((i + 1)·H / H'), and columns likewise. So a network takes images of any size.
 *
 * x [N,H,W,C] gives [N,H',W',C].
 * @param outputSize [H', W'], or one number for both; null for the input's.
 * @throws RangeError where the input has no cells.
 * @example
 * ops.adaptiveAvgPool2d(randn([8, 13, 10, 64]), [7, null]).shape; // [8, 7, 10, 64]
 */
export function adaptiveAvgPool2d(x: Tensor, outputSize: AdaptivePair): Tensor {
  return pool(avg2d, x, outputSize, 'N,H,W,C');
}

/**
 * The largest value of each of so many windows that share a sequence out, those of `adaptiveAvgPool1d`. The gradient goes to the first
 * maximum of a window.
 *
 * x [N,L,C] gives [N,L',C].
 * @param outputSize L'; null for L.
 * @throws RangeError where the input has no cells.
 * @example
 * ops.adaptiveMaxPool1d(randn([8, 31, 100]), 4).shape; // [8, 4, 100]
 */
export function adaptiveMaxPool1d(x: Tensor, outputSize: AdaptiveSize): Tensor {
  return pool(max1d, x, outputSize, 'N,L,C');
}

/**
 * The largest value of each of so many windows that share an image out, those of `adaptiveAvgPool2d`. The gradient goes to the first
 * maximum of a window in row-major order.
 *
 * x [N,H,W,C] gives [N,H',W',C].
 * @param outputSize [H', W'], or one number for both; null for the input's.
 * @throws RangeError where the input has no cells.
 * @example
 * ops.adaptiveMaxPool2d(randn([8, 13, 10, 64]), 7).shape; // [8, 7, 7, 64]
 */
export function adaptiveMaxPool2d(x: Tensor, outputSize: AdaptivePair): Tensor {
  return pool(max2d, x, outputSize, 'N,H,W,C');
}

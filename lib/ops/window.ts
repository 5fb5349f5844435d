import { rangeError, shapeError, typeError } from '../errors';
import type { Cells } from '../op';
import type { OptionNames } from '../options';
import { along, type Reaches } from '../reach';
import type { Shape } from '../shape';

// What convolutions and pools share: a window that slides over the axes between the batch and the channels. Arguments are brought to one
// form here, and nowhere else.

/** One number for both axes, or [vertical, horizontal]. */
export type Pair = number | readonly [number, number];

/**
 * One number for all sides; [vertical, horizontal]; [top, right, bottom, left]; 'same' for ceil(input / stride) outputs, an odd one
 * out at the end; or 'valid' for none.
 */
export type Padding = Pair | readonly [number, number, number, number] | 'same' | 'valid';

/** One number for both sides; [before, after]; 'same' for ceil(input / stride) outputs, an odd one out at the end; or 'valid' for none. */
export type Padding1d = number | readonly [before: number, after: number] | 'same' | 'valid';

/** One number for all axes, or [depth, vertical, horizontal]. */
export type Triple = number | readonly [number, number, number];

/**
 * One number for all sides; [depth, vertical, horizontal]; [front, top, left, back, bottom, right]; 'same' for ceil(input / stride) outputs,
 * an odd one out at the end; or 'valid' for none.
 */
export type Padding3d = Triple | readonly [number, number, number, number, number, number] | 'same' | 'valid';

export type Sides = readonly [top: number, right: number, bottom: number, left: number];

/** A window over some axes: numbers along each, and the cells on each side. */
export interface Window<Axes extends Shape = readonly [number, number], Around extends Shape = Sides> {
  /** Size of the kernel, in taps. */
  readonly kernel: Axes;
  readonly stride: Axes;
  readonly padding: Around;
  readonly dilation: Axes;
}

export type Window1d = Window<readonly [number], readonly [before: number, after: number]>;
export type Window3d = Window<
  readonly [number, number, number],
  readonly [front: number, top: number, left: number, back: number, bottom: number, right: number]
>;
export type AnyWindow = Window<Shape, Shape>;

/** Arguments of a window, as they are written for some number of axes. */
export interface SlidingOptions<Size, Around> {
  /** Distance between neighbouring windows. */
  stride?: Size;
  /** Cells around the input. Default 0. */
  padding?: Around;
  /** Distance between neighbouring taps of a window. Default 1. */
  dilation?: Size;
}

/** Options of a window that slides over an image. */
export type WindowOptions = SlidingOptions<Pair, Padding>;
/** Options of a window that slides through a volume. */
export type Window3dOptions = SlidingOptions<Triple, Padding3d>;
/** Options of a window that slides along a sequence. */
export type Window1dOptions = SlidingOptions<number, Padding1d>;

export const windowOptionNames: OptionNames<SlidingOptions<unknown, unknown>> = { stride: true, padding: true, dilation: true };

/** How arguments are written for a number of axes. */
interface Form {
  /** What may stand for a number along each axis, as errors say it. */
  readonly list: string;
  readonly padding: string;
  /** Where in a padding of two numbers an axis the cells before and after each axis stand. */
  readonly sides: readonly (readonly [before: number, after: number])[];
}

const forms: Readonly<Record<number, Form>> = {
  1: { list: '', padding: "a number, [before, after], 'same' or 'valid'", sides: [[0, 1]] },
  2: {
    list: ', or a pair of them',
    padding: "a number, a pair, [top, right, bottom, left], 'same' or 'valid'",
    sides: [
      [0, 2],
      [3, 1],
    ],
  },
  3: {
    list: ', or three of them',
    padding: "a number, three of them, [front, top, left, back, bottom, right], 'same' or 'valid'",
    sides: [
      [0, 3],
      [1, 4],
      [2, 5],
    ],
  },
};

/** The most a stride, a dilation, a kernel's side or a padding may be; sums and products of them then stay exact. */
const limit = 2 ** 20;

const isCount = (value: unknown, least: number): value is number =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= limit;

/** The integers along each of some axes that a number or a list of them stands for. */
export function perAxis(operation: string, what: string, value: unknown, axes: number, least = 1): number[] {
  const list: unknown[] = axes > 1 && Array.isArray(value) ? Array.from(value) : new Array(axes).fill(value); // an array's holes are undefined
  if (list.length === axes && list.every((n) => isCount(n, least))) return list as number[];
  const fault = list.length === axes && list.every((n) => typeof n === 'number') ? rangeError : typeError;
  throw fault(operation, what, value, `an integer from ${least} to ${limit}${forms[axes]!.list}`);
}

/** A padding as a list: so many cells before and after each axis. */
function around(axes: number, before: readonly number[], after: readonly number[]): number[] {
  const list: number[] = [];
  for (const [axis, [first, second]] of forms[axes]!.sides.entries()) [list[first], list[second]] = [before[axis]!, after[axis]!];
  return list;
}

function sides(operation: string, padding: unknown, axes: number): number[] {
  const list = Array.isArray(padding) ? Array.from(padding) : null;
  if (list?.length === 2 * axes) {
    if (!list.every((n) => isCount(n, 0))) throw rangeError(operation, 'padding', padding, `integers from 0 to ${limit}`);
    return list.slice();
  }
  if (typeof padding !== 'number' && (axes === 1 || list?.length !== axes)) {
    throw typeError(operation, 'padding', padding, forms[axes]!.padding);
  }
  const each = perAxis(operation, 'padding', padding, axes, 0);
  return around(axes, each, each);
}

/** Cells between the first and the last tap, both included. */
const extent = (taps: number, dilation: number): number => dilation * (taps - 1) + 1;

/** All cells that keep the output at ceil(size / stride). */
const samePadding = (size: number, taps: number, stride: number, dilation: number): number =>
  Math.max((Math.ceil(size / stride) - 1) * stride + extent(taps, dilation) - size, 0);

/** A window over an input of these sizes, its arguments checked and brought to one form. */
export function makeWindow(operation: string, sizes: readonly [number], kernelSize: number, options: Window1dOptions): Window1d;
export function makeWindow(operation: string, sizes: readonly [number, number], kernelSize: Pair, options: WindowOptions): Window;
export function makeWindow(
  operation: string,
  sizes: readonly [number, number, number],
  kernelSize: Triple,
  options: Window3dOptions,
): Window3d;
export function makeWindow(operation: string, sizes: Shape, kernelSize: unknown, options: SlidingOptions<unknown, unknown>): AnyWindow;
export function makeWindow(
  operation: string,
  sizes: Shape,
  kernelSize: unknown,
  { stride = 1, padding = 0, dilation = 1 }: SlidingOptions<unknown, unknown>,
): AnyWindow {
  const axes = sizes.length;
  const kernel = perAxis(operation, 'kernelSize', kernelSize, axes);
  const steps = perAxis(operation, 'stride', stride, axes);
  const spread = perAxis(operation, 'dilation', dilation, axes);
  const window = (list: number[]) => ({ kernel, stride: steps, padding: list, dilation: spread });
  if (padding === 'valid') return window(new Array<number>(2 * axes).fill(0));
  if (padding !== 'same') return window(sides(operation, padding, axes));
  const total = sizes.map((size, axis) => samePadding(size, kernel[axis]!, steps[axis]!, spread[axis]!));
  return window(
    around(
      axes,
      total.map((n) => Math.floor(n / 2)),
      total.map((n) => Math.ceil(n / 2)),
    ),
  );
}

/** A window along one axis; it covers so many cells. */
interface Along {
  readonly covers: number;
  readonly stride: number;
  readonly before: number;
  readonly after: number;
}

const alongAxes = ({ kernel, stride, padding, dilation }: AnyWindow): Along[] =>
  forms[kernel.length]!.sides.map(([before, after], axis) => ({
    covers: extent(kernel[axis]!, dilation[axis]!),
    stride: stride[axis]!,
    before: padding[before]!,
    after: padding[after]!,
  }));

const covered = (axes: readonly Along[]): string => axes.map(({ covers }) => covers).join('x');

/**
 * Sizes of the output: floor((input + padding - extent) / stride) + 1. In ceil mode a last window may hang over the end, but not start in
 * the padding behind it; the first may hang over by less than a stride.
 */
export function outputSize(operation: string, sizes: Shape, window: AnyWindow, ceilMode = false): number[] {
  const axes = alongAxes(window);
  return axes.map(({ covers, stride, before, after }, axis) => {
    const size = sizes[axis]!;
    const room = size + before + after - covers;
    // in ceil mode a window may hang over by less than a stride, the first one too
    if (room < 0 && !(ceilMode && -room < stride)) {
      throw shapeError(
        operation,
        `window covers ${covered(axes)} cells, input has ${sizes.join('x')} and padding [${window.padding.join(',')}]`,
      );
    }
    const windows = (ceilMode ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
    return ceilMode && (windows - 1) * stride >= size + before ? windows - 1 : windows;
  });
}

/** Whether every window of a pool can reach a cell of the input. */
export const isPaddingInside = (window: AnyWindow): boolean =>
  alongAxes(window).every(({ covers, before, after }) => Math.max(before, after) < covers);

/** Throws unless every window of a pool can reach a cell of the input. */
export function checkPadding(operation: string, window: AnyWindow): void {
  if (isPaddingInside(window)) return;
  const cells = covered(alongAxes(window));
  throw shapeError(operation, `padding [${window.padding.join(',')}] is not smaller than the window, which covers ${cells}`);
}

/** The most cells of padding that kernels take on a side: kMaxStep of native/ops/conv2d.h. */
const mostPadding = 2 ** 15;

/**
 * The same window over an input [N,…,C] without so many of its cells, which then are padding; null where they are not along its axes only, or
 * too many.
 */
export function widened<W extends AnyWindow>(window: W, { before, after }: Cells): W | null {
  const axes = alongAxes(window);
  const isAround = before.length === axes.length + 2 && [before, after].every((cells) => cells[0] === 0 && cells.at(-1) === 0);
  if (!isAround) return null;
  const cells = [before, after].map((side) => side.slice(1, -1));
  const [first, last] = [axes.map((axis, i) => axis.before + cells[0]![i]!), axes.map((axis, i) => axis.after + cells[1]![i]!)];
  return Math.max(...first, ...last) <= mostPadding ? { ...window, padding: around(axes.length, first, last) } : null;
}

/** The cells before and after each axis. */
export const paddingAlong = (window: AnyWindow): [before: number, after: number][] =>
  alongAxes(window).map(({ before, after }) => [before, after]);

/** What outputs see of an input [N,…,C] through a window: of one channel, or of all. */
export function windowReach(window: AnyWindow, channels: 'one' | 'all'): Reaches {
  const places = alongAxes(window).map(({ covers, stride, before }, i) => {
    return { axis: i + 1, step: stride, from: -before, to: covers - 1 - before, every: window.dilation[i]! };
  });
  return [along(0), ...places, channels === 'one' ? along(places.length + 1) : null];
}

/** What outputs of the adjoint see of an input [N,…,C]: of the windows that reach them. */
export function transposedReach(window: AnyWindow, channels: 'one' | 'all'): Reaches {
  const places = alongAxes(window).map(({ covers, stride, before }, i) => {
    return {
      axis: i + 1,
      step: 1 / stride,
      from: (before + 1 - covers) / stride,
      to: before / stride,
      every: window.dilation[i]! / stride,
    };
  });
  return [along(0), ...places, channels === 'one' ? along(places.length + 1) : null];
}

/** A pool's window as the addon takes it. */
export const windowNumbers = ({ kernel, stride, padding }: Window): number[] => [...kernel, ...stride, ...padding];

/** Arguments of a transposed convolution: the window of the convolution it is the adjoint of, and cells added behind its output. */
export interface TransposedWindow<W extends AnyWindow> {
  readonly window: W;
  readonly outputPadding: readonly number[];
}

/** The window of a transposed convolution over an input of these sizes, and that of its output. */
export function makeTransposedWindow<W extends AnyWindow>(
  operation: string,
  sizes: Shape,
  kernelSize: Shape,
  { stride = 1, padding = 0, dilation = 1, outputPadding = 0 }: SlidingOptions<unknown, unknown> & { outputPadding?: unknown },
): TransposedWindow<W> {
  const extra = perAxis(operation, 'outputPadding', outputPadding, sizes.length, 0);
  const steps = perAxis(operation, 'stride', stride, sizes.length);
  // 'same' is that of the convolution whose output this input is
  const outputs = sizes.map((size, axis) => size * steps[axis]!);
  const window = makeWindow(operation, outputs, sizes.length === 1 ? kernelSize[0] : kernelSize, { stride, padding, dilation });
  const axes = alongAxes(window);
  if (extra.some((cells, axis) => cells >= Math.max(axes[axis]!.stride, window.dilation[axis]!))) {
    throw rangeError(operation, 'outputPadding', outputPadding, 'less than the stride or the dilation');
  }
  const missing = axes.map(({ covers, stride: step }) => (padding === 'same' ? Math.max(step - covers, 0) : 0));
  return { window: window as W, outputPadding: extra.map((cells, axis) => cells + missing[axis]!) };
}

/** Sizes of a transposed convolution's output: (input - 1)·stride - padding + extent + output padding. */
export function transposedSize(operation: string, sizes: Shape, { window, outputPadding }: TransposedWindow<AnyWindow>): number[] {
  const axes = alongAxes(window);
  const output = axes.map(
    ({ covers, stride, before, after }, axis) => (sizes[axis]! - 1) * stride - before - after + covers + outputPadding[axis]!,
  );
  if (sizes.includes(0) || output.some((size) => size < 1)) {
    throw shapeError(
      operation,
      `output would have ${output.join('x')} cells: input has ${sizes.join('x')}, window covers ${covered(axes)}, ` +
        `padding is [${window.padding.join(',')}]`,
    );
  }
  return output;
}

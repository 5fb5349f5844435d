import { rangeError, shapeError, typeError } from '../errors';
import type { OptionNames } from '../options';

// What convolutions and pools share: a window that slides over two axes. Arguments are brought to one form here, and nowhere else.

/** One number for both axes, or [vertical, horizontal]. */
export type Pair = number | readonly [number, number];

/**
 * One number for all sides; [vertical, horizontal]; [top, right, bottom, left]; 'same' for ceil(input / stride) outputs, an odd one
 * out at the end; or 'valid' for none.
 */
export type Padding = Pair | readonly [number, number, number, number] | 'same' | 'valid';

export type Sides = readonly [top: number, right: number, bottom: number, left: number];

export interface Window {
  /** Height and width of the kernel, in taps. */
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: Sides;
  readonly dilation: readonly [number, number];
}

export interface WindowOptions {
  /** Distance between neighbouring windows. */
  stride?: Pair;
  /** Cells around the input. Default 0. */
  padding?: Padding;
  /** Distance between neighbouring taps of a window. Default 1. */
  dilation?: Pair;
}

export const windowOptionNames: OptionNames<WindowOptions> = { stride: true, padding: true, dilation: true };

/** The most a stride, a dilation, a kernel's side or a padding may be; sums and products of them then stay exact. */
const limit = 2 ** 20;

const isCount = (value: unknown, least: number): value is number =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= limit;

/** The two integers that a number or a pair stands for. */
export function pair(operation: string, what: string, value: unknown, least = 1): [number, number] {
  const both: [number, number] = Array.isArray(value) ? (value as [number, number]) : [value as number, value as number];
  const expected = `an integer from ${least} to ${limit}, or a pair of them`;
  if (both.length !== 2 || !both.every((n) => typeof n === 'number')) throw typeError(operation, what, value, expected);
  if (!both.every((n) => isCount(n, least))) throw rangeError(operation, what, value, expected);
  return [both[0], both[1]];
}

function sides(operation: string, padding: unknown): Sides {
  if (!Array.isArray(padding) || padding.length !== 4) {
    const isPair = typeof padding === 'number' || (Array.isArray(padding) && padding.length === 2);
    if (!isPair) {
      throw typeError(operation, 'padding', padding, "a number, a pair, [top, right, bottom, left], 'same' or 'valid'");
    }
    const [vertical, horizontal] = pair(operation, 'padding', padding, 0);
    return [vertical, horizontal, vertical, horizontal];
  }
  if (!padding.every((n) => isCount(n, 0))) throw rangeError(operation, 'padding', padding, `integers from 0 to ${limit}`);
  return padding.slice() as unknown as Sides;
}

/** Cells between the first and the last tap, both included. */
const extent = (taps: number, dilation: number): number => dilation * (taps - 1) + 1;

/** What keeps the output at ceil(size / stride): the first half before, the rest after. */
function samePadding(size: number, taps: number, stride: number, dilation: number): [number, number] {
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + extent(taps, dilation) - size, 0);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** A window over an input of this height and width, its arguments checked and brought to one form. */
export function makeWindow(
  operation: string,
  [height, width]: readonly [number, number],
  kernelSize: Pair,
  { stride = 1, padding = 0, dilation = 1 }: WindowOptions,
): Window {
  const kernel = pair(operation, 'kernelSize', kernelSize);
  const steps = pair(operation, 'stride', stride);
  const spread = pair(operation, 'dilation', dilation);
  let around: Sides = [0, 0, 0, 0];
  if (padding === 'same') {
    const [top, bottom] = samePadding(height, kernel[0], steps[0], spread[0]);
    const [left, right] = samePadding(width, kernel[1], steps[1], spread[1]);
    around = [top, right, bottom, left];
  } else if (padding !== 'valid') {
    around = sides(operation, padding);
  }
  return { kernel, stride: steps, padding: around, dilation: spread };
}

/**
 * Height and width of the output: floor((input + padding - extent) / stride) + 1. In ceil mode a last window may hang over the end, but
 * not start in the padding behind it; the first may hang over by less than a stride.
 */
export function outputSize(
  operation: string,
  [height, width]: readonly [number, number],
  { kernel, stride, padding: [top, right, bottom, left], dilation }: Window,
  ceilMode = false,
): [number, number] {
  const along = (axis: 0 | 1, size: number, before: number, after: number): number => {
    const room = size + before + after - extent(kernel[axis], dilation[axis]);
    // in ceil mode a window may hang over by less than a stride, the first one too
    if (room < 0 && !(ceilMode && -room < stride[axis])) {
      throw shapeError(
        operation,
        `window covers ${extent(kernel[0], dilation[0])}x${extent(kernel[1], dilation[1])} cells, input has ${height}x${width} ` +
          `and padding [${top},${right},${bottom},${left}]`,
      );
    }
    const windows = (ceilMode ? Math.ceil(room / stride[axis]) : Math.floor(room / stride[axis])) + 1;
    return ceilMode && (windows - 1) * stride[axis] >= size + before ? windows - 1 : windows;
  };
  return [along(0, height, top, bottom), along(1, width, left, right)];
}

/** Throws unless every window of a pool can reach a cell of the input. */
export function checkPadding(operation: string, { kernel, padding: [top, right, bottom, left], dilation }: Window): void {
  const [rows, columns] = [extent(kernel[0], dilation[0]), extent(kernel[1], dilation[1])];
  if (Math.max(top, bottom) >= rows || Math.max(left, right) >= columns) {
    throw shapeError(
      operation,
      `padding [${top},${right},${bottom},${left}] is not smaller than the window, which covers ${rows}x${columns}`,
    );
  }
}

/** A pool's window as the addon takes it. */
export const windowNumbers = ({ kernel, stride, padding }: Window): number[] => [...kernel, ...stride, ...padding];

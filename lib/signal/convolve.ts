import { tensor } from '../create';
import { type Dtype, dtypeOf, isFloat, type TypedArray } from '../dtype';
import { rangeError, shapeError } from '../errors';
import { native } from '../native';
import { apply, checkTensor, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { type Reaches, whole } from '../reach';
import { type Shape, showShape } from '../shape';
import { type NestedNumbers, Tensor } from '../tensor';
import { tidy } from '../tidy';

/** A signal of one axis, or of two: a tensor, numbers, or rows of numbers. */
export type Signal = Tensor | TypedArray | readonly number[] | readonly (readonly number[])[];

/**
 * Which part of the result is wanted: 'full', wherever the signals overlap; 'same', as much as the first signal is long, from the middle;
 * 'valid', where the shorter signal lies within the longer one.
 */
export type ConvolveMode = 'full' | 'same' | 'valid';

/** 'direct' sums the products, 'fft' multiplies the spectra, 'auto' takes what is estimated to be faster. */
export type ConvolveMethod = 'auto' | 'direct' | 'fft';

/** Options of `convolve`. */
export interface ConvolveOptions {
  /**
   * Default 'auto'. The error of 'fft' is relative to the largest values that meet, so beside them small ones lose digits; and one value
   * that is not finite makes the others so.
   */
  method?: ConvolveMethod;
}

const names: OptionNames<ConvolveOptions> = { method: true };
const methods: Readonly<Record<ConvolveMethod, number>> = { auto: 0, direct: 1, fft: 2 };
const modes: Readonly<Record<ConvolveMode, true>> = { full: true, same: true, valid: true };

interface Attrs {
  readonly method: ConvolveMethod;
  /** Where the result begins in the full one, along each axis. */
  readonly start: readonly number[];
  readonly shape: Shape;
}

/** Fills y with the full convolution, or correlation, from these places on, outside of the tape. Before and behind it is 0. */
function fill(correlation: boolean, f: Tensor, g: Tensor, y: Tensor, method: ConvolveMethod, start: readonly number[]): void {
  native.ops.convolve(f.id, g.id, y.id, Number(correlation), methods[method], start[0]!, start[1] ?? 0);
}

/** Along an axis, places from `start` on see so much of a signal as the other one is long. */
const seenBeside = (other: Shape, start: readonly number[]): Reaches =>
  other.map((length, axis) => ({ axis, step: 1, from: start[axis]! - length + 1, to: start[axis]! }));

/** How many pairs of i below n and j below m add up to a place from start on, of so many. */
function pairs(n: number, m: number, start: number, count: number): number {
  const triangle = (k: number) => (k > 0 ? (k * (k + 1)) / 2 : 0);
  const below = (k: number) => triangle(k) - triangle(k - n) - triangle(k - m) + triangle(k - n - m);
  return below(start + count) - below(start);
}

function define(name: string, correlation: boolean): Op<[Tensor, Tensor], Attrs> {
  return {
    name,
    infer: ([f, g], { shape }) => ({ shape, dtype: commonFloat(name, [f, g]) }),
    forward({ inputs: [f, g], attrs: { method, start }, output, needs, save }) {
      fill(correlation, f, g, output, method, start);
      save(needs[1] ? f : null, needs[0] ? g : null);
    },
    // Of y = f * g, df correlates the gradient with g, and dg with f; of y = f ⋆ g, df = gradient * g and dg = f ⋆ gradient. The index
    // of what they sum says where each begins.
    backward(grad, { saved: [f, g], shapes: [a, b], needs, attrs: { method, start } }) {
      const [df, dg] = [a!, b!].map((shape, i) => (needs[i] ? Tensor.empty(shape, grad.dtype) : null));
      const from = (at: (axis: number) => number) => start.map((_, axis) => at(axis));
      const fromEnd = (shape: Shape) => from((axis) => shape[axis]! - 1 - start[axis]!);
      if (df) fill(!correlation, grad, g!, df, method, fromEnd(b!));
      if (dg && !correlation) fill(true, grad, f!, dg, method, fromEnd(a!));
      if (dg && correlation) {
        fill(
          true,
          f!,
          grad,
          dg,
          method,
          from((axis) => start[axis]! + grad.shape[axis]! - b![axis]!),
        );
      }
      return [df!, dg!];
    },
    linear: () => 'any',
    reach: ([a, b], { start }) => [seenBeside(b!, start), correlation ? whole(b!.length) : seenBeside(a!, start)],
    macs: ([a, b], { start }, output) => a!.reduce((product, n, axis) => product * pairs(n, b![axis]!, start[axis]!, output[axis]!), 1),
  };
}

const convolution = define('convolve', false);
const correlation = define('correlate', true);

/**
 * The discrete convolution Σ f[j] g[k - j], along one axis or two. It commutes, and the spectrum of the result is the product of the
 * signals' spectra.
 *
 * f [n] and g [m] give [n+m-1] in mode 'full', [n], from the middle, in mode 'same', and [max(n,m)-min(n,m)+1] in mode 'valid'; matrices
 * alike along both axes. Numbers are taken as float64, or in the type of the other signal where that is a tensor.
 * @param mode Default 'full'.
 * @throws RangeError where a signal is empty, ranks differ or are not 1 or 2, or neither signal holds the other in mode 'valid'.
 * @example
 * signal.convolve([1, 2, 3], [0, 1, 0.5]); // [0, 1, 2.5, 4, 1.5]
 */
export function convolve(f: Signal, g: Signal, mode: ConvolveMode = 'full', options: ConvolveOptions = {}): Tensor {
  return run(convolution, f, g, mode, options);
}

/**
 * The cross-correlation Σ f[j] g[j - k] of real signals, along one axis or two: their inner product as g slides along f, from the first
 * overlap to the last. It does not commute; it is the convolution with g reversed along all axes, and what `ops.conv2d` computes.
 *
 * Shapes are those of `convolve`; the first result is that of g's end on f's beginning.
 * @param mode Default 'full'.
 * @throws RangeError where a signal is empty, ranks differ or are not 1 or 2, or neither signal holds the other in mode 'valid'.
 * @example
 * signal.correlate([1, 2, 3], [0, 1, 0.5]); // [0.5, 2, 3.5, 3, 0]
 */
export function correlate(f: Signal, g: Signal, mode: ConvolveMode = 'full', options: ConvolveOptions = {}): Tensor {
  return run(correlation, f, g, mode, options);
}

function run(op: Op<[Tensor, Tensor], Attrs>, first: Signal, second: Signal, mode: ConvolveMode, options: ConvolveOptions): Tensor {
  const { name } = op;
  if (!Object.hasOwn(modes, mode)) throw rangeError(name, 'mode', mode, "'full', 'same' or 'valid'");
  checkOptions(name, options, names);
  const { method = 'auto' } = options;
  if (!Object.hasOwn(methods, method)) throw rangeError(name, 'method', method, "'auto', 'direct' or 'fft'");
  return tidy(() => {
    const dtype = typeOf(first) ?? typeOf(second) ?? 'float64';
    const [f, g] = [operand(name, 'first signal', first, dtype), operand(name, 'second signal', second, dtype)];
    const where = `(first ${showShape(f.shape)}, second ${showShape(g.shape)})`;
    if (f.rank !== g.rank || f.rank < 1 || f.rank > 2)
      throw shapeError(name, `expected two signals of one axis, or two of two axes ${where}`);
    if (f.size === 0 || g.size === 0) throw shapeError(name, `a signal is empty ${where}`);
    return apply(op, [f, g], { method, ...partOf(name, mode, f.shape, g.shape, where) });
  });
}

/** Where a mode's part of the full result begins, and its shape. */
function partOf(name: string, mode: ConvolveMode, f: Shape, g: Shape, where: string): { start: number[]; shape: number[] } {
  if (mode === 'full') return { start: f.map(() => 0), shape: f.map((n, axis) => n + g[axis]! - 1) };
  if (mode === 'same') return { start: g.map((m) => Math.floor((m - 1) / 2)), shape: [...f] };
  const holds = (outer: Shape, inner: Shape) => outer.every((n, axis) => n >= inner[axis]!);
  if (!holds(f, g) && !holds(g, f))
    throw shapeError(name, `in mode 'valid' one signal must be as large as the other along every axis ${where}`);
  const [outer, inner] = holds(f, g) ? [f, g] : [g, f];
  return { start: inner.map((m) => m - 1), shape: outer.map((n, axis) => n - inner[axis]! + 1) };
}

/** The element type a signal has of itself; undefined for numbers. */
const typeOf = (signal: Signal): Dtype | undefined => (signal instanceof Tensor ? signal.dtype : dtypeOf(signal));

function operand(name: string, what: string, signal: Signal, dtype: Dtype): Tensor {
  if (Array.isArray(signal)) return tensor(signal as NestedNumbers, null, { dtype: isFloat(dtype) ? dtype : 'float64' });
  if (dtypeOf(signal)) return tensor(signal as TypedArray);
  checkTensor(name, what, signal);
  return signal;
}

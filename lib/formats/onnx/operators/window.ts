import type { Shape } from '../../../shape';
import { type Attributes, misshapen, unsupported } from './operator';

// Windows as ONNX writes them: pads before every axis, then behind every axis; auto_pad instead of them.

export interface OnnxWindow {
  readonly kernel: Shape;
  readonly stride: Shape;
  readonly dilation: Shape;
  readonly before: number[];
  readonly after: number[];
}

/** Numbers an axis, one where the attribute is left out. */
export function perAxis(attributes: Attributes, name: string, axes: number, otherwise: number): number[] {
  const list = attributes.ints(name) ?? new Array<number>(axes).fill(otherwise);
  if (list.length !== axes) throw misshapen(`${name} has ${list.length} numbers, expected one for each of ${axes} axes`);
  return list;
}

/** @param sizes Of the input. @param kernel Taps an axis. */
export function windowOf(attributes: Attributes, sizes: Shape, kernel: Shape): OnnxWindow {
  const axes = sizes.length;
  if (kernel.length !== axes) throw misshapen(`a window over ${kernel.length} axes cannot slide over the ${axes} of the input`);
  const stride = perAxis(attributes, 'strides', axes, 1);
  const dilation = perAxis(attributes, 'dilations', axes, 1);
  const mode = attributes.text('auto_pad', 'NOTSET');
  if (mode === 'VALID') return { kernel, stride, dilation, before: kernel.map(() => 0), after: kernel.map(() => 0) };
  if (mode === 'NOTSET') {
    const pads = attributes.ints('pads') ?? new Array<number>(2 * axes).fill(0);
    if (pads.length !== 2 * axes) throw misshapen(`pads has ${pads.length} numbers, expected two for each of ${axes} axes`);
    return { kernel, stride, dilation, before: pads.slice(0, axes), after: pads.slice(axes) };
  }
  const total = sizes.map((size, i) => {
    const outputs = Math.ceil(size / stride[i]!);
    return Math.max((outputs - 1) * stride[i]! + dilation[i]! * (kernel[i]! - 1) + 1 - size, 0);
  });
  return { kernel, stride, dilation, ...shared(mode, total) };
}

/** Cells that an automatic padding puts before and behind each axis, an odd one where its mode says. */
export function shared(mode: string, total: readonly number[]): { before: number[]; after: number[] } {
  if (mode !== 'SAME_UPPER' && mode !== 'SAME_LOWER') throw unsupported(`auto_pad ${JSON.stringify(mode)}`);
  const less = total.map((n) => Math.floor(n / 2));
  const more = total.map((n) => Math.ceil(n / 2));
  return mode === 'SAME_UPPER' ? { before: less, after: more } : { before: more, after: less };
}

/** A padding as operations of one, two or three axes take it. */
export function paddingOf({ before, after }: Pick<OnnxWindow, 'before' | 'after'>): number[] {
  const [top, left] = before as [number, number];
  const [bottom, right] = after as [number, number];
  return before.length === 2 ? [top, right, bottom, left] : [...before, ...after];
}

/** One of several functions, by the number of axes a window slides over. */
export function byAxes<F>(rank: number, functions: readonly F[]): F {
  const found = functions[rank - 3];
  if (!found) throw unsupported(`an input of ${rank} axes, expected 3 to ${functions.length + 2}`);
  return found;
}

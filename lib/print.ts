import { type Dtype, isFloat, type TypedArray } from './dtype';
import { type Shape, sizeOf } from './shape';

// How `util.inspect` shows the values of a tensor: as NumPy does, in columns, with the middle of large ones left out.

/** Of the options that `util.inspect` passes on, those that are heeded. Other printers that ask for the same method may pass fewer. */
export interface PrintOptions {
  /** False keeps the rows on lines of their own where breakLength is Infinity. */
  readonly compact?: boolean | number;
  /** Rows are broken at this length; Infinity puts all on one line. */
  readonly breakLength?: number;
  /** Tensors of more than ten times so many elements (1,000 by Node's default) are cut; null and Infinity show all. */
  readonly maxArrayLength?: number | null;
  stylize?(text: string, style: 'number'): string;
}

const mostAtEnds = 3;
const digits = 4;

/**
 * How much of each axis is shown, half of it from either end where that is less than there is: three from either end of long axes, or
 * fewer where that would still be too much.
 */
export function shownOf(shape: Shape, { maxArrayLength = 100 }: PrintOptions): Shape {
  const most = 10 * (maxArrayLength ?? Number.POSITIVE_INFINITY);
  let shown = shape;
  for (let ends = mostAtEnds; sizeOf(shown) > most && ends > 0; ends--) shown = shape.map((length) => Math.min(length, 2 * ends));
  return shown;
}

/** A block of what is shown: where it begins in the tensor, and in what is shown of it. */
interface Corner {
  readonly size: Shape;
  readonly from: Shape;
  readonly to: Shape;
}

/** The blocks that what is shown is made of, two for each axis that is cut. */
export function cornersOf(shape: Shape, shown: Shape): Corner[] {
  let corners: Corner[] = [{ size: [], from: [], to: [] }];
  for (const [axis, length] of shape.entries()) {
    const n = shown[axis]!;
    const ends = n === length ? [[n, 0, 0] as const] : [[n / 2, 0, 0] as const, [n / 2, length - n / 2, n / 2] as const];
    corners = corners.flatMap(({ size, from, to }) =>
      ends.map(([part, there, here]) => ({ size: [...size, part], from: [...from, there], to: [...to, here] })),
    );
  }
  return corners;
}

/** What is shown of a tensor behind its head: the values, so many of each axis, on the same line where they fit. */
export function printTensor(head: string, values: TypedArray, shown: Shape, shape: Shape, dtype: Dtype, options: PrintOptions): string {
  const { breakLength = 80, stylize } = options;
  const plain = nested(values, shown, shape, dtype, options);
  const fits = !plain.includes('\n') && head.length + 1 + plain.length <= breakLength;
  const coloured = stylize ? plain.replace(/-?(?:\d[\d.e+-]*|Infinity)|NaN/g, (number) => stylize(number, 'number')) : plain;
  return fits ? `${head} ${coloured}` : `${head}\n${coloured.replace(/^(?=.)/gm, '  ')}`;
}

/** The values that are shown of a tensor, so many of each axis, in nested brackets. */
function nested(values: TypedArray, shown: Shape, shape: Shape, dtype: Dtype, options: PrintOptions): string {
  if (values.length === 0) return '[]';
  const { compact = 3, breakLength = 80 } = options;
  const onOneLine = breakLength === Number.POSITIVE_INFINITY && compact !== false;
  const numbers = isFloat(dtype) ? floats(values) : Array.from(values, String);
  const width = onOneLine ? 0 : numbers.reduce((most, text) => Math.max(most, text.length), 0);
  const last = shape.length - 1;
  let at = 0;

  /** One axis: numbers, broken into lines; or what lies below, on lines of its own. */
  const level = (axis: number): string => {
    if (axis > last) return numbers[at++]!.padStart(width);
    const items = Array.from({ length: shown[axis]! }, () => level(axis + 1));
    if (shown[axis]! < shape[axis]!) items.splice(shown[axis]! / 2, 0, '...');
    const inner = `\n${' '.repeat(axis + 1)}`;
    if (onOneLine) return `[${items.join(', ')}]`;
    if (axis < last) return `[${items.join(`,${'\n'.repeat(last - axis - 1)}${inner}`)}]`;
    const aLine = Math.min(items.length, Math.max(1, Math.floor((breakLength - 2 * shape.length) / (width + 2))));
    const lines = Array.from({ length: Math.ceil(items.length / aLine) }, (_, i) => items.slice(i * aLine, (i + 1) * aLine).join(', '));
    return `[${lines.join(`,${inner}`)}]`;
  };
  return level(0);
}

/**
 * Floating-point numbers with at most four decimals, as many as one of them needs; all with exponents where one would be shown as zero or
 * is 1e8 or more.
 */
function floats(values: TypedArray): string[] {
  let [least, most] = [Number.POSITIVE_INFINITY, 0];
  for (const value of values) {
    const size = Math.abs(value);
    if (size === 0 || !Number.isFinite(size)) continue;
    least = Math.min(least, size);
    most = Math.max(most, size);
  }
  const withExponent = least < 10 ** -digits || most >= 1e8;
  const parts = Array.from(values, (value) => {
    if (!Number.isFinite(value)) return null;
    const size = Math.abs(value);
    const [mantissa, exponent = ''] = (withExponent ? size.toExponential(digits) : size.toFixed(digits)).split('e');
    const [whole, fraction] = mantissa!.split('.');
    const sign = value < 0 || Object.is(value, -0) ? '-' : '';
    return { whole: sign + whole, fraction: fraction!, exponent: exponent && `e${exponent[0]}${exponent.slice(1).padStart(2, '0')}` };
  });
  const needed = parts.reduce((most, part) => Math.max(most, part?.fraction.replace(/0+$/, '').length ?? 0), 0);
  const point = needed > 0 ? '.' : '';
  return parts.map((part, i) => (part ? part.whole + point + part.fraction.slice(0, needed) + part.exponent : String(values[i])));
}

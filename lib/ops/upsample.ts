import { rangeError, shapeError, typeError } from '../errors';
import { native } from '../native';
import { apply, checkShapeOf, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { along, between, type Reach } from '../reach';
import { isIndex, type Shape, showShape } from '../shape';
import { Tensor } from '../tensor';
import { type Pair, perAxis } from './window';

/** How `upsample` finds values between cells. */
export type UpsampleMode = 'nearest' | 'bilinear';

/** Options of `upsample`. */
export interface UpsampleOptions {
  /** Height and width of the output. Either this or `scale` is given. */
  size?: Pair;
  /** How many times the input's height and width the output has, rounded down; a number for both or a pair. */
  scale?: Pair;
  /** 'nearest' repeats cells, 'bilinear' goes evenly from one to the next. Default 'nearest'. */
  mode?: UpsampleMode;
  /**
   * With 'bilinear': whether the centres of the corner cells of input and output lie on each other; otherwise the corners of the images
   * do. Default false.
   */
  alignCorners?: boolean;
}

const names: OptionNames<UpsampleOptions> = { size: true, scale: true, mode: true, alignCorners: 'boolean' };

const modes: Readonly<Record<UpsampleMode, number>> = { nearest: 0, bilinear: 1 };
const bilinearAligned = 2;

interface Attrs {
  readonly mode: number;
  readonly size: readonly number[] | null;
  readonly scale: readonly number[] | null;
}

/**
 * The scale along an axis; 0 for what its sizes give. As PyTorch does for channels-last images, the sizes go before a scale where the axis
 * keeps its size, or is doubled by 'nearest': 1.3 times 3 cells is 3 cells, which are then copied.
 */
function scaleAlong({ mode, scale }: Attrs, axis: 1 | 2, cells: number, outputs: number): number {
  const bySize = outputs === cells || (mode === modes.nearest && outputs === 2 * cells);
  return scale === null || bySize ? 0 : scale[axis - 1]!;
}

const numbers = (attrs: Attrs, image: Shape, output: Shape): number[] => [
  attrs.mode,
  scaleAlong(attrs, 1, image[1]!, output[1]!),
  scaleAlong(attrs, 2, image[2]!, output[2]!),
];

const op: Op<[Tensor], Attrs> = {
  name: 'upsample',
  infer([x], { size, scale }) {
    const [n, height, width, channels] = x.shape as [number, number, number, number];
    if (height === 0 || width === 0) {
      throw shapeError('upsample', `input has shape ${showShape(x.shape)}, expected at least one row and column`);
    }
    const [rows, columns] = (size ?? [height, width].map((cells, axis) => Math.floor(cells * scale![axis]!))) as [number, number];
    if (!isIndex(rows) || !isIndex(columns) || rows === 0 || columns === 0) {
      throw shapeError('upsample', `input ${showShape(x.shape)} by scale [${scale!.join(',')}] gives an image of ${rows}x${columns}`);
    }
    return { shape: [n, rows, columns, channels], dtype: commonFloat('upsample', [x]) };
  },
  forward({ inputs: [x], attrs, output }) {
    native.ops.upsample(x.id, output.id, ...numbers(attrs, x.shape, output.shape));
  },
  backward(grad, { shapes: [shape], attrs }) {
    const dx = Tensor.empty(shape!, grad.dtype);
    native.ops.upsample_backward(grad.id, dx.id, ...numbers(attrs, shape!, grad.shape));
    return [dx];
  },
  linear: () => 'all',
  reach([x], attrs, output) {
    return [x!.map((cells, axis) => (axis === 1 || axis === 2 ? upsampleReach(attrs, axis, cells, output[axis]!) : along(axis)))];
  },
};

/** What cells of the output see along an axis: the last cell up to a place, or the cells less than one away from it. */
function upsampleReach(attrs: Attrs, axis: 1 | 2, cells: number, outputs: number): Reach {
  const { mode } = attrs;
  if (mode === bilinearAligned) {
    const steps = Math.max(outputs - 1, 1);
    return between(axis, outputs > 1 ? (cells - 1) / steps : 0, 1 / steps - 1, 1 - 1 / steps);
  }
  const scale = scaleAlong(attrs, axis, cells, outputs);
  const step = scale === 0 ? cells / outputs : 1 / scale;
  const parts = denominator(step);
  if (mode === modes.nearest) return between(axis, step, 1 / parts - 1, 0);
  const middle = (step - 1) / 2; // in halves of those parts
  return between(axis, step, middle - 1 + 0.5 / parts, middle + 1 - 0.5 / parts);
}

/** The n of a step that is a number of nths; where it is none of few, so many that it makes no difference. */
function denominator(step: number): number {
  for (let n = 1; n <= 4096; n++) if (Math.abs(step * n - Math.round(step * n)) < 1e-9) return n;
  return 2 ** 20;
}

function scales(operation: string, scale: unknown): number[] {
  const list: unknown[] = Array.isArray(scale) ? scale : [scale, scale];
  const expected = 'a positive number, or a pair of them';
  if (list.length !== 2 || !list.every((n) => typeof n === 'number')) throw typeError(operation, 'scale', scale, expected);
  if (!list.every((n) => Number.isFinite(n) && (n as number) > 0)) throw rangeError(operation, 'scale', scale, expected);
  return list.slice() as number[];
}

/** @internal What upsampling takes, checked. */
export function upsampling(operation: string, options: UpsampleOptions): Attrs {
  checkOptions(operation, options, names);
  const { size, scale, mode = 'nearest', alignCorners } = options;
  if (!Object.hasOwn(modes, mode)) throw rangeError(operation, 'mode', mode, "'nearest' or 'bilinear'");
  if ((size === undefined) === (scale === undefined)) {
    throw typeError(operation, 'size', size, `${size === undefined ? 'a number or a pair' : 'nothing'}, as scale is ${scale}`);
  }
  if (alignCorners !== undefined && mode !== 'bilinear') {
    throw rangeError(operation, 'alignCorners', alignCorners, "nothing: it is for mode 'bilinear'");
  }
  return {
    mode: alignCorners ? bilinearAligned : modes[mode],
    size: size === undefined ? null : perAxis(operation, 'size', size, 2),
    scale: scale === undefined ? null : scales(operation, scale),
  };
}

/**
 * An image brought to another height and width, larger or smaller.
 *
 * With r = H / H' (1 / scale, where that is given) 'nearest' takes row floor(i·r) for output row i. 'bilinear' goes evenly from the row
 * before to the row after (i + ½)·r - ½, kept inside the image; with `alignCorners`, of i·(H - 1) / (H' - 1). Columns likewise. An axis
 * whose size stays is copied. These are PyTorch's rules for channels-last images.
 *
 * x [N,H,W,C] gives [N,H',W',C], H' = floor(H·scale) where a scale is given.
 * @throws RangeError where nothing would be left of the image.
 * @example
 * ops.upsample(randn([8, 7, 7, 64]), { scale: 2, mode: 'bilinear' }).shape; // [8, 14, 14, 64]
 */
export function upsample(x: Tensor, options: UpsampleOptions): Tensor {
  checkShapeOf('upsample', 'input', x, 'N,H,W,C');
  return apply(op, [x], upsampling('upsample', options));
}

import { checkValue } from '../dtype';
import { rangeError, shapeError, typeError } from '../errors';
import { native } from '../native';
import { apply, checkTensor, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { along } from '../reach';
import { isIndex, type Shape, showShape } from '../shape';
import { Tensor } from '../tensor';
import { addBlock, copyBlock } from './block';

/**
 * What cells around a tensor hold: 'constant' one value, 'reflect' the cells inside the border mirrored at it (not the border's own again),
 * 'replicate' the border's own.
 */
export type PadMode = 'constant' | 'reflect' | 'replicate';

/** Options of `pad`. */
export interface PadOptions {
  /** Default 'constant'. */
  mode?: PadMode;
  /** What cells hold in mode 'constant'. Default 0. */
  value?: number;
}

const names: OptionNames<PadOptions> = { mode: true, value: true };

interface Attrs {
  readonly before: Shape;
  readonly after: Shape;
  readonly mode: PadMode;
  readonly value: number;
}

/** Cells along one axis that the output takes from the input: so many, from where, in which step, to where. */
interface Stretch {
  readonly size: number;
  readonly from: number;
  readonly step: number;
  readonly to: number;
}

/** The input's own cells first, then those that repeat them. */
function stretches(size: number, before: number, after: number, mode: PadMode): Stretch[] {
  const own: Stretch = { size, from: 0, step: 1, to: before };
  if (mode === 'constant') return [own];
  const [step, first, last] = mode === 'reflect' ? [-1, before, size - 2] : [0, 0, size - 1];
  const repeated = [
    { size: before, from: first, step, to: 0 },
    { size: after, from: last, step, to: before + size },
  ];
  return [own, ...repeated.filter((stretch) => stretch.size > 0)];
}

/** One of each axis: a block of the output, and the block of the input it is taken from. */
interface Piece {
  readonly size: Shape;
  readonly from: Shape;
  readonly steps: readonly number[];
  readonly to: Shape;
}

/** The pieces of the output, that of the whole input first. */
function pieces(shape: Shape, { before, after, mode }: Attrs): Piece[] {
  const combinations = shape.reduce<Stretch[][]>(
    (all, size, axis) => {
      const along = stretches(size, before[axis]!, after[axis]!, mode);
      return all.flatMap((taken) => along.map((stretch) => [...taken, stretch]));
    },
    [[]],
  );
  return combinations.map((taken) => ({
    size: taken.map(({ size }) => size),
    from: taken.map(({ from }) => from),
    steps: taken.map(({ step }) => step),
    to: taken.map(({ to }) => to),
  }));
}

const op: Op<[Tensor], Attrs> = {
  name: 'pad',
  infer([x], { before, after, mode }) {
    x.shape.forEach((size, axis) => {
      const most = Math.max(before[axis]!, after[axis]!);
      if (mode === 'reflect' && most > 0 && most >= size) {
        throw shapeError('pad', `${most} cells cannot be reflected along axis ${axis} of input ${showShape(x.shape)}, which has ${size}`);
      }
      if (mode === 'replicate' && most > 0 && size === 0) {
        throw shapeError('pad', `axis ${axis} of input ${showShape(x.shape)} has no cell to replicate`);
      }
    });
    return { shape: x.shape.map((n, i) => before[i]! + n + after[i]!), dtype: x.dtype };
  },
  forward({ inputs: [x], attrs, output }) {
    if (attrs.mode === 'constant') native.ops.fill(output.id, attrs.value);
    for (const { size, from, steps, to } of pieces(x.shape, attrs)) copyBlock(size, x, from, output, to, steps);
  },
  backward(grad, { shapes: [shape], attrs }) {
    const [own, ...repeated] = pieces(shape!, attrs);
    const dx = Tensor.empty(shape!, grad.dtype);
    copyBlock(own!.size, grad, own!.to, dx, own!.from);
    for (const { size, from, steps, to } of repeated) addBlock(size, grad, to, dx, from, steps);
    return [dx];
  },
  linear: () => 'all',
  surrounds: ({ before, after, mode, value }) => (mode === 'constant' && value === 0 ? { before, after } : null),
  reach: (_shapes, { before, mode }) => [before.map((cells, i) => ({ ...along(i, -cells), beyond: mode }))],
};

const modes: Readonly<Record<PadMode, true>> = { constant: true, reflect: true, replicate: true };

/**
 * x with cells around it.
 * @param padding For each axis how many cells come before and how many after: [[before, after], …]. In mode 'reflect' fewer than the axis
 *   has.
 * @throws RangeError where there is nothing to reflect or to replicate.
 * @example
 * ops.pad(ones([2, 2]), [[0, 0], [1, 1]]).shape; // [2, 4]
 * ops.pad(arange(3), [[2, 1]], { mode: 'reflect' }); // [2, 1, 0, 1, 2, 1]
 */
export function pad(x: Tensor, padding: readonly (readonly [before: number, after: number])[], options: PadOptions = {}): Tensor {
  checkTensor('pad', 'input', x);
  checkOptions('pad', options, names);
  const { mode = 'constant', value = 0 } = options;
  if (!Object.hasOwn(modes, mode)) throw rangeError('pad', 'mode', mode, Object.keys(modes).join(', '));
  const isPair = (pair: unknown) => Array.isArray(pair) && pair.length === 2 && pair.every(isIndex);
  if (!Array.isArray(padding) || padding.length !== x.rank || !padding.every(isPair)) {
    throw typeError('pad', 'padding', padding, `[before, after] for each of ${x.rank} axes, integers of at least 0`);
  }
  checkValue('pad', value, x.dtype);
  return apply(op, [x], { before: padding.map(([n]) => n), after: padding.map(([, n]) => n), mode, value });
}

import type { Shape } from './shape';

// What the outputs of an operation see of its inputs, axis by axis. An operation says it beside its kernel (`Op.reach`), and the
// receptive fields of whole networks follow (lib/inspect/geometry.ts).

/**
 * What outputs see along one axis of an input: the element at place o of the output's `axis` sees the elements from o·step + from to
 * o·step + to, both included. Where the step is an integer, the ends are.
 */
export interface Reach {
  /** The axis of the output. */
  readonly axis: number;
  /** Distance between what neighbouring outputs see. */
  readonly step: number;
  readonly from: number;
  readonly to: number;
  /** Distance between the places it sees, of which those are elements that are integers. Absent: it sees all between. */
  readonly every?: number;
  /** Whether the input ends where it ends, such as a piece of a concatenation; elsewhere what lies beyond counts as padding. */
  readonly within?: true;
  /** What lies beyond the input's ends, where that is not a constant: its own elements, mirrored, or its outermost. */
  readonly beyond?: 'constant' | 'reflect' | 'replicate';
}

/** One for each axis of an input; null for an axis that every output sees the whole of. */
export type Reaches = readonly (Reach | null)[];

/** Of an axis whose elements are seen at their own place, moved by so many. */
export const along = (axis: number, by = 0): Reach => ({ axis, step: 1, from: by, to: by });

/** Sums of fractions such as thirds are not exact; integers are meant. */
const tolerance = 1e-9;

/** Of an axis of which outputs see all elements between two places. Where the step is an integer, the ends become those. */
export function between(axis: number, step: number, from: number, to: number): Reach {
  if (!Number.isInteger(step)) return { axis, step, from, to };
  return { axis, step, from: Math.ceil(from - tolerance), to: Math.floor(to + tolerance) };
}

/** The elements that the output at place o sees, in order, as if the input had no ends. */
export function* elementsSeen({ step, from, to, every }: Reach, o: number): Generator<number> {
  const [first, last] = [o * step + from, o * step + to];
  if (every === undefined) {
    for (let i = Math.ceil(first - tolerance); i <= last + tolerance; i++) yield i;
    return;
  }
  for (let k = 0; first + k * every <= last + tolerance; k++) {
    const place = Math.round(first + k * every);
    if (Math.abs(first + k * every - place) <= tolerance) yield place;
  }
}

/** Which of n elements stands at a place; null where none does. */
export function elementAt({ beyond }: Reach, place: number, n: number): number | null {
  if (place >= 0 && place < n) return place;
  if (beyond === 'replicate') return place < 0 ? 0 : n - 1;
  if (beyond === 'reflect') return place < 0 ? -place : 2 * (n - 1) - place;
  return null;
}

/** Of an input whose elements are all seen by every output, but for those axes that keep their place: [axis of the input, of the output]. */
export function whole(rank: number, ...kept: readonly (readonly [input: number, output: number])[]): Reaches {
  const reaches = new Array<Reach | null>(rank).fill(null);
  for (const [input, output] of kept) reaches[input] = along(output);
  return reaches;
}

/** Of an input that loses axes to a reduction: those are seen whole, the others keep their place among what is left. */
export function reduced(rank: number, isReduced: (axis: number) => boolean, keepDims: boolean): Reaches {
  let gone = 0;
  return Array.from({ length: rank }, (_, axis) => {
    if (!isReduced(axis)) return along(keepDims ? axis : axis - gone);
    gone++;
    return null;
  });
}

/** Of an elementwise operation with broadcasting; null where the shapes are not those of one. */
export function elementwise(shape: Shape, output: Shape): Reaches | null {
  const extra = output.length - shape.length;
  const fits = extra >= 0 && shape.every((n, i) => n === 1 || n === output[i + extra]);
  return fits ? shape.map((n, i) => (n === 1 && output[i + extra] !== 1 ? null : along(i + extra))) : null;
}

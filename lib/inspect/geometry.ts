import { ReceptiveError } from '../errors';
import { elementAt, elementsSeen, elementwise, type Reaches } from '../reach';
import type { Shape } from '../shape';
import type { Trace, TraceNode, Value } from '../trace';

// Receptive fields of the values of a trace, from what each operation says its outputs see (lib/reach.ts). Going forward, a field is a
// rule: the unit at place o sees from low + o·jump to high + o·jump. Going back from a unit, it is the very cells.

/** How the fields of a value's units lie along one axis of the input. */
export interface Placement {
  /** The axis of the value along which fields move; null where all units have the same. */
  readonly axis: number | null;
  /** How far a field moves from one unit to the next, in input cells. */
  readonly jump: number;
  /** Where the field of the unit at place 0 begins and ends; cell i of the input lies from i to i + 1. */
  readonly low: number;
  readonly high: number;
  /** Whether some path looks at the whole axis, wherever the unit is. */
  readonly whole: boolean;
  /** Whether all fields are of one size. Not so behind layers that enlarge. */
  readonly uniform: boolean;
  /** Whether the jumps of all paths agree. */
  readonly aligned: boolean;
}

/** The first and the last of consecutive places. */
export type Range = readonly [first: number, last: number];

/** The axes of an input that have places: all but the batch and the channels; of a table [N,L], the second. */
export const placeAxes = (shape: Shape): number[] => (shape.length === 2 ? [1] : shape.slice(2).map((_, i) => i + 1));

/** Jumps that differ by rounding are the same. */
const tolerance = 1e-9;

/** All units of a value, but for those at other places along an axis. */
export function unitsAt({ shape }: Value, axis: number | null = null, place = 0): Range[] {
  return shape.map((n, i) => (i === axis ? [place, place] : [0, n - 1]));
}

export class Geometry {
  readonly axes: readonly number[];
  readonly #input: Value;
  readonly #placements = new Map<Value, readonly Placement[] | ReceptiveError>();
  readonly #reaches = new Map<TraceNode, readonly (Reaches | null)[]>();

  constructor(private readonly trace: Trace) {
    this.#input = trace.inputs[0]!;
    this.axes = placeAxes(this.#input.shape);
    const start = { jump: 1, low: 0, high: 1, whole: false, uniform: true, aligned: true };
    this.#placements.set(
      this.#input,
      this.axes.map((axis) => ({ axis, ...start })),
    );
    for (const node of trace.nodes) if (node.output.depends) this.#placements.set(node.output, this.#placed(node));
  }

  /**
   * Where the fields of a value lie, for each axis of `axes`.
   * @throws ReceptiveError where an operation on the way does not say what its outputs see.
   */
  placements(value: Value): readonly Placement[] {
    const placements = this.#placements.get(value)!;
    if (placements instanceof ReceptiveError) throw placements;
    return placements;
  }

  /**
   * The first and the last cell along each of `axes` that units of a value see, a range of them along each of its axes; null where they
   * see none. Padding, of the input or of a layer, is no cell.
   */
  seen(value: Value, units: readonly Range[]): Range[] | null {
    const marks = units.map(([first, last], axis) => new Uint8Array(value.shape[axis]!).fill(1, first, last + 1));
    const cells = this.#back(value, marks, markSeen, (a, b) => a.map((own, axis) => own.map((mark, i) => mark | b[axis]![i]!)));
    return cells && this.axes.map((axis) => [cells[axis]!.indexOf(1), cells[axis]!.lastIndexOf(1)]);
  }

  /** The same as if the input and all layers had no ends, gaps between what units see being taken as seen. */
  spanned(value: Value, units: readonly Range[]): Range[] | null {
    const cells = this.#back(value, units, span, (a, b) =>
      a.map(([first, last], i) => [Math.min(first, b[i]![0]), Math.max(last, b[i]![1])]),
    );
    return cells && this.axes.map((axis) => cells[axis]!);
  }

  /** What of the input leads to `units` of a value, given how one operation leads to them, and how what two paths see is put together. */
  #back<Cells>(
    value: Value,
    units: Cells,
    through: (units: Cells, shape: Shape, reaches: Reaches) => Cells | null,
    together: (a: Cells, b: Cells) => Cells,
  ): Cells | null {
    const seen = new Map<Value, Cells>([[value, units]]);
    for (const node of this.trace.nodes.toReversed()) {
      const here = seen.get(node.output);
      if (!here) continue;
      const reaches = this.#reachesOf(node);
      for (const [i, input] of node.inputs.entries()) {
        const cells = input?.depends ? through(here, input.shape, reaches[i]!) : null;
        if (!cells) continue;
        const before = seen.get(input!);
        seen.set(input!, before ? together(before, cells) : cells);
      }
    }
    return seen.get(this.#input) ?? null;
  }

  #placed(node: TraceNode): readonly Placement[] | ReceptiveError {
    try {
      const reaches = this.#reachesOf(node);
      const paths = node.inputs.flatMap((input, i) => (input?.depends ? [{ reaches: reaches[i]!, before: this.placements(input) }] : []));
      return this.axes.map((_, k) => paths.map(({ reaches, before }) => advance(before[k]!, reaches)).reduce(join));
    } catch (error) {
      if (error instanceof ReceptiveError) return error;
      throw error;
    }
  }

  /** What the outputs of a node see of each of its inputs; null for one that does not depend on the model's. */
  #reachesOf(node: TraceNode): readonly (Reaches | null)[] {
    const known = this.#reaches.get(node);
    if (known) return known;
    const { op, inputs, attrs, output } = node;
    const shapes = inputs.map((input) => input?.shape ?? []);
    const said = op.reach?.(shapes, attrs, output.shape) ?? null;
    const reaches = inputs.map((input, i) => {
      if (!input?.depends) return null;
      if (said) return said[i] ?? input.shape.map(() => null);
      const own = elementwise(input.shape, output.shape);
      if (own) return own;
      throw new ReceptiveError('ERR_UNSUPPORTED', `receptiveField: ${op.name} does not say what its outputs see of its input (Op.reach)`);
    });
    this.#reaches.set(node, reaches);
    return reaches;
  }
}

/** Marks the elements of an input that marked outputs see; null where there are none. */
function markSeen(units: readonly Uint8Array[], shape: Shape, reaches: Reaches): Uint8Array[] | null {
  const marks = shape.map((n, axis) => {
    const reach = reaches[axis];
    if (!reach) return new Uint8Array(n).fill(1);
    const cells = new Uint8Array(n + 1); // the last stands for what is no element
    for (const [o, mark] of units[reach.axis]!.entries()) {
      if (mark) for (const place of elementsSeen(reach, o)) cells[elementAt(reach, place, n) ?? n] = 1;
    }
    return cells.subarray(0, n);
  });
  return marks.every((cells) => cells.includes(1)) ? marks : null;
}

/** From the first to the last element of an input that outputs from the first to the last see; null where there are none. */
function span(units: readonly Range[], shape: Shape, reaches: Reaches): Range[] | null {
  const cells = shape.map((n, axis): Range => {
    const reach = reaches[axis];
    if (!reach) return [0, n - 1];
    const [first, last] = units[reach.axis]!;
    let [low, high] = [Infinity, -Infinity];
    // Neighbours of an outermost unit may see what lies further out than it, where it sees nothing or only part of its reach.
    for (let o = first; o <= last && o * reach.step + reach.from < low; o++) for (const i of elementsSeen(reach, o)) low = Math.min(low, i);
    for (let o = last; o >= first && o * reach.step + reach.to > high; o--)
      for (const i of elementsSeen(reach, o)) high = Math.max(high, i);
    return reach.within ? [Math.max(low, 0), Math.min(high, n - 1)] : [low, high];
  });
  return cells.some(([first, last]) => first > last) ? null : cells;
}

/** The fields of an operation's outputs, from those of one of its inputs. */
function advance(before: Placement, reaches: Reaches): Placement {
  const reach = before.axis === null ? null : reaches[before.axis];
  if (!reach) return { ...before, axis: null, whole: true };
  return {
    axis: reach.axis,
    jump: before.jump * reach.step,
    low: before.low + before.jump * reach.from,
    high: before.high + before.jump * reach.to,
    whole: before.whole,
    uniform: before.uniform && Number.isInteger(reach.step) && !reach.within,
    aligned: before.aligned,
  };
}

/** The fields of what two paths come to. */
function join(a: Placement, b: Placement): Placement {
  const moving = [a, b].filter(({ axis }) => axis !== null);
  const together = moving.every(({ axis }) => axis === moving[0]!.axis);
  const equal = moving.every(({ jump }) => Math.abs(jump - moving[0]!.jump) <= tolerance * jump);
  return {
    axis: together ? (moving[0]?.axis ?? null) : null,
    jump: Math.max(...(moving.length > 0 ? moving : [a]).map(({ jump }) => jump)),
    low: Math.min(a.low, b.low),
    high: Math.max(a.high, b.high),
    whole: a.whole || b.whole || !together,
    uniform: a.uniform && b.uniform && equal,
    aligned: a.aligned && b.aligned && equal,
  };
}

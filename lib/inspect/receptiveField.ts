import type { Module } from '../nn/module';
import type { Shape } from '../shape';
import type { Tensor } from '../tensor';
import type { LayerCall, Value } from '../trace';
import { Geometry, type Placement, unitsAt } from './geometry';
import { layersOf, outlined, titleOf } from './layers';
import { grouped, Report, table } from './table';

/** One number where all axes have the same, else one for each axis: [vertical, horizontal]. */
export type PerAxis = number | readonly number[];

/** What part of the input one unit of a layer depends on, in cells (pixels) of the input. */
export interface FieldRow {
  /** The layer's dotted name; with #2, #3, … behind it where the layer runs again. */
  readonly name: string;
  readonly type: string;
  /**
   * How many cells the field spans. What hangs over the border counts; but where units see all there is, it is the part of the input
   * that they see.
   */
  readonly size: PerAxis;
  /** How far the field moves from one unit to the next; 0 where all units see the same. */
  readonly jump: PerAxis;
  /** Where the centre of the first unit's field lies; cell i of the input lies from i to i + 1. */
  readonly start: PerAxis;
  /** How many cells of the first unit's field lie before the input. */
  readonly padding: PerAxis;
  /** Whether the units see all there is, wherever they are, as behind a fully connected layer. */
  readonly whole: boolean;
  /** Whether all paths from the input have the same jump; where not, the largest is given. */
  readonly aligned: boolean;
}

export const perAxis = (values: readonly number[]): PerAxis => (values.every((value) => value === values[0]) ? values[0]! : values);

export const showPerAxis = (value: PerAxis): string => (typeof value === 'number' ? grouped(value) : value.map(grouped).join(' x '));

/**
 * The receptive field of each layer: the part of the input that one of its units depends on. Layers are listed in the order in which
 * they end; a module that works on what the modules inside it give, as a residual block does, has a row of its own behind theirs.
 *
 * Along an axis a layer of kernel k, stride s, dilation d and padding p makes size r, jump j and start t into r + (k-1)·d·j, j·s and
 * t + ((k-1)·d/2 - p)·j; from 1, 1 and 0.5. Where branches meet the field spans theirs. Transposed convolutions and upsampling divide
 * the jump; the size is then that of the largest field. Araujo, Norris and Sim, Computing receptive fields of convolutional neural
 * networks (Distill, 2019).
 *
 * Their figures for whole networks hold for the networks as TF-slim defines them. ResNet-50 there strides in the last unit of a stage, in
 * its 3x3 convolution, and has a field of 483. In other variants the layers of a stage run at the larger jump from its first unit on:
 * the strides of He et al. 2015, in the first 1x1 convolution of a stage, give 483 as well, those of torchvision, in its first 3x3
 * convolution, 427.
 *
 * @param input The shape of the input with its batch axis, [N,…,C], or an input: a Tensor, for a model that embeds int32 [N,L].
 * @throws RangeError where the model does not take such an input.
 * @throws ReceptiveError `ERR_UNSUPPORTED` where an operation does not say what its outputs see.
 * @example
 * const fields = inspect.receptiveField(models.lenet5(), [1, 28, 28, 1]);
 * fields.find(({ name }) => name === '3').size; // 14
 */
export function receptiveField(model: Module, input: Shape | Tensor): Report<FieldRow> {
  return outlined('receptiveField', model, input, (trace) => {
    const geometry = new Geometry(trace);
    const rows = layersOf(trace).flatMap((call) => (call.output.depends ? [rowOf(geometry, call)] : []));
    return new Report(rows, undefined, show);
  });
}

/** The field of a layer whose output depends on the input. */
export function rowOf(geometry: Geometry, { name, module, output }: LayerCall): FieldRow {
  const value = output!;
  const placements = geometry.placements(value);
  const along = placements.map((placement, k) => (placement.whole ? wholeField(geometry, value, k) : movingField(geometry, value, k)));
  return {
    name,
    type: module.constructor.name,
    size: perAxis(along.map(({ size }) => size)),
    jump: perAxis(along.map(({ jump }) => jump)),
    start: perAxis(along.map(({ start }) => start)),
    padding: perAxis(along.map(({ padding }) => padding)),
    whole: placements.every(({ whole }) => whole),
    aligned: placements.every(({ aligned }) => aligned),
  };
}

interface Along {
  readonly size: number;
  readonly jump: number;
  readonly start: number;
  readonly padding: number;
}

function wholeField(geometry: Geometry, value: Value, k: number): Along {
  const [first, last] = geometry.seen(value, unitsAt(value))?.[k] ?? [0, -1];
  return { size: last - first + 1, jump: 0, start: (first + last + 1) / 2, padding: 0 };
}

function movingField(geometry: Geometry, value: Value, k: number): Along {
  const placement = geometry.placements(value)[k]!;
  const { jump, low, high } = placement;
  const start = (low + high) / 2;
  if (placement.uniform) return { size: high - low, jump, start, padding: 0 - low };
  const fields = eachUnit(geometry, value, placement, k);
  return { size: Math.max(...fields.map(([first, last]) => last - first + 1)), jump, start, padding: 0 - fields[0]![0] };
}

/** The field of the unit at each place along an axis of the input, as if the input went on beyond its borders. */
function eachUnit(geometry: Geometry, value: Value, { axis }: Placement, k: number): (readonly [number, number])[] {
  return Array.from({ length: value.shape[axis!]! }, (_, place) => geometry.spanned(value, unitsAt(value, axis, place))?.[k] ?? [0, -1]);
}

function show(rows: readonly FieldRow[]): string {
  const columns = [
    { title: 'layer', show: ({ name }: FieldRow) => titleOf(name) },
    { title: 'type', show: ({ type }: FieldRow) => type },
    { title: 'size', show: ({ size }: FieldRow) => showPerAxis(size), right: true },
    { title: 'jump', show: ({ jump, aligned }: FieldRow) => `${showPerAxis(jump)}${aligned ? '' : ' (paths differ)'}`, right: true },
    { title: 'start', show: ({ start }: FieldRow) => showPerAxis(start), right: true },
    { title: 'padding', show: ({ padding }: FieldRow) => showPerAxis(padding), right: true },
    { title: '', show: ({ whole }: FieldRow) => (whole ? 'all there is' : '') },
  ];
  return table(columns, rows);
}

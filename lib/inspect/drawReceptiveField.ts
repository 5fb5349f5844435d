import { rangeError, shapeError, typeError } from '../errors';
import type { Module } from '../nn/module';
import { checkOptions, type OptionNames } from '../options';
import { type Shape, showShape } from '../shape';
import type { Tensor } from '../tensor';
import type { LayerCall, Trace, Value } from '../trace';
import { Geometry, type Range, unitsAt } from './geometry';
import { findLayer, type LayerName, layersOf, outlined, titleOf } from './layers';
import { encodePng } from './png';
import { type FieldRow, type PerAxis, rowOf, showPerAxis } from './receptiveField';
import { type Field, fieldsSvg, middle } from './svg';
import { centreOf, type Unit, unitBox } from './units';

/** Options of `drawReceptiveField`. */
export interface DrawOptions {
  /** Default: each layer whose fields are larger, or farther apart, than those of all layers before it. */
  layers?: readonly LayerName[];
  /** The place, [i, j], of the last layer's unit; without `layers`, of the last whose output is an image, or a sequence. Of the layers before it is the unit that lies nearest. Default: the one in the middle. */
  unit?: Unit;
  /** Pixels [H,W,C] to draw under the fields: grey, or the first three channels of colour, the least of them black, the largest white. */
  image?: ArrayLike<number>;
  /** Side of the drawing in pixels, without its legend. Default 480. */
  width?: number;
}

const names: OptionNames<DrawOptions> = { layers: true, unit: true, image: true, width: true };

/**
 * A drawing of receptive fields on the input, as SVG: for each layer what one unit depends on, and the middle of that. It shows the input
 * as if it went on beyond its borders; what lies outside the picture is padding.
 *
 * @param input The shape of the images [N,H,W,C] or sequences [N,L,C], or an input.
 * @returns The text of an SVG file.
 * @throws RangeError where there is no such layer or unit, or the input is neither image nor sequence.
 * @example
 * writeFileSync('fields.svg', inspect.drawReceptiveField(models.lenet5(), [1, 28, 28, 1], { unit: [2, 2], layers: ['0', '3', '5'] }));
 */
export function drawReceptiveField(model: Module, input: Shape | Tensor, options: DrawOptions = {}): string {
  const operation = 'drawReceptiveField';
  checkOptions(operation, options, names);
  const { layers, unit, image, width = 480 } = options;
  if (!Number.isFinite(width) || width < 16) throw rangeError(operation, 'width', width, 'a number of pixels of at least 16');
  if (layers !== undefined && (!Array.isArray(layers) || layers.length === 0))
    throw typeError(operation, 'layers', layers, 'a list of layers');
  return outlined(operation, model, input, (trace) => {
    const { shape } = trace.inputs[0]!;
    if (shape.length > 4) throw shapeError(operation, `the input has shape ${showShape(shape)}, expected [N,H,W,C] or [N,L,C]`);
    const size: readonly [number, number] = shape.length === 4 ? [shape[1]!, shape[2]!] : [1, shape[1]!];
    const geometry = new Geometry(trace);
    const found = layers ? layers.map((layer) => findLayer(operation, trace, layer)) : growing(geometry, trace);
    const drawn = layers || !unit ? found : withPlaces(found, geometry.axes.length);
    const fields = fieldsOf(operation, geometry, drawn, unit);
    return fieldsSvg(size, fields, image && picture(operation, image, size), width);
  });
}

/** The layers that see more, or whose fields lie farther apart, than all before them. */
function growing(geometry: Geometry, trace: Trace): LayerCall[] {
  const largest = (value: PerAxis) => Math.max(...[value].flat());
  let [size, jump] = [0, 0];
  return layersOf(trace).filter((call) => {
    if (!call.output.depends) return false;
    const row = rowOf(geometry, call);
    if (largest(row.size) <= size && largest(row.jump) <= jump) return false;
    [size, jump] = [Math.max(size, largest(row.size)), Math.max(jump, largest(row.jump))];
    return true;
  });
}

/** The layers up to the last whose output has places as the input has, such as an image: one that a unit can be a place of. */
const withPlaces = (calls: readonly LayerCall[], axes: number): readonly LayerCall[] =>
  calls.slice(0, calls.findLastIndex(({ output }) => output!.shape.length === axes + 2) + 1);

function fieldsOf(operation: string, geometry: Geometry, calls: readonly LayerCall[], unit: Unit | undefined): Field[] {
  const last = calls.at(-1)?.output;
  const idle = calls.find(({ output }) => !output!.depends);
  if (!last || idle) throw rangeError(operation, 'layers', idle?.name ?? 'none', 'layers that depend on the input');
  const target = ranges(geometry, last, unitBox(operation, last, unit ?? centreOf(last)));
  return calls.map((call) => {
    const value = call.output!;
    const row = rowOf(geometry, call);
    const [rows, columns] = value === last ? target : ranges(geometry, value, nearest(geometry, value, row, target));
    const title = `${titleOf(row.name)} ${row.type}: ${showPerAxis(row.size)}${row.whole ? '' : `, jump ${showPerAxis(row.jump)}`}`;
    return { title, rows, columns };
  });
}

/** Rows and columns that units see; a sequence has one row. */
function ranges(geometry: Geometry, value: Value, units: readonly Range[]): readonly [Range, Range] {
  const whole = geometry.placements(value).some((placement) => placement.whole);
  const cells = (whole ? geometry.seen(value, units) : geometry.spanned(value, units)) ?? geometry.axes.map((): Range => [0, -1]);
  return cells.length === 1 ? [[0, 0], cells[0]!] : [cells[0]!, cells[1]!];
}

/** The unit of a value whose field has its middle nearest to that of other cells. */
function nearest(geometry: Geometry, value: Value, row: FieldRow, target: readonly [Range, Range]): Range[] {
  const middles = geometry.axes.length === 1 ? [middle(target[1])] : target.map(middle);
  const units = unitsAt(value);
  for (const [k, { axis }] of geometry.placements(value).entries()) {
    if (axis === null) continue;
    const [start, jump] = [along(row.start, k), along(row.jump, k)];
    const place = jump > 0 ? Math.round((middles[k]! - start) / jump) : 0;
    const kept = Math.min(Math.max(place, 0), value.shape[axis]! - 1);
    units[axis] = [kept, kept];
  }
  return units;
}

const along = (value: PerAxis, k: number): number => (typeof value === 'number' ? value : value[k]!);

/** An image as the address of a PNG file. */
function picture(operation: string, image: ArrayLike<number>, [height, width]: readonly [number, number]): string {
  const channels = image.length / (height * width);
  if (!Number.isInteger(channels) || channels < 1) {
    throw shapeError(operation, `image has ${image.length} values, expected ${height} x ${width} pixels of as many channels each`);
  }
  let [least, most] = [Infinity, -Infinity];
  for (let i = 0; i < image.length; i++) [least, most] = [Math.min(least, image[i]!), Math.max(most, image[i]!)];
  const scale = most > least ? 255 / (most - least) : 0;
  const shown = channels >= 3 ? 3 : 1;
  const pixels = Uint8Array.from({ length: height * width * shown }, (_, i) =>
    Math.round((image[Math.floor(i / shown) * channels + (i % shown)]! - least) * scale),
  );
  return `data:image/png;base64,${encodePng(pixels, height, width, shown).toString('base64')}`;
}

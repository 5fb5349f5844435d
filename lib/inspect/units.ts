import { rangeError, typeError } from '../errors';
import type { Module } from '../nn/module';
import { isIndex, type Shape } from '../shape';
import type { Tensor } from '../tensor';
import type { Value } from '../trace';
import { Geometry, type Range } from './geometry';
import { findLayer, type LayerName, outlined } from './layers';

/** A unit of a layer's output [N,…,K]: its place, such as [i, j]; or its place and channel, [i, j, k]; of an output [N,K], [k] or []. */
export type Unit = readonly number[];

/** The unit in the middle, of all channels. */
export const centreOf = ({ shape }: Value): Unit => shape.slice(1, -1).map((n) => Math.floor(n / 2));

/** The units of a value that a place and perhaps a channel name, in the whole batch: a range along each axis. */
export function unitBox(operation: string, { shape }: Value, unit: Unit): Range[] {
  const places = shape.length - 2;
  const expected = `${places} integers within the layer's output [${shape.join(',')}], or ${places + 1}, the last its channel`;
  if (!Array.isArray(unit)) throw typeError(operation, 'unit', unit, expected);
  if (unit.length !== places && unit.length !== places + 1) throw rangeError(operation, 'unit', unit, expected);
  if (!unit.every((at, i) => isIndex(at) && at < shape[i + 1]!)) throw rangeError(operation, 'unit', unit, expected);
  return shape.map((n, axis) => {
    const at = axis === 0 ? undefined : unit[axis - 1];
    return at === undefined ? [0, n - 1] : [at, at];
  });
}

/**
 * The exact receptive field of one unit: the first and the last cell of the input that it depends on, along each axis of places; padding
 * does not count. Empty where the unit depends on none.
 *
 * @param input The shape of the input with its batch axis, [N,…,C], or an input.
 * @param layer Its dotted name, '' for the model's own output, or the module.
 * @param unit [i, j] in a layer's output [N,H,W,K]. Default: the one in the middle.
 * @throws RangeError where there is no such layer or unit.
 * @example
 * inspect.unitField(models.lenet5(), [1, 28, 28, 1], '3', [0, 0]); // [[0, 11], [0, 11]]
 */
export function unitField(model: Module, input: Shape | Tensor, layer: LayerName, unit?: Unit): Range[] {
  return outlined('unitField', model, input, (trace) => {
    const { output } = findLayer('unitField', trace, layer);
    const units = unitBox('unitField', output, unit ?? centreOf(output));
    return output.depends ? (new Geometry(trace).seen(output, units) ?? []) : [];
  });
}

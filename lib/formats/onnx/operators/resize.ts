import { tensor } from '../../../create';
import * as ops from '../../../ops';
import { sizeOf } from '../../../shape';
import type { Tensor } from '../../../tensor';
import { numbersOf } from '../host';
import { channelsLast, inOrder, Value } from '../value';
import { type Attributes, axisOf, type Call, input, misshapen, type Operators, optional } from './operator';
import { takeAlong } from './select';

// Resizing is done axis by axis: each output cell is a weighted sum of a few cells of the input, whose places and weights are computed here.

/** The most cells an axis is resized to: weights are made for each. */
const mostCells = 2 ** 20;

/** What is asked along one axis. */
interface Axis {
  readonly cells: number;
  readonly outputs: number;
  readonly scale: number;
  /** Of tf_crop_and_resize: the part of the axis that is resized. */
  readonly start: number;
  readonly end: number;
}

/** Where the middle of output cell i lies, in cells of the input, by `coordinate_transformation_mode`. */
const places: Readonly<Record<string, (i: number, axis: Axis) => number>> = {
  half_pixel: (i, { scale }) => (i + 0.5) / scale - 0.5,
  half_pixel_symmetric: (i, { scale, cells, outputs }) => (cells / 2) * (1 - outputs / (scale * cells)) + (i + 0.5) / scale - 0.5,
  pytorch_half_pixel: (i, { scale, outputs }) => (outputs > 1 ? (i + 0.5) / scale - 0.5 : 0),
  // of a length that is not rounded, as onnx's reference has it
  align_corners: (i, { cells, outputs, scale }) => (outputs === 1 ? 0 : (i * (cells - 1)) / (scale * cells - 1)),
  asymmetric: (i, { scale }) => i / scale,
  tf_half_pixel_for_nn: (i, { scale }) => (i + 0.5) / scale,
  tf_crop_and_resize: (i, { cells, outputs, start, end }) =>
    outputs > 1 ? start * (cells - 1) + (i * (end - start) * (cells - 1)) / (outputs - 1) : 0.5 * (start + end) * (cells - 1),
};

const roundings: Readonly<Record<string, (place: number) => number>> = {
  round_prefer_floor: (place) => Math.ceil(place - 0.5),
  round_prefer_ceil: (place) => Math.floor(place + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

interface Rule {
  readonly mode: string;
  readonly place: (i: number, axis: Axis) => number;
  readonly round: (place: number, axis: Axis) => number;
  readonly cubic: number;
  readonly excludeOutside: boolean;
  /** What cells outside of the input hold, in tf_crop_and_resize; null where its border goes on. */
  readonly outside: number | null;
}

/** Cells and weights that make up an output cell: as many for each. */
interface Taps {
  readonly cells: Int32Array[];
  readonly weights: Float32Array[];
  /** 1 where an output lies outside of the input. */
  readonly outside: Uint8Array | null;
}

/** Weights of the four cells around a place, by how far it lies behind the second. Keys, Cubic convolution interpolation (1981). */
function cubicWeights(t: number, a: number): number[] {
  const near = (x: number) => (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  const far = (x: number) => a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a;
  return [far(t + 1), near(t), near(1 - t), far(2 - t)];
}

function tapsAlong(axis: Axis, rule: Rule): Taps {
  const { cells, outputs } = axis;
  const count = rule.mode === 'nearest' ? 1 : rule.mode === 'linear' ? 2 : 4;
  const taps = { cells: inOrder(count).map(() => new Int32Array(outputs)), weights: inOrder(count).map(() => new Float32Array(outputs)) };
  const outside = rule.outside === null ? null : new Uint8Array(outputs);
  for (let i = 0; i < outputs; i++) {
    const place = rule.place(i, axis);
    if (outside && (place < 0 || place > cells - 1)) outside[i] = 1;
    const below = Math.floor(place);
    const first = count === 1 ? rule.round(place, axis) : count === 2 ? below : below - 1;
    const part = place - below;
    let weights = count === 1 ? [1] : count === 2 ? [1 - part, part] : cubicWeights(part, rule.cubic);
    if (rule.excludeOutside && count > 1) {
      const kept = weights.map((weight, k) => (first + k >= 0 && first + k < cells ? weight : 0));
      const total = kept.reduce((sum, weight) => sum + weight, 0);
      weights = kept.map((weight) => weight / total);
    }
    for (let k = 0; k < count; k++) {
      taps.cells[k]![i] = Math.min(Math.max(first + k, 0), cells - 1);
      taps.weights[k]![i] = weights[k]!;
    }
  }
  return { ...taps, outside };
}

/** A vector along one axis of a memory of so many. */
const along = (values: Float32Array | Uint8Array, rank: number, axis: number): Tensor =>
  tensor(
    values,
    inOrder(rank).map((i) => (i === axis ? values.length : 1)),
  );

/** x resized along one axis of its memory. */
function resizedAlong(x: Tensor, place: number, { cells, weights, outside }: Taps, filling: number): Tensor {
  const parts = cells.map((list, k) => {
    const part = takeAlong(x, place, list);
    return cells.length === 1 ? part : ops.mul(part, along(weights[k]!, x.rank, place));
  });
  const y = parts.reduce((sum, part) => ops.add(sum, part));
  return outside?.includes(1) ? ops.where(along(outside, x.rank, place), filling, y) : y;
}

const identical = (axis: Axis): boolean => axis.cells === axis.outputs && axis.start === 0 && axis.end === 1 && axis.scale === 1;

/** The same by the operation for images, where its rules are these. */
function byUpsample(
  x: Value,
  axes: readonly Axis[],
  rule: Rule,
  coordinates: string,
): { mode: 'nearest' | 'bilinear'; alignCorners?: boolean } | null {
  if (x.rank !== 4 || !identical(axes[0]!) || !identical(axes[1]!) || axes.some(({ scale, cells, outputs }) => cells * scale !== outputs))
    return null;
  const images = axes.slice(2);
  if (rule.mode === 'nearest') {
    const same = images.every((axis) =>
      tapsAlong(axis, rule).cells[0]!.every((cell, i) => cell === Math.floor((i * axis.cells) / axis.outputs)),
    );
    return same && rule.outside === null ? { mode: 'nearest' } : null;
  }
  if (rule.mode !== 'linear' || rule.excludeOutside) return null;
  if (coordinates === 'align_corners') return { mode: 'bilinear', alignCorners: true };
  const half = coordinates === 'half_pixel' || (coordinates === 'pytorch_half_pixel' && images.every(({ outputs }) => outputs > 1));
  return half ? { mode: 'bilinear' } : null;
}

function resize(
  call: Call,
  asked: readonly (number | null)[],
  sizes: boolean,
  roi: readonly number[] | null,
  coordinates: string,
  rule: Rule,
): Value {
  const { run } = call;
  const given = input(call, 0);
  const x = run.float(given);
  const axes = x.shape.map((cells, i): Axis => {
    const wanted = asked[i] ?? null;
    const span = { start: roi?.[i] ?? 0, end: roi?.[i + x.rank] ?? 1 };
    if (wanted === null) return { cells, outputs: cells, scale: 1, start: 0, end: 1 };
    const length = coordinates === 'tf_crop_and_resize' && !sizes ? cells * (span.end - span.start) : cells;
    const outputs = sizes ? wanted : Math.floor(length * wanted);
    if (!(outputs >= 0 && outputs <= mostCells) || !Number.isInteger(outputs) || (outputs > 0 && cells === 0))
      throw misshapen(`axis ${i} of ${cells} cells cannot become ${outputs}`);
    return { cells, outputs, scale: sizes ? wanted / cells : wanted, ...span };
  });
  const image = byUpsample(x, axes, rule, coordinates);
  if (image) {
    const size: [number, number] = [axes[2]!.outputs, axes[3]!.outputs];
    return Value.of(given.type, ops.upsample(run.channelsLast(x), { ...image, size }), channelsLast(4));
  }
  let y = run.tensor(x);
  for (const [i, axis] of axes.entries()) {
    if (!identical(axis)) y = resizedAlong(y, x.place(i), tapsAlong(axis, rule), rule.outside ?? 0);
  }
  return run.like(given, y);
}

function ruleOf(attributes: Attributes, coordinates: string): Rule {
  return {
    mode: attributes.text('mode', 'nearest'),
    place: places[coordinates]!,
    round: roundings[attributes.text('nearest_mode', 'round_prefer_floor')]!,
    cubic: attributes.float('cubic_coeff_a', -0.75),
    excludeOutside: attributes.flag('exclude_outside'),
    outside: coordinates === 'tf_crop_and_resize' ? attributes.float('extrapolation_value', 0) : null,
  };
}

function resize11(call: Call): Value {
  const { run, attributes } = call;
  const numbers = (i: number): number[] | null => {
    const value = optional(call, i);
    return value && value.size > 0 ? numbersOf(run.host(value)) : null;
  };
  const { rank } = input(call, 0);
  const [scales, sizes] = [numbers(2), numbers(3)];
  const asked = sizes ?? scales;
  if (!asked) throw misshapen('has neither scales nor sizes');
  const axes = (attributes.ints('axes') ?? inOrder(asked.length)).map((axis) => axisOf(axis, rank));
  if (axes.length !== asked.length) throw misshapen(`${asked.length} scales or sizes for ${axes.length} axes`);
  const all = inOrder(rank).map((axis) => (axes.includes(axis) ? asked[axes.indexOf(axis)]! : null));
  const coordinates = attributes.text('coordinate_transformation_mode', 'half_pixel');
  const roi = coordinates === 'tf_crop_and_resize' ? numbers(1) : null;
  const spread = roi && [
    ...inOrder(rank).map((axis) => partOf(roi, axes, axis, 0)),
    ...inOrder(rank).map((axis) => partOf(roi, axes, axis, 1)),
  ];
  return resize(call, all, sizes !== null, spread, coordinates, ruleOf(attributes, coordinates));
}

/** Where the part of an axis that is resized begins, or ends. */
const partOf = (roi: readonly number[], axes: readonly number[], axis: number, end: 0 | 1): number =>
  axes.includes(axis) ? roi[axes.indexOf(axis) + end * axes.length]! : end;

/** Upsample, and the first version of Resize: cells are counted from the corner, and the nearest is the one before, or behind where fewer are made. */
function upsample(call: Call): Value {
  const { run, attributes, opset } = call;
  const scales = opset < 9 ? attributes.floats('scales') : numbersOf(run.host(input(call, 1)));
  if (scales?.length !== input(call, 0).rank) throw misshapen('has no scale for each axis');
  const round = (place: number, { scale }: Axis) => (scale < 1 ? Math.ceil(place) : Math.floor(place));
  return resize(call, scales, false, null, 'asymmetric', { ...ruleOf(attributes, 'asymmetric'), round });
}

const modes = ['nearest', 'linear', 'cubic'];

function refused(attributes: Attributes): string | null {
  const mode = attributes.text('mode', 'nearest');
  const coordinates = attributes.text('coordinate_transformation_mode', 'half_pixel');
  const rounding = attributes.text('nearest_mode', 'round_prefer_floor');
  if (!modes.includes(mode)) return `in mode ${JSON.stringify(mode)}`;
  if (!Object.hasOwn(places, coordinates)) return `with coordinates ${JSON.stringify(coordinates)}`;
  if (!Object.hasOwn(roundings, rounding)) return `with rounding ${JSON.stringify(rounding)}`;
  if (attributes.flag('antialias')) return 'with antialias';
  return attributes.text('keep_aspect_ratio_policy', 'stretch') === 'stretch' ? null : 'with a keep_aspect_ratio_policy';
}

/** Channels spread over blocks of cells. */
function depthToSpace(call: Call): Value {
  const { run, attributes } = call;
  const x = input(call, 0);
  const r = attributes.int('blocksize', 0);
  const mode = attributes.text('mode', 'DCR');
  const [n, channels, height, width] = imageOf(x);
  const c = channels / (r * r);
  if (!Number.isInteger(c)) throw misshapen(`blocks of ${r}x${r} do not divide ${channels} channels`);
  const image = run.channelsLast(x);
  if (mode === 'CRD') return Value.of(x.type, ops.pixelShuffle(image, r), channelsLast(4));
  const spread = ops.transpose(ops.reshape(image, [n, height, width, r, r, c]), [0, 1, 3, 2, 4, 5]);
  return Value.of(x.type, ops.reshape(spread, [n, height * r, width * r, c]), channelsLast(4));
}

/** Blocks of cells put beside each other in the channels. */
function spaceToDepth(call: Call): Value {
  const x = input(call, 0);
  const r = call.attributes.int('blocksize', 0);
  const [n, channels, rows, columns] = imageOf(x);
  const [height, width] = [rows / r, columns / r];
  if (!Number.isInteger(height) || !Number.isInteger(width)) throw misshapen(`blocks of ${r}x${r} do not divide ${rows}x${columns} cells`);
  const blocks = ops.reshape(call.run.channelsLast(x), [n, height, r, width, r, channels]);
  const gathered = ops.reshape(ops.transpose(blocks, [0, 1, 3, 2, 4, 5]), [n, height, width, r * r * channels]);
  return Value.of(x.type, gathered, channelsLast(4));
}

function imageOf({ shape }: Value): [number, number, number, number] {
  if (shape.length !== 4 || sizeOf(shape) === 0) throw misshapen(`the input has shape [${shape}], expected [N,C,H,W]`);
  return shape as unknown as [number, number, number, number];
}

export const resizeOperators: Operators = {
  Resize: {
    since: [10, 11, 13, 18, 19],
    host: [1, 2, 3],
    unsupported: refused,
    run: (call) => (call.opset < 11 ? upsample(call) : resize11(call)),
  },
  Upsample: { since: [7, 9], host: [1], unsupported: refused, run: upsample },
  DepthToSpace: {
    since: [1, 11],
    unsupported: (attributes) => (['DCR', 'CRD'].includes(attributes.text('mode', 'DCR')) ? null : 'in another mode than DCR and CRD'),
    run: depthToSpace,
  },
  SpaceToDepth: { since: [1], run: spaceToDepth },
};

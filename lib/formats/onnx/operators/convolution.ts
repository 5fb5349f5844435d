import * as ops from '../../../ops';
import { type Shape, sizeOf } from '../../../shape';
import type { Tensor } from '../../../tensor';
import { channelsLast, Value } from '../value';
import { type Call, input, type Operators, optional } from './operator';
import { byAxes, type OnnxWindow, paddingOf, perAxis, shared, windowOf } from './window';

/** Kernels [K,C,…] lie as [...,C,K] in memory; those of transposed convolutions, [C,K,…], as [...,K,C]. */
const kernelOrder = (rank: number): readonly number[] => [...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1, 0];

type Convolution = (x: Tensor, w: Tensor, options: Record<string, unknown>) => Tensor;
const convolutions = [ops.conv1d, ops.conv2d, ops.conv3d] as unknown as readonly Convolution[];
const transposed = [ops.convTranspose1d, ops.convTranspose2d, convTranspose3d] as unknown as readonly Convolution[];

/** One number for the functions of one axis, a list for the others. */
const perWindow = (list: Shape): unknown => (list.length === 1 ? list[0] : list);

/** A transposed convolution of volumes: a convolution, by the kernel turned around, of the input spread out. */
function convTranspose3d(x: Tensor, w: Tensor, options: { stride: Shape; dilation: Shape; groups: number; bias: Tensor | null }): Tensor {
  const { stride, dilation, groups, bias } = options;
  const [width, channels] = [w.shape.at(-2)!, w.shape.at(-1)!];
  let spread = x;
  let turned = w;
  for (const axis of [1, 2, 3]) {
    const step = stride[axis - 1]!;
    if (step > 1) spread = spreadAlong(spread, axis, step);
    turned = ops.slice(turned, ...backwards(turned.rank, axis - 1));
  }
  // [...,K/g,C] to [...,C/g,K], group by group
  const taps = w.shape.slice(0, 3);
  const grouped = ops.reshape(turned, [sizeOf(taps), width, groups, channels / groups]);
  const kernel = ops.reshape(ops.transpose(grouped, [0, 3, 2, 1]), [...taps, channels / groups, groups * width]);
  const around = taps.map((n, i) => dilation[i]! * (n - 1));
  return ops.conv3d(spread, kernel, {
    dilation: dilation as [number, number, number],
    groups,
    bias,
    padding: [...around, ...around] as unknown as [number, number, number, number, number, number],
  });
}

const backwards = (rank: number, axis: number): [number[], number[], number[]] => {
  const at = (value: number, otherwise: number) => Array.from({ length: rank }, (_, i) => (i === axis ? value : otherwise));
  return [at(-1, 0), at(-(2 ** 31), 2 ** 31 - 1), at(-1, 1)];
};

/** Cells `step` apart along an axis, zeros between them. */
function spreadAlong(x: Tensor, axis: number, step: number): Tensor {
  const cells = x.shape[axis]!;
  const [before, after] = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis + 1))];
  const apart = ops.pad(ops.reshape(x, [before, cells, 1, after]), [
    [0, 0],
    [0, 0],
    [0, step - 1],
    [0, 0],
  ]);
  const length = cells * step;
  const joined = ops.reshape(apart, [...x.shape.slice(0, axis), length, ...x.shape.slice(axis + 1)]);
  return ops.slice(
    joined,
    [],
    joined.shape.map((n, i) => (i === axis ? n - step + 1 : n)),
  );
}

/** The bias of a layer, [K]. */
const biasOf = (call: Call, i: number): Tensor | null => {
  const bias = optional(call, i);
  return bias && call.run.plain(call.run.float(bias));
};

const result = (type: Value, tensor: Tensor): Value => Value.of(type.type, tensor, channelsLast(tensor.rank));

function conv(call: Call): Value {
  const { run, attributes } = call;
  const [x, w] = [run.float(input(call, 0)), run.float(input(call, 1))];
  const convolve = byAxes(x.rank, convolutions);
  const window = windowOf(attributes, x.shape.slice(2), w.shape.slice(2));
  const y = convolve(run.channelsLast(x), run.arranged(w, kernelOrder(w.rank)), {
    stride: perWindow(window.stride),
    dilation: perWindow(window.dilation),
    padding: paddingOf(window),
    groups: attributes.int('group', 1),
    bias: biasOf(call, 2),
  });
  return result(input(call, 0), y);
}

/** Cells a transposed convolution adds behind its output and cuts off around it; those are fewer than none where an output shape asks it. */
function transposedWindow(call: Call, sizes: Shape, kernel: Shape): OnnxWindow & { extra: number[] } {
  const { attributes } = call;
  const mode = attributes.text('auto_pad', 'NOTSET');
  const axes = sizes.length;
  const extra = perAxis(attributes, 'output_padding', axes, 0);
  const wanted = attributes.ints('output_shape')?.slice(-axes);
  const stride = perAxis(attributes, 'strides', axes, 1);
  const dilation = perAxis(attributes, 'dilations', axes, 1);
  if (!wanted && (mode === 'NOTSET' || mode === 'VALID')) return { ...windowOf(attributes, sizes, kernel), extra };
  const outputs = wanted ?? sizes.map((size, i) => size * stride[i]!);
  const total = outputs.map((size, i) => stride[i]! * (sizes[i]! - 1) + extra[i]! + dilation[i]! * (kernel[i]! - 1) + 1 - size);
  return { kernel, stride, dilation, ...shared(mode === 'SAME_UPPER' ? mode : 'SAME_LOWER', total), extra };
}

function convTranspose(call: Call): Value {
  const { run, attributes } = call;
  const [x, w] = [run.float(input(call, 0)), run.float(input(call, 1))];
  const convolve = byAxes(x.rank, transposed);
  const { stride, dilation, before, after, extra } = transposedWindow(call, x.shape.slice(2), w.shape.slice(2));
  const [image, kernel, bias] = [run.channelsLast(x), run.arranged(w, kernelOrder(w.rank)), biasOf(call, 2)];
  const options = { stride: perWindow(stride), dilation: perWindow(dilation), groups: attributes.int('group', 1) };
  const direct = x.rank < 5 && [...before, ...after].every((n) => n >= 0) && extra.every((n, i) => n < Math.max(stride[i]!, dilation[i]!));
  if (direct) {
    const y = convolve(image, kernel, { ...options, bias, padding: paddingOf({ before, after }), outputPadding: perWindow(extra) });
    return result(input(call, 0), y);
  }
  // All of it, then cut or filled with zeros to its size, then the bias.
  const whole = convolve(image, kernel, { ...options, bias: null });
  const behind = after.map((n, i) => n - extra[i]!);
  const filled = ops.pad(
    whole,
    whole.shape.map((_, axis) => [Math.max(-(before[axis - 1] ?? 0), 0), Math.max(-(behind[axis - 1] ?? 0), 0)]),
  );
  const cut = ops.slice(
    filled,
    filled.shape.map((_, axis) => Math.max(before[axis - 1] ?? 0, 0)),
    filled.shape.map((n, axis) => n - Math.max(behind[axis - 1] ?? 0, 0)),
  );
  return result(input(call, 0), bias ? ops.add(cut, bias) : cut);
}

const arrange = (i: number, rank: number): readonly number[] | null => (i === 1 && rank >= 3 ? kernelOrder(rank) : null);

export const convolutionOperators: Operators = {
  Conv: { since: [1], weights: [1, 2], arrange, run: conv },
  ConvTranspose: { since: [1], weights: [1, 2], arrange, run: convTranspose },
};

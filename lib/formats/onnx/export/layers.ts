import { ReceptiveError } from '../../../errors';
import { type AnyWindow, paddingAlong } from '../../../ops/window';
import type { Shape } from '../../../shape';
import type { TraceNode, Value } from '../../../trace';
import { inOrder } from '../value';
import { type AttributesOf, channelsFirst, type Exporter, type Written } from './exporter';
import { finished } from './finish';
import type { Rows } from './rows';

// Layers with windows or statistics: ONNX has them on [N,C,…].

const unsupported = (message: string): ReceptiveError => new ReceptiveError('ERR_UNSUPPORTED', message);

function windowAttributes(window: AnyWindow): Record<string, readonly number[]> {
  const around = paddingAlong(window);
  return {
    kernel_shape: window.kernel,
    strides: window.stride,
    pads: [...around.map(([before]) => before), ...around.map(([, after]) => after)],
  };
}

/** [...,C,K], here, as [K,C,...]. */
const kernelAxes = (rank: number): number[] => [rank - 1, rank - 2, ...inOrder(rank - 2)];

function layer(to: Exporter, operator: string, node: TraceNode, attributes: AttributesOf): Written {
  const [x, w, bias, add] = node.inputs;
  const names = [to.channels(x!), to.as(w!, kernelAxes(w!.shape.length)), ...(bias ? [to.plain(bias)] : [])];
  return finished(to, node, to.emit(operator, names, attributes), channelsFirst(node.output.shape.length), add);
}

function conv(to: Exporter, node: TraceNode): Written {
  const { window, groups } = node.attrs as { window: AnyWindow; groups: number };
  return layer(to, 'Conv', node, { ...windowAttributes(window), dilations: window.dilation, group: groups });
}

function convTranspose(to: Exporter, node: TraceNode): Written {
  const { window, groups, outputPadding } = node.attrs as { window: AnyWindow; groups: number; outputPadding: Shape };
  return layer(to, 'ConvTranspose', node, {
    ...windowAttributes(window),
    dilations: window.dilation,
    group: groups,
    output_padding: outputPadding,
  });
}

function maxPool(to: Exporter, node: TraceNode): Written {
  const { window, ceilMode } = node.attrs as { window: AnyWindow; ceilMode: boolean };
  const attributes = { ...windowAttributes(window), dilations: window.dilation, ceil_mode: Number(ceilMode) };
  return finished(to, node, to.emit('MaxPool', [to.channels(node.inputs[0]!)], attributes), channelsFirst(node.output.shape.length));
}

function avgPool(to: Exporter, { inputs: [x], attrs, output }: TraceNode): Written {
  const { window, ceilMode, countIncludePad } = attrs as { window: AnyWindow; ceilMode: boolean; countIncludePad: boolean };
  const attributes = { ...windowAttributes(window), ceil_mode: Number(ceilMode), count_include_pad: Number(countIncludePad) };
  return to.set(output, to.emit('AveragePool', [to.channels(x!)], attributes), channelsFirst(output.shape.length));
}

/** A pool told the size of its output: of one cell, of windows of one size, or window by window along each axis. */
const adaptive =
  (kind: 'Average' | 'Max') =>
  (to: Exporter, { inputs: [x], output }: TraceNode): Written => {
    const [cells, windows] = [x!.shape.slice(1, -1), output.shape.slice(1, -1)];
    const axes = channelsFirst(output.shape.length);
    const image = to.channels(x!);
    if (windows.every((n) => n === 1)) return to.set(output, to.emit(`Global${kind}Pool`, [image]), axes);
    if (windows.every((n, i) => cells[i]! % n === 0)) {
      const kernel = windows.map((n, i) => cells[i]! / n);
      return to.set(output, to.emit(`${kind}Pool`, [image], { kernel_shape: kernel, strides: kernel }), axes);
    }
    const pooled = windows.reduce((name, n, i) => {
      const length = cells[i]!;
      if (n === length) return name;
      const parts = inOrder(n).map((j) => {
        const ends = [Math.floor((j * length) / n), Math.ceil(((j + 1) * length) / n)] as const;
        const part = to.emit('Slice', [name, to.ints(ends[0]), to.ints(ends[1]), to.ints(i + 2)]);
        return to.emit(kind === 'Max' ? 'ReduceMax' : 'ReduceMean', [part], { axes: [i + 2], keepdims: 1 });
      });
      return to.emit('Concat', parts, { axis: i + 2 });
    }, image);
    return to.set(output, pooled, axes);
  };

/** A parameter, or what stands for it where there is none. */
const parameter = (to: Exporter, value: Value | null, otherwise: number, shape: Shape, like: Value): string =>
  value ? to.plain(value) : to.filled(otherwise, shape, like);

function batchNorm(to: Exporter, node: TraceNode): Written {
  const [x, weight, bias, mean, variance, add] = node.inputs;
  const { training, eps } = node.attrs as { training: boolean; eps: number };
  if (training) throw unsupported('batchNorm that trains');
  const channels = [x!.shape.at(-1)!];
  const parameters = [parameter(to, weight!, 1, channels, x!), parameter(to, bias!, 0, channels, x!), to.plain(mean!), to.plain(variance!)];
  const name = to.emit('BatchNormalization', [to.channels(x!), ...parameters], { epsilon: { float: eps } });
  return finished(to, node, name, channelsFirst(x!.shape.length), add);
}

interface NormAttrs {
  readonly groups: number;
  readonly parameters: Shape;
  readonly eps: number;
}

function layerNorm(to: Exporter, { inputs: [x, weight, bias], attrs, output }: TraceNode): Written {
  const { parameters, eps } = attrs as NormAttrs;
  const names = [to.plain(x!), parameter(to, weight!, 1, parameters, x!), parameter(to, bias!, 0, parameters, x!)];
  return to.set(output, to.emit('LayerNormalization', names, { axis: -parameters.length, epsilon: { float: eps } }));
}

/** Each group as a channel of its own, then a scale and a shift for each channel. */
function groupNorm(to: Exporter, { inputs: [x, weight, bias], attrs, output }: TraceNode): Written {
  const { groups, eps } = attrs as NormAttrs;
  const rank = x!.shape.length;
  const axes = channelsFirst(rank);
  const image = to.channels(x!);
  const [scale, shift] = [to.filled(1, [groups], x!), to.filled(0, [groups], x!)];
  const together = to.emit('Reshape', [image, to.ints(0, groups, -1)]);
  const normal = to.emit('InstanceNormalization', [together, scale, shift], { epsilon: { float: eps } });
  let name = to.emit('Reshape', [normal, to.emit('Shape', [image])]);
  const channelwise = (value: Value) => to.reshapedWeight(value, [value.shape[0]!, ...new Array<number>(rank - 2).fill(1)]);
  if (weight) name = to.emit('Mul', [name, channelwise(weight)]);
  if (bias) name = to.emit('Add', [name, channelwise(bias)]);
  return to.set(output, name, axes);
}

/** Nearest cells are those before a place, counted from the corner; bilinear ones lie between middles, or corners. */
function upsample(to: Exporter, { inputs: [x], attrs, output }: TraceNode): Written {
  const { mode } = attrs as { mode: number };
  const image = to.channels(x!);
  const [, rows, columns] = output.shape as unknown as [number, number, number];
  const leading = to.emit('Slice', [to.emit('Shape', [image]), to.ints(0), to.ints(2)]);
  const sizes = to.emit('Concat', [leading, to.ints(rows, columns)], { axis: 0 });
  const rules: readonly AttributesOf[] = [
    { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
    { mode: 'linear', coordinate_transformation_mode: 'half_pixel' },
    { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
  ];
  return to.set(output, to.emit('Resize', [image, '', '', sizes], rules[mode]!), channelsFirst(4));
}

/** A product of each place's cells with a kernel of its own. */
function locallyConnected(to: Exporter, { inputs: [x, w, bias], attrs, output }: TraceNode): Written {
  const window = attrs as AnyWindow;
  const around = paddingAlong(window);
  const [rows, columns, kh, kw, channels, kernels] = w!.shape as unknown as [number, number, number, number, number, number];
  const padded = to.emit('Pad', [
    to.plain(x!),
    to.ints(0, ...around.map(([before]) => before), 0, 0, ...around.map(([, after]) => after), 0),
  ]);
  const taps = inOrder(kh * kw).map((tap) => {
    const at = [Math.floor(tap / kw) * window.dilation[0]!, (tap % kw) * window.dilation[1]!];
    const end = [rows, columns].map((n, i) => at[i]! + (n - 1) * window.stride[i]! + 1);
    return to.emit('Slice', [padded, to.ints(...at), to.ints(...end), to.ints(1, 2), to.ints(...window.stride)]);
  });
  const cells = to.emit('Unsqueeze', [taps.length === 1 ? taps[0]! : to.emit('Concat', taps, { axis: 3 }), to.ints(3)]);
  const product = to.emit('MatMul', [cells, to.reshapedWeight(w!, [rows, columns, kh * kw * channels, kernels])]);
  const sums = to.emit('Squeeze', [product, to.ints(3)]);
  return to.set(output, bias ? to.emit('Add', [sums, to.plain(bias)]) : sums);
}

export const layerRows: Rows = {
  conv1d: conv,
  conv2d: conv,
  conv3d: conv,
  convTranspose1d: convTranspose,
  convTranspose2d: convTranspose,
  maxPool1d: maxPool,
  maxPool2d: maxPool,
  maxPool2dWithIndices: maxPool,
  maxPool3d: maxPool,
  avgPool1d: avgPool,
  avgPool2d: avgPool,
  avgPool3d: avgPool,
  adaptiveAvgPool1d: adaptive('Average'),
  adaptiveAvgPool2d: adaptive('Average'),
  adaptiveMaxPool1d: adaptive('Max'),
  adaptiveMaxPool2d: adaptive('Max'),
  batchNorm,
  layerNorm,
  groupNorm,
  instanceNorm: groupNorm,
  upsample,
  locallyConnected2d: locallyConnected,
};

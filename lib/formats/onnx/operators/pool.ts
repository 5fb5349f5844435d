import { tensor } from '../../../create';
import * as ops from '../../../ops';
import { type Shape, sizeOf } from '../../../shape';
import type { Tensor } from '../../../tensor';
import type { OnnxNode } from '../read';
import { channelsLast, Value } from '../value';
import { type Attributes, type Call, input, misshapen, type Operators } from './operator';
import { byAxes, type OnnxWindow, paddingOf, windowOf } from './window';

type Pool = (x: Tensor, options: Record<string, unknown>) => Tensor;
const maxima = [ops.maxPool1d, ops.maxPool2d, ops.maxPool3d] as unknown as readonly Pool[];
const means = [ops.avgPool1d, ops.avgPool2d, ops.avgPool3d] as unknown as readonly Pool[];

function kernelOf(attributes: Attributes): Shape {
  const kernel = attributes.ints('kernel_shape');
  if (!kernel) throw misshapen('has no kernel_shape');
  return kernel;
}

/** A pool of an input [N,C,…]: `pool` is given it channels last, and the options of its window. */
function pooled(call: Call, each: (x: Tensor, options: Record<string, unknown>, window: OnnxWindow) => Tensor): Value {
  const { run, attributes } = call;
  const given = input(call, 0);
  const x = run.float(given);
  const window = windowOf(attributes, x.shape.slice(2), kernelOf(attributes));
  const list = (numbers: Shape): unknown => (numbers.length === 1 ? numbers[0] : numbers);
  const options = {
    kernelSize: list(window.kernel),
    stride: list(window.stride),
    padding: paddingOf(window),
    ceilMode: attributes.flag('ceil_mode'),
  };
  const y = each(run.channelsLast(x), options, window);
  return Value.of(given.type, y, channelsLast(x.rank));
}

const maxPool = (call: Call): Value =>
  pooled(call, (x, options, { dilation }) =>
    byAxes(x.rank, maxima)(x, { ...options, dilation: dilation.length === 1 ? dilation[0] : dilation }),
  );

/** The largest values of an image, and where each lies among the cells of [N,C,H,W], or, in storage order 1, of [N,C,W,H]. */
function maxPoolWithIndices(call: Call): Value[] {
  const byColumns = call.attributes.flag('storage_order');
  let indices: Tensor | null = null;
  const [height, width] = input(call, 0).shape.slice(2) as [number, number];
  const output = pooled(call, (x, options, { kernel, stride, dilation, before }) => {
    const pooledImage = ops.maxPool2dWithIndices(x, { ...options, dilation } as unknown as Parameters<typeof ops.maxPool2dWithIndices>[1]);
    const [n, rows, columns, channels] = pooledImage.output.shape as unknown as [number, number, number, number];
    const tap = ops.cast(pooledImage.indices, 'int32');
    const tapRow = ops.div(tap, kernel[1]!);
    const tapColumn = ops.sub(tap, ops.mul(tapRow, kernel[1]!));
    const [down, right] = byColumns ? [1, height] : [width, 1];
    // of the window's first cell: what its sample, row, column and channel add
    const line = (count: number, at: (i: number) => number, shape: number[]) =>
      tensor(
        Int32Array.from({ length: count }, (_, i) => at(i)),
        shape,
      );
    indices = [
      ops.mul(tapRow, dilation[0]! * down),
      ops.mul(tapColumn, dilation[1]! * right),
      line(n, (i) => i * channels * height * width, [n, 1, 1, 1]),
      line(rows, (i) => (i * stride[0]! - before[0]!) * down, [rows, 1, 1]),
      line(columns, (i) => (i * stride[1]! - before[1]!) * right, [columns, 1]),
      line(channels, (i) => i * height * width, [channels]),
    ].reduce((a, b) => ops.add(a, b));
    return pooledImage.output;
  });
  return [output, Value.of('int64', indices!, output.order)];
}

const averagePool = (call: Call): Value =>
  pooled(call, (x, options) => byAxes(x.rank, means)(x, { ...options, countIncludePad: call.attributes.flag('count_include_pad') }));

/** The p-norm of each window: what is padded adds nothing. */
function lpPool(call: Call): Value {
  const p = call.attributes.int('p', 2);
  return pooled(call, (x, options, { kernel }) => {
    const mean = byAxes(x.rank, means)(power(x, p), { ...options, countIncludePad: true });
    return root(ops.mul(mean, sizeOf(kernel)), p);
  });
}

const power = (x: Tensor, p: number): Tensor => (p === 2 ? ops.square(x) : p === 1 ? ops.abs(x) : ops.pow(ops.abs(x), p));
const root = (x: Tensor, p: number): Tensor => (p === 2 ? ops.sqrt(x) : p === 1 ? x : ops.pow(x, 1 / p));

/** What is left of [N,C,…] when each channel becomes one number, in the order it comes in. */
function global(call: Call, reduce: (x: Tensor, axes: number[]) => Tensor): Value {
  const given = input(call, 0);
  const x = call.run.float(given);
  const axes = x.order.flatMap((axis, place) => (axis >= 2 ? [place] : []));
  return Value.of(given.type, reduce(call.run.tensor(x), axes), x.order);
}

const withoutDilation = (attributes: Attributes): string | null =>
  attributes.ints('dilations')?.some((n) => n !== 1) ? 'with dilations' : null;

const wantsIndices = ({ outputs }: OnnxNode): boolean => outputs.length > 1 && outputs[1] !== '';

export const poolOperators: Operators = {
  MaxPool: {
    since: [1, 8],
    unsupported: (attributes, _opset, node) =>
      wantsIndices(node) && attributes.ints('kernel_shape')?.length !== 2 ? 'with Indices of another shape than images' : null,
    run: (call) => (wantsIndices(call.node) ? maxPoolWithIndices(call) : maxPool(call)),
  },
  AveragePool: { since: [1, 7], unsupported: withoutDilation, run: averagePool },
  LpPool: {
    since: [2],
    unsupported: (attributes) => withoutDilation(attributes) ?? (attributes.flag('ceil_mode') ? 'with ceil_mode' : null),
    run: lpPool,
  },
  GlobalAveragePool: { since: [1], run: (call) => global(call, (x, axis) => ops.mean(x, { axis, keepDims: true })) },
  GlobalMaxPool: { since: [1], run: (call) => global(call, (x, axis) => ops.max(x, { axis, keepDims: true })) },
  GlobalLpPool: {
    since: [2],
    run: (call) => {
      const p = call.attributes.int('p', 2);
      return global(call, (x, axis) => root(ops.sum(power(x, p), { axis, keepDims: true }), p));
    },
  },
};

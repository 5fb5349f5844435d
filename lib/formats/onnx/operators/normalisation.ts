import * as ops from '../../../ops';
import { sizeOf } from '../../../shape';
import type { Tensor } from '../../../tensor';
import { channelsLast, inOrder, type Run, shaped, Value } from '../value';
import { axisOf, type Call, input, misshapen, type Operators, optional } from './operator';

/** A parameter of one value a channel. */
const vector = (run: Run, value: Value): Tensor => run.plain(run.float(value));

/** By running statistics, or, where the model trains, by those of the batch, which move them. */
function batchNorm(call: Call): Value {
  const { run, attributes } = call;
  const given = input(call, 0);
  const x = run.float(given);
  const training = run.training && x.rank > 1;
  const [weight, bias, runningMean, runningVar] = [1, 2, 3, 4].map((i) => vector(run, input(call, i))) as [Tensor, Tensor, Tensor, Tensor];
  const y = ops.batchNorm(run.arranged(x, channelsLast(x.rank)), {
    weight,
    bias,
    runningMean,
    runningVar,
    training,
    momentum: 1 - attributes.float('momentum', 0.9),
    eps: attributes.float('epsilon', 1e-5),
  });
  return Value.of(given.type, y, channelsLast(x.rank));
}

/** In training_mode: by the batch's statistics, which are outputs together with those that ran before. */
function batchStatistics(call: Call): Value[] {
  const { run, attributes } = call;
  const given = input(call, 0);
  const x = run.arranged(run.float(given), channelsLast(given.rank));
  const [weight, bias, runningMean, runningVar] = [1, 2, 3, 4].map((i) => vector(run, input(call, i))) as [Tensor, Tensor, Tensor, Tensor];
  const axis = inOrder(x.rank - 1);
  const mean = ops.mean(x, { axis });
  const apart = ops.sub(x, mean);
  const variance = ops.mean(ops.square(apart), { axis });
  const normal = ops.mul(apart, ops.rsqrt(ops.add(variance, attributes.float('epsilon', 1e-5))));
  const share = attributes.float('momentum', 0.9);
  const moved = (from: Tensor, to: Tensor) => Value.of(given.type, ops.add(ops.mul(from, share), ops.mul(to, 1 - share)));
  return [
    Value.of(given.type, ops.add(ops.mul(normal, weight), bias), channelsLast(x.rank)),
    moved(runningMean, mean),
    moved(runningVar, variance),
  ];
}

function instanceNorm(call: Call): Value {
  const { run, attributes } = call;
  const given = input(call, 0);
  const x = run.float(given);
  const [weight, bias] = [vector(run, input(call, 1)), vector(run, input(call, 2))];
  const y = ops.instanceNorm(run.channelsLast(x), { weight, bias, eps: attributes.float('epsilon', 1e-5) });
  return Value.of(given.type, y, channelsLast(x.rank));
}

/** Groups of channels: before version 21 scale and bias have one value a group, since then one a channel. */
function groupNorm(call: Call): Value {
  const { run, attributes, opset } = call;
  const given = input(call, 0);
  const x = run.float(given);
  const groups = attributes.int('num_groups', 0);
  const channels = x.shape[1]!;
  const parameter = (i: number): Tensor => {
    const own = vector(run, input(call, i));
    if (opset >= 21 || own.size === channels) return own;
    return ops.reshape(ops.expand(ops.reshape(own, [groups, 1]), [groups, channels / groups]), [channels]);
  };
  const options = { groups, weight: parameter(1), bias: parameter(2), eps: attributes.float('epsilon', 1e-5) };
  return Value.of(given.type, ops.groupNorm(run.channelsLast(x), options), channelsLast(x.rank));
}

/** The axes from one on are normalised together; they lie last in memory, in ONNX's order. Mean and 1/σ are given where asked for. */
function layerNorm(call: Call): Value[] {
  const { run, attributes, node } = call;
  const given = input(call, 0);
  const x = run.float(given);
  const axis = axisOf(attributes.int('axis', -1), x.rank);
  const order = [...x.order.filter((one) => one < axis), ...inOrder(x.rank).slice(axis)];
  const tensor = run.arranged(x, order);
  const normalizedShape = x.shape.slice(axis);
  const parameter = (i: number): Tensor | null => {
    const value = i === 1 ? input(call, i) : optional(call, i);
    return value && shaped(run.plain(run.float(value)), normalizedShape);
  };
  const eps = attributes.float('epsilon', 1e-5);
  const y = ops.layerNorm(tensor, { normalizedShape, weight: parameter(1), bias: parameter(2), eps });
  const results = [Value.of(given.type, y, order)];
  if (node.outputs.length > 1) {
    const over = { axis: inOrder(x.rank).slice(axis), keepDims: true };
    const mean = ops.mean(tensor, over);
    const variance = ops.mean(ops.square(ops.sub(tensor, mean)), over);
    results.push(Value.of(given.type, mean, order), Value.of(given.type, ops.rsqrt(ops.add(variance, eps)), order));
  }
  return results;
}

/** x over a power of the mean of squares of the channels around it. Krizhevsky, Sutskever and Hinton (2012). */
function localResponse(call: Call): Value {
  const { run, attributes } = call;
  const given = input(call, 0);
  const x = run.float(given);
  const size = attributes.int('size', 0);
  if (x.rank < 2) throw misshapen(`the input has ${x.rank} axes, expected [N,C,…]`);
  const tensor = run.channelsLast(x);
  const channels = x.shape[1]!;
  // a sequence of channels at each place
  const rows = ops.reshape(ops.square(tensor), [sizeOf(tensor.shape.slice(0, -1)), channels, 1]);
  const before = Math.floor((size - 1) / 2);
  const around = ops.pad(rows, [
    [0, 0],
    [before, size - 1 - before],
    [0, 0],
  ]);
  const mean = ops.reshape(ops.avgPool1d(around, { kernelSize: size, stride: 1 }), tensor.shape);
  const base = ops.add(ops.mul(mean, attributes.float('alpha', 1e-4)), attributes.float('bias', 1));
  return Value.of(given.type, ops.div(tensor, ops.pow(base, attributes.float('beta', 0.75))), channelsLast(x.rank));
}

export const normalisationOperators: Operators = {
  BatchNormalization: {
    since: [6, 7, 9, 14, 15],
    weights: [1, 2],
    statistics: [3, 4],
    unsupported: (attributes, opset, { outputs }) => {
      if (opset < 7 && !attributes.flag('is_test')) return 'without is_test';
      if (opset < 9 && !attributes.flag('spatial', true)) return 'without spatial';
      const more = outputs.filter((name) => name !== '').length > 1;
      return more && !attributes.flag('training_mode') ? 'with more outputs than one' : null;
    },
    run: (call) => (call.attributes.flag('training_mode') ? batchStatistics(call) : batchNorm(call)),
  },
  InstanceNormalization: { since: [6], weights: [1, 2], run: instanceNorm },
  GroupNormalization: { since: [18, 21], weights: [1, 2], run: groupNorm },
  LayerNormalization: { since: [17], weights: [1, 2], run: layerNorm },
  LRN: { since: [1], run: localResponse },
};

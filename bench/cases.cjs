'use strict';
// What is measured, said once: every runner is sent these objects as JSON. Sizes are those of NHWC data without the batch.
// A layer: op, batch, size (of the input along its axes), in, out, kernel, and where they are not 1, 0, 1, 1: stride, padding, dilation, groups.

const conv = (name, batch, size, channels, out, kernel, options = {}) => ({
  set: 'layers',
  name,
  op: size.length === 1 ? 'conv1d' : 'conv2d',
  batch,
  size,
  in: channels,
  out,
  kernel,
  ...{ stride: 1, padding: 0, dilation: 1, groups: 1 },
  ...options,
});
const depthwise = (name, size, channels, kernel, stride) =>
  conv(name, 1, [size, size], channels, channels, kernel, { stride, padding: (kernel - 1) / 2, groups: channels });
const transposed = (...args) => ({ ...conv(...args), op: 'convTranspose2d' });
const product = (name, op, batch, features, out) => ({ set: 'layers', name, op, batch, size: [], in: features, out });

const layers = [
  conv('r50.conv1 7x7s2', 1, [224, 224], 3, 64, 7, { stride: 2, padding: 3 }),
  conv('r50.2 1x1 64-64', 1, [56, 56], 64, 64, 1),
  conv('r50.2 3x3 64', 1, [56, 56], 64, 64, 3, { padding: 1 }),
  conv('r50.3 3x3 128', 1, [28, 28], 128, 128, 3, { padding: 1 }),
  conv('r50.4 3x3 256', 1, [14, 14], 256, 256, 3, { padding: 1 }),
  conv('r50.5 3x3 512', 1, [7, 7], 512, 512, 3, { padding: 1 }),
  conv('r50.4 1x1 1024-256', 1, [14, 14], 1024, 256, 1),
  conv('r50.3 1x1s2 256-512', 1, [56, 56], 256, 512, 1, { stride: 2 }),
  conv('r50.3 3x3s2 128', 1, [56, 56], 128, 128, 3, { stride: 2, padding: 1 }),
  depthwise('mbv2 dw3x3 96s2', 112, 96, 3, 2),
  depthwise('mbv2 dw3x3 384', 14, 384, 3, 1),
  depthwise('dw5x5 240', 28, 240, 5, 1),
  depthwise('dw5x5 240s2', 28, 240, 5, 2),
  depthwise('dw7x7 96', 56, 96, 7, 1),
  depthwise('dw7x7 96s2', 56, 96, 7, 2),
  conv('lenet conv1 b64', 64, [28, 28], 1, 6, 5, { padding: 2 }),
  conv('lenet conv2 b64', 64, [14, 14], 6, 16, 5),
  conv('cifar 3x3 64 b32', 32, [32, 32], 64, 64, 3, { padding: 1 }),
  conv('cifar 3x3 256 b32', 32, [8, 8], 256, 256, 3, { padding: 1 }),
  conv('3x3 dilation 2 256', 1, [28, 28], 256, 256, 3, { padding: 2, dilation: 2 }),
  conv('3x3 groups 32 256', 1, [28, 28], 256, 256, 3, { padding: 1, groups: 32 }),
  conv('1d k9 64 b8', 8, [1024], 64, 64, 9, { padding: 4 }),
  conv('1d k31 32 b8', 8, [1024], 32, 32, 31, { padding: 15 }),
  conv('1d k3 dilation 64 b4', 4, [4096], 32, 32, 3, { padding: 64, dilation: 64 }),
  transposed('up 2x2s2 128-64', 1, [56, 56], 128, 64, 2, { stride: 2 }),
  transposed('up 4x4s2 256-128 b16', 16, [8, 8], 256, 128, 4, { stride: 2, padding: 1 }),
  product('linear 4096 b1', 'linear', 1, 4096, 4096),
  product('matmul 2048', 'matmul', 2048, 2048, 2048),
];

// `input` is a sample's shape; `classes` of labels to be trained on, or null: then the output is drawn to random targets by mean squares.
const model = (name, title, batch, trainBatch, input, classes, more = {}) => ({
  set: 'models',
  ...{ name, title, batch, trainBatch, input, classes },
  ...more,
});
const models = [
  model('lenet5', 'LeNet-5', 64, 64, [28, 28, 1], 10),
  model('resnet18', 'ResNet-18, 32x32', 32, 32, [32, 32, 3], 10),
  model('resnet50', 'ResNet-50, 224x224', 1, 8, [224, 224, 3], 1000),
  model('mobilenetV2', 'MobileNetV2, 224x224', 1, 8, [224, 224, 3], 1000),
  model('vgg16', 'VGG-16, 224x224', 1, null, [224, 224, 3], 1000),
  model('textCnn', 'TextCNN, 64 tokens', 64, 64, [64], 4, { vocabulary: 20_000 }),
  model('dcgan', 'DCGAN generator, 64x64', 16, 16, [1, 1, 100], null),
  model('dilated', 'dilated stack, 4096 long', 4, 4, [4096, 32], null),
];

const epoch = { ...models[0], set: 'epoch', title: 'LeNet-5, 60,000 digits' };
const memory = { ...models[1], set: 'memory' };

const total = (dims) => dims.reduce((a, b) => a * b, 1);

/** Sizes of a layer's output along its axes. */
function outputSize({ op, size, kernel, stride, padding, dilation }) {
  const reach = dilation * (kernel - 1) + 1;
  return size.map((n) =>
    op === 'convTranspose2d' ? (n - 1) * stride - 2 * padding + reach : Math.floor((n + 2 * padding - reach) / stride) + 1,
  );
}

/**
 * Work of a layer's forward pass as the definition has it: `flops`, two for each multiply-add; `bytes` of input, weights, bias and output,
 * each once.
 */
function work(layer) {
  const { op, batch, size, in: channels, out, kernel = 1, groups = 1 } = layer;
  const to = total(outputSize(layer));
  const taps = (channels / groups) * kernel ** size.length * out;
  const positions = batch * (op === 'convTranspose2d' ? total(size) : to);
  const bias = op === 'matmul' ? 0 : out;
  return { flops: 2 * positions * taps, bytes: 4 * (batch * total(size) * channels + taps + bias + batch * to * out) };
}

module.exports = { cases: [...layers, ...models, epoch, memory], outputSize, work };

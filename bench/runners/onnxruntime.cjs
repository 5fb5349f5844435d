'use strict';
const { existsSync } = require('node:fs');
const path = require('node:path');
const { outputSize } = require('../cases.cjs');
const { node, onnx } = require('./onnx.cjs');
const { serve, peer, threads, total, values } = require('./serve.cjs');

const [{ module: ort, file }] = peer('onnxruntime-node');
const folder = file.slice(0, file.lastIndexOf('onnxruntime-node') + 'onnxruntime-node'.length);
const { version } = require(`${folder}/package.json`);
const train = 'its Node package only runs models';

const session = (model) => ort.InferenceSession.create(model, { intraOpNumThreads: threads, interOpNumThreads: 1 });
const floats = (dims) => new ort.Tensor('float32', values(total(dims)), dims);

/** A file of one node, and the shapes it takes. */
function layer(wanted) {
  const { op, batch, size, in: channels, out, kernel, stride, padding, dilation, groups } = wanted;
  const each = (value) => size.map(() => value);
  const outputs = { output: [batch, out, ...outputSize(wanted)] };
  if (op === 'matmul') {
    const inputs = { input: [batch, channels], other: [channels, out] };
    return { nodes: [node('MatMul', ['input', 'other'], 'output')], inputs, outputs, parameters: {} };
  }
  const inputs = { input: [batch, channels, ...size] };
  if (op === 'linear') {
    const parameters = { w: [out, channels], b: [out] };
    return { nodes: [node('Gemm', ['input', 'w', 'b'], 'output', { transB: 1 })], inputs, outputs, parameters };
  }
  const transposed = op === 'convTranspose2d';
  const attributes = {
    kernel_shape: each(kernel),
    strides: each(stride),
    pads: [...each(padding), ...each(padding)],
    dilations: each(dilation),
    group: groups,
  };
  const w = transposed ? [channels, out / groups, ...each(kernel)] : [out, channels / groups, ...each(kernel)];
  const nodes = [node(transposed ? 'ConvTranspose' : 'Conv', ['input', 'w', 'b'], 'output', attributes)];
  return { nodes, inputs, outputs, parameters: { w, b: [out] } };
}

/** A network as export.py wrote it into the folder of this runner's second argument. */
function network({ name, batch, input, vocabulary }) {
  const model = path.join(process.argv[3] ?? '', `${name}.onnx`);
  if (!process.argv[3] || !existsSync(model)) return null;
  if (vocabulary) {
    const dims = [batch, ...input];
    const tokens = BigInt64Array.from({ length: total(dims) }, () => BigInt(1 + Math.floor(Math.random() * (vocabulary - 1))));
    return { model, feeds: { input: new ort.Tensor('int64', tokens, dims) } };
  }
  return { model, feeds: { input: floats([batch, input.at(-1), ...input.slice(0, -1)]) } };
}

async function prepare(wanted) {
  if (wanted.set === 'layers') {
    const shapes = layer(wanted);
    const running = await session(onnx(shapes));
    const feeds = Object.fromEntries(Object.entries(shapes.inputs).map(([name, dims]) => [name, floats(dims)]));
    return { forward: () => running.run(feeds), train, dispose: () => running.release() };
  }
  const found = network(wanted);
  if (!found) return { forward: 'no ONNX file of it: no Python with torch 1.13 or onnx to write it was found', train };
  const running = await session(found.model);
  return { forward: () => running.run(found.feeds), train, dispose: () => running.release() };
}

const unsupported = () => ({ unsupported: train });
serve({ name: 'onnxruntime-node', version }, prepare, { memory: unsupported, epoch: unsupported });

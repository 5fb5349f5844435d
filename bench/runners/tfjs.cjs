'use strict';
const path = require('node:path');
const { serve, peer, threads } = require('./serve.cjs');

console.warn = () => {}; // it advises a package whose installation downloads a binary
const [{ module: tf }, { module: wasm, file }] = peer('@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm');

/** Runs `step` on a backend: WebAssembly is the fastest here but has no gradient of a convolution; plain JavaScript has. */
const on = (backend, step) => async () => {
  if (tf.getBackend() !== backend) await tf.setBackend(backend);
  await step();
};

const train = 'its WebAssembly has no gradient of a convolution, and plain JavaScript takes seconds: measured for LeNet-5 alone';

/** The layer as one call, or a sentence that says why there is none. */
function call({ op, in: channels, out, kernel, stride, padding, dilation, groups, size, batch }) {
  const weight = (...shape) => tf.randomNormal(shape);
  // Padding as its formats have it: one number for all sides, or a list of pairs.
  const x = weight(batch, ...size, channels);
  if (op === 'matmul' || op === 'linear') {
    const w = weight(channels, out);
    const bias = weight(out);
    return { made: [x, w, bias], run: op === 'linear' ? () => tf.add(tf.matMul(x, w), bias) : () => tf.matMul(x, w) };
  }
  const bias = weight(out);
  const made = [x, bias];
  const around = [
    [0, 0],
    [padding, padding],
    [padding, padding],
    [0, 0],
  ]; // prettier-ignore
  if (op === 'conv2d' && groups === channels && out === channels && groups > 1) {
    const w = weight(kernel, kernel, channels, 1);
    const padded = () => (padding ? tf.pad(x, around) : x); // its depthwise kernel on WebAssembly takes 'same' and 'valid' alone
    return { made: [...made, w], run: () => tf.add(tf.depthwiseConv2d(padded(), w, stride, 'valid', 'NHWC', dilation), bias) };
  }
  if (groups > 1) return 'has no grouped convolution';
  if (op === 'conv2d') {
    const w = weight(kernel, kernel, channels, out);
    return {
      made: [...made, w],
      run: () => tf.add(tf.conv2d(x, w, stride, padding, 'NHWC', dilation, padding ? 'round' : undefined), bias),
    };
  }
  if (op === 'conv1d') {
    // A sequence is an image of one row.
    const w = weight(1, kernel, channels, out);
    const image = x.reshape([batch, 1, ...size, channels]);
    const sides = [
      [0, 0],
      [0, 0],
      [padding, padding],
      [0, 0],
    ]; // prettier-ignore
    return { made: [...made, w, image], run: () => tf.add(tf.conv2d(image, w, stride, sides, 'NHWC', [1, dilation]), bias) };
  }
  const w = weight(kernel, kernel, out, channels);
  const to = size.map((n) => (n - 1) * stride - 2 * padding + kernel);
  return {
    made: [...made, w],
    run: () => tf.add(tf.conv2dTranspose(x, w, [batch, ...to, out], stride, padding, padding ? 'round' : undefined), bias),
  };
}

async function layer(wanted) {
  await tf.setBackend('wasm');
  const found = call(wanted);
  if (typeof found === 'string') return { forward: found, train };
  const forward = on('wasm', () => {
    for (const tensor of [tf.tidy(found.run)]) tensor.dispose(); // WebAssembly computes at once
  });
  return { forward, train, dispose: () => tf.dispose(found.made) };
}

/** The network of lib/models/lenet5.ts, on the backend in use. */
function lenet5() {
  const { conv2d, dense, flatten, maxPooling2d } = tf.layers;
  const layers = [
    conv2d({ inputShape: [28, 28, 1], filters: 6, kernelSize: 5, padding: 'same', activation: 'relu' }),
    maxPooling2d({ poolSize: 2 }),
    conv2d({ filters: 16, kernelSize: 5, activation: 'relu' }),
    maxPooling2d({ poolSize: 2 }),
    flatten(),
    dense({ units: 120, activation: 'relu' }),
    dense({ units: 84, activation: 'relu' }),
    dense({ units: 10 }),
  ];
  return tf.sequential({ layers });
}

async function network({ name, batch }) {
  if (name !== 'lenet5') return { forward: 'measured on LeNet-5 alone', train };
  await tf.setBackend('cpu');
  const trained = lenet5();
  const loss = (labels, logits) => tf.losses.softmaxCrossEntropy(labels, logits);
  trained.compile({ optimizer: tf.train.momentum(0.01, 0.9), loss });
  const images = tf.randomNormal([batch, 28, 28, 1]);
  const labels = tf.oneHot(
    Array.from({ length: batch }, (_, i) => i % 10),
    10,
  );
  const step = on('cpu', () => trained.trainOnBatch(images, labels));

  await tf.setBackend('wasm');
  const model = lenet5();
  const x = tf.randomNormal([batch, 28, 28, 1]);
  const forward = on('wasm', async () => {
    const y = model.predict(x);
    await y.data();
    y.dispose();
  });
  return { forward, train: step, parameters: model.countParams() };
}

async function main() {
  wasm.setWasmPaths(`${path.dirname(file)}${path.sep}`);
  wasm.setThreadsCount(threads);
  const unsupported = () => ({ unsupported: train });
  await serve(
    { name: 'TensorFlow.js', version: `${tf.version.tfjs} (forward wasm, training plain JS)` },
    (wanted) => (wanted.set === 'layers' ? layer(wanted) : network(wanted)),
    { memory: unsupported, epoch: unsupported },
  );
}

main();

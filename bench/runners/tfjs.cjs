'use strict';
const path = require('node:path');
const { serve, peer, batch, threads } = require('./serve.cjs');

console.warn = () => {}; // it advises a package whose installation downloads a binary
const [{ module: tf }, { module: wasm, file }] = peer('@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm');

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

/** Runs `step` on a backend: WebAssembly is the fastest here but has no gradient of a convolution; plain JavaScript has. */
const on = (backend, step) => async () => {
  if (tf.getBackend() !== backend) await tf.setBackend(backend);
  await step();
};

async function main() {
  wasm.setWasmPaths(`${path.dirname(file)}${path.sep}`);
  wasm.setThreadsCount(threads);

  await tf.setBackend('cpu');
  const trained = lenet5();
  const loss = (labels, logits) => tf.losses.softmaxCrossEntropy(labels, logits);
  trained.compile({ optimizer: tf.train.momentum(0.01, 0.9), loss });
  const images = tf.randomNormal([batch, 28, 28, 1]);
  const labels = tf.oneHot(
    Array.from({ length: batch }, (_, i) => i % 10),
    10,
  );
  const train = on('cpu', () => trained.trainOnBatch(images, labels));

  await tf.setBackend('wasm');
  const model = lenet5();
  const x = tf.randomNormal([batch, 28, 28, 1]);
  const infer = on('wasm', async () => {
    const y = model.predict(x);
    await y.data();
    y.dispose();
  });

  await serve({ name: 'TensorFlow.js', version: `${tf.version.tfjs} (inference wasm, training plain JS)` }, { train, infer });
}

main();

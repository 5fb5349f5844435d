'use strict';
const { lenet5 } = require('./onnx-lenet5.cjs');
const { serve, peer, batch, threads } = require('./serve.cjs');

const [{ module: ort, file }] = peer('onnxruntime-node');

async function main() {
  const session = await ort.InferenceSession.create(lenet5(batch), { intraOpNumThreads: threads, interOpNumThreads: 1 });
  const pixels = Float32Array.from({ length: batch * 28 * 28 }, () => Math.random() * 2 - 1);
  const input = new ort.Tensor('float32', pixels, [batch, 1, 28, 28]);
  const infer = () => session.run({ input });
  const folder = file.slice(0, file.lastIndexOf('onnxruntime-node') + 'onnxruntime-node'.length);
  const { version } = require(`${folder}/package.json`);
  await serve({ name: 'onnxruntime-node', version }, { infer, train: 'its Node package only runs models' });
}

main();

'use strict';
// Runs ONNX files in onnxruntime-node, in a process of its own. Its second argument names a file of JSON, [{ path, type, shape, data }]; it
// prints [{ shape, data }] of their first outputs, or { missing } where onnxruntime-node is not installed.
const { readFileSync } = require('node:fs');
const { peer, threads } = require('../../bench/runners/serve.cjs');

const [{ module: ort }] = peer('onnxruntime-node');

async function main() {
  const answers = [];
  for (const { path, type, shape, data } of JSON.parse(readFileSync(process.argv[3], 'utf8'))) {
    const session = await ort.InferenceSession.create(path, { logSeverityLevel: 3, intraOpNumThreads: threads });
    const values = type === 'int32' ? Int32Array.from(data) : Float32Array.from(data);
    const outputs = await session.run({ [session.inputNames[0]]: new ort.Tensor(type, values, shape) });
    const output = outputs[session.outputNames[0]];
    answers.push({ shape: output.dims, data: Array.from(output.data, Number) });
    await session.release();
  }
  console.log(JSON.stringify(answers));
}

main();

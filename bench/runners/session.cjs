'use strict';
// Loads one ONNX file in this fresh process, runs it, and prints what that took: a line of JSON. Arguments: the library, threads, and a
// request { model, inputs: [{ name, type, shape }], runs, rest }. Sizes are bytes resident in the process.
const { readFileSync } = require('node:fs');
const { setTimeout: pause } = require('node:timers/promises');

const [, , library, threads, text] = process.argv;
const { model, inputs, runs, rest } = JSON.parse(text);

/** Resident now, and the most there ever was. */
function resident() {
  const status = readFileSync('/proc/self/status', 'utf8');
  const of = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)[1]) * 1024;
  return { now: of('VmRSS'), most: of('VmHWM') };
}

/** The same numbers for all libraries; integers stay below the smallest vocabulary. */
function data({ type, shape }) {
  const length = shape.reduce((a, b) => a * b, 1);
  return type === 'int64'
    ? BigInt64Array.from({ length }, (_, i) => BigInt((i * 7919) % 1009))
    : Float32Array.from({ length }, (_, i) => ((i * 7919) % 1009) / 1009 - 0.5);
}

const libraries = {
  async receptive() {
    const receptive = require('../..');
    receptive.setNumThreads(Number(threads));
    return async () => {
      const session = await receptive.loadOnnx(model);
      const feeds = Object.fromEntries(inputs.map((input) => [input.name, { data: data(input), shape: input.shape }]));
      return async () => {
        const outputs = Object.values(await session.run(feeds));
        for (const output of outputs) {
          await output.data();
          output.dispose();
        }
      };
    };
  },
  async onnxruntime() {
    const { peer } = require('./serve.cjs');
    const [{ module: ort }] = peer('onnxruntime-node');
    return async () => {
      const session = await ort.InferenceSession.create(model, { intraOpNumThreads: Number(threads), interOpNumThreads: 1 });
      const feeds = Object.fromEntries(inputs.map((input) => [input.name, new ort.Tensor(input.type, data(input), input.shape)]));
      return () => session.run(feeds);
    };
  },
};

async function main() {
  const load = await libraries[library]();
  const before = resident().now;
  const start = performance.now();
  const run = await load();
  const loadMs = performance.now() - start;
  const loaded = resident().now;
  const times = [];
  for (let i = 0; i < runs; i++) {
    const begin = performance.now();
    await run();
    times.push(performance.now() - begin);
  }
  const { now: running, most } = resident();
  await pause(rest);
  times.sort((a, b) => a - b);
  console.log(JSON.stringify({ loadMs, runMs: times[times.length >> 1], before, loaded, most, running, resting: resident().now }));
  process.exit(0);
}

main();

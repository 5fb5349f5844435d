'use strict';
// What every runner of this folder is: a process that names itself in a line of JSON, then answers one line of JSON for each it reads.
// Request: { task, seconds }. Answer: { ms, repetitions }, the median of one step of the task, or { unsupported: reason }.
const { createInterface } = require('node:readline');

/** Median time of `step` over `seconds`, after up to three runs, within as long, that do not count. */
async function measure(step, seconds) {
  const start = performance.now();
  for (let i = 0; i < 3 && (i === 0 || performance.now() < start + seconds * 1000); i++) await step();
  const times = [];
  const end = performance.now() + seconds * 1000;
  while (times.length === 0 || performance.now() < end) {
    const begin = performance.now();
    await step();
    times.push(performance.now() - begin);
  }
  times.sort((a, b) => a - b);
  return { ms: times[times.length >> 1], repetitions: times.length };
}

const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** Serves `tasks`: a step function each, or a sentence that says why there is none. */
async function serve(description, tasks) {
  print(description);
  for await (const line of createInterface({ input: process.stdin })) {
    const { task, seconds } = JSON.parse(line);
    const step = tasks[task];
    print(typeof step === 'function' ? await measure(step, seconds) : { unsupported: step });
  }
}

/** Ends the process with a message when the peer is not installed. */
function missing(message) {
  print({ missing: message });
  process.exit(0);
}

/** Loads a peer from RECEPTIVE_BENCH_PEERS (directories that hold node_modules), from bench/ or from the project. */
function peer(...names) {
  const folders = (process.env.RECEPTIVE_BENCH_PEERS ?? '').split(require('node:path').delimiter).filter(Boolean);
  const paths = [...folders, __dirname];
  try {
    return names.map((name) => ({ file: require.resolve(name, { paths }), module: require(require.resolve(name, { paths })) }));
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    return missing(`not installed: run "npm install --ignore-scripts" in bench/, or name its folder in RECEPTIVE_BENCH_PEERS`);
  }
}

module.exports = { serve, peer, batch: 64, threads: 2 };

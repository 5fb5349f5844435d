'use strict';
// What every runner of this folder is: a process that names itself in a line of JSON, { name, version, variants? }, then answers one line
// of JSON for each it reads. Its argument is the number of threads.
// Request: { case, task, seconds, variant? }, a case of ../cases.cjs with the task `forward` or `train`. Answer: { ms, repetitions }, the
// median of one step of the task, with `parameters` of a network; or { unsupported: reason }, or { failed: message }.
const { createInterface } = require('node:readline');

const threads = Number(process.argv[2] ?? 2);

/**
 * Median time of `step` over `seconds`, after three runs that do not count, fewer where they take ten times as long: the first ones find
 * memory that was given back meanwhile, and weights that are not packed yet.
 */
async function measure(step, seconds) {
  const start = performance.now();
  for (let i = 0; i < 3 && (i === 0 || performance.now() < start + seconds * 10_000); i++) await step();
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

/**
 * Serves requests. `prepare(case)` gives, for each task, a step function, or a sentence that says why there is none; `parameters`, of a
 * network; and `dispose`, called before the next case. `direct` has tasks that answer by themselves.
 */
async function serve(description, prepare, direct = {}) {
  print(description);
  let key;
  let tasks;
  const answer = async ({ case: wanted, task, seconds }) => {
    if (direct[task]) return direct[task](wanted);
    if (key !== `${wanted.set} ${wanted.name}`) {
      tasks?.dispose?.();
      tasks = await prepare(wanted);
      key = `${wanted.set} ${wanted.name}`;
    }
    const step = tasks[task];
    return typeof step === 'function' ? { ...(await measure(step, seconds)), parameters: tasks.parameters } : { unsupported: step };
  };
  for await (const line of createInterface({ input: process.stdin })) {
    print(await answer(JSON.parse(line)).catch((error) => ({ failed: error.message })));
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

/** Values evenly spread over [-scale, scale). */
const values = (size, scale = 1) => Float32Array.from({ length: size }, () => (Math.random() * 2 - 1) * scale);

const total = (dims) => dims.reduce((a, b) => a * b, 1);

module.exports = { serve, peer, threads, total, values };

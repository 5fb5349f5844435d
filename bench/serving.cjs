'use strict';
// A service under load, in a process of its own: how late a 10 ms timer in it is, what micro-batching brings, and whether memory stays.
// Clients are autocannon's, in this process; both share the machine.
const { fork } = require('node:child_process');
const { writeFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const autocannon = require('autocannon');
const { readArguments } = require('./arguments.cjs');

const usage = `usage: node bench/serving.cjs [options]
  --models LIST      of lenet5, mobilenetV2 (default: both)
  --seconds S        with micro-batching, and as long without (default 60)
  --memory-seconds S how long memory is watched under load; it is read after a fifth of that and at the end (default 300; 0: not)
  --connections N    (default 64)
  --max-batch N      (default 16)   --max-wait MS (default 2)   --threads N (default: all)
  --json FILE        all figures
  --late MS          exit with 1 where the timer's 99th percentile is later
  --gain FACTOR      exit with 1 where micro-batching brings less for lenet5
  --growth MB        exit with 1 where memory grows by more`;

const { values, number } = readArguments({
  models: 'lenet5,mobilenetV2',
  seconds: '60',
  'memory-seconds': '300',
  connections: '64',
  'max-batch': '16',
  'max-wait': '2',
  threads: '0',
  json: null,
  late: null,
  gain: null,
  growth: null,
});

const inputs = { lenet5: [28, 28, 1], mobilenetV2: [224, 224, 3] };

/** A service of a model in a process of its own. */
async function start(model, maxBatch) {
  const options = { model, input: inputs[model], maxBatch, maxWait: number('max-wait'), threads: number('threads') };
  const child = fork(path.join(__dirname, 'runners', 'service.cjs'), [JSON.stringify(options)]);
  const answer = () =>
    new Promise((resolve, reject) => {
      child.once('message', resolve);
      child.once('exit', (code) => reject(new Error(`the service ended with exit code ${code}`)));
    });
  const { url } = await answer();
  const ask = (what) => {
    child.send(what);
    return answer();
  };
  return { url, reset: () => ask('reset'), report: () => ask('report'), stop: () => ask('stop').finally(() => child.disconnect()) };
}

/** Clients for so long, and what happened to them. */
async function load({ url }, model, seconds) {
  const size = inputs[model].reduce((a, b) => a * b);
  const body = Buffer.from(Float32Array.from({ length: size }, (_, i) => ((i * 7919) % 1009) / 1009 - 0.5).buffer);
  const headers = { 'content-type': 'application/octet-stream', accept: 'application/octet-stream' };
  const result = await autocannon({
    url: `${url}/predict`,
    method: 'POST',
    headers,
    body,
    connections: number('connections'),
    duration: seconds,
  });
  const { requests, latency, errors, timeouts, non2xx } = result;
  return {
    requests: requests.total,
    perSecond: requests.total / result.duration,
    p50: latency.p50,
    p99: latency.p99,
    errors,
    timeouts,
    non2xx,
  };
}

async function measure(model, maxBatch, seconds) {
  const service = await start(model, maxBatch);
  try {
    await load(service, model, Math.min(2, seconds)); // warms both sides up
    await service.reset();
    const clients = await load(service, model, seconds);
    return { ...clients, ...(await service.report()) };
  } finally {
    await service.stop();
  }
}

/** Resident memory after a fifth of the time and at the end of it, under load all along. */
async function memory(model, maxBatch, seconds) {
  const service = await start(model, maxBatch);
  try {
    const loaded = load(service, model, seconds);
    await pause((seconds / 5) * 1000);
    const early = (await service.report()).rss;
    const clients = await loaded;
    const late = (await service.report()).rss;
    return { early, late, growth: late - early, requests: clients.requests, errors: clients.errors + clients.timeouts + clients.non2xx };
  } finally {
    await service.stop();
  }
}

async function main() {
  if (values.help) return console.log(usage);
  const models = values.models.split(',');
  for (const model of models) if (!inputs[model]) throw new Error(`no model ${model}, expected some of ${Object.keys(inputs)}`);
  const [seconds, memorySeconds, maxBatch] = ['seconds', 'memory-seconds', 'max-batch'].map(number);
  console.log(
    `${number('connections')} connections, ${os.cpus().length} CPUs shared by service and clients, batches of up to ${maxBatch}\n`,
  );
  const results = [];
  const failed = [];
  for (const model of models) {
    const batched = await measure(model, maxBatch, seconds);
    const single = await measure(model, 1, seconds);
    const gain = batched.perSecond / single.perSecond;
    const kept = memorySeconds > 0 ? await memory(model, maxBatch, memorySeconds) : null;
    results.push({ model, batched, single, gain, memory: kept });
    for (const [name, run] of Object.entries({ 'micro-batching': batched, without: single })) {
      const { perSecond, p50, p99, rows, late, ownLate } = run;
      console.log(
        `${model}, ${name}: ${perSecond.toFixed(0)} requests/s, latency p50 ${p50} ms, p99 ${p99} ms; ${rows.toFixed(1)} rows a batch; ` +
          `10 ms timer late by p50 ${late.p50.toFixed(2)}, p99 ${late.p99.toFixed(2)}, most ${late.most.toFixed(2)} ms, ` +
          `not waiting for a CPU p99 ${ownLate.p99.toFixed(2)} ms`,
      );
      const lost = run.errors + run.timeouts + run.non2xx;
      if (lost > 0) failed.push(`${model}, ${name}: ${lost} of ${run.requests} requests failed`);
      if (values.late && late.p99 > number('late')) failed.push(`${model}, ${name}: the timer is late by ${late.p99} ms`);
    }
    console.log(`${model}: micro-batching brings ${gain.toFixed(2)} times the requests`);
    if (values.gain && model === 'lenet5' && gain < number('gain')) failed.push(`${model}: micro-batching brings ${gain}`);
    if (!kept) continue;
    const mb = (bytes) => (bytes / 1e6).toFixed(1);
    console.log(
      `${model}: resident memory ${mb(kept.early)} MB after ${memorySeconds / 5} s of load, ${mb(kept.late)} MB after ${memorySeconds} s\n`,
    );
    if (values.growth && kept.growth / 1e6 > number('growth')) failed.push(`${model}: memory grows by ${mb(kept.growth)} MB`);
    if (kept.errors > 0) failed.push(`${model}: ${kept.errors} requests failed while memory was watched`);
  }
  if (values.json)
    writeFileSync(
      values.json,
      `${JSON.stringify({ node: process.version, cpu: os.cpus()[0]?.model, options: values, results }, null, 1)}\n`,
    );
  for (const line of failed) console.error(`serving: ${line}`);
  if (failed.length > 0) process.exitCode = 1;
}

main().catch((error) => {
  console.error(`serving: ${error.message}`);
  process.exit(1);
});

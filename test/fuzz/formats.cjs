'use strict';
// Fuzzes the readers of files: node test/fuzz/formats.cjs [--seconds 60] [--seed N] [--target onnx,…] [--case FILE] [--json]
//
// Files that were whole are spoiled at random, over and over, also those that came out readable. They are read in a process that another
// one watches: a reader may refuse a file by an error of its kinds, and nothing else: not crash, hang, run out of
// its time, take memory out of proportion to the file, or read what lies outside of the file's folder. What fails is kept, and named.
const { fork } = require('node:child_process');
const { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');
const { parseArgs } = require('node:util');
const { below, pick, randomNumbers } = require('./mutations.cjs');

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    target: { type: 'string', default: 'onnx,safetensors,idx,csv,jsonl' },
    case: { type: 'string' },
    json: { type: 'boolean', default: false },
    child: { type: 'string' },
  },
});

/** What a file may take: milliseconds of processor time, and bytes for each of its own beside what any file may. */
const [mostTime, mostBytes, mostTimes] = [2000, 2 ** 25, 64];
/** Seconds in which nothing may be heard of the reading process; those in which this one stands still as well do not count. */
const patience = 20;

const codes = new Set([
  'ERR_FILE',
  'ERR_UNSUPPORTED',
  'ERR_INVALID_TYPE',
  'ERR_INVALID_VALUE',
  'ERR_SHAPE',
  'ERR_DTYPE',
  'ERR_KERNEL',
  'ERR_OUT_OF_MEMORY',
]);

/** Reads a file as a target does, and says what came of it. */
async function readOne({ read }, path, size, { ReceptiveError, memory }) {
  const before = { buffers: process.memoryUsage().arrayBuffers, rss: process.resourceUsage().maxRSS * 1024, native: memory().peakBytes };
  const began = process.cpuUsage();
  let outcome = 'read';
  try {
    await read(path);
  } catch (error) {
    const kind = error instanceof ReceptiveError || error instanceof TypeError || error instanceof RangeError;
    if (!kind || !codes.has(error.code)) throw new Error(`an error of no known kind: ${error?.stack ?? error}`);
    outcome = error.code;
  }
  const { user, system } = process.cpuUsage(began);
  const took = (user + system) / 1000;
  const allowed = mostBytes + mostTimes * size;
  const grown = {
    'array buffers': process.memoryUsage().arrayBuffers - before.buffers,
    'resident memory': process.resourceUsage().maxRSS * 1024 - before.rss,
    tensors: memory().peakBytes - before.native,
  };
  if (took > mostTime) throw new Error(`took ${took.toFixed(0)} ms`);
  for (const [what, bytes] of Object.entries(grown))
    if (bytes > allowed) throw new Error(`${what} grew by ${bytes} bytes for a file of ${size}`);
  return outcome;
}

/** The reading process: goes on until it is told to stop, and says now and then what it has done. */
async function child(folder) {
  const library = require('../..');
  const all = await require('./targets.cjs').targets(folder);
  const names = options.target.split(',');
  if (options.case) {
    const name = names.length === 1 ? names[0] : options.case.split('.').at(-1);
    const path = join(folder, all[name].name);
    copyFileSync(options.case, path);
    process.send({ outcome: await readOne(all[name], path, 0, library) });
    return process.disconnect();
  }
  const next = randomNumbers(Number(options.seed));
  const counts = {};
  const until = performance.now() + Number(options.seconds) * 1000;
  let told = performance.now();
  // Those that are whole come first, and must be taken; then models that ask for what they must not have.
  const queue = names.flatMap((name) => [
    ...all[name].seeds.map((bytes) => ({ name, bytes, expected: 'read' })),
    ...(all[name].refused ?? []).map((bytes) => ({ name, bytes, expected: 'ERR_FILE' })),
  ]);
  for (const { name } of queue) all[name].seeds.push(...(all[name].refused?.splice(0) ?? []));
  while (queue.length > 0 || performance.now() < until) {
    const { name, bytes, expected } = queue.shift() ?? spoiled(all, names, next);
    const target = all[name];
    const path = join(folder, target.name);
    writeFileSync(path, bytes);
    let outcome;
    try {
      outcome = await readOne(target, path, bytes.length, library);
      if (expected && outcome !== expected) throw new Error(`came to ${outcome}, expected ${expected}`);
    } catch (error) {
      process.send({ failed: error.message, path });
      outcome = null;
    }
    if (outcome === null) return process.disconnect();
    counts[name] ??= {};
    counts[name][outcome] = (counts[name][outcome] ?? 0) + 1;
    // A spoiled file that is taken is as good a start as a whole one.
    if (outcome === 'read' && bytes.length < 2 ** 18 && next() < 0.2) {
      if (target.seeds.length < 200) target.seeds.push(bytes);
      else target.seeds[100 + below(next, 100)] = bytes;
    }
    if (performance.now() - told > 500) {
      told = performance.now();
      process.send({ counts });
    }
  }
  process.send({ counts, done: true });
  process.disconnect();
}

function spoiled(all, names, next) {
  const name = pick(next, names);
  const { seeds, mutate } = all[name];
  let bytes = pick(next, seeds);
  for (let i = 0, n = pick(next, [1, 1, 1, 2, 4]); i < n; i++) bytes = Buffer.from(mutate(bytes, next));
  return { name, bytes: bytes.subarray(0, 2 ** 22) };
}

/** Looks after the reading process. */
async function main() {
  const base = mkdtempSync(join(tmpdir(), 'receptive-fuzz-'));
  const folder = join(base, 'models');
  mkdirSync(folder);
  const args = ['seconds', 'seed', 'target', 'case'].flatMap((name) => (options[name] === undefined ? [] : [`--${name}`, options[name]]));
  const reading = fork(__filename, [...args, '--child', folder], { execArgv: ['--max-old-space-size=1024'] });
  let last = {};
  let quiet = 0;
  const timer = setInterval(() => {
    if (++quiet < patience) return;
    last.failed = `nothing was heard for ${patience} s`;
    reading.kill('SIGKILL');
  }, 1000);
  reading.on('message', (message) => {
    last = { ...last, ...message };
    quiet = 0;
  });
  const [code, signal] = await new Promise((end) => reading.on('exit', (...how) => end(how)));
  clearInterval(timer);
  if (!last.failed && (code !== 0 || !(last.done || last.outcome))) last.failed = `the process ended by ${signal ?? `exit code ${code}`}`;
  if (options.json) console.log(JSON.stringify({ seed: Number(options.seed), ...last }));
  else if (last.outcome) console.log(last.outcome);
  else {
    for (const [name, counts] of Object.entries(last.counts ?? {})) {
      const sum = Object.values(counts).reduce((a, b) => a + b);
      const list = Object.entries(counts).map(([outcome, n]) => `${n} ${outcome}`);
      console.log(`${name}: ${sum} files: ${list.join(', ')}`);
    }
  }
  if (last.failed) {
    process.exitCode = 1;
    const names = ['onnx', 'safetensors', 'idx', 'csv', 'jsonl']
      .map((name) => join(folder, `case.${name}`))
      .filter((path) => existsSync(path));
    const kept = mkdtempSync(join(tmpdir(), 'receptive-failed-'));
    for (const path of last.path ? [last.path] : names) copyFileSync(path, join(kept, path.split('/').at(-1)));
    console.error(`fuzz: seed ${options.seed}: ${last.failed}\nfuzz: kept in ${resolve(kept)}; read it again by --case FILE`);
  }
  rmSync(base, { recursive: true });
}

(options.child ? child(options.child) : main()).catch((error) => {
  console.error(error);
  process.exit(1);
});

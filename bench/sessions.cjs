'use strict';
// How long ONNX files take to load and how much memory they take, in receptive beside onnxruntime-node: a fresh process each time.
const { spawnSync } = require('node:child_process');
const { writeFileSync } = require('node:fs');
const path = require('node:path');
const { readOnnx } = require('..');
const { readArguments } = require('./arguments.cjs');

const usage = `usage: npm run bench:sessions -- FILE.onnx... [options]
  --peers LIST       of onnxruntime (default); '' for none
  --rounds N         processes of each library and file, in turns; figures are medians (default 3)
  --runs N           of the model in each (default 50)
  --batch N          of axes that vary (default 1)
  --threads N        of each library (default 2)
  --rest MS          before resident memory is read for the last time (default 1000)
  --json FILE        all figures
  --worse FACTOR     exit with 1 where receptive needs more than so many times a peer's memory
Memory is read from /proc: Linux only.`;

const { values, files, number } = readArguments(
  {
    peers: 'onnxruntime',
    rounds: '3',
    runs: '50',
    batch: '1',
    threads: '2',
    rest: '1000',
    json: null,
    worse: null,
  },
  true,
);

const figures = {
  loadMs: { title: 'to load, ms', show: (ms) => ms.toFixed(0) },
  loaded: { title: 'loaded, MiB', show: mebibytes },
  most: { title: 'at most, MiB', show: mebibytes },
  running: { title: 'running, MiB', show: mebibytes },
  resting: { title: 'resting, MiB', show: mebibytes },
};
/** What is held against a peer's. */
const memory = ['most', 'running'];

function mebibytes(bytes) {
  return (bytes / 2 ** 20).toFixed(0);
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

/** What a process that loads and runs the model says of itself. */
function measure(library, request) {
  const script = path.join(__dirname, 'runners', 'session.cjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, library, values.threads, JSON.stringify(request)], {
    encoding: 'utf8',
  });
  const answer = status === 0 ? JSON.parse(stdout.trim().split('\n').at(-1)) : { missing: stderr.trim().split('\n').at(-1) };
  if (answer.missing && library === 'receptive') throw new Error(`${request.model}: ${answer.missing}`);
  return answer;
}

async function main() {
  if (values.help || files.length === 0) return console.log(usage);
  const libraries = ['receptive', ...values.peers.split(',').filter(Boolean)];
  const [rounds, runs, batch, rest] = ['rounds', 'runs', 'batch', 'rest'].map(number);
  const results = [];
  const failed = [];
  for (const file of files) {
    const { inputs } = await readOnnx(file);
    const request = {
      model: path.resolve(file),
      inputs: inputs.map(({ name, type, shape }) => ({
        name,
        type,
        shape: shape.map((n) => (typeof n === 'number' && n > 0 ? n : batch)),
      })),
      runs,
      rest,
    };
    const answers = libraries.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, library] of libraries.entries()) answers[i].push(measure(library, request));
    }
    const name = path.basename(file, '.onnx');
    const medians = libraries.map((library, i) => {
      const missing = answers[i].find((answer) => answer.missing)?.missing;
      if (missing) return { library, missing };
      return { library, ...Object.fromEntries(Object.keys(answers[i][0]).map((key) => [key, median(answers[i].map((one) => one[key]))])) };
    });
    results.push({ name, libraries: medians });
    const [own, ...peers] = medians;
    for (const peer of peers) {
      for (const figure of values.worse && !peer.missing ? memory : []) {
        if (own[figure] > number('worse') * peer[figure])
          failed.push(`${name}: ${figures[figure].title} ${mebibytes(own[figure])}, ${peer.library} ${mebibytes(peer[figure])}`);
      }
    }
  }
  console.log(
    `| model | library | ${Object.values(figures)
      .map(({ title }) => title)
      .join(' | ')} |`,
  );
  console.log(`| --- | --- |${' ---: |'.repeat(Object.keys(figures).length)}`);
  for (const { name, libraries: rows } of results) {
    for (const row of rows) {
      const cells = row.missing ? [row.missing] : Object.entries(figures).map(([key, { show }]) => show(row[key]));
      console.log(`| ${name} | ${row.library} | ${cells.join(' | ')} |`);
    }
  }
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ date: new Date().toISOString(), results }, null, 1)}\n`);
  for (const fault of failed) console.error(fault);
  if (failed.length > 0) process.exitCode = 1;
}

main().catch((error) => {
  console.error(`bench:sessions: ${error.message}`);
  process.exit(1);
});

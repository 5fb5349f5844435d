'use strict';
// LeNet-5 on batches of 64: a training step and inference, receptive beside the libraries that are installed, two threads each.
// usage: node bench/lenet5.cjs [--json] [--rounds 5] [--seconds 1]
// The runners take turns, round by round, so that a machine whose speed drifts treats all alike; figures are medians over the rounds.
const { spawn } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');
const { createInterface } = require('node:readline');
const { parseArgs } = require('node:util');
const { batch, threads } = require('./runners/serve.cjs');

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
  },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
const python = process.env.RECEPTIVE_BENCH_PYTHON ?? 'python3';
const commands = {
  receptive: [process.execPath, 'receptive.cjs'],
  PyTorch: [python, 'pytorch.py'],
  'onnxruntime-node': [process.execPath, 'onnxruntime.cjs'],
  'TensorFlow.js': [process.execPath, 'tfjs.cjs'],
};
const tasks = { train: 'training step', infer: 'inference' };

/** A runner process (serve.cjs): its description, and how to ask it. */
async function start(name, [program, script]) {
  const child = spawn(program, [path.join(__dirname, 'runners', script)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const failed = new Promise((_, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`the runner of ${name} ended with exit code ${code}`)));
  });
  failed.catch(() => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = () => Promise.race([lines.next().then(({ value, done }) => (done ? failed : JSON.parse(value))), failed]);
  const ask = (task) => {
    child.stdin.write(`${JSON.stringify({ task, seconds })}\n`);
    return answer();
  };
  try {
    return { ask, stop: () => child.stdin.end(), ...(await answer()) };
  } catch (error) {
    return { missing: `does not start: ${error.message}` };
  }
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

async function measure(runners) {
  const times = Object.fromEntries(Object.keys(tasks).map((task) => [task, runners.map(() => [])]));
  const unsupported = Object.fromEntries(Object.keys(tasks).map((task) => [task, {}]));
  for (let round = 0; round < rounds; round++) {
    for (const task of Object.keys(tasks)) {
      for (const [i, runner] of runners.entries()) {
        if (unsupported[task][runner.name]) continue;
        const answer = await runner.ask(task);
        if (answer.unsupported) unsupported[task][runner.name] = answer.unsupported;
        else times[task][i].push(answer.ms);
        // Threads of the runner that was may still spin for a moment.
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    }
  }
  return Object.keys(tasks).flatMap((task) => {
    const own = median(times[task][0]);
    return runners.map(({ name, version }, i) => {
      if (unsupported[task][name]) return { task, name, version, unsupported: unsupported[task][name] };
      const ms = median(times[task][i]);
      return { task, name, version, ms, low: Math.min(...times[task][i]), high: Math.max(...times[task][i]), ratio: ms / own };
    });
  });
}

function table(rows) {
  const cells = rows.map(({ task, name, version, ms, low, high, ratio, unsupported }) => [
    tasks[task],
    `${name} ${version}`,
    ...(unsupported ? ['-', unsupported, ''] : [ms.toFixed(3), `${low.toFixed(3)} to ${high.toFixed(3)}`, `${ratio.toFixed(2)} x`]),
  ]);
  const lines = [['task', 'library', 'median ms', 'over the rounds', 'time / receptive'], ...cells];
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

async function main() {
  const started = [];
  for (const [name, command] of Object.entries(commands)) started.push([name, await start(name, command)]);
  const absent = started.filter(([, runner]) => runner.missing).map(([name, { missing }]) => ({ name, missing }));
  const own = absent.find(({ name }) => name === 'receptive');
  if (own) throw new Error(own.missing);
  const runners = started.map(([, runner]) => runner).filter((runner) => !runner.missing);
  const rows = await measure(runners);
  for (const runner of runners) runner.stop();

  const machine = { cpu: os.cpus()[0]?.model ?? process.arch, node: process.version, threads, batch, rounds, seconds };
  if (options.json) {
    console.log(JSON.stringify({ machine, rows, absent }));
    return;
  }
  console.log(
    `LeNet-5, batches of ${batch}, ${threads} threads each; ${rounds} rounds of ${seconds} s, in turns; ${machine.cpu}, Node ${process.version}`,
  );
  console.log(table(rows));
  for (const { name, missing } of absent) console.log(`${name}: ${missing}`);
}

main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
});

'use strict';
// Runner processes (runners/): which there are, starting one, asking it; and the files that export.py writes for one of them.
const { spawn, spawnSync } = require('node:child_process');
const path = require('node:path');
const { createInterface } = require('node:readline');

const folder = path.join(__dirname, 'runners');
const python = process.env.RECEPTIVE_BENCH_PYTHON ?? 'python3';
const runners = {
  receptive: { name: 'receptive', program: process.execPath, script: 'receptive.cjs' },
  pytorch: { name: 'PyTorch', program: python, script: 'pytorch.py' },
  onnxruntime: { name: 'onnxruntime-node', program: process.execPath, script: 'onnxruntime.cjs' },
  tfjs: { name: 'TensorFlow.js', program: process.execPath, script: 'tfjs.cjs' },
};

/**
 * A runner process (serve.cjs): what it says of itself, and how to ask it; or why it is missing.
 * @param models The folder of ONNX files, null for none.
 */
async function start(key, threads, models = null) {
  const { name, program, script } = runners[key];
  const child = spawn(program, [path.join(folder, script), threads, ...(models ? [models] : [])], { stdio: ['pipe', 'pipe', 'inherit'] });
  const failed = new Promise((_, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`the runner of ${name} ended with exit code ${code}`)));
  });
  failed.catch(() => {});
  child.stdin.on('error', () => {}); // `failed` says so
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = () => Promise.race([lines.next().then(({ value, done }) => (done ? failed : JSON.parse(value))), failed]);
  const ask = (request) => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    return answer();
  };
  try {
    return { key, name, ask, stop: () => child.stdin.end(), variants: [null], ...(await answer()) };
  } catch (error) {
    return { key, name, missing: `does not start: ${error.message}` };
  }
}

/** Has the first Python that can write networks as ONNX files; gives a sentence where none can. */
function exportModels(cases, to) {
  const reasons = [];
  for (const program of new Set([python, 'python3', '/usr/bin/python3'])) {
    const { status, stdout, stderr, error } = spawnSync(program, [path.join(folder, 'export.py'), to], {
      input: JSON.stringify(cases),
      encoding: 'utf8',
    });
    const { written, missing } = status === 0 ? JSON.parse(stdout.trim().split('\n').at(-1)) : {};
    if (written) return null;
    reasons.push(`${program}: ${missing ?? error?.message ?? stderr.trim().split('\n').at(-1)}`);
  }
  return `no Python here writes networks as ONNX (${reasons.join('; ')})`;
}

module.exports = { runners, start, exportModels };

'use strict';
// Adds to the counts of each test file those of the processes it started, which child.cjs left.
const fs = require('node:fs');
const path = require('node:path');
const { TestEnvironment } = require('jest-environment-node');

const children = path.join(__dirname, '..', '..', 'coverage', 'children');

function add(total, counts) {
  for (const [file, more] of Object.entries(counts)) {
    total[file] ??= { ...more, s: {}, f: {}, b: {} };
    const sum = total[file];
    if (sum.hash !== more.hash) throw new Error(`coverage: ${file} was compiled in two ways`);
    for (const kind of ['s', 'f']) for (const [id, n] of Object.entries(more[kind])) sum[kind][id] = (sum[kind][id] ?? 0) + n;
    for (const [id, arms] of Object.entries(more.b)) sum.b[id] = arms.map((n, i) => n + (sum.b[id]?.[i] ?? 0));
  }
}

class Environment extends TestEnvironment {
  constructor(...args) {
    process.env.NODE_OPTIONS = `--require ${path.join(__dirname, 'child.cjs')}`;
    super(...args);
  }

  handleTestEvent({ name }) {
    if (name !== 'run_finish' || !fs.existsSync(children)) return;
    this.global.__coverage__ ??= {};
    for (const each of fs.readdirSync(children).filter((file) => file.endsWith('.json'))) {
      const file = path.join(children, each);
      const mine = `${file}.${process.pid}`;
      try {
        fs.renameSync(file, mine);
      } catch {
        continue; // another worker of jest has it
      }
      add(this.global.__coverage__, JSON.parse(fs.readFileSync(mine, 'utf8')));
      fs.rmSync(mine);
    }
  }
}

module.exports = Environment;

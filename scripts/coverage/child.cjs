'use strict';
// Loaded first by every process and worker thread that a test starts under `npm run coverage`: what it loads of dist/ counts as the file of
// lib/ that it was compiled from, and the counts are left in coverage/children when it ends.
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const { threadId } = require('node:worker_threads');

const root = path.join(__dirname, '..', '..');
const dist = path.join(root, 'dist') + path.sep;
const children = path.join(root, 'coverage', 'children');
// The entry that scripts/lazy.cjs made is not what lib/index.ts is.
const entry = path.join(dist, 'index.js');

const load = Module._extensions['.js'];
Module._extensions['.js'] = (module, file) => {
  if (!file.startsWith(dist) || file === entry) return load(module, file);
  const { instrumented } = require('./instrument.cjs');
  module._compile(instrumented(path.relative(dist, file).slice(0, -3)), file);
};

process.on('exit', () => {
  if (!globalThis.__coverage__) return;
  const file = path.join(children, `${process.pid}-${threadId}-${Date.now()}`);
  fs.mkdirSync(children, { recursive: true });
  fs.writeFileSync(file, JSON.stringify(globalThis.__coverage__));
  fs.renameSync(file, `${file}.json`);
});

'use strict';
// Compiles lib/ to dist/ (CommonJS and types), makes its entry a lazy one, and writes the thin ESM entry that re-exports it.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { lazily } = require('./lazy.cjs');

const root = path.join(__dirname, '..');
const dist = path.join(root, 'dist');
fs.rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, [require.resolve('typescript/lib/tsc.js'), '-p', root], { stdio: 'inherit', cwd: root });
const entry = path.join(dist, 'index.js');
fs.writeFileSync(entry, lazily(entry));
fs.writeFileSync(path.join(dist, 'index.mjs'), "export * from './index.js';\n");
fs.writeFileSync(path.join(dist, 'index.d.mts'), "export * from './index.js';\n");
const cli = path.join(dist, 'cli', 'main.js');
if (fs.existsSync(cli)) fs.chmodSync(cli, 0o755);

'use strict';
// Calls the addon's functions with hostile arguments, one process a seed, for so many minutes (10), from a seed on (the time).
// Usage: node scripts/fuzz.cjs [minutes] [seed]. Prints how to repeat a failure.
const { spawnSync } = require('node:child_process');
const path = require('node:path');

const program = path.join(__dirname, '..', 'test', 'native', 'hostile.cjs');
const [minutes = 10, first = Math.floor(Date.now() / 1000) % 1e6] = process.argv.slice(2).map(Number);
const calls = 100_000;
const end = Date.now() + minutes * 60_000;
let seed = first;
let failures = 0;
for (; Date.now() < end; ++seed) {
  const { status, signal, stderr } = spawnSync(process.execPath, [program, String(seed), String(calls)], { encoding: 'utf8' });
  if (status === 0) continue;
  ++failures;
  console.log(`ended with ${signal ?? status}: node test/native/hostile.cjs ${seed} ${calls} --trace\n${stderr.slice(-2000)}`);
}
console.log(`${seed - first} seeds from ${first} on, ${(seed - first) * calls} calls, ${failures} failures`);
process.exitCode = failures > 0 ? 1 : 0;

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { native } from './support';

// The functions that TypeScript would never let a program call so; npm run fuzz:binding calls them for longer. See hostile.cjs.

test.each([1, 2, 3])('hostile arguments, seed %i: every call returns, or throws an error of a kind that is documented', (seed) => {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [join(__dirname, 'hostile.cjs'), String(seed), '20000'], {
    encoding: 'utf8',
    maxBuffer: 1 << 24,
  });
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  const counts = JSON.parse(stdout) as Record<string, { good: number; threw: number }>;
  const functions = Object.keys(native).filter((name) => name !== 'ops');
  expect(Object.keys(counts).sort()).toEqual([...functions, ...Object.keys(native.ops).map((name) => `ops.${name}`)].sort());
  // Calls that are all refused at once would show little.
  for (const name of ['create', 'view', 'upload', 'read', 'run', 'endCapture', 'ops.unary', 'ops.binary']) {
    expect([name, counts[name]!.good > 0, counts[name]!.threw > 0]).toEqual([name, true, true]);
  }
});

test('more arguments than any function takes', () => {
  const owner = {};
  const ids = Array.from({ length: 400 }, () => native.create(owner, 0, 4));
  native.capture();
  native.ops.unary(ids[0]!, ids[1]!, 0);
  try {
    expect(() => native.endCapture(owner, 1, ...ids)).toThrow(/^endCapture: got 402 arguments/);
  } finally {
    native.endCapture();
    for (const id of ids) native.free(id);
  }
});

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, temporaryDirectory } from '../packaging/support';

const folder = temporaryDirectory();

test('bench/serving.cjs loads a service and gives figures that agree with each other', () => {
  const json = join(folder, 'serving.json');
  const args = ['--models', 'lenet5', '--seconds', '1', '--memory-seconds', '2', '--connections', '8', '--threads', '1', '--json', json];
  const printed = run(process.execPath, ['bench/serving.cjs', ...args]);
  const [{ model, batched, single, gain, memory }] = JSON.parse(readFileSync(json, 'utf8')).results;
  expect(model).toBe('lenet5');
  for (const one of [batched, single]) {
    expect([one.errors, one.timeouts, one.non2xx]).toEqual([0, 0, 0]);
    expect(one.requests).toBeGreaterThan(20);
    expect(one.late.ticks).toBeGreaterThan(10);
    expect(one.late.p99).toBeGreaterThanOrEqual(one.late.p50);
    expect(one.rss).toBeGreaterThan(1e7);
  }
  expect(single.rows).toBe(1);
  expect(batched.rows).toBeGreaterThan(1);
  expect(gain).toBeCloseTo(batched.perSecond / single.perSecond, 6);
  expect(memory.growth).toBe(memory.late - memory.early);
  expect(printed).toMatch(/^lenet5, micro-batching: \d+ requests\/s/m);
});

test.each([
  [['--models', 'lenet4'], 'serving: no model lenet4, expected some of lenet5,mobilenetV2'],
  [['--seconds', 'x'], 'serving: --seconds is x, expected a number of at least 0'],
])('refuses %j', (args, message) => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'bench/serving.cjs'), ...args], { encoding: 'utf8' });
  expect([status, stderr.trim()]).toEqual([1, message]);
});

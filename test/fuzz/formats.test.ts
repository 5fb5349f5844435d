import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { models } from '../../lib';
import { onnxOf } from '../../lib/formats/onnx/export';
import { temporaryDirectory } from '../packaging/support';

// A short run of `npm run fuzz:formats`, always of the same cases; longer ones are for whoever changes a reader.

const program = join(__dirname, 'formats.cjs');
const { parse, write, mutateProtobuf, mutateSafetensors, randomNumbers } = require('./mutations.cjs');
const folder = temporaryDirectory();

const fuzz = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--json', ...args], { encoding: 'utf8' });
  return { status, stderr, told: stdout ? JSON.parse(stdout) : null };
};

test('readers refuse spoiled files by their errors, in time and in proportion', () => {
  const { status, stderr, told } = fuzz('--seconds', '4', '--seed', '1');
  expect([status, stderr, told.failed]).toEqual([0, '', undefined]);
  expect(Object.keys(told.counts)).toEqual(['onnx', 'safetensors', 'idx', 'csv', 'jsonl']);
  for (const counts of Object.values(told.counts) as Record<string, number>[]) {
    expect(counts.read).toBeGreaterThan(0);
    expect(counts.ERR_FILE).toBeGreaterThan(0);
  }
});

test('what fails is told and kept', () => {
  const path = join(folder, 'case.csv');
  writeFileSync(path, 'text,label\nfine,good\nnot,bad\n');
  expect(fuzz('--target', 'csv', '--case', path).told.outcome).toBe('read');
  const { status, stderr } = fuzz('--target', 'nothing', '--seconds', '1');
  expect(status).toBe(1);
  expect(stderr).toMatch(/the process ended by exit code 1/);
});

test('messages that nothing was done to come out as they were, others are changed', async () => {
  const bytes = Buffer.from(await onnxOf(models.lenet5({ classes: 3 }), { input: [1, 28, 28, 1] }));
  expect(Buffer.compare(write(parse(bytes)), bytes)).toBe(0);
  const next = randomNumbers(1);
  const changed = Array.from({ length: 200 }, () => mutateProtobuf(bytes, next)).filter((other) => !bytes.equals(other));
  expect(changed.length).toBeGreaterThan(150);
  expect(changed.filter((other) => parse(other) !== null).length).toBeGreaterThan(50);
  expect(mutateSafetensors(Buffer.alloc(4), next)).toBeInstanceOf(Buffer);
});

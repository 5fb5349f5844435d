import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { data, exportOnnx, models, nn } from '../../lib';
import { saveModel } from '../../lib/cli/model-file';
import { temporaryDirectory } from '../packaging/support';
import { main } from './support';

// How fast anything is depends on the machine and is not tested here; that figures are those of the runs that were asked for is.

const folder = temporaryDirectory();
const onnx = join(folder, 'lenet.onnx');
const digits = join(folder, 'digits.safetensors');
const texts = join(folder, 'texts.safetensors');

beforeAll(async () => {
  const lenet = models.lenet5({ classes: 10 });
  await exportOnnx(onnx, lenet, { input: [1, 28, 28, 1] });
  const images = { size: [28, 28] as const, channels: 1 as const, normalization: { mean: 0.13, std: 0.3 } };
  await saveModel(digits, lenet, {
    task: 'mnist',
    architecture: 'lenet5',
    options: { classes: 10 },
    labels: [...'0123456789'],
    images,
  } as never);
  const tokenizer = await data.Tokenizer.fit(['a fine film', 'not for me'], { maxLength: 20 });
  const options = { vocabulary: tokenizer.size, classes: 2, embeddingDim: 8, filters: 4 };
  const source = { header: true, encoding: 'utf-8' };
  const description = {
    task: 'text',
    architecture: 'textCnn',
    options,
    labels: ['bad', 'good'],
    tokenizer: tokenizer.toJSON(),
    source,
    heldOut: null,
  };
  await saveModel(texts, models.textCnn(options), description as never);
});

function bench(args: string[], cwd = folder) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'bench', ...args], { encoding: 'utf8', cwd });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

interface Result {
  name: string;
  load: number;
  firstRun: number;
  memory?: number;
  batches: { batch: number; runs: number; p50: number; p90: number; p99: number; rowsPerSecond: number }[];
}

function check({ load, firstRun, batches }: Result): void {
  for (const value of [load, firstRun]) expect(value).toBeGreaterThan(0);
  for (const { batch, runs, p50, p90, p99, rowsPerSecond } of batches) {
    expect(runs).toBeGreaterThan(0);
    expect(p50).toBeGreaterThan(0);
    expect(p90).toBeGreaterThanOrEqual(p50);
    expect(p99).toBeGreaterThanOrEqual(p90);
    expect(rowsPerSecond).toBeLessThanOrEqual((1000 * batch * runs) / p50);
  }
}

test.each([
  ['an ONNX file', () => onnx],
  ['images', () => digits],
  ['texts', () => texts],
])('%s, without onnxruntime-node', (_, path) => {
  const told = JSON.parse(bench([path(), '--batches', '1,3', '--seconds', '0.05', '--json', '--threads', '1']));
  expect(told.missing).toMatch(/^onnxruntime-node was not found here/);
  expect(told.threads).toBe(1);
  const [ours, ...others] = told.results as Result[];
  expect(others).toEqual([]);
  expect(ours.batches.map(({ batch }) => batch)).toEqual([1, 3]);
  check(ours);
  expect(ours.memory).toBeGreaterThan(0);
});

describe('beside onnxruntime-node', () => {
  // One that takes 3 ms for a row, and keeps to its interface.
  const consumer = join(folder, 'consumer');
  beforeAll(() => {
    const at = join(consumer, 'node_modules', 'onnxruntime-node');
    mkdirSync(at, { recursive: true });
    writeFileSync(join(at, 'package.json'), '{ "name": "onnxruntime-node", "version": "9.9.9", "main": "index.js" }');
    writeFileSync(
      join(at, 'index.js'),
      `const { readFileSync } = require('node:fs');
       class Tensor { constructor(type, data, dims) {
         if (type !== 'float32' || data.length !== dims.reduce((a, b) => a * b) || dims[1] !== 1) throw new Error('no such tensor');
         Object.assign(this, { type, data, dims });
       } }
       const create = async (path, options) => {
         if (readFileSync(path).length < 1000 || options.intraOpNumThreads !== 1) throw new Error('no such session');
         return { run: ({ input }) => new Promise((resolve) => setTimeout(resolve, 3 * input.dims[0], {})) };
       };
       module.exports = { Tensor, InferenceSession: { create } };`,
    );
  });

  test.each([
    ['an ONNX file', () => onnx],
    ['a trained network, exported', () => digits],
  ])('%s', (_, path) => {
    const args = [path(), '--batches', '1,2', '--seconds', '0.05', '--threads', '1'];
    const told = JSON.parse(bench([...args, '--json'], consumer));
    expect(told.missing).toBeUndefined();
    const [ours, peer] = told.results as [Result, Result];
    check(ours);
    check(peer);
    for (const { memory } of [ours, peer]) expect(memory).toBeUndefined(); // of one process, so of neither
    expect(peer.name).toBe('onnxruntime-node 9.9.9');
    expect(peer.batches.map(({ batch }) => batch)).toEqual([1, 2]);
    expect(peer.batches[0].p50).toBeGreaterThanOrEqual(2.5);
    expect(peer.batches[1].p50).toBeGreaterThanOrEqual(5.5);
    const lines = bench(args, consumer).split('\n');
    expect(
      lines.filter((line) => /^(receptive|onnxruntime-node 9\.9\.9) +[12] +[\d.]+ +[\d.]+ +[\d.]+ +[\d,]+ +[\d.]+$/.test(line)),
    ).toHaveLength(4);
    expect(lines.some((line) => line.includes('memory MB'))).toBe(false);
    expect(bench([...args, '--no-peer'], consumer)).toMatch(/memory MB\nreceptive( +[\d.]+){3}\n/);
    expect((JSON.parse(bench([...args, '--json', '--no-peer'], consumer)).results as Result[]).map(({ name }) => name)).toEqual([
      'receptive',
    ]);
  });
});

test('a model of one size of batch is measured at that', async () => {
  const fixed = join(folder, 'fixed.onnx');
  await exportOnnx(fixed, new nn.Conv2d(1, 3, 3), { input: [4, 28, 28, 1], dynamicBatch: false });
  const [ours] = JSON.parse(bench([fixed, '--seconds', '0.02', '--json'])).results as Result[];
  expect(ours.batches.map(({ batch }) => batch)).toEqual([4]);
  const args = [fixed, '--seconds', '0.02', '--batches', '1,2', '--dynamic-batch', '--json'];
  const opened = JSON.parse(bench(args));
  expect((opened.results as Result[])[0].batches.map(({ batch }) => batch)).toEqual([1, 2]);
  expect(opened.missing).toContain('is not measured with --dynamic-batch');
});

test('a size that is none, and a file that is missing', () => {
  expect(() => bench([onnx, '--batches', '1,0'])).toThrow(/Expected a positive integer/);
  expect(() => bench([join(folder, 'none.onnx')])).toThrow(/none\.onnx: ENOENT/);
});

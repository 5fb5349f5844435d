import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { exportOnnx, loadOnnx, manualSeed, nn, readOnnx } from '../../lib';
import { events, receptive, writeDigits } from '../cli/support';
import { root, run, temporaryDirectory } from '../packaging/support';
import { randomNumbers } from '../support/data';
import { png } from '../support/png';

const folder = temporaryDirectory();
const example = (name: string) => join(root, 'examples', name);

describe('fastify.cjs', () => {
  test('classifies images that come together, refuses what is none, and ends by answering', async () => {
    writeDigits(join(folder, 'digits'));
    const path = join(folder, 'digits.safetensors');
    const trained = await receptive(['train', 'mnist', '--data', join(folder, 'digits'), '--out', path, '--epochs', '4', '--json']);
    expect(trained.code).toBe(0);
    const child = spawn(process.execPath, [example('fastify.cjs'), path, '--port', '0']);
    const ended = new Promise((resolve) => child.on('close', resolve));
    try {
      const [line] = (await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()).value.match(/http:\S+/)!;
      const post = (body: Uint8Array<ArrayBuffer>) =>
        fetch(`${line}/classify`, { method: 'POST', headers: { 'content-type': 'image/png' }, body });
      // The class of these digits is where a bright bar lies.
      const digit = (label: number) =>
        new Uint8Array(
          png({
            width: 28,
            height: 28,
            type: 0,
            depth: 8,
            samples: Array.from({ length: 784 }, (_, i) => (Math.floor(i / 28 / 2) === 2 + label ? 255 : 0)),
          }),
        );
      const files = Array.from({ length: 10 }, (_, label) => join(folder, `${label}.png`));
      for (const [label, file] of files.entries()) writeFileSync(file, digit(label));
      const told = events(await receptive(['predict', path, ...files, '--json']));
      const answers = await Promise.all([0, 1, 2].flatMap(() => files.map(async (_, label) => (await post(digit(label))).json())));
      for (const [i, answer] of (answers as { predicted: string; probability: number }[]).entries()) {
        const { predicted, probabilities } = told[i % 10];
        expect(answer.predicted).toBe(predicted);
        expect(answer.probability).toBeCloseTo(probabilities[0].probability, 5);
      }
      expect(new Set(told.map(({ predicted }) => predicted)).size).toBeGreaterThan(5);
      const refused = await post(new Uint8Array(10));
      expect([refused.status, ((await refused.json()) as { error: string }).error]).toEqual([
        400,
        expect.stringMatching(/^the image: cannot be decoded/),
      ]);
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

describe('text-worker.cjs', () => {
  test('classifies texts of arguments and of the standard input', async () => {
    const next = randomNumbers(3);
    const words = ['the film', 'a story', 'her voice', 'that scene'];
    const pick = () => words[Math.floor(next() * words.length)];
    const samples = Array.from({ length: 200 }, (_, i) => ({
      text: `${pick()} and ${pick()} ${i % 2 ? 'was wonderful' : 'was dreadful'}`,
      label: i % 2 ? 'good' : 'bad',
    }));
    const file = join(folder, 'reviews.jsonl');
    writeFileSync(file, samples.map((sample) => `${JSON.stringify(sample)}\n`).join(''));
    const path = join(folder, 'reviews.safetensors');
    const small = ['--embedding-dim', '16', '--filters', '8', '--epochs', '20', '--lr', '0.01', '--batch-size', '16', '--max-length', '30'];
    expect((await receptive(['train', 'text', '--data', file, '--out', path, ...small])).code).toBe(0);
    const texts = ['the film was wonderful', 'a story was dreadful', ...samples.map(({ text }) => text)];
    const told = events(await receptive(['predict', path, '--json', '--ngrams', '0'], { input: `${texts.join('\n')}\n` }));
    const expected = told.map(
      ({ text, predicted, probabilities }) => `${predicted}\t${(100 * probabilities[0].probability).toFixed(1)} %\t${text}`,
    );
    expect(new Set(told.map(({ predicted }) => predicted))).toEqual(new Set(['good', 'bad']));
    expect(
      run(process.execPath, [example('text-worker.cjs'), path, ...texts.slice(0, 2)])
        .trim()
        .split('\n'),
    ).toEqual(expected.slice(0, 2));
    const child = spawn(process.execPath, [example('text-worker.cjs'), path]);
    child.stdin.end(texts.map((text) => `${text}\n`).join(''));
    let printed = '';
    for await (const chunk of child.stdout) printed += chunk;
    expect(printed.trim().split('\n')).toEqual(expected);
  });

  test('says what is wrong with a model', () => {
    expect(() => run(process.execPath, [example('text-worker.cjs'), join(folder, 'none.safetensors'), 'x'])).toThrow(
      /none\.safetensors: ENOENT/,
    );
  });
});

describe('text-worker.cjs, whose worker has failed', () => {
  test('says so of texts that come afterwards, too', async () => {
    const child = spawn(process.execPath, [example('text-worker.cjs'), join(folder, 'none.safetensors')]);
    const ended = new Promise((resolve) => child.on('close', resolve));
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    await pause(1500); // the worker looks for the model, and ends
    child.stdin.write('one\n');
    await pause(100);
    child.stdin.end('another\n');
    expect(await ended).toBe(1);
    expect(errors).toMatch(/^[^\n]*none\.safetensors: ENOENT[^\n]*\n$/);
  });
});

describe('finetune.cjs', () => {
  /** Stripes, upright or lying, of several widths and grey values. */
  function stripes(kind: 'lying' | 'upright', i: number): Buffer {
    const width = 2 + (i % 3);
    const bright = 120 + ((i * 37) % 130);
    const samples = Array.from({ length: 24 * 24 }, (_, k) => {
      const at = kind === 'lying' ? Math.floor(k / 24) : k % 24;
      return Math.floor((at + i) / width) % 2 === 0 ? bright : 10;
    });
    return png({ width: 24, height: 24, type: 0, depth: 8, samples });
  }

  test('trains a new head on an imported model, whose own weights stay', async () => {
    manualSeed(5);
    const net = new nn.Sequential(
      new nn.Conv2d(3, 8, 5, { stride: 2 }),
      new nn.BatchNorm2d(8),
      new nn.ReLU(),
      new nn.Conv2d(8, 16, 3),
      new nn.ReLU(),
      new nn.GlobalAvgPool2d(),
      new nn.Linear(16, 100),
    );
    const model = join(folder, 'trunk.onnx');
    await exportOnnx(model, net.eval(), { input: [1, 24, 24, 3], dynamicBatch: false }); // as exporters write by default
    for (const kind of ['lying', 'upright'] as const) {
      mkdirSync(join(folder, 'stripes', kind), { recursive: true });
      for (let i = 0; i < 40; i++) writeFileSync(join(folder, 'stripes', kind, `${i}.png`), stripes(kind, i));
    }
    const out = join(folder, 'stripes.onnx');
    const printed = run(process.execPath, [
      example('finetune.cjs'),
      model,
      '--data',
      join(folder, 'stripes'),
      '--out',
      out,
      '--epochs',
      '25',
      '--lr',
      '0.05',
    ]);
    const lines = printed.trim().split('\n');
    expect(lines[0]).toMatch(/^60 images of lying, upright; 34 of \d+ parameters learn$/);
    const losses = lines.slice(1, -1).map((line) => Number(line.match(/loss ([\d.]+)$/)![1]));
    expect(losses).toHaveLength(25);
    expect(losses.at(-1)).toBeLessThan(losses[0] / 2);
    expect(Number(lines.at(-1)!.match(/^accuracy ([\d.]+) % on 20 images/)![1])).toBeGreaterThanOrEqual(90);
    // What it saved runs, and has the trunk's kernels as they were.
    using session = await loadOnnx(out);
    expect(session.outputs[0].shape.at(-1)).toBe(2);
    const kernels = async (path: string) =>
      [...(await readOnnx(path)).initializers.values()]
        .filter(({ shape }) => shape.length === 4)
        .map(({ data }) => [...(data as Float32Array)]);
    expect(await kernels(out)).toEqual(await kernels(model));
  });

  test('says where there is no layer to take off', async () => {
    const path = join(folder, 'convolutions.onnx');
    await exportOnnx(path, new nn.Sequential(new nn.Conv2d(3, 4, 3)), { input: [1, 8, 8, 3] });
    expect(() => run(process.execPath, [example('finetune.cjs'), path])).toThrow(/has no fully connected layer to take off/);
  });
});

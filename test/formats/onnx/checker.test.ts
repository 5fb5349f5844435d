import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manualSeed, models, nn, noGrad, ops, randn, type Tensor, tensor } from '../../../lib';
import { onnxOf } from '../../../lib/formats/onnx/export';
import { distance } from '../../support/agree';
import { type Case, cases, networks } from '../../support/exported';

// What onnx's own checker says of the files that are written, and what onnxruntime makes of them: `npm run check:onnx`. Neither is a
// dependency: RECEPTIVE_ONNX_PYTHON names a Python with the package onnx; onnxruntime-node is looked for where the benchmarks look.

const python = process.env.RECEPTIVE_ONNX_PYTHON;
const folder = mkdtempSync(join(tmpdir(), 'onnx-checker-'));
afterAll(() => rmSync(folder, { recursive: true }));
const big = 2 ** 28;

const words = (shape: number[]) =>
  tensor(
    Int32Array.from({ length: shape[0]! * shape[1]! }, (_, i) => 1 + ((i * 7) % 18)),
    shape,
  );

/** Networks that take numbers of words. */
const texts: readonly Case[] = [
  ['textCnn', () => models.textCnn({ vocabulary: 20, classes: 3 }), [2, 12]],
  ['embedding and convolution', () => new nn.Sequential(new nn.Embedding(20, 4), new nn.Conv1d(4, 6, 3), new nn.GlobalMaxPool1d()), [2, 9]],
];
const others: readonly Case[] = [
  ['mlp', () => models.mlp({ inputs: 8, hidden: [6], classes: 4 }), [2, 8]],
  ['vgg11', () => models.vgg11({ classes: 3, batchNorm: true }), [1, 32, 32, 3]],
  ['resnet50', () => models.resnet50({ classes: 5 }), [1, 32, 32, 3]],
];

interface Written {
  readonly name: string;
  readonly path: string;
  readonly type: string;
  /** The input and output as the file has them. */
  readonly input: Tensor;
  readonly output: Tensor;
}

/** Images and volumes [N,…,C] as [N,C,…]. */
function channelsFirst(x: Tensor): Tensor {
  const axes = x.shape.map((_, i) => i);
  return x.rank === 4 || x.rank === 5 ? ops.transpose(x, [0, x.rank - 1, ...axes.slice(1, -1)]) : x;
}

async function writeAll(): Promise<Written[]> {
  const written: Written[] = [];
  const draws = [...cases, ...networks, ...others].map((one) => [one, randn] as const);
  for (const [[name, make, shape], draw] of [...draws, ...texts.map((one) => [one, words] as const)]) {
    for (const layout of ['nchw', 'nhwc'] as const) {
      const model = make();
      model.eval();
      const path = join(folder, `${written.length}.onnx`);
      writeFileSync(path, await onnxOf(model, { input: draw([...shape]), layout }));
      const x = draw([3, ...shape.slice(1)]);
      const y = noGrad(() => model.forward(x));
      const [input, output] = layout === 'nchw' ? [channelsFirst(x), channelsFirst(y)] : [x, y];
      written.push({ name: `${name}, ${layout}`, path, type: x.dtype, input, output });
    }
  }
  return written;
}

(python ? describe : describe.skip)('files of every layer and model', () => {
  let written: Written[];
  beforeAll(async () => {
    manualSeed(1);
    written = await writeAll();
  }, 120_000);

  test('pass onnx.checker, shapes inferred', () => {
    const script = join(__dirname, '..', '..', 'support', 'onnxChecker.py');
    const printed = execFileSync(python!, [script, ...written.map(({ path }) => path)], { encoding: 'utf8', maxBuffer: big });
    const { version, faults } = JSON.parse(printed) as { version: string; faults: Record<string, string | null> };
    const bad = written.flatMap(({ name, path }) => (faults[path] === null ? [] : [`${name}: ${faults[path]}`]));
    expect(bad).toEqual([]);
    console.log(`onnx ${version}: ${written.length} files`);
  }, 300_000);

  test('give the same in onnxruntime-node', () => {
    const script = join(__dirname, '..', '..', 'support', 'onnxruntime.cjs');
    const requests = written.map(({ path, type, input }) => ({ path, type, shape: input.shape, data: Array.from(input.dataSync()) }));
    const asked = join(folder, 'requests.json');
    writeFileSync(asked, JSON.stringify(requests));
    const printed = execFileSync(process.execPath, [script, '2', asked], { encoding: 'utf8', maxBuffer: big });
    const answers = JSON.parse(printed) as { missing?: string } | { shape: number[]; data: number[] }[];
    if (!Array.isArray(answers)) {
      console.log(`onnxruntime-node: ${answers.missing}`);
      return;
    }
    const bad = written.flatMap(({ name, output }, i) => {
      const { shape, data } = answers[i]!;
      if (shape.join() !== output.shape.join()) return [`${name}: shape ${shape}, expected ${output.shape}`];
      const far = distance(Float32Array.from(data), output.dataSync());
      return far < 1e-4 ? [] : [`${name}: ${far}`];
    });
    expect(bad).toEqual([]);
  }, 300_000);
});

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportOnnx, importOnnx, manualSeed, models, nn, noGrad, ones, ops, randn, readOnnx, type Tensor, tensor } from '../../../lib';
import { onnxOf } from '../../../lib/formats/onnx/export';
import { distance } from '../../support/agree';
import { cases, fn, image, networks } from '../../support/exported';

// A model that is written and read again gives the same for batches of every size. That onnx's own checker takes such files, and that
// onnxruntime gives the same, checker.test.ts says.

beforeEach(() => manualSeed(1));

/** Writes a model, reads it again, and holds both against each other for several batches. */
async function agree(
  model: nn.Module,
  shape: readonly number[],
  layout: 'nchw' | 'nhwc',
  draw: (shape: number[]) => Tensor = randn,
): Promise<void> {
  model.eval();
  const again = await importOnnx(await onnxOf(model, { input: draw([...shape]), layout }), { layout: layout === 'nchw' ? 'nhwc' : 'nchw' });
  for (const batch of [1, 2, 5]) {
    const x = draw([batch, ...shape.slice(1)]);
    const [y, z] = noGrad(() => [model.forward(x), again.forward(x)]);
    expect(z.shape).toEqual(y.shape);
    expect(distance(z.dataSync(), y.dataSync())).toBeLessThan(1e-5);
  }
}

test.each(cases)('%s', async (_name, make, shape) => {
  await agree(make(), shape, 'nchw');
  await agree(make(), shape, 'nhwc');
});

test.each(networks)('%s', async (_name, make, shape) => agree(make(), shape, 'nchw'));

test('a network for texts, given numbers of words', async () => {
  const model = new nn.Sequential(
    new nn.Embedding(20, 4),
    new nn.Conv1d(4, 6, 3),
    new nn.ReLU(),
    new nn.GlobalMaxPool1d(),
    new nn.Linear(6, 3),
  );
  const words = (shape: number[]) =>
    tensor(
      Int32Array.from({ length: shape[0]! * shape[1]! }, (_, i) => (i * 7) % 20),
      shape,
    );
  await agree(model, [2, 9], 'nchw', words);
});

describe('exportOnnx', () => {
  const folder = mkdtempSync(join(tmpdir(), 'onnx-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('names weights as the model does, and says what goes in and out', async () => {
    const path = join(folder, 'model.onnx');
    const model = new nn.Sequential(new nn.Conv2d(3, 4, 3), new nn.GlobalAvgPool2d(), new nn.Linear(4, 2));
    await exportOnnx(path, model, { input: [1, 8, 8, 3] });
    const file = await readOnnx(path);
    expect(Array.from(file.initializers, ([name, { shape }]) => [name, shape])).toEqual([
      ['0.weight', [4, 3, 3, 3]],
      ['0.bias', [4]],
      ['2.weight', [2, 4]],
      ['2.bias', [2]],
    ]);
    expect(file).toMatchObject({
      opset: 17,
      producer: 'receptive',
      inputs: [{ name: 'input', type: 'float32', shape: ['N', 3, 8, 8] }],
      outputs: [{ name: 'output', type: 'float32', shape: ['N', 2] }],
    });
    expect(readdirSync(folder)).toEqual(['model.onnx']);
    await exportOnnx(path, model, { input: [3, 8, 8, 3], layout: 'nhwc', dynamicBatch: false });
    expect((await readOnnx(path)).inputs).toEqual([{ name: 'input', type: 'float32', shape: [3, 8, 8, 3] }]);
  });

  test('leaves the model as it was', async () => {
    const model = new nn.Sequential(new nn.BatchNorm2d(4), new nn.Dropout(0.5));
    const before = [...model.stateDict()['0.runningMean']!.dataSync()];
    await onnxOf(model, { input: image });
    expect(model.training).toBe(true);
    expect([...model.stateDict()['0.runningMean']!.dataSync()]).toEqual(before);
  });

  test('one error names every operation without a counterpart, and where it ran', async () => {
    const model = new nn.Sequential(
      fn((x) => {
        const { output, indices } = ops.maxPool2dWithIndices(x, { kernelSize: 2 });
        return ops.maxUnpool2d(output, indices, { kernelSize: 2 });
      }),
    );
    await expect(exportOnnx(join(folder, 'no.onnx'), model, { input: image })).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: 'exportOnnx: ONNX has no counterpart of maxPool2dIndices (0); maxUnpool2d (0)',
    });
  });

  test('what works otherwise for another batch is refused, unless the batch stays', async () => {
    const odd = fn((x) => ops.expand(ops.mean(x, { axis: 0, keepDims: true }), x.shape));
    await expect(onnxOf(odd, { input: image })).rejects.toThrow('export with dynamicBatch: false');
    await onnxOf(odd, { input: image, dynamicBatch: false });
  });

  test('a part that takes one size of batch only is refused by what to do', async () => {
    const trunk = await importOnnx(
      await onnxOf(models.mlp({ inputs: 3, hidden: [5], classes: 4 }), { input: [2, 3], dynamicBatch: false }),
    );
    const whole = new nn.Sequential(trunk, new nn.Linear(4, 2));
    await expect(onnxOf(whole, { input: [2, 3] })).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/^exportOnnx: .*export with dynamicBatch: false \(.*open it with dynamicBatch: true/),
    });
    await onnxOf(whole, { input: [2, 3], dynamicBatch: false });
  });

  test.each<[string, nn.Module, number[]]>([
    ['other operations', fn((x) => (x.shape[0]! > 2 ? ops.relu(x) : x)), image],
    ['as many others', fn((x) => (x.shape[0]! > 2 ? ops.relu(x) : ops.tanh(x))), image],
    ['a part of the batch', fn((x) => ops.slice(x, [1])), image],
    ['several dimensions of the batch', fn((x) => ops.reshape(ops.matmul(x, x, { transposeB: true }), [1, 1, x.shape[0]!, -1])), [2, 4]],
  ])('so are %s', async (_name, model, input) => {
    await expect(onnxOf(model, { input })).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    await onnxOf(model, { input, dynamicBatch: false });
  });

  test('what trains, and what gives nothing, is refused', async () => {
    const training = fn((x) => ops.batchNorm(x, { training: true }));
    await expect(onnxOf(training, { input: image })).rejects.toThrow('batchNorm that trains');
    await expect(
      onnxOf(
        fn(() => null as never),
        { input: image },
      ),
    ).rejects.toMatchObject({ message: expect.stringMatching(/^exportOnnx: |forward/) });
  });

  test('several inputs, by shapes and tensors', async () => {
    class Two extends nn.Module {
      forward(x: Tensor, words: Tensor): Tensor {
        return ops.add(x, ops.reshape(ops.cast(words, 'float32'), [-1, 1]));
      }
    }
    const words = tensor(Int32Array.of(3, 4));
    const model = await importOnnx(await onnxOf(new Two(), { input: [[2, 3], words] as never }));
    expect(model.inputs.map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
      ['input_0', 'float32', ['N', 3]],
      ['input_1', 'int32', ['N']],
    ]);
    expect([...model.forward(ones([2, 3]), words).dataSync()]).toEqual([4, 4, 4, 5, 5, 5]);
  });

  test.each([
    ['a model', () => onnxOf({} as never, { input: image }), 'ERR_INVALID_TYPE'],
    ['a path', () => exportOnnx(5 as never, new nn.Flatten(), { input: image }), 'ERR_INVALID_TYPE'],
    ['an option', () => onnxOf(new nn.Flatten(), { inputs: image } as never), 'ERR_INVALID_VALUE'],
    ['a layout', () => onnxOf(new nn.Flatten(), { input: image, layout: 'cwh' as never }), 'ERR_INVALID_VALUE'],
  ])('error of %s', async (_name, call, code) => {
    await expect(call()).rejects.toMatchObject({ code });
  });
});

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportOnnx, importOnnx, manualSeed, models, nn, noGrad, ones, ops, randn, readOnnx, type Tensor, tensor } from '../../../lib';
import { onnxOf } from '../../../lib/formats/onnx/export';
import { distance } from '../../support/agree';

// A model that is written and read again gives the same for batches of every size. (That onnx's own checker takes such files, and that
// onnxruntime gives the same, was seen by hand; neither is a dependency.)

beforeEach(() => manualSeed(1));

/** A module of a function. */
class Fn extends nn.Module {
  weight = new nn.Parameter(randn([4]));
  constructor(readonly fn: (x: Tensor, weight: Tensor) => Tensor) {
    super();
  }
  forward(x: Tensor): Tensor {
    return this.fn(x, this.weight);
  }
}

const fn = (f: (x: Tensor, weight: Tensor) => Tensor) => new Fn(f);

type Case = readonly [name: string, make: () => nn.Module, shape: number[]];

const image = [2, 8, 6, 4];
const sequence = [2, 9, 4];
const volume = [2, 4, 5, 6, 4];

/** Running statistics as a trained model has them. */
function trained(model: nn.Module): nn.Module {
  for (const [name, buffer] of model.namedBuffers()) {
    const drawn = randn(buffer.shape);
    buffer.assign(name.endsWith('Var') ? ops.add(ops.abs(drawn), 0.5) : drawn);
  }
  return model;
}

const cases: readonly Case[] = [
  ['Conv2d', () => new nn.Conv2d(4, 6, 3, { padding: [1, 0, 2, 1], stride: [2, 1], groups: 2 }), image],
  ['Conv2d, dilated and reflected', () => new nn.Conv2d(4, 6, 3, { padding: 2, dilation: 2, paddingMode: 'reflect' }), image],
  ['Conv1d', () => new nn.Conv1d(4, 6, 3, { padding: 1 }), sequence],
  ['Conv3d', () => new nn.Conv3d(4, 6, [2, 3, 3], { padding: [1, 1, 0, 0, 0, 1] }), volume],
  ['ConvTranspose2d', () => new nn.ConvTranspose2d(4, 6, 3, { stride: 2, padding: 1, outputPadding: 1 }), image],
  ['ConvTranspose1d', () => new nn.ConvTranspose1d(4, 6, 4, { stride: 2 }), sequence],
  ['LocallyConnected2d', () => new nn.LocallyConnected2d(4, 3, 3, { inputSize: [8, 6], padding: 1, stride: 2 }), image],
  ['MaxPool2d', () => new nn.MaxPool2d(3, { stride: 2, padding: 1, ceilMode: true }), image],
  ['MaxPool1d', () => new nn.MaxPool1d(2), sequence],
  ['MaxPool3d', () => new nn.MaxPool3d(2), volume],
  ['AvgPool2d', () => new nn.AvgPool2d(3, { stride: 2, padding: 1, countIncludePad: false }), image],
  ['AvgPool3d', () => new nn.AvgPool3d(2, { padding: 1 }), volume],
  ['AdaptiveAvgPool2d of one cell', () => new nn.AdaptiveAvgPool2d(1), image],
  ['AdaptiveAvgPool2d that divides', () => new nn.AdaptiveAvgPool2d([4, 3]), image],
  ['AdaptiveAvgPool2d that does not', () => new nn.AdaptiveAvgPool2d([3, 4]), image],
  ['AdaptiveMaxPool1d', () => new nn.AdaptiveMaxPool1d(4), sequence],
  ['GlobalAvgPool2d', () => new nn.GlobalAvgPool2d(), image],
  ['GlobalMaxPool1d', () => new nn.GlobalMaxPool1d(), sequence],
  ['BatchNorm2d', () => trained(new nn.BatchNorm2d(4)), image],
  ['BatchNorm1d', () => trained(new nn.BatchNorm1d(4)), [2, 4]],
  ['LayerNorm', () => new nn.LayerNorm([6, 4]), image],
  ['GroupNorm', () => new nn.GroupNorm(2, 4), image],
  ['InstanceNorm2d', () => new nn.InstanceNorm2d(4), image],
  ['Linear on images', () => new nn.Linear(4, 3), image],
  ['Linear', () => new nn.Linear(4, 3), [2, 4]],
  ['Flatten', () => new nn.Flatten(), image],
  ['PReLU', () => new nn.PReLU(4), image],
  ['Softmax along rows', () => new nn.Softmax(1), image],
  ['Upsample', () => new nn.Upsample({ scale: 2 }), image],
  ['Upsample by thirds', () => new nn.Upsample({ size: [11, 8], mode: 'nearest' }), image],
  ['Upsample, bilinear', () => new nn.Upsample({ scale: 1.5, mode: 'bilinear' }), image],
  ['Upsample, corners aligned', () => new nn.Upsample({ size: [5, 9], mode: 'bilinear', alignCorners: true }), image],
  ['PixelShuffle', () => new nn.PixelShuffle(2), image],
  ['PixelUnshuffle', () => new nn.PixelUnshuffle(2), image],
  ['Dropout', () => new nn.Dropout(0.5), image],
  ...(
    ['ReLU', 'ReLU6', 'LeakyReLU', 'ELU', 'GELU', 'SiLU', 'HardSwish', 'HardSigmoid', 'Hardtanh', 'Softplus', 'Sigmoid', 'Tanh'] as const
  ).map((name): Case => [name, () => new nn[name](), image]),
  ['GELU by tanh', () => new nn.GELU({ approximate: 'tanh' }), image],
  ['Softplus of another slope', () => fn((x) => ops.softplus(x, 2)), image],
  [
    'arithmetic behind a convolution',
    () =>
      new nn.Sequential(
        new nn.Conv2d(4, 4, 1),
        fn((x, w) => ops.div(ops.sub(ops.mul(x, w), 2), ops.add(ops.square(x), 1))),
      ),
    image,
  ],
  [
    'broadcast along other axes',
    () =>
      new nn.Sequential(
        new nn.Conv2d(4, 4, 1),
        fn((x) => ops.maximum(x, ops.mean(x, { axis: [1, 3], keepDims: true }))),
      ),
    image,
  ],
  ['comparisons', () => fn((x, w) => ops.where(ops.greater(x, w), x, ops.minimum(ops.equal(x, x), w))), image],
  [
    'slices, steps and pads',
    () =>
      new nn.Sequential(
        new nn.Conv2d(4, 4, 1),
        fn((x) =>
          ops.pad(
            ops.slice(x, [0, 1, 9], [9, 7, 0], [1, 2, -2]),
            [
              [0, 0],
              [1, 2],
              [0, 0],
              [0, 1],
            ],
            { value: 3 },
          ),
        ),
      ),
    image,
  ],
  [
    'a concatenation of images',
    () =>
      new nn.Sequential(
        new nn.Conv2d(4, 4, 1),
        fn((x) => ops.concat([x, ops.relu(x)], -1)),
      ),
    image,
  ],
  ['matrices of each sample', () => fn((x) => ops.matmul(x, x, { transposeB: true })), sequence],
  [
    'reductions',
    () =>
      new nn.Sequential(
        new nn.Conv2d(4, 4, 1),
        fn((x) => ops.sub(ops.max(x, { axis: 1 }), ops.sum(x, { axis: 1 }))),
      ),
    image,
  ],
  ['rounding', () => fn((x) => ops.cast(ops.cast(ops.mul(x, 3), 'int32'), 'float32')), image],
  ['places of maxima', () => fn((x) => ops.cast(ops.argmax(x, 1), 'float32')), image],
  [
    'what follows in the last pass',
    () =>
      fn((x, w) => {
        const kernel = ops.reshape(w, [1, 1, 1, 4]);
        const y = ops.conv2d(x, kernel, { groups: 4, add: x, activation: 'relu6' });
        return ops.linear(y, ops.reshape(w, [1, 4]), null, { activation: 'relu' });
      }),
    image,
  ],
  ['Residual', () => new nn.Residual(new nn.Conv2d(4, 4, 3, { padding: 1 })), image],
  ['AdaptiveMaxPool2d that keeps its rows', () => new nn.AdaptiveMaxPool2d([8, 4]), image],
  ['LocallyConnected2d of one tap', () => new nn.LocallyConnected2d(4, 3, 1, { inputSize: [8, 6], bias: false }), image],
  ['Linear without bias', () => new nn.Linear(4, 3, { bias: false }), [2, 4]],
  ['PReLU of one slope', () => new nn.PReLU(1), image],
  ['PReLU of slopes that are computed', () => fn((x, w) => ops.prelu(x, ops.square(w))), image],
  ['batch norm of statistics alone', () => fn((x, w) => ops.batchNorm(x, { runningMean: w, runningVar: ops.square(w) })), image],
  ['a lower end', () => fn((x) => ops.clamp(x, 0.25, Infinity)), image],
  ['an upper end', () => fn((x) => ops.clamp(x, -Infinity, 0.25)), image],
  ['two ends', () => fn((x) => ops.clamp(x, -0.5, 0.25)), image],
  ['a slice of all', () => fn((x) => ops.slice(x, [0, 0], [9, 9])), image],
  ['a slice backwards, not to the end', () => fn((x) => ops.slice(x, [0, 6], [9, 2], [1, -3])), image],
  ['a slice of nothing', () => fn((x) => ops.concat([x, ops.slice(x, [0, 5], [9, 5])], 1)), image],
  ['a sum over no axis', () => fn((x) => ops.sum(ops.sum(x, { axis: [] }), { axis: 3 })), image],
  [
    'rows and channels beside images that are channels first',
    () =>
      new nn.Sequential(
        new nn.Conv2d(4, 4, 1),
        fn((x, w) => ops.add(x, ops.mul(ops.reshape(w, [1, 4]), ones([6, 1])))),
      ),
    image,
  ],
  ['a batch that is not the first axis', () => fn((x) => ops.transpose(x, [1, 0])), [2, 4]],
  [
    'a product with itself under another shape',
    () => fn((x) => ops.reshape(ops.matmul(x, x, { transposeB: true }), [1, x.shape[0]!, -1])),
    [2, 4],
  ],
];

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

const networks: readonly Case[] = [
  ['lenet5', () => models.lenet5(), [2, 28, 28, 1]],
  ['resnet18', () => trained(models.resnet18({ classes: 5 })), [1, 32, 32, 3]],
  ['mobilenetV2', () => trained(models.mobilenetV2({ classes: 5 })), [1, 32, 32, 3]],
];

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

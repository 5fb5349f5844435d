import * as receptive from '../lib';
import { data, evaluate, inspect, losses, models, nn, ones, ops, optim, type Tensor, Trainer, zeros } from '../lib';

// Every function and constructor that takes options, called with some that it does not have.

const image = ones([1, 4, 4, 1]);
const [matrix, labels] = [ones([2, 2]), ones([2], { dtype: 'int32' })];
const kernel = ones([2, 2, 1, 1]);
const sequence = ones([1, 4, 1]);
const volume = ones([1, 4, 4, 4, 1]);
const parameters = [ones([2], { requiresGrad: true })];
const model = new nn.Linear(2, 2);
const dataset: data.Dataset = { length: 2, batch: () => ({ x: matrix, y: labels }) };
const loader = new data.DataLoader(dataset, { batchSize: 2 });
const trainer = new Trainer(model, { optimizer: new optim.SGD(model.parameters(), { lr: 1 }), loss: losses.crossEntropy });

type Call = (options: never) => unknown;

/** Names of functions called with the options, of which some may be left out altogether. */
const optional: readonly (readonly [operation: string, call: Call])[] = [
  ['tensor', (o) => receptive.tensor([1], null, o)],
  ['full', (o) => receptive.full([1], 2, o)],
  ['zeros', (o) => receptive.zeros([1], o)],
  ['ones', (o) => receptive.ones([1], o)],
  ['arange', (o) => receptive.arange(0, 3, 1, o)],
  ['randn', (o) => receptive.randn([1], o)],
  ['uniform', (o) => receptive.uniform([1], 0, 1, o)],
  ['fromBuffer', (o) => receptive.fromBuffer(new ArrayBuffer(4), [1], o)],
  ['fullLike', (o) => receptive.fullLike(matrix, 2, o)],
  ['zerosLike', (o) => receptive.zerosLike(matrix, o)],
  ['onesLike', (o) => receptive.onesLike(matrix, o)],
  ['randnLike', (o) => receptive.randnLike(matrix, o)],
  ['uniformLike', (o) => receptive.uniformLike(matrix, 0, 1, o)],
  ['argmax', (o) => ops.argmax(matrix, 0, o)],
  ['conv1d', (o) => ops.conv1d(sequence, ones([2, 1, 1]), o)],
  ['conv2d', (o) => ops.conv2d(image, kernel, o)],
  ['conv3d', (o) => ops.conv3d(volume, ones([2, 2, 2, 1, 1]), o)],
  ['convTranspose1d', (o) => ops.convTranspose1d(sequence, ones([2, 1, 1]), o)],
  ['convTranspose2d', (o) => ops.convTranspose2d(image, kernel, o)],
  ['locallyConnected2d', (o) => ops.locallyConnected2d(image, ones([3, 3, 2, 2, 1, 1]), o)],
  ['dropout', (o) => ops.dropout(matrix, 0.5, o)],
  ['pad', (o) => ops.pad(sequence, Array(3).fill([0, 0]), o)],
  ['dropout1d', (o) => ops.dropout1d(sequence, 0.5, o)],
  ['dropout2d', (o) => ops.dropout2d(image, 0.5, o)],
  ['embedding', (o) => ops.embedding(labels, matrix, o)],
  ['matmul', (o) => ops.matmul(matrix, matrix, o)],
  ...(['sum', 'mean', 'max', 'min', 'softmax', 'logSoftmax'] as const).map((name) => [name, (o: never) => ops[name](matrix, o)] as const),
  ['Conv1d', (o) => new nn.Conv1d(1, 1, 2, o)],
  ['Conv2d', (o) => new nn.Conv2d(1, 1, 2, o)],
  ['Conv3d', (o) => new nn.Conv3d(1, 1, 2, o)],
  ['ConvTranspose1d', (o) => new nn.ConvTranspose1d(1, 1, 2, o)],
  ['ConvTranspose2d', (o) => new nn.ConvTranspose2d(1, 1, 2, o)],
  ['Embedding', (o) => new nn.Embedding(2, 2, o)],
  ['Linear', (o) => new nn.Linear(1, 1, o)],
  ['MaxPool1d', (o) => new nn.MaxPool1d(2, o)],
  ['MaxPool2d', (o) => new nn.MaxPool2d(2, o)],
  ['MaxUnpool2d', (o) => new nn.MaxUnpool2d(2, o)],
  ['MaxPool3d', (o) => new nn.MaxPool3d(2, o)],
  ['AvgPool1d', (o) => new nn.AvgPool1d(2, o)],
  ['AvgPool2d', (o) => new nn.AvgPool2d(2, o)],
  ['AvgPool3d', (o) => new nn.AvgPool3d(2, o)],
  ['BatchNorm1d', (o) => new nn.BatchNorm1d(2, o)],
  ['BatchNorm2d', (o) => new nn.BatchNorm2d(2, o)],
  ['BatchNorm3d', (o) => new nn.BatchNorm3d(2, o)],
  ['loadStateDict', (o) => model.loadStateDict(model.stateDict(), o)],
  ['init.kaimingUniform', (o) => nn.init.kaimingUniform(ones([2, 2]), o)],
  ['init.kaimingNormal', (o) => nn.init.kaimingNormal(ones([2, 2]), o)],
  ['Adam', (o) => new optim.Adam(parameters, o)],
  ['AdamW', (o) => new optim.AdamW(parameters, o)],
  ['RMSprop', (o) => new optim.RMSprop(parameters, o)],
  ['cosine', (o) => optim.cosine(1, o)],
  ['oneCycle', (o) => optim.oneCycle(1, o)],
  ['Plateau', (o) => new optim.Plateau(o)],
  ['crossEntropy', (o) => losses.crossEntropy(matrix, labels, o)],
  ...(['mse', 'l1', 'bceWithLogits'] as const).map((name) => [name, (o: never) => losses[name](matrix, matrix, o)] as const),
  ['drawReceptiveField', (o) => inspect.drawReceptiveField(model, [1, 2], o)],
  ['lenet5', (o) => models.lenet5(o)],
  ...(['resnet18', 'resnet34', 'resnet50', 'mobilenetV2', 'smallVgg'] as const).map(
    (name) => [name, (o: never) => models[name](o)] as const,
  ),
  ['TextDataset', (o) => new data.TextDataset(['a'], ['b'], o)],
  ['Tokenizer.fit', (o) => data.Tokenizer.fit([], o)],
  ['evaluate', (o) => trainer.evaluate(loader, o)],
  ['augment', (o) => new data.DataLoader(dataset, { batchSize: 1, augment: o })],
];

/** Those that make too much to be called for nothing. */
const large: typeof optional = (['vgg11', 'vgg13', 'vgg16'] as const).map((name) => [name, (o: never) => models[name](o)] as const);

/** Those where at least one option has no default. */
const required: typeof optional = [
  ['batchNorm', (o) => ops.batchNorm(image, o)],
  ['maxPool1d', (o) => ops.maxPool1d(sequence, o)],
  ['maxPool2d', (o) => ops.maxPool2d(image, o)],
  ['maxPool2dWithIndices', (o) => ops.maxPool2dWithIndices(image, o)],
  ['maxUnpool2d', (o) => ops.maxUnpool2d(image, image, o)],
  ['maxPool3d', (o) => ops.maxPool3d(volume, o)],
  ['avgPool3d', (o) => ops.avgPool3d(volume, o)],
  ['avgPool1d', (o) => ops.avgPool1d(sequence, o)],
  ['avgPool2d', (o) => ops.avgPool2d(image, o)],
  ['LocallyConnected2d', (o) => new nn.LocallyConnected2d(1, 1, 2, o)],
  ['upsample', (o) => ops.upsample(image, o)],
  ['Upsample', (o) => new nn.Upsample(o)],
  ['SGD', (o) => new optim.SGD(parameters, o)],
  ['step', (o) => optim.step(1, o)],
  ['multiStep', (o) => optim.multiStep(1, o)],
  ['exponential', (o) => optim.exponential(1, o)],
  ['cosineRestarts', (o) => optim.cosineRestarts(1, o)],
  ['warmUp', (o) => optim.warmUp(() => 1, o)],
  ['mlp', (o) => models.mlp(o)],
  ['textCnn', (o) => models.textCnn(o)],
  ['charCnn', (o) => models.charCnn(o)],
  ['DataLoader', (o) => new data.DataLoader(dataset, o)],
  ['ImageDataset', (o) => new data.ImageDataset(zeros([1, 1, 1, 1], { dtype: 'uint8' }), new Int32Array(1), o)],
  ['mnist', (o) => data.mnist(o)],
  ['csv', (o) => data.csv(o)],
  ['jsonl', (o) => data.jsonl(o)],
  ['textFolder', (o) => data.textFolder(o)],
  ['fashionMnist', (o) => data.fashionMnist(o)],
  ['imageFolder', (o) => data.imageFolder(o)],
  ['readImages', (o) => data.readImages([], o)],
  ['cifar10', (o) => data.cifar10(o)],
  ['cifar100', (o) => data.cifar100(o)],
  ['Trainer', (o) => new Trainer(model, o)],
  ['fit', (o) => trainer.fit(loader, o).next()],
  ['evaluate', (o) => evaluate(model, loader, o)],
];

/** What is thrown or rejected with. */
async function faultOf(call: Call, options: unknown): Promise<{ code: string; message: string }> {
  try {
    await call(options as never);
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    return { code, message };
  }
  throw new Error('nothing was thrown');
}

describe.each([...optional, ...large, ...required])('%s', (operation, call) => {
  test.each(['nonesuch', 'constructor'])('names an option it does not have: %s', async (name) => {
    const { code, message } = await faultOf(call, { [name]: undefined });
    expect(code).toBe('ERR_INVALID_VALUE');
    expect(message).toContain(`${operation}: an option name is "${name}", expected one of `);
  });

  test.each([null, 2, false, 'same', [1], () => 1])('expects an object of options, not %p', async (options) => {
    const { code, message } = await faultOf(call, options);
    expect(code).toBe('ERR_INVALID_TYPE');
    expect(message).toMatch(`${operation}: options is `);
  });

  test('does not take a tensor for options', async () => {
    expect((await faultOf(call, matrix)).message).toContain(`${operation}: an option name is "shape"`);
  });
});

test.each(optional)('%s may be called without options', async (_, call) => {
  await call(undefined as never);
});

test.each(required)('%s may not be called without options', async (operation, call) => {
  const { code, message } = await faultOf(call, undefined);
  expect([code.startsWith('ERR_INVALID_'), message.startsWith(`${operation}: `)]).toEqual([true, true]);
});

test('the error lists what there is', async () => {
  const pool = () => new nn.MaxPool2d(2, { strides: 1 } as never);
  expect(pool).toThrow('MaxPool2d: an option name is "strides", expected one of stride, padding, dilation, ceilMode');
  expect(() => ops.sum(matrix, 0 as never)).toThrow('sum: options is 0, expected an object such as { axis, keepDims }');
  expect(() => new Trainer(model, { optimizer: trainer.optimizer, loss: losses.mse, metrics: losses.mse as never })).toThrow(
    'Trainer: metrics is a function, expected an object of functions',
  );
});

test('options made by a class or without a prototype count as any', () => {
  class Settings {
    axis = 0;
  }
  const x: Tensor = ones([2, 3]);
  expect(ops.sum(x, new Settings()).shape).toEqual([3]);
  expect(ops.sum(x, Object.assign(Object.create(null), { axis: 1 })).shape).toEqual([2]);
});

test.each<[string, () => unknown]>([
  ['maxPool2d: ceilMode', () => ops.maxPool2d(image, { kernelSize: 2, ceilMode: 'false' as never })],
  ['avgPool2d: countIncludePad', () => ops.avgPool2d(image, { kernelSize: 2, countIncludePad: 1 as never })],
  ['sum: keepDims', () => ops.sum(matrix, { keepDims: 'no' as never })],
  ['matmul: transposeB', () => ops.matmul(matrix, matrix, { transposeB: 'no' as never })],
  ['dropout: training', () => ops.dropout(matrix, 0.5, { training: 'no' as never })],
  ['tensor: requiresGrad', () => receptive.tensor([1], null, { requiresGrad: 0 as never })],
  ['Linear: bias', () => new nn.Linear(2, 2, { bias: 'no' as never })],
  ['Conv2d: bias', () => new nn.Conv2d(2, 2, 3, { bias: null as never })],
  ['SGD: nesterov', () => new optim.SGD(parameters, { lr: 1, nesterov: 'no' as never })],
  ['DataLoader: shuffle', () => new data.DataLoader(dataset, { batchSize: 1, shuffle: 'no' as never })],
])('%s must be true or false', (what, call) => {
  expect(call).toThrow(TypeError);
  expect(call).toThrow(new RegExp(`^${what} is .*, expected true or false$`));
});

test.each<[string, () => unknown]>([
  ['conv2d: stride', () => ops.conv2d(image, kernel, { stride: new Array(2) as never })],
  ['conv2d: padding', () => ops.conv2d(image, kernel, { padding: new Array(4) as never })],
  ['maxPool2d: kernelSize', () => ops.maxPool2d(image, { kernelSize: new Array(2) as never })],
])('%s of holes is an error', (what, call) => {
  expect(call).toThrow(what);
});

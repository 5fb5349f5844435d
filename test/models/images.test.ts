import { losses, manualSeed, models, nn, ops, randn, tensor, tidy } from '../../lib';
import { fault } from '../support/fault';

const count = (model: nn.Module): number => model.parameters().reduce((n, { size }) => n + size, 0);

/** Parameters of VGG's fully connected layers with so many hidden units. */
const connected = (hidden: number): number => (7 * 7 * 512 + 1) * hidden + (hidden + 1) * hidden + (hidden + 1) * 1000;
/** What is left of a published VGG whose fully connected layers have one hidden unit: as it is, it takes seconds to fill. */
const thin = (published: number): number => published - connected(4096) + connected(1);

/** torchvision's numbers of parameters for 1000 classes. */
const sizes: readonly (readonly [string, () => nn.Module, number])[] = [
  ['vgg11', () => models.vgg11({ hidden: 1 }), thin(132_863_336)],
  ['vgg11 with batch norm', () => models.vgg11({ hidden: 1, batchNorm: true }), thin(132_868_840)],
  ['vgg13', () => models.vgg13({ hidden: 1 }), thin(133_047_848)],
  ['vgg16', () => models.vgg16(), 138_357_544],
  ['resnet18', () => models.resnet18(), 11_689_512],
  ['resnet34', () => models.resnet34(), 21_797_672],
  ['resnet50', () => models.resnet50(), 25_557_032],
  ['mobilenetV2', () => models.mobilenetV2(), 3_504_872],
  ['mobilenetV2 of half the width', () => models.mobilenetV2({ width: 0.5 }), 1_968_680],
  ['mobilenetV2 of 1.4 times the width', () => models.mobilenetV2({ width: 1.4 }), 6_108_776],
];

test.each(sizes)('%s has the parameters of the published network', (_, make, expected) => {
  const model = make();
  expect(count(model)).toBe(expected);
  model.dispose();
});

/** Networks of each kind that are small enough to be trained here. */
const small: readonly (readonly [string, () => nn.Module, number[]])[] = [
  ['vgg11', () => models.vgg11({ classes: 5, size: 32, width: 8, hidden: 16 }), [2, 32, 32, 3]],
  [
    'vgg13 with batch norm',
    () => models.vgg13({ classes: 5, size: 64, width: 8, hidden: 16, batchNorm: true, channels: 1 }),
    [2, 64, 64, 1],
  ],
  ['vgg16 of other images than it was built for', () => models.vgg16({ classes: 5, size: 64, width: 8, hidden: 16 }), [2, 96, 80, 3]],
  ['resnet18', () => models.resnet18({ classes: 5, width: 8, stem: 'cifar' }), [2, 16, 16, 3]],
  ['resnet34', () => models.resnet34({ classes: 5, width: 8, channels: 1 }), [2, 64, 64, 1]],
  ['resnet50', () => models.resnet50({ classes: 5, width: 8, stem: 'cifar' }), [2, 16, 16, 3]],
  ['mobilenetV2', () => models.mobilenetV2({ classes: 5, width: 0.25 }), [2, 64, 64, 3]],
  ['smallVgg', () => models.smallVgg({ classes: 5 }), [2, 13, 12, 3]],
];

test.each(small)('%s gives logits, and every parameter a gradient', (_, make, shape) => {
  manualSeed(3);
  const model = make();
  tidy(() => {
    const output = model.forward(randn(shape));
    expect(output.shape).toEqual([2, 5]);
    losses.crossEntropy(output, tensor(Int32Array.of(1, 4))).backward();
  });
  for (const [name, { grad }] of model.namedParameters()) {
    expect([name, grad?.dataSync().some((g) => g !== 0)]).toEqual([name, true]);
    expect(grad!.dataSync().every(Number.isFinite)).toBe(true);
  }
  expect(model.eval().forward(randn(shape)).dataSync().every(Number.isFinite)).toBe(true);
});

test('smallVgg › stages of convolutions with halving pools between them', () => {
  const model = models.smallVgg({ classes: 7, channels: 1, stages: [[4, 6], [8]] });
  expect([...model].map(String)).toEqual([
    'Conv2d(1, 4, 3, { padding: 1, bias: false })',
    'BatchNorm2d(4)',
    'ReLU()',
    'Conv2d(4, 6, 3, { padding: 1, bias: false })',
    'BatchNorm2d(6)',
    'ReLU()',
    'MaxPool2d(2)',
    'Conv2d(6, 8, 3, { padding: 1, bias: false })',
    'BatchNorm2d(8)',
    'ReLU()',
    'GlobalAvgPool2d()',
    'Linear(8, 7)',
  ]);
});

describe('parts are named as torchvision names them', () => {
  const shapes = (model: nn.Module) => Object.fromEntries(Object.entries(model.stateDict()).map(([name, { shape }]) => [name, shape]));

  test('vgg', () => {
    const found = shapes(models.vgg11({ classes: 10, size: 32, hidden: 32, batchNorm: true }));
    expect(found).toMatchObject({
      'features.0.weight': [3, 3, 3, 64],
      'features.1.runningMean': [64],
      'features.4.weight': [3, 3, 64, 128],
      'features.25.weight': [3, 3, 512, 512],
      'classifier.0.weight': [32, 512],
      'classifier.3.weight': [32, 32],
      'classifier.6.weight': [10, 32],
    });
  });

  test('resnet', () => {
    expect(shapes(models.resnet18())).toMatchObject({
      'conv1.weight': [7, 7, 3, 64],
      'bn1.weight': [64],
      'layer1.0.conv1.weight': [3, 3, 64, 64],
      'layer1.1.bn2.runningVar': [64],
      'layer2.0.conv1.weight': [3, 3, 64, 128],
      'layer2.0.downsample.0.weight': [1, 1, 64, 128],
      'layer2.0.downsample.1.bias': [128],
      'layer4.1.conv2.weight': [3, 3, 512, 512],
      'fc.weight': [1000, 512],
    });
    const deep = shapes(models.resnet50({ stem: 'cifar' }));
    expect(deep).toMatchObject({
      'conv1.weight': [3, 3, 3, 64],
      'layer1.0.downsample.0.weight': [1, 1, 64, 256],
      'layer3.5.conv3.weight': [1, 1, 256, 1024],
      'fc.weight': [1000, 2048],
    });
    // 53 convolutions, as many batch norms of four tensors, one fully connected layer
    expect(Object.keys(deep)).toHaveLength(53 + 4 * 53 + 2);
  });

  test('mobilenetV2', () => {
    const found = shapes(models.mobilenetV2());
    expect(found).toMatchObject({
      'features.0.0.weight': [3, 3, 3, 32],
      'features.1.conv.0.0.weight': [3, 3, 1, 32],
      'features.1.conv.1.weight': [1, 1, 32, 16],
      'features.2.conv.0.0.weight': [1, 1, 16, 96],
      'features.2.conv.1.0.weight': [3, 3, 1, 96],
      'features.2.conv.2.weight': [1, 1, 96, 24],
      'features.17.conv.3.runningVar': [320],
      'features.18.0.weight': [1, 1, 320, 1280],
      'classifier.1.weight': [1000, 1280],
    });
    expect(Object.keys(found)).toHaveLength(52 + 4 * 52 + 2);
  });
});

test('a residual block adds its input, or what its shortcut makes of it', () => {
  const model = models.resnet18({ classes: 2, width: 4, stem: 'cifar' }).eval();
  const state = model.stateDict();
  const still = (name: string) => Object.keys(state).filter((key) => key.startsWith(name) && key.endsWith('bn2.weight'));
  for (const name of [...still('layer1.'), ...still('layer2.0')]) nn.init.zeros(state[name]); // only the shortcut is left
  const x = ops.relu(randn([1, 8, 8, 4]));
  expect([...model.layer1.forward(x).dataSync()]).toEqual([...x.dataSync()]);
  const parts = new Map(model.layer2.at(0)!.namedParts());
  const [conv, norm] = parts.get('downsample') as nn.Sequential;
  expect([...model.layer2.at(0)!.forward(x).dataSync()]).toEqual([...ops.relu(norm.forward(conv.forward(x))).dataSync()]);
});

test("initial values are torchvision's", () => {
  manualSeed(1);
  const deviation = (values: ArrayLike<number>) => {
    const list = Array.from(values);
    const mean = list.reduce((a, b) => a + b, 0) / list.length;
    return Math.sqrt(list.reduce((sum, v) => sum + (v - mean) ** 2, 0) / list.length);
  };
  const vgg = models.vgg11({ size: 32, hidden: 256 }).stateDict();
  expect(deviation(vgg['features.8.weight'].dataSync())).toBeCloseTo(Math.sqrt(2 / (256 * 9)), 3);
  expect(new Set(vgg['features.8.bias'].dataSync())).toEqual(new Set([0]));
  expect(deviation(vgg['classifier.3.weight'].dataSync())).toBeCloseTo(0.01, 4);
  expect(new Set(vgg['classifier.3.bias'].dataSync())).toEqual(new Set([0]));
  const resnet = models.resnet18().stateDict();
  expect(deviation(resnet['layer2.0.conv1.weight'].dataSync())).toBeCloseTo(Math.sqrt(2 / (128 * 9)), 3);
  expect(resnet['fc.weight'].dataSync().every((v) => Math.abs(v) <= 1 / Math.sqrt(512))).toBe(true);
  const mobile = models.mobilenetV2().stateDict();
  expect(deviation(mobile['features.17.conv.1.0.weight'].dataSync())).toBeCloseTo(Math.sqrt(2 / (960 * 9)), 3);
  expect(deviation(mobile['classifier.1.weight'].dataSync())).toBeCloseTo(0.01, 4);
});

test.each<[() => unknown, string]>([
  [() => models.vgg11({ size: 31 }), 'vgg11: size is 31, expected an integer of at least 32'],
  [() => models.vgg16({ width: 0 }), 'vgg16: width is 0, expected a positive integer'],
  [() => models.vgg13({ size: 32, hidden: 0.5 }), 'Linear: outFeatures is 0.5'],
  [() => models.resnet34({ stem: 'big' as never }), 'resnet34: stem is "big", expected imagenet or cifar'],
  [() => models.resnet50({ width: -1 }), 'resnet50: width is -1, expected a positive integer'],
  [() => models.smallVgg({ stages: [] }), 'smallVgg: stages is [], expected a list of stages'],
  [() => models.smallVgg({ stages: [[8], []] }), 'smallVgg: stages is [[…],[…]], expected a list of stages'],
  [() => models.smallVgg({ stages: [[0]] }), 'Conv2d: outChannels is 0'],
  [() => models.mobilenetV2({ width: 0 }), 'mobilenetV2: width is 0, expected a positive number'],
])('what cannot be built %#', (make, message) => {
  expect(fault(make).message).toContain(message);
});

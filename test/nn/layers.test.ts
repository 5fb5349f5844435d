import { memory, nn, noGrad, ones, ops, randn, type Shape, type Tensor, tensor } from '../../lib';
import { normalBelow } from '../support/normal';

interface Case {
  layer: nn.Module;
  shows: string;
  input: Shape;
  output: Shape;
  parameters: number;
}

const cases: Case[] = [
  { layer: new nn.Conv2d(3, 8, 5), shows: 'Conv2d(3, 8, 5)', input: [2, 9, 7, 3], output: [2, 5, 3, 8], parameters: 608 },
  {
    layer: new nn.Conv2d(4, 6, [3, 1], { stride: 2, padding: 'same', dilation: [2, 1], groups: 2, bias: false }),
    shows: 'Conv2d(4, 6, [3,1], { stride: 2, padding: "same", dilation: [2,1], groups: 2, bias: false })',
    input: [1, 7, 6, 4],
    output: [1, 4, 3, 6],
    parameters: 36,
  },
  { layer: new nn.Conv1d(3, 8, 5), shows: 'Conv1d(3, 8, 5)', input: [2, 9, 3], output: [2, 5, 8], parameters: 128 },
  {
    layer: new nn.Conv1d(4, 6, 3, { stride: 2, padding: [2, 1], dilation: 2, groups: 2, bias: false }),
    shows: 'Conv1d(4, 6, 3, { stride: 2, padding: [2,1], dilation: 2, groups: 2, bias: false })',
    input: [1, 7, 4],
    output: [1, 3, 6],
    parameters: 36,
  },
  {
    layer: new nn.Conv3d(3, 8, [3, 5, 1]),
    shows: 'Conv3d(3, 8, [3,5,1])',
    input: [2, 4, 9, 3, 3],
    output: [2, 2, 5, 3, 8],
    parameters: 368,
  },
  {
    layer: new nn.Conv3d(4, 6, 2, { stride: [1, 2, 2], padding: 'same', paddingMode: 'replicate', groups: 2, bias: false }),
    shows: 'Conv3d(4, 6, 2, { stride: [1,2,2], padding: "same", paddingMode: "replicate", groups: 2, bias: false })',
    input: [1, 3, 4, 5, 4],
    output: [1, 3, 2, 3, 6],
    parameters: 96,
  },
  {
    layer: new nn.ConvTranspose1d(3, 8, 5),
    shows: 'ConvTranspose1d(3, 8, 5)',
    input: [2, 9, 3],
    output: [2, 13, 8],
    parameters: 128,
  },
  {
    layer: new nn.ConvTranspose2d(6, 4, [3, 1], { stride: 2, padding: [1, 0], outputPadding: 1, dilation: [2, 1], groups: 2, bias: false }),
    shows: 'ConvTranspose2d(6, 4, [3,1], { stride: 2, padding: [1,0], outputPadding: 1, dilation: [2,1], groups: 2, bias: false })',
    input: [1, 3, 4, 6],
    output: [1, 8, 8, 4],
    parameters: 36,
  },
  {
    layer: new nn.LocallyConnected2d(3, 8, 5, { inputSize: [9, 7] }),
    shows: 'LocallyConnected2d(3, 8, 5, { inputSize: [9,7] })',
    input: [2, 9, 7, 3],
    output: [2, 5, 3, 8],
    parameters: 15 * 608,
  },
  {
    layer: new nn.LocallyConnected2d(4, 6, [3, 1], { inputSize: 7, stride: 2, padding: 'same', dilation: [2, 1], bias: false }),
    shows: 'LocallyConnected2d(4, 6, [3,1], { inputSize: 7, stride: 2, padding: "same", dilation: [2,1], bias: false })',
    input: [1, 7, 7, 4],
    output: [1, 4, 4, 6],
    parameters: 16 * 72,
  },
  {
    layer: new nn.Conv1d(3, 2, 4, { padding: 'same', paddingMode: 'replicate' }),
    shows: 'Conv1d(3, 2, 4, { padding: "same", paddingMode: "replicate" })',
    input: [2, 5, 3],
    output: [2, 5, 2],
    parameters: 26,
  },
  {
    layer: new nn.Conv2d(3, 2, 3, { stride: 2, padding: [2, 1], paddingMode: 'reflect' }),
    shows: 'Conv2d(3, 2, 3, { stride: 2, padding: [2,1], paddingMode: "reflect" })',
    input: [1, 5, 4, 3],
    output: [1, 4, 2, 2],
    parameters: 56,
  },
  { layer: new nn.Linear(3, 2), shows: 'Linear(3, 2)', input: [4, 5, 3], output: [4, 5, 2], parameters: 8 },
  { layer: new nn.BatchNorm3d(3), shows: 'BatchNorm3d(3)', input: [2, 4, 2, 4, 3], output: [2, 4, 2, 4, 3], parameters: 6 },
  { layer: new nn.BatchNorm2d(3), shows: 'BatchNorm2d(3)', input: [2, 4, 4, 3], output: [2, 4, 4, 3], parameters: 6 },
  {
    layer: new nn.BatchNorm1d(3, { eps: 0.1, momentum: 0.5, affine: false }),
    shows: 'BatchNorm1d(3, { eps: 0.1, momentum: 0.5, affine: false })',
    input: [5, 3],
    output: [5, 3],
    parameters: 0,
  },
  {
    layer: new nn.MaxPool2d(3, { stride: 2, ceilMode: true, padding: 1, dilation: 1 }),
    shows: 'MaxPool2d(3, { stride: 2, ceilMode: true, padding: 1, dilation: 1 })',
    input: [1, 8, 8, 2],
    output: [1, 5, 5, 2],
    parameters: 0,
  },
  { layer: new nn.MaxPool2d([2, 1]), shows: 'MaxPool2d([2,1])', input: [1, 8, 8, 2], output: [1, 4, 8, 2], parameters: 0 },
  {
    layer: new nn.AvgPool2d(2, { countIncludePad: false, padding: 1 }),
    shows: 'AvgPool2d(2, { countIncludePad: false, padding: 1 })',
    input: [1, 4, 4, 2],
    output: [1, 3, 3, 2],
    parameters: 0,
  },
  {
    layer: new nn.MaxPool1d(3, { stride: 2, padding: [1, 0] }),
    shows: 'MaxPool1d(3, { stride: 2, padding: [1,0] })',
    input: [1, 8, 2],
    output: [1, 4, 2],
    parameters: 0,
  },
  { layer: new nn.AvgPool1d(2), shows: 'AvgPool1d(2)', input: [1, 5, 2], output: [1, 2, 2], parameters: 0 },
  { layer: new nn.AdaptiveAvgPool1d(3), shows: 'AdaptiveAvgPool1d(3)', input: [2, 7, 4], output: [2, 3, 4], parameters: 0 },
  {
    layer: new nn.AdaptiveAvgPool2d([2, null]),
    shows: 'AdaptiveAvgPool2d([2,null])',
    input: [1, 5, 4, 3],
    output: [1, 2, 4, 3],
    parameters: 0,
  },
  { layer: new nn.AdaptiveMaxPool1d(3), shows: 'AdaptiveMaxPool1d(3)', input: [2, 7, 4], output: [2, 3, 4], parameters: 0 },
  { layer: new nn.AdaptiveMaxPool2d(2), shows: 'AdaptiveMaxPool2d(2)', input: [1, 5, 4, 3], output: [1, 2, 2, 3], parameters: 0 },
  { layer: new nn.GlobalAvgPool1d(), shows: 'GlobalAvgPool1d()', input: [2, 7, 4], output: [2, 4], parameters: 0 },
  { layer: new nn.GlobalAvgPool2d(), shows: 'GlobalAvgPool2d()', input: [2, 3, 4, 5], output: [2, 5], parameters: 0 },
  { layer: new nn.GlobalMaxPool1d(), shows: 'GlobalMaxPool1d()', input: [2, 7, 4], output: [2, 4], parameters: 0 },
  { layer: new nn.GlobalMaxPool2d(), shows: 'GlobalMaxPool2d()', input: [2, 3, 4, 5], output: [2, 5], parameters: 0 },
  {
    layer: new nn.Upsample({ scale: [2, 1.5], mode: 'bilinear', alignCorners: true }),
    shows: 'Upsample({ scale: [2,1.5], mode: "bilinear", alignCorners: true })',
    input: [1, 3, 4, 2],
    output: [1, 6, 6, 2],
    parameters: 0,
  },
  { layer: new nn.Upsample({ size: 5 }), shows: 'Upsample({ size: 5 })', input: [1, 3, 4, 2], output: [1, 5, 5, 2], parameters: 0 },
  { layer: new nn.PixelShuffle(2), shows: 'PixelShuffle(2)', input: [1, 3, 4, 8], output: [1, 6, 8, 2], parameters: 0 },
  { layer: new nn.PixelUnshuffle(2), shows: 'PixelUnshuffle(2)', input: [1, 6, 8, 2], output: [1, 3, 4, 8], parameters: 0 },
  {
    layer: new nn.MaxPool3d([1, 2, 2], { ceilMode: true }),
    shows: 'MaxPool3d([1,2,2], { ceilMode: true })',
    input: [1, 3, 5, 4, 2],
    output: [1, 3, 3, 2, 2],
    parameters: 0,
  },
  { layer: new nn.AvgPool3d(2), shows: 'AvgPool3d(2)', input: [1, 4, 5, 4, 2], output: [1, 2, 2, 2, 2], parameters: 0 },
  { layer: new nn.Flatten(), shows: 'Flatten()', input: [2, 3, 4, 5], output: [2, 60], parameters: 0 },
  { layer: new nn.Flatten(0, 1), shows: 'Flatten(0, 1)', input: [2, 3, 4, 5], output: [6, 4, 5], parameters: 0 },
  { layer: new nn.Dropout(0.2), shows: 'Dropout(0.2)', input: [7], output: [7], parameters: 0 },
  { layer: new nn.Dropout1d(0.2), shows: 'Dropout1d(0.2)', input: [2, 7, 3], output: [2, 7, 3], parameters: 0 },
  { layer: new nn.Dropout2d(), shows: 'Dropout2d(0.5)', input: [2, 4, 3, 3], output: [2, 4, 3, 3], parameters: 0 },
  { layer: new nn.ReLU(), shows: 'ReLU()', input: [3, 2], output: [3, 2], parameters: 0 },
  { layer: new nn.ReLU6(), shows: 'ReLU6()', input: [3, 2], output: [3, 2], parameters: 0 },
  { layer: new nn.LeakyReLU(), shows: 'LeakyReLU(0.01)', input: [3, 2], output: [3, 2], parameters: 0 },
  { layer: new nn.ELU(0.5), shows: 'ELU(0.5)', input: [3, 2], output: [3, 2], parameters: 0 },
  { layer: new nn.GELU(), shows: 'GELU()', input: [3, 2], output: [3, 2], parameters: 0 },
  {
    layer: new nn.GELU({ approximate: 'tanh' }),
    shows: 'GELU({ approximate: "tanh" })',
    input: [3, 2],
    output: [3, 2],
    parameters: 0,
  },
  { layer: new nn.SiLU(), shows: 'SiLU()', input: [3, 2], output: [3, 2], parameters: 0 },
  { layer: new nn.Hardtanh(0, 2), shows: 'Hardtanh(0, 2)', input: [3, 2], output: [3, 2], parameters: 0 },
  { layer: new nn.Softplus(), shows: 'Softplus(1, 20)', input: [3, 2], output: [3, 2], parameters: 0 },
  { layer: new nn.PReLU(), shows: 'PReLU(1)', input: [3, 2], output: [3, 2], parameters: 1 },
  { layer: new nn.PReLU(2, { init: 0.1 }), shows: 'PReLU(2, { init: 0.1 })', input: [3, 2], output: [3, 2], parameters: 2 },
  { layer: new nn.LayerNorm(4), shows: 'LayerNorm(4)', input: [2, 3, 4], output: [2, 3, 4], parameters: 8 },
  {
    layer: new nn.LayerNorm([3, 4], { eps: 0.1, bias: false }),
    shows: 'LayerNorm([3,4], { eps: 0.1, bias: false })',
    input: [2, 3, 4],
    output: [2, 3, 4],
    parameters: 12,
  },
  {
    layer: new nn.LayerNorm(4, { elementwiseAffine: false }),
    shows: 'LayerNorm(4, { elementwiseAffine: false })',
    input: [2, 4],
    output: [2, 4],
    parameters: 0,
  },
  { layer: new nn.GroupNorm(2, 6), shows: 'GroupNorm(2, 6)', input: [2, 3, 3, 6], output: [2, 3, 3, 6], parameters: 12 },
  {
    layer: new nn.GroupNorm(3, 6, { eps: 0.1, affine: false }),
    shows: 'GroupNorm(3, 6, { eps: 0.1, affine: false })',
    input: [2, 5, 6],
    output: [2, 5, 6],
    parameters: 0,
  },
  { layer: new nn.InstanceNorm2d(3), shows: 'InstanceNorm2d(3)', input: [2, 4, 4, 3], output: [2, 4, 4, 3], parameters: 0 },
  {
    layer: new nn.InstanceNorm2d(3, { affine: true }),
    shows: 'InstanceNorm2d(3, { affine: true })',
    input: [2, 4, 4, 3],
    output: [2, 4, 4, 3],
    parameters: 6,
  },
  { layer: new nn.Softmax(), shows: 'Softmax(-1)', input: [3, 2], output: [3, 2], parameters: 0 },
];

describe.each(cases)('$shows', ({ layer, shows, input, output, parameters }) => {
  test('shows itself, maps shapes, counts parameters', () => {
    expect(String(layer)).toBe(shows);
    expect(layer.forward(randn(input)).shape).toEqual(output);
    expect(layer.parameters().reduce((n, parameter) => n + parameter.size, 0)).toBe(parameters);
  });

  test('the input and every parameter get a gradient', () => {
    const x = randn(input, { requiresGrad: true });
    ops.sum(layer.forward(x)).backward();
    for (const parameter of [x, ...layer.parameters()]) expect(parameter.grad?.shape).toEqual(parameter.shape);
  });
});

const x = tensor([
  [-1, 0.5],
  [2, -3],
]);

test.each<[string, nn.Module, (v: number) => number]>([
  ['ReLU', new nn.ReLU(), (v) => Math.max(v, 0)],
  ['ReLU6', new nn.ReLU6(), (v) => Math.min(Math.max(v, 0), 6)],
  ['LeakyReLU', new nn.LeakyReLU(0.1), (v) => Math.max(v, 0.1 * v)],
  ['ELU', new nn.ELU(2), (v) => (v > 0 ? v : 2 * Math.expm1(v))],
  ['GELU', new nn.GELU(), (v) => v * normalBelow(v)],
  [
    'GELU by tanh',
    new nn.GELU({ approximate: 'tanh' }),
    (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
  ],
  ['PReLU', new nn.PReLU(), (v) => Math.max(v, 0.25 * v)],
  ['SiLU', new nn.SiLU(), (v) => v / (1 + Math.exp(-v))],
  ['HardSwish', new nn.HardSwish(), (v) => (v * Math.min(Math.max(v + 3, 0), 6)) / 6],
  ['HardSigmoid', new nn.HardSigmoid(), (v) => Math.min(Math.max(v + 3, 0), 6) / 6],
  ['Hardtanh', new nn.Hardtanh(), (v) => Math.min(Math.max(v, -1), 1)],
  ['Softplus', new nn.Softplus(2, 10), (v) => (2 * v > 10 ? v : Math.log1p(Math.exp(2 * v)) / 2)],
  ['Sigmoid', new nn.Sigmoid(), (v) => 1 / (1 + Math.exp(-v))],
  ['Tanh', new nn.Tanh(), Math.tanh],
])('%s is its function', (_, layer, f) => {
  const values = [-7, -1, 0, 0.5, 2, 7];
  for (const [i, y] of layer.forward(tensor(values)).dataSync().entries()) expect(y).toBeCloseTo(f(values[i]!), 6);
});

test('Softmax and LogSoftmax along an axis', () => {
  const share = (a: number, b: number): number => Math.exp(a) / (Math.exp(a) + Math.exp(b));
  const rows = [share(-1, 0.5), share(0.5, -1), share(2, -3), share(-3, 2)];
  const columns = [share(-1, 2), share(0.5, -3), share(2, -1), share(-3, 0.5)];
  const close = (y: Tensor, expected: number[]) => {
    for (const [i, value] of y.dataSync().entries()) expect(value).toBeCloseTo(expected[i]!, 5);
  };
  close(new nn.Softmax().forward(x), rows);
  close(new nn.Softmax(0).forward(x), columns);
  close(new nn.LogSoftmax().forward(x), rows.map(Math.log));
});

test.each<[string, nn.Module, number]>([
  ['Conv1d', new nn.Conv1d(8, 100, 3, { groups: 2 }), 12],
  ['Conv2d', new nn.Conv2d(3, 100, [3, 5]), 45],
  ['Conv3d', new nn.Conv3d(3, 100, [3, 1, 5]), 45],
  ['ConvTranspose1d', new nn.ConvTranspose1d(100, 8, 3, { groups: 2 }), 12],
  ['ConvTranspose2d', new nn.ConvTranspose2d(100, 3, [3, 5]), 45],
  ['LocallyConnected2d', new nn.LocallyConnected2d(3, 100, [3, 5], { inputSize: 6 }), 45],
  ['Linear', new nn.Linear(45, 100), 45],
])('%s starts spread evenly over ±1/√(fan in)', (_, layer, fanIn) => {
  for (const parameter of layer.parameters()) {
    const [values, bound] = [[...parameter.dataSync()], 1 / Math.sqrt(fanIn)];
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound * (1 + 2 ** -23));
    // of a uniform distribution, within five standard deviations of the mean of squares
    const square = values.reduce((sum, v) => sum + v * v, 0) / values.length;
    expect(Math.abs(square - bound ** 2 / 3)).toBeLessThan((5 * bound ** 2 * Math.sqrt(4 / 45)) / Math.sqrt(values.length));
  }
});

describe('paddingMode', () => {
  // Of a kernel of ones each output is the sum of the cells its window sees.
  const summing = <L extends nn.Module>(layer: L): L => {
    for (const parameter of layer.parameters()) nn.init.constant(parameter, 1);
    return layer;
  };
  const sequence = tensor([1, 2, 4, 8], [1, 4, 1]);

  test.each<[nn.PaddingMode, number[]]>([
    ['zeros', [3, 7, 14, 12]],
    ['reflect', [5, 7, 14, 16]],
    ['replicate', [4, 7, 14, 20]],
  ])('of a sequence: %s', (paddingMode, expected) => {
    const layer = summing(new nn.Conv1d(1, 1, 3, { padding: 1, paddingMode, bias: false }));
    expect(Array.from(layer.forward(sequence).dataSync())).toEqual(expected);
  });

  test("'same' puts the odd cell at the end", () => {
    const layer = summing(new nn.Conv1d(1, 1, 2, { padding: 'same', paddingMode: 'replicate', bias: false }));
    expect(Array.from(layer.forward(sequence).dataSync())).toEqual([3, 6, 12, 16]);
  });

  test('of an image: each side as told', () => {
    const layer = summing(new nn.Conv2d(1, 1, [2, 2], { padding: [1, 0, 0, 1], paddingMode: 'replicate', bias: false }));
    const image = tensor([1, 10, 100, 1000], [1, 2, 2, 1]);
    expect(Array.from(layer.forward(image).dataSync())).toEqual([4, 22, 202, 1111]);
  });

  test('leaves nothing behind but the output', () => {
    const layer = new nn.Conv2d(2, 2, 3, { padding: 1, paddingMode: 'reflect' });
    const input = ones([1, 4, 4, 2]);
    const before = memory().tensors;
    noGrad(() => layer.forward(input)).dispose();
    expect(memory().tensors).toBe(before);
  });
});

describe('BatchNorm', () => {
  // Channel values 1, 3, 5, 7: mean 4, variance 5, unbiased 20 / 3.
  const batch = tensor([[1], [3], [5], [7]]);

  test('training normalises by the batch and moves the running statistics', () => {
    const norm = new nn.BatchNorm1d(1, { eps: 1e-12 });
    const y = norm.forward(batch).dataSync();
    for (const [i, value] of [-3, -1, 1, 3].entries()) expect(y[i]).toBeCloseTo(value / Math.sqrt(5), 5);
    expect(norm.runningMean.itemSync()).toBeCloseTo(0.4, 6);
    expect(norm.runningVar.itemSync()).toBeCloseTo(0.9 + (0.1 * 20) / 3, 6);
    expect(Object.keys(norm.stateDict())).toEqual(['weight', 'bias', 'runningMean', 'runningVar']);
  });

  test('inference normalises by the running statistics and leaves them', () => {
    const norm = new nn.BatchNorm1d(1, { eps: 1e-12 });
    nn.init.constant(norm.runningMean, 1);
    nn.init.constant(norm.runningVar, 4);
    norm.eval();
    expect([...norm.forward(batch).dataSync()].map((v) => Number(v.toFixed(5)))).toEqual([0, 1, 2, 3]);
    expect([norm.runningMean.itemSync(), norm.runningVar.itemSync()]).toEqual([1, 4]);
  });

  test('2-D and 1-D compute the same over the same rows', () => {
    const rows = randn([12, 3]);
    const flat = new nn.BatchNorm1d(3).forward(rows).dataSync();
    expect([...new nn.BatchNorm2d(3).forward(ops.reshape(rows, [2, 3, 2, 3])).dataSync()]).toEqual([...flat]);
  });
});

describe('Dropout', () => {
  test('training drops about p and scales the rest; inference is the identity', () => {
    const dropout = new nn.Dropout(0.25);
    const y = [...noGrad(() => dropout.forward(ones([10_000]))).dataSync()];
    const kept = y.filter((v) => v !== 0);
    expect(kept.every((v) => Math.abs(v - 4 / 3) < 1e-6)).toBe(true);
    expect(Math.abs(kept.length - 7500)).toBeLessThan(5 * Math.sqrt(10_000 * 0.25 * 0.75));
    dropout.eval();
    expect([...dropout.forward(ones([5])).dataSync()]).toEqual([1, 1, 1, 1, 1]);
  });

  test('of channels: training drops them whole; inference is the identity', () => {
    const dropout = new nn.Dropout2d(0.5);
    const y = dropout.forward(ones([1, 2, 2, 64])).dataSync();
    for (let place = 1; place < 4; place++) expect(y.slice(place * 64, (place + 1) * 64)).toEqual(y.slice(0, 64));
    expect(new Set(y)).toEqual(new Set([0, 2]));
    const kept = dropout.eval().forward(ones([1, 2, 2, 64]));
    expect(new Set(kept.dataSync())).toEqual(new Set([1]));
  });
});

test.each<[string, () => unknown, string]>([
  ['channels', () => new nn.Conv2d(0, 8, 3), 'Conv2d: inChannels is 0, expected a positive integer'],
  ['fractions', () => new nn.Conv2d(1, 2.5, 3), 'Conv2d: outChannels is 2.5, expected a positive integer'],
  ['groups', () => new nn.Conv2d(3, 8, 3, { groups: 2 }), 'groups is 2, expected a divisor of both inChannels, 3, and outChannels, 8'],
  ['kernel', () => new nn.Conv2d(1, 1, 'three' as never), 'Conv2d: kernelSize is "three"'],
  ['stride', () => new nn.Conv2d(1, 1, 3, { stride: 0 }), 'Conv2d: stride is 0'],
  ['padding', () => new nn.Conv2d(1, 1, 3, { padding: [1, 2, 3] as never }), 'Conv2d: padding is [1,2,3]'],
  [
    'kernel of three axes',
    () => new nn.Conv3d(1, 1, [3, 3] as never),
    'Conv3d: kernelSize is [3,3], expected an integer from 1 to 1048576, or three',
  ],
  ['kernel of one axis', () => new nn.Conv1d(1, 1, [3, 3] as never), 'Conv1d: kernelSize is [3,3], expected an integer from 1'],
  [
    'padding of one axis',
    () => new nn.MaxPool1d(3, { padding: [1, 1, 1, 1] as never }),
    'MaxPool1d: padding is [1,1,1,1], expected a number',
  ],
  [
    'output padding',
    () => new nn.ConvTranspose2d(1, 1, 3, { outputPadding: 1 }),
    'ConvTranspose2d: outputPadding is 1, expected less than',
  ],
  ['transposed groups', () => new nn.ConvTranspose1d(4, 3, 3, { groups: 2 }), 'ConvTranspose1d: groups is 2, expected a divisor of both'],
  [
    'no input size',
    () => new nn.LocallyConnected2d(1, 1, 3, {} as never),
    'LocallyConnected2d: inputSize is undefined, expected the height',
  ],
  [
    'input size',
    () => new nn.LocallyConnected2d(1, 1, 3, { inputSize: [3, 0] }),
    'LocallyConnected2d: inputSize is [3,0], expected an integer',
  ],
  [
    'a window larger than the input',
    () => new nn.LocallyConnected2d(1, 1, 5, { inputSize: 4 }),
    'LocallyConnected2d: window covers 5x5 cells, input has 4x4 and padding [0,0,0,0]',
  ],
  [
    'an input of another size',
    () => new nn.LocallyConnected2d(1, 1, 2, { inputSize: 4, stride: 2 }).forward(ones([1, 5, 4, 1])),
    'LocallyConnected2d: input has shape [1,5,4,1], expected [1,4,4,1]',
  ],
  ['padding mode', () => new nn.Conv1d(1, 1, 3, { paddingMode: 'circle' as never }), 'Conv1d: paddingMode is "circle", expected zeros'],
  [
    'a reflection wider than the input',
    () => new nn.Conv2d(1, 1, 5, { padding: 2, paddingMode: 'reflect' }).forward(ones([1, 2, 8, 1])),
    'pad: 2 cells cannot be reflected along axis 1 of input [1,2,8,1], which has 2',
  ],
  [
    'rank of a padded input',
    () => new nn.Conv2d(1, 1, 3, { padding: 1, paddingMode: 'reflect' }).forward(ones([5, 5, 1])),
    'Conv2d: input has shape [5,5,1], expected [N,H,W,C]',
  ],
  ['rows', () => new nn.Embedding(0, 8), 'Embedding: numEmbeddings is 0, expected a positive integer'],
  ['width', () => new nn.Embedding(8, 1.5), 'Embedding: embeddingDim is 1.5, expected a positive integer'],
  ['padding row', () => new nn.Embedding(8, 2, { paddingIdx: 8 }), 'Embedding: paddingIdx is 8, expected an integer from -8 to 7, or null'],
  ['features', () => new nn.Linear(3, Number.NaN), 'Linear: outFeatures is NaN, expected a positive integer'],
  ['momentum', () => new nn.BatchNorm2d(3, { momentum: 2 }), 'BatchNorm2d: momentum is 2, expected a number from 0 to 1'],
  ['eps', () => new nn.BatchNorm1d(3, { eps: 0 }), 'BatchNorm1d: eps is 0, expected a positive number'],
  [
    'rank of volumes',
    () => new nn.BatchNorm3d(3).forward(ones([2, 3, 3, 3])),
    'BatchNorm3d: input has shape [2,3,3,3], expected [N,D,H,W,C]',
  ],
  ['rank', () => new nn.BatchNorm2d(3).forward(ones([2, 3])), 'BatchNorm2d: input has shape [2,3], expected [N,H,W,C]'],
  ['pool', () => new nn.MaxPool2d(-1), 'MaxPool2d: kernelSize is -1'],
  ['pool stride', () => new nn.AvgPool2d(2, { stride: 1.5 }), 'AvgPool2d: stride is 1.5'],
  ['output size', () => new nn.AdaptiveAvgPool2d([0, 1]), 'AdaptiveAvgPool2d: outputSize is [0,1]'],
  ['output size', () => new nn.AdaptiveMaxPool1d('all' as never), 'AdaptiveMaxPool1d: outputSize is "all"'],
  ['slope', () => new nn.LeakyReLU(Number.NaN), 'LeakyReLU: negativeSlope is NaN, expected a finite number'],
  ['alpha', () => new nn.ELU(-1), 'ELU: alpha is -1, expected a finite number of at least 0'],
  ['approximation', () => new nn.GELU({ approximate: 'erf' as never }), `GELU: approximate is "erf", expected 'none' or 'tanh'`],
  ['interval', () => new nn.Hardtanh(1, -1), 'Hardtanh: max is -1, expected a number of at least min, 1'],
  ['beta', () => new nn.Softplus(-1), 'Softplus: beta is -1, expected a positive number'],
  ['upsampling', () => new nn.Upsample({} as never), 'Upsample: size is undefined'],
  ['upsampling mode', () => new nn.Upsample({ scale: 2, mode: 'linear' as never }), 'Upsample: mode is "linear"'],
  ['factor', () => new nn.PixelShuffle(0), 'PixelShuffle: factor is 0, expected a positive integer'],
  ['factor', () => new nn.PixelUnshuffle(0.5), 'PixelUnshuffle: factor is 0.5, expected a positive integer'],
  ['slopes', () => new nn.PReLU(0), 'PReLU: numParameters is 0, expected a positive integer'],
  ['a first slope', () => new nn.PReLU(1, { init: Infinity }), 'PReLU: init is Infinity, expected a finite number'],
  ['axes', () => new nn.LayerNorm([]), 'LayerNorm: normalizedShape is [], expected the lengths of one axis or more'],
  ['an empty axis', () => new nn.LayerNorm(0), 'LayerNorm: normalizedShape is 0, expected the lengths, above 0, of one axis or more'],
  ['norm groups', () => new nn.GroupNorm(4, 6), 'GroupNorm: numGroups is 4, expected a divisor of numChannels, 6'],
  [
    'channels of a group norm',
    () => new nn.GroupNorm(2, 4, { affine: false }).forward(ones([2, 3, 6])),
    'GroupNorm: input has shape [2,3,6], expected 4 channels, the last axis',
  ],
  [
    'channels of an instance norm',
    () => new nn.InstanceNorm2d(4).forward(ones([2, 3, 3, 6])),
    'InstanceNorm2d: input has shape [2,3,3,6], expected 4 channels, the last axis',
  ],
  ['rank of an instance norm', () => new nn.InstanceNorm2d(3).forward(ones([2, 3])), 'input has shape [2,3], expected [N,H,W,C]'],
  ['probability', () => new nn.Dropout2d(-1), 'Dropout2d: p is -1, expected a number from 0 to 1'],
  ['probability', () => new nn.Dropout(1.5), 'Dropout: p is 1.5, expected a number from 0 to 1'],
])('a wrong argument is named: %s', (_, run, message) => {
  expect(run).toThrow(message);
});

test.each<[string, (x: never) => unknown]>([
  ['Conv1d', (x) => new nn.Conv1d(1, 1, 1).forward(x)],
  ['Conv2d', (x) => new nn.Conv2d(1, 1, 1).forward(x)],
  ['Conv3d', (x) => new nn.Conv3d(1, 1, 1).forward(x)],
  ['ConvTranspose1d', (x) => new nn.ConvTranspose1d(1, 1, 1).forward(x)],
  ['ConvTranspose2d', (x) => new nn.ConvTranspose2d(1, 1, 1).forward(x)],
  ['LocallyConnected2d', (x) => new nn.LocallyConnected2d(1, 1, 1, { inputSize: 1 }).forward(x)],
  ['Linear', (x) => new nn.Linear(1, 1).forward(x)],
  ['BatchNorm1d', (x) => new nn.BatchNorm1d(1).forward(x)],
  ['BatchNorm3d', (x) => new nn.BatchNorm3d(1).forward(x)],
  ['BatchNorm2d', (x) => new nn.BatchNorm2d(1).forward(x)],
  ['MaxPool1d', (x) => new nn.MaxPool1d(1).forward(x)],
  ['MaxPool2d', (x) => new nn.MaxPool2d(1).forward(x)],
  ['MaxPool3d', (x) => new nn.MaxPool3d(1).forward(x)],
  ['AvgPool3d', (x) => new nn.AvgPool3d(1).forward(x)],
  ['AvgPool1d', (x) => new nn.AvgPool1d(1).forward(x)],
  ['AvgPool2d', (x) => new nn.AvgPool2d(1).forward(x)],
  ['AdaptiveAvgPool1d', (x) => new nn.AdaptiveAvgPool1d(1).forward(x)],
  ['AdaptiveMaxPool2d', (x) => new nn.AdaptiveMaxPool2d(1).forward(x)],
  ['GlobalAvgPool1d', (x) => new nn.GlobalAvgPool1d().forward(x)],
  ['GlobalMaxPool2d', (x) => new nn.GlobalMaxPool2d().forward(x)],
  ['Upsample', (x) => new nn.Upsample({ scale: 2 }).forward(x)],
  ['PixelShuffle', (x) => new nn.PixelShuffle(2).forward(x)],
  ['PixelUnshuffle', (x) => new nn.PixelUnshuffle(2).forward(x)],
  ['Embedding', (x) => new nn.Embedding(2, 2).forward(x)],
  ['Dropout', (x) => new nn.Dropout().forward(x)],
  ['PReLU', (x) => new nn.PReLU().forward(x)],
  ['LayerNorm', (x) => new nn.LayerNorm(1).forward(x)],
  ['GroupNorm', (x) => new nn.GroupNorm(1, 1).forward(x)],
  ['InstanceNorm2d', (x) => new nn.InstanceNorm2d(1).forward(x)],
  ['Dropout1d', (x) => new nn.Dropout1d().forward(x)],
  ['Dropout2d', (x) => new nn.Dropout2d().forward(x)],
  ['Flatten', (x) => new nn.Flatten().forward(x)],
  ['ReLU', (x) => new nn.ReLU().forward(x)],
  ['Softmax', (x) => new nn.Softmax().forward(x)],
])('%s expects a tensor', (_, forward) => {
  for (const x of [undefined, null, [1]] as never[]) {
    expect(() => forward(x)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_TYPE', message: expect.stringContaining('a Tensor') }));
  }
});

import { models, nn, ones, ops, randn, type Tensor } from '../../lib';

// Models of every layer and operation that can be written as an ONNX file.

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

export const fn = (f: (x: Tensor, weight: Tensor) => Tensor) => new Fn(f);

export type Case = readonly [name: string, make: () => nn.Module, shape: number[]];

export const image = [2, 8, 6, 4];
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

export const cases: readonly Case[] = [
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
  [
    'maxima rectified in their pass',
    () =>
      fn((x) => {
        const y = ops.maxPool2d(ops.mul(ops.sub(x, 1), 8), { kernelSize: 2, stride: 1, activation: 'relu6' });
        return ops.maxPool2d(ops.sub(y, 3), { kernelSize: 2, activation: 'relu' });
      }),
    image,
  ],
  [
    'maxima of a sequence rectified in their pass',
    () => fn((x) => ops.maxPool1d(ops.sub(x, 1), { kernelSize: 2, activation: 'relu' })),
    sequence,
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

export const networks: readonly Case[] = [
  ['lenet5', () => models.lenet5(), [2, 28, 28, 1]],
  ['resnet18', () => trained(models.resnet18({ classes: 5 })), [1, 32, 32, 3]],
  ['mobilenetV2', () => trained(models.mobilenetV2({ classes: 5 })), [1, 32, 32, 3]],
];

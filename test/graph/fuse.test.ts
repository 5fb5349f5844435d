import { compile, manualSeed, nn, noGrad, ones, ops, randn, type Tensor } from '../../lib';
import { distance } from '../support/agree';

// What an operation takes over of those behind it, and what it must leave: either way a session gives what the model gives.

manualSeed(1);

const shape = [2, 5, 4, 3];
const kernel = randn([3, 3, 3, 3]);
const [bias, kernel3] = [randn([3]), randn([3, 3])];
const [mean, variance, scale] = [randn([3]), ops.add(ops.abs(randn([3])), 0.5), randn([3])];
const past = { runningMean: mean, runningVar: variance };

class Fn extends nn.Module {
  constructor(readonly fn: (x: Tensor) => Tensor) {
    super();
  }
  forward(x: Tensor): Tensor {
    return this.fn(x);
  }
}

const conv = (x: Tensor, options = {}) => ops.conv2d(x, kernel, { padding: 1, ...options });
const means = (x: Tensor) => ops.mean(x, { axis: [0, 1, 2] });

/** The names of the operations that are left. */
const cases: readonly (readonly [name: string, fn: (x: Tensor) => Tensor, left: readonly string[]])[] = [
  ['a convolution takes a norm', (x) => ops.batchNorm(conv(x), past), ['conv2d']],
  ['with its scale and shift', (x) => ops.batchNorm(conv(x, { bias }), { ...past, weight: scale, bias }), ['conv2d']],
  ['with a scale alone', (x) => ops.batchNorm(conv(x), { ...past, weight: scale }), ['conv2d']],
  ['with what the norm adds and ends in', (x) => ops.batchNorm(conv(x), { ...past, add: x, activation: 'relu6' }), ['conv2d']],
  ['with a sum and a rectifier behind it', (x) => ops.relu(ops.add(ops.batchNorm(conv(x), past), x)), ['conv2d']],
  ['a fully connected layer takes a norm', (x) => ops.batchNorm(ops.linear(x, kernel3), past), ['linear']],
  ['one with a bias, too', (x) => ops.batchNorm(ops.linear(x, kernel3, bias), past), ['linear']],
  ['a norm takes a sum and a rectifier', (x) => ops.relu(ops.add(ops.batchNorm(x, past), x)), ['batchNorm']],
  ['not behind a sum', (x) => ops.batchNorm(conv(x, { add: x }), past), ['conv2d', 'batchNorm']],
  ['nor behind a rectifier', (x) => ops.batchNorm(conv(x, { activation: 'relu' }), past), ['conv2d', 'batchNorm']],
  [
    'nor by weights that are computed',
    (x) => ops.batchNorm(ops.conv2d(x, ops.mul(kernel, ops.mean(x))), past),
    ['mean', 'mul', 'conv2d', 'batchNorm'],
  ],
  ['nor by a bias that is computed', (x) => ops.batchNorm(conv(x, { bias: means(x) }), past), ['mean', 'conv2d', 'batchNorm']],
  [
    'nor of statistics that are computed',
    (x) => ops.batchNorm(conv(x), { runningMean: means(x), runningVar: variance }),
    ['conv2d', 'mean', 'batchNorm'],
  ],
  ['nor of the statistics of the batch', (x) => ops.batchNorm(conv(x), { training: true }), ['conv2d', 'batchNorm']],
  ['a pool does not add', (x) => ops.add(ops.maxPool2d(x, { kernelSize: 1 }), x), ['maxPool2d', 'add']],
  ['a layer that cannot add leaves it', (x) => ops.batchNorm(ops.linear(x, kernel3), { ...past, add: x }), ['linear', 'batchNorm']],
];

test.each(cases)('%s', async (_name, fn, left) => {
  const model = new Fn(fn);
  const x = ops.add(randn(shape), ones(shape));
  using session = await compile(model, { input: shape });
  const { output } = await session.run({ input: x });
  expect(distance(await output!.data(), await noGrad(() => model.forward(x)).data())).toBeLessThan(2e-5);
  const names = session.describe().operations.flatMap((line) => line.match(/= (\w+)\(/)?.[1] ?? []);
  expect(names).toEqual(left);
});

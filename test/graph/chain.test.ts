import { compile, manualSeed, nn, noGrad, ops, randn, type Tensor, tidy } from '../../lib';
import { distance } from '../support/agree';

// Convolutions that run together, a few rows at a time, where what is between them is large.

interface Block {
  name: string;
  model: () => nn.Module;
  size: readonly [number, number, number];
  nodes: number;
}

const pointwise = (from: number, to: number) => new nn.Conv2d(from, to, 1, { bias: false });
const depthwise = (channels: number, stride = 1) => new nn.Conv2d(channels, channels, 3, { stride, padding: 1, groups: channels });

class Shared extends nn.Module {
  expand = pointwise(8, 64);
  depth = depthwise(64);
  forward(x: Tensor): Tensor {
    const y = this.expand.forward(x);
    return ops.add(this.depth.forward(y), y);
  }
}

const block = (stride: number) =>
  new nn.Sequential(
    pointwise(8, 64),
    new nn.BatchNorm2d(64),
    new nn.ReLU6(),
    depthwise(64, stride),
    new nn.BatchNorm2d(64),
    new nn.ReLU6(),
    pointwise(64, 8),
    new nn.BatchNorm2d(8),
  );

const blocks: Block[] = [
  { name: 'an inverted residual block', model: () => new nn.Residual(block(1)), size: [72, 64, 8], nodes: 1 },
  { name: 'one that halves the image', model: () => block(2), size: [140, 130, 8], nodes: 1 },
  {
    name: 'a separable convolution',
    model: () => new nn.Sequential(depthwise(64), new nn.ReLU(), pointwise(64, 8)),
    size: [72, 64, 64],
    nodes: 1,
  },
  { name: 'two blocks', model: () => new nn.Sequential(block(1), block(1)), size: [72, 64, 8], nodes: 2 },
  { name: 'a small one stays apart', model: () => block(1), size: [20, 20, 8], nodes: 3 },
  { name: 'a result that another reads stays apart', model: () => new Shared(), size: [72, 64, 8], nodes: 2 },
];

test.each(blocks)('$name', async ({ model, size, nodes }) => {
  manualSeed(1);
  const net = model();
  for (const buffer of net.buffers()) tidy(() => buffer.assign(ops.add(ops.abs(randn(buffer.shape)), 0.5)));
  net.eval();
  using session = await compile(net, { input: ['N', ...size] });
  for (const batch of [1, 2]) {
    const { operations } = session.describe([1, ...size]);
    expect(operations).toHaveLength(nodes + 1); // and the line of outputs
    using x = randn([batch, ...size]);
    using expected = noGrad(() => net.forward(x));
    for (let run = 0; run < 2; run++) {
      const { output } = await session.run({ input: x });
      expect(distance(await output!.data(), await expected.data())).toBeLessThan(2e-5);
    }
  }
});

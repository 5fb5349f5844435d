import { nn, ops, type Tensor, tensor, zeros } from '../../lib';

// What lets a gradient through at the ends of a rectifier, as PyTorch has it: relu at infinity, relu6 and hardtanh not at an end.

const infinite = [-Infinity, -1, 0, 1, 6, Infinity];
const one = (n: number) => tensor([n]);

/** The gradient of the inputs of a function that gives each as it is, rectified. */
function gradient(f: (x: Tensor) => Tensor, shape: number[]): number[] {
  const x = ops.reshape(tensor(infinite), shape).detach();
  x.requiresGrad = true;
  f(x).backward(ops.reshape(tensor([1, 2, 3, 4, 5, 6]), f(x).shape));
  return Array.from(x.grad!.dataSync());
}
const norm = () => ({ runningMean: zeros([1]), runningVar: one(1), eps: 1e-12 });

const wholes: [name: string, f: (x: Tensor, activation: 'relu' | 'relu6') => Tensor, shape: number[]][] = [
  ['the operation', (x, activation) => ops[activation](x), [6]],
  ['linear', (x, activation) => ops.linear(x, tensor([[1]]), null, { activation }), [6, 1]],
  ['conv2d', (x, activation) => ops.conv2d(x, ops.reshape(one(1), [1, 1, 1, 1]), { activation }), [6, 1, 1, 1]],
  ['maxPool2d', (x, activation) => ops.maxPool2d(x, { kernelSize: 1, activation }), [6, 1, 1, 1]],
  ['maxPool1d', (x, activation) => ops.maxPool1d(x, { kernelSize: 1, activation }), [1, 6, 1]],
  ['batchNorm', (x, activation) => ops.batchNorm(x, { ...norm(), activation }), [6, 1]],
  ['batchNorm of a sum', (x, activation) => ops.batchNorm(zeros(x.shape), { ...norm(), add: x, activation }), [6, 1]],
];

test.each(wholes)('%s: the gradient of infinity passes relu, not relu6', (_, f, shape) => {
  expect(gradient((x) => f(x, 'relu'), shape)).toEqual([0, 0, 0, 4, 5, 6]);
  expect(gradient((x) => f(x, 'relu6'), shape)).toEqual([0, 0, 0, 4, 0, 0]);
});

test('hardtanh lets nothing through at its ends, be they infinite', () => {
  expect(gradient((x) => ops.hardtanh(x, 0, Infinity), [6])).toEqual([0, 0, 0, 4, 5, 0]);
});

test('a pool in the pass of its rectifier gives the gradient of the two', () => {
  const both = (pool: nn.Module) => gradient((x) => new nn.Sequential(pool, new nn.ReLU()).forward(x), [6, 1, 1, 1]);
  class Watched extends nn.MaxPool2d {
    override forward(x: Tensor): Tensor {
      return super.forward(x);
    }
  }
  expect(both(new nn.MaxPool2d(1))).toEqual(both(new Watched(1)));
});

import { inspect, memory, models, nn, ops, randn, type Tensor, tidy } from '../../lib';
import { settle } from '../support/memory';

beforeEach(settle);

class Net extends nn.Module {
  stem = new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4));
  drop = new nn.Dropout(0.9);
  head = new nn.Linear(4, 2);
  forward(x: Tensor): Tensor {
    return tidy(() => this.head.forward(ops.relu(this.drop.forward(this.drop.forward(this.stem.forward(x))))));
  }
}

const values = (x: Tensor) => [...x.dataSync()];

test('inspect.activations › gives what every layer gives, by name, as in inference', () => {
  const net = new Net();
  const x = randn([5, 3]);
  const outputs = inspect.activations(net, x);
  expect([...outputs.keys()]).toEqual(['stem.0', 'stem.1', 'stem', 'drop', 'drop#2', 'head', '']);
  net.eval();
  const stem = net.stem.forward(x);
  expect(values(outputs.get('stem.1')!)).toEqual(values(stem));
  expect(values(outputs.get('drop#2')!)).toEqual(values(stem));
  expect(values(outputs.get('')!)).toEqual(values(net.forward(x)));
  expect(outputs.get('head')!.requiresGrad).toBe(false);
  for (const y of outputs.values()) y.dispose();
});

test('inspect.activations › leaves the model as it was, and nothing but the outputs in memory', () => {
  const net = new Net();
  const x = randn([5, 3]);
  const before = memory().tensors;
  const outputs = inspect.activations(net, x);
  expect(net.training && net.stem.at(1)!.training).toBe(true);
  expect(values((net.stem.at(1) as nn.BatchNorm1d).runningMean)).toEqual([0, 0, 0, 0]);
  // Some outputs are others', under another name.
  for (const y of outputs.values()) y.dispose();
  expect(memory().tensors).toBe(before);
  tidy(() => void inspect.activations(net, x));
  expect(memory().tensors).toBe(before);
  const kept = tidy(() => [...inspect.activations(net, x).values()]);
  expect(kept.map(({ disposed }) => disposed)).toEqual(kept.map(() => false));
  expect(() => inspect.activations(net, randn([5, 2]))).toThrow('linear: input has 2 features');
});

test.each<[string, () => unknown, string]>([
  ['a model that is none', () => inspect.activations(ops as never, randn([1, 2])), 'activations: model is an Object, expected a Module'],
  ['a shape', () => inspect.activations(models.lenet5(), [1, 28, 28, 1] as never), 'activations: x is [1,28,28,1], expected a Tensor'],
])('inspect.activations › refuses %s', (_, run, message) => {
  expect(run).toThrow(message);
});

import { memory, models, nn, noGrad, ones, ops, type Tensor, tidy } from '../lib';
import { aroundForward } from '../lib/nn/around';
import { observe } from '../lib/op';
import { type Trace, trace } from '../lib/trace';
import { fault } from './support/fault';
import { settle } from './support/memory';

class Block extends nn.Module {
  conv = new nn.Conv2d(2, 2, 3, { padding: 1 });
  relu = new nn.ReLU();
  forward(x: Tensor): Tensor {
    return this.relu.forward(ops.add(this.conv.forward(this.relu.forward(x)), x));
  }
}

class Net extends nn.Module {
  stem = new nn.Conv2d(1, 2, 1, { bias: false });
  block = new Block();
  again = this.block;
  forward(x: Tensor): Tensor {
    return ops.softmax(ops.mean(this.again.forward(this.block.forward(this.stem.forward(x))), { axis: [1, 2] }), { axis: 0 });
  }
}

const of = (model: nn.Module, x: Tensor, hollow = false): Trace => noGrad(() => tidy(() => trace(model, [x], { hollow })));

beforeEach(settle);

test.each([true, false])('trace › lists the operations between values, and where each ran (hollow: %s)', (hollow) => {
  const record = of(new Net(), ones([2, 4, 4, 1]), hollow);
  expect(String(record).split('\n')).toEqual([
    '%4 [2,4,4,2] = conv2d(%0, stem.weight) in stem',
    '%5 [2,4,4,2] = relu(%4) in block.relu',
    '%6 [2,4,4,2] = conv2d(%5, block.conv.weight, block.conv.bias) in block.conv',
    '%7 [2,4,4,2] = add(%6, %4) in block',
    '%8 [2,4,4,2] = relu(%7) in block.relu#2',
    '%9 [2,4,4,2] = relu(%8) in block.relu#3',
    '%10 [2,4,4,2] = conv2d(%9, block.conv.weight, block.conv.bias) in block.conv#2',
    '%11 [2,4,4,2] = add(%10, %8) in block#2',
    '%12 [2,4,4,2] = relu(%11) in block.relu#4',
    '%13 [2,2] = mean(%12)',
    '%14 [2,2] = transpose(%13)',
    '%15 [2,2] = softmax(%14)',
    '%16 [2,2] = transpose(%15)',
  ]);
  expect(record.whole.output).toBe(record.values[16]);
  expect(record.nodes[0].attrs).toMatchObject({ groups: 1, window: { kernel: [1, 1] } });
  expect(record.values.map(({ origin }) => origin).slice(0, 5)).toEqual(['input', 'parameter', 'parameter', 'parameter', 'operation']);
  record.dispose();
});

test('trace › gives the runs of modules in the order they ended, with what each was given and gave', () => {
  const record = of(new Net(), ones([1, 4, 4, 1]));
  expect(record.calls.map(({ name }) => name)).toEqual([
    ...['stem', 'block.relu', 'block.conv', 'block.relu#2', 'block'],
    ...['block.relu#3', 'block.conv#2', 'block.relu#4', 'block#2', ''],
  ]);
  const [stem, , , last, block] = record.calls;
  expect(block.inputs).toEqual([stem.output]);
  expect(block.output).toBe(last.output);
  expect(record.inputs).toEqual(stem.inputs);
  record.dispose();
});

test('trace › holds what modules gave although the model freed it, until disposed of', () => {
  class Tidy extends nn.Module {
    fc = new nn.Linear(2, 2);
    forward(x: Tensor): Tensor {
      return tidy(() => ops.add(this.fc.forward(x), 1));
    }
  }
  const model = new Tidy();
  const x = ones([1, 2]);
  const before = memory().tensors;
  const record = of(model, x);
  const { fc } = model;
  expect([...record.calls[0].result!.dataSync()]).toEqual([...tidy(() => fc.forward(x).dataSync())]);
  const one = record.nodes[1].inputs[1]!;
  expect([one.origin, one.tensor.itemSync()]).toEqual(['constant', 1]);
  record.dispose();
  expect(record.calls[0].result!.disposed).toBe(true);
  expect(memory().tensors).toBe(before);
});

test('trace › knows a detached tensor for the value it is, and what does not depend on the input', () => {
  class Detached extends nn.Module {
    scale = new nn.Parameter(ones([2]));
    forward(x: Tensor): Tensor {
      const scale = ops.mul(this.scale.detach(), ops.exp(this.scale));
      return ops.mul(ops.relu(x).detach(), scale);
    }
  }
  const record = of(new Detached(), ones([1, 2]));
  expect(String(record).split('\n')).toEqual([
    '%2 [2] = exp(scale)',
    '%3 [2] = mul(scale, %2)',
    '%4 [1,2] = relu(%0)',
    '%5 [1,2] = mul(%4, %3)',
  ]);
  expect(record.nodes.map(({ output }) => output.depends)).toEqual([false, false, true, true]);
  record.dispose();
});

test('trace › tells of an operation once, not of those inside it, and not of those outside', () => {
  const x = ones([2, 3], { requiresGrad: true });
  const names: string[] = [];
  const ran = ({ name }: { name: string }) => void names.push(name);
  observe({ hollow: false, ran }, () => ops.sum(ops.max(x, { axis: 1 })).backward());
  ops.relu(x);
  expect(names.slice(0, 2)).toEqual(['max', 'sum']);
  names.length = 0;
  expect(() => observe({ hollow: false, ran }, () => ops.reshape(x, [4]))).toThrow('reshape: input [2,3] has 6 elements');
  ops.relu(x);
  expect(names).toEqual([]);
});

describe('a hollow trace', () => {
  test('runs nothing: no statistics move, no value is computed', () => {
    const norm = new nn.BatchNorm2d(2);
    const model = new nn.Sequential(new nn.Conv2d(1, 2, 3), norm, new nn.Dropout(), new nn.Flatten());
    const record = of(model, ones([4, 5, 5, 1]), true);
    expect([...norm.runningMean.dataSync()]).toEqual([0, 0]);
    expect(record.whole.output!.shape).toEqual([4, 18]);
    record.dispose();
  });

  test('refuses to read values that are not there, and those only', async () => {
    class Reads extends nn.Module {
      fc = new nn.Linear(2, 2);
      constructor(readonly read: (x: Tensor) => unknown) {
        super();
      }
      forward(x: Tensor): Tensor {
        this.fc.weight.dataSync();
        this.read(ops.reshape(this.fc.forward(x), [1, 2, 1]));
        return x;
      }
    }
    const reading = (read: (x: Tensor) => unknown) => fault(() => of(new Reads(read), ones([1, 2]), true));
    expect(reading((x) => x.dataSync())).toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('data: this tensor of shape [1,2,1] has no values'),
    });
    expect(reading((x) => ops.sum(x).itemSync()).code).toBe('ERR_UNSUPPORTED');
    of(new Reads((x) => x.dataSync()), ones([1, 2])).dispose();
  });

  test('takes no memory', () => {
    class Measures extends nn.Module {
      bytes = 0;
      forward(x: Tensor): Tensor {
        const before = memory().bytes;
        const y = ops.reshape(ops.add(x, x), [64, 64]);
        this.bytes = memory().bytes - before;
        return y;
      }
    }
    const model = new Measures();
    of(model, ones([4096]), true).dispose();
    expect(model.bytes).toBe(0);
    of(model, ones([4096])).dispose();
    expect(model.bytes).toBe(4096 * 4);
  });

  test('checks shapes as ever', () => {
    expect(() => of(models.lenet5(), ones([1, 20, 20, 1]), true)).toThrow('linear: input has 144 features, weight expects 400');
  });
});

describe('aroundForward', () => {
  const own = (module: nn.Module) => Object.getOwnPropertyDescriptor(module, 'forward');

  test('leaves the modules as they were', () => {
    const net = new Net();
    const custom = (x: Tensor) => ops.neg(x);
    net.block.relu.forward = custom;
    const keys = Object.keys(net);
    aroundForward(
      net,
      (_name, _module, _inputs, run) => run(),
      () => {
        expect(Object.keys(net)).toEqual(keys);
        expect(net.block.relu.forward).not.toBe(custom);
        expect(net.forward(ones([2, 2, 2, 1])).shape).toEqual([2, 2]);
      },
    );
    expect(own(net)).toBeUndefined();
    expect(own(net.block.conv)).toBeUndefined();
    expect(net.block.relu.forward).toBe(custom);
  });

  test.each<[string, (net: Net) => void, string]>([
    ['the model throws', (net) => void Object.assign(net.block.conv, { forward: () => raise('inside') }), 'inside'],
    ['a module cannot be watched', (net) => void Object.freeze(net.block.conv), 'forward'],
  ])('leaves the modules as they were where %s', (_, spoil, message) => {
    const net = new Net();
    spoil(net);
    const x = ones([1, 2, 2, 1]);
    const before = memory().tensors;
    expect(() => of(net, x)).toThrow(message);
    for (const module of [net, net.stem, net.block, net.block.relu]) expect(own(module)).toBeUndefined();
    expect(memory().tensors).toBe(before);
  });

  test('goes around runs within runs', () => {
    const net = new Net();
    const inner = of(net, ones([1, 2, 2, 1]));
    const outer: string[] = [];
    const around = (name: string, _module: nn.Module, _inputs: readonly Tensor[], run: () => Tensor) => {
      outer.push(name);
      return run();
    };
    const watched = aroundForward(net, around, () => of(net, ones([1, 2, 2, 1])));
    expect(String(watched)).toBe(String(inner));
    expect(outer).toHaveLength(inner.calls.length);
    for (const record of [inner, watched]) record.dispose();
  });
});

test('a forward function that is asynchronous is refused', () => {
  const model = new nn.ReLU();
  model.forward = (async () => ones([1])) as never;
  expect(() => of(model, ones([1]))).toThrow('forward: what the function returns is a Promise, expected no promise');
});

function raise(message: string): never {
  throw new Error(message);
}

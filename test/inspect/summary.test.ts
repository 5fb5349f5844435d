import { inspect as show } from 'node:util';
import { inspect, memory, models, nn, ones, ops, randomState, type Tensor, zeros } from '../../lib';
import { settle } from '../support/memory';

beforeEach(settle);

/** A residual block whose rectifier runs twice, and which adds by itself. */
class Block extends nn.Module {
  conv = new nn.Conv2d(4, 4, 3, { padding: 1, groups: 2, bias: false });
  norm = new nn.BatchNorm2d(4);
  relu = new nn.ReLU();
  scale = new nn.Parameter(ones([1]));
  forward(x: Tensor): Tensor {
    const body = this.norm.forward(this.conv.forward(this.relu.forward(x)));
    return this.relu.forward(ops.add(ops.mul(body, this.scale), x));
  }
}

const block = () => new nn.Sequential(new nn.Conv2d(1, 4, 2, { stride: 2 }), new Block(), new nn.Flatten(), new nn.Linear(36, 10));

describe('inspect.summary', () => {
  test('has a row for each layer that runs, with its own numbers', () => {
    expect(inspect.summary(block(), [2, 6, 6, 1])).toEqual([
      { name: '0', type: 'Conv2d', outputShape: [2, 3, 3, 4], parameters: 20, macs: 2 * 9 * 16, receptiveField: 2 },
      { name: '1.relu', type: 'ReLU', outputShape: [2, 3, 3, 4], parameters: 0, macs: 0, receptiveField: 2 },
      { name: '1.conv', type: 'Conv2d', outputShape: [2, 3, 3, 4], parameters: 72, macs: 2 * 9 * 72, receptiveField: 6 },
      { name: '1.norm', type: 'BatchNorm2d', outputShape: [2, 3, 3, 4], parameters: 8, macs: 0, receptiveField: 6 },
      { name: '1.relu#2', type: 'ReLU', outputShape: [2, 3, 3, 4], parameters: 0, macs: 0, receptiveField: 6 },
      { name: '1', type: 'Block', outputShape: [2, 3, 3, 4], parameters: 1, macs: 0, receptiveField: 6 },
      { name: '2', type: 'Flatten', outputShape: [2, 36], parameters: 0, macs: 0, receptiveField: 6 },
      { name: '3', type: 'Linear', outputShape: [2, 10], parameters: 370, macs: 720, receptiveField: 6 },
    ]);
  });

  test('adds up: parameters once, whether or not they are used, and those frozen', () => {
    const model = block();
    const conv = model.at(0) as nn.Conv2d;
    conv.weight.requiresGrad = false;
    const unused = Object.assign(model, { unused: new nn.Linear(3, 2) });
    const { total } = inspect.summary(unused, [1, 6, 6, 1]);
    expect(total).toEqual({ parameters: 471 + 8, frozen: 16, buffers: 8, macs: 144 + 648 + 360 });
    expect(total.parameters).toBe(model.parameters().reduce((n, { size }) => n + size, 0));
  });

  test('counts a layer that runs twice once, and a weight of two layers once in the total', () => {
    class Tied extends nn.Module {
      first = new nn.Linear(3, 3);
      second = new nn.Linear(3, 3, { bias: false });
      constructor() {
        super();
        Object.assign(this.second, { weight: this.first.weight });
      }
      forward(x: Tensor): Tensor {
        return this.second.forward(this.first.forward(this.first.forward(x)));
      }
    }
    const rows = inspect.summary(new Tied(), [1, 3]);
    expect(rows.map(({ name, parameters, macs }) => [name, parameters, macs])).toEqual([
      ['first', 12, 9],
      ['first#2', 0, 9],
      ['second', 9, 9],
    ]);
    expect(rows.total).toMatchObject({ parameters: 12, macs: 27 });
  });

  // Published: 0.42 M multiply-adds are 416,520.
  test('of LeNet-5, as a table and as what console.log shows', () => {
    const rows = inspect.summary(models.lenet5(), [1, 28, 28, 1]);
    const table = String(rows).split('\n');
    expect(table[0]).toBe('layer  type       output        parameters  multiply-adds  field');
    expect(table[2]).toBe('0      Conv2d     [1,28,28,6]          156        117,600      5');
    expect(table[9]).toBe('7      Linear     [1,120]           48,120         48,000     28');
    expect(table.at(-1)).toBe('total                               61,706        416,520');
    expect(show(rows)).toBe(String(rows));
    expect(JSON.parse(JSON.stringify(rows))).toHaveLength(12);
  });

  // torchvision states 1.81, 4.09 and 0.30 thousand million multiply-adds.
  test.each([
    ['resnet18', () => models.resnet18(), 11_689_512, 1_814_073_344, 435],
    ['resnet50', () => models.resnet50(), 25_557_032, 4_089_184_256, 427],
    ['mobilenetV2', () => models.mobilenetV2(), 3_504_872, 300_774_272, 491],
  ])('of %s agrees with what is published', (_, make, parameters, macs, size) => {
    const model = make();
    expect(inspect.summary(model, [1, 224, 224, 3]).total).toMatchObject({ parameters, macs });
    expect(inspect.receptiveField(model, [1, 224, 224, 3]).findLast(({ whole }) => !whole)).toMatchObject({ size, jump: 32 });
    model.dispose();
  });

  test('says what is not learned', () => {
    const model = block();
    model.parameters()[0].requiresGrad = false;
    expect(
      String(inspect.summary(model, [1, 6, 6, 1]))
        .split('\n')
        .slice(-2),
    ).toEqual(['16 of the parameters are frozen', '8 numbers in buffers are not learned']);
  });

  test('leaves the model, its modes, the random numbers and the memory as they were', () => {
    const model = block();
    model.append(new nn.Dropout());
    model.at(1)!.training = false;
    const [modes, random, before] = [[...model.namedModules()].map(([, { training }]) => training), randomState(), memory()];
    inspect.summary(model, [4, 6, 6, 1]);
    expect([...model.namedModules()].map(([, { training }]) => training)).toEqual(modes);
    expect(randomState()).toEqual(random);
    expect(memory()).toMatchObject({ tensors: before.tensors, bytes: before.bytes });
    expect(() => inspect.summary(model, [4, 7, 9, 1])).toThrow('linear: input has');
    expect([...model.namedModules()].map(([, { training }]) => training)).toEqual(modes);
    expect(memory()).toMatchObject({ tensors: before.tensors, bytes: before.bytes });
  });

  test('a model that gives no tensor, nor has a layer that does, is an error', () => {
    class Odd extends nn.Module {
      constructor(readonly part: nn.Module | null) {
        super();
      }
      forward(x: Tensor): Tensor {
        return [this.part ? this.part.forward(x) : x] as never;
      }
    }
    for (const report of [inspect.summary, inspect.parameters, inspect.receptiveField]) {
      expect(() => report(new Odd(null), [1, 4])).toThrow(
        `${report.name}: neither the model's forward nor a layer inside of it gives a Tensor`,
      );
    }
    expect(inspect.summary(new Odd(new nn.Linear(4, 2)), [1, 4]).map(({ name }) => name)).toEqual(['part']);
  });

  test('computes nothing and takes no memory: a network of tera-multiply-adds is summed up at once', () => {
    const model = new nn.Sequential(...Array.from({ length: 8 }, () => new nn.Conv2d(64, 64, 3, { padding: 1 })));
    const { peakBytes } = memory();
    expect(inspect.summary(model, [64, 256, 256, 64]).total.macs).toBe(8 * 64 * 256 * 256 * 9 * 64 * 64);
    expect(memory().peakBytes).toBe(peakBytes);
  });

  test('of an input tensor, of its type; of a shape, of the type of the parameters', () => {
    class Lookup extends nn.Module {
      table = new nn.Parameter(ones([10, 4]));
      forward(x: Tensor): Tensor {
        return ops.gather(this.table, x);
      }
    }
    expect(inspect.summary(new Lookup(), zeros([2, 5], { dtype: 'int32' }))[0]).toMatchObject({ outputShape: [2, 5, 4], parameters: 40 });
    expect(() => inspect.summary(new Lookup(), [2, 5])).toThrow('gather: index is float32, expected int32');
    class Double extends nn.Module {
      scale = new nn.Parameter(ones([1], { dtype: 'float64' }));
      forward(x: Tensor): Tensor {
        return ops.mul(x, this.scale);
      }
    }
    expect(inspect.summary(new Double(), [2, 5])).toHaveLength(1);
  });
});

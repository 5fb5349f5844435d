import { manualSeed, nn, ones, randn, type Tensor } from '../../lib';
import { native } from '../../lib/native';
import { distance } from '../support/agree';

// Layers that follow each other in one pass must give what they give one after the other.

class Watched extends nn.ReLU {
  override forward(x: Tensor): Tensor {
    return super.forward(x);
  }
}

class Other extends nn.MaxPool2d {
  override forward(x: Tensor): Tensor {
    return super.forward(x);
  }
}

const block = (activation: () => nn.Module | null, stride = 1) => {
  const layers = [new nn.Conv2d(6, 6, 3, { stride, padding: 1, bias: false }), new nn.BatchNorm2d(6), activation()];
  return layers.filter((layer) => layer !== null);
};

const networks: [name: string, make: (Rectifier: new () => nn.Module) => nn.Sequential][] = [
  ['batch norm, rectifier', (R) => new nn.Sequential(...block(() => new R()))],
  ['batch norm, rectifier, more', (R) => new nn.Sequential(...block(() => new R()), ...block(() => new R()), new nn.MaxPool2d(2))],
  ['residual', () => new nn.Sequential(new nn.Residual(new nn.Sequential(...block(() => null))), new nn.MaxPool2d(2))],
  [
    'residual, rectifier',
    (R) => new nn.Sequential(new nn.Residual(new nn.Sequential(...block(() => new R()), ...block(() => null))), new R()),
  ],
  [
    'residual with a shortcut, rectifier',
    (R) =>
      new nn.Sequential(new nn.Residual(new nn.Sequential(...block(() => null, 2)), new nn.Sequential(...block(() => null, 2))), new R()),
  ],
  ['residual in a residual', (R) => new nn.Sequential(new nn.Residual(new nn.Residual(new nn.Sequential(...block(() => null)))), new R())],
  ['convolution, rectifier', (R) => new nn.Sequential(new nn.Conv2d(6, 5, 3), new R(), new nn.Conv2d(5, 6, 3, { padding: 1 }))],
  ['reflected convolution, rectifier', (R) => new nn.Sequential(new nn.Conv2d(6, 5, 3, { padding: 1, paddingMode: 'reflect' }), new R())],
  ['residual of convolutions, rectifier', (R) => new nn.Sequential(new nn.Residual(new nn.Conv2d(6, 6, 3, { padding: 1 })), new R())],
  ['linear, rectifier', (R) => new nn.Sequential(new nn.Linear(6, 5), new R(), new nn.Linear(5, 3))],
  ['residual of linear layers, rectifier', (R) => new nn.Sequential(new nn.Residual(new nn.Linear(6, 6)), new R())],
  ['convolution, rectifier, pool', (R) => new nn.Sequential(new nn.Conv2d(6, 5, 3), new R(), new nn.MaxPool2d(2), new nn.Conv2d(5, 2, 2))],
  ['rectifier, pool', (R) => new nn.Sequential(new R(), new nn.MaxPool2d(3, { stride: 1, padding: 1 }))],
  ['pool, rectifier', (R) => new nn.Sequential(new nn.MaxPool2d(2), new R(), new nn.Conv2d(6, 5, 3))],
  ['rectifier, pool, rectifier', (R) => new nn.Sequential(new R(), new nn.MaxPool2d(2), new R())],
  [
    'residual that ends in a rectifier and a pool, rectifier',
    (R) =>
      new nn.Sequential(
        new nn.Residual(new nn.Sequential(new R(), new nn.MaxPool2d(3, { stride: 1, padding: 1 }))),
        new R(),
        new nn.MaxPool2d(2),
      ),
  ],
  ['residual that ends in a rectifier', (R) => new nn.Sequential(new nn.Residual(new nn.Sequential(...block(() => new R()))))],
];

describe.each(networks)('fusion › %s', (_name, make) => {
  test.each([
    ['training', true],
    ['inference', false],
  ])('%s', (_mode, training) => {
    const run = (Rectifier: new () => nn.Module) => {
      manualSeed(3);
      const model = make(Rectifier).train(training);
      const x = randn([2, 8, 8, 6], { requiresGrad: true });
      const y = model.forward(x);
      y.backward(randn(y.shape));
      return [y, x.grad!, ...model.parameters().map((p) => p.grad!), ...model.buffers()].map((t) => t.dataSync());
    };
    const [fused, plain] = [run(nn.ReLU), run(Watched)];
    expect(fused).toHaveLength(plain.length);
    fused.forEach((values, i) => {
      expect(distance(values, plain[i]!)).toBeLessThan(2e-6);
    });
  });
});

describe('fusion › takes place', () => {
  const calls = (model: nn.Module, kernel: 'unary' | 'binary') => {
    const spy = jest.spyOn(native.ops, kernel);
    model.forward(randn([1, 4, 4, 6]));
    const count = spy.mock.calls.length;
    spy.mockRestore();
    return count;
  };

  test('where the rectifier is one of this package', () => {
    expect(calls(new nn.Sequential(...block(() => new nn.ReLU())), 'unary')).toBe(0);
    expect(calls(new nn.Sequential(...block(() => new nn.ReLU6())), 'unary')).toBe(0);
    expect(calls(new nn.Sequential(...block(() => new Watched())), 'unary')).toBe(1);
  });

  test('behind the pool that follows the rectifier, where there are fewer values', () => {
    const forward = (...layers: nn.Module[]) => {
      const spies = [jest.spyOn(native.ops, 'conv2d'), jest.spyOn(native.ops, 'max_pool2d')];
      new nn.Sequential(...layers).forward(randn([1, 4, 4, 6]));
      return spies.map((spy) => {
        const clip = spy.mock.calls[0]?.slice(-2);
        spy.mockRestore();
        return clip;
      });
    };
    const [conv, pool] = [new nn.Conv2d(6, 5, 3), new nn.MaxPool2d(2)];
    const [nothing, relu] = [
      [-Infinity, Infinity],
      [0, Infinity],
    ];
    expect(forward(conv, new nn.ReLU(), pool)).toEqual([nothing, relu]);
    expect(forward(conv, pool, new nn.ReLU())).toEqual([nothing, relu]);
    expect(forward(conv, new nn.ReLU(), new Other(2))).toEqual([relu, nothing]);
  });

  test('before a pool whose windows may see padding alone: its -Infinity stays', () => {
    const forward = (Rectifier: new () => nn.Module) =>
      new nn.Sequential(new Rectifier(), new nn.MaxPool2d(2, { dilation: 3, padding: 1 })).forward(ones([1, 2, 2, 1])).dataSync();
    expect([...forward(nn.ReLU)]).toEqual([-Infinity]);
    expect(forward(nn.ReLU)).toEqual(forward(Watched));
  });

  test('whatever a program calls the parts of its modules', () => {
    class Named extends nn.Module {
      finishes = true;
      rectifier = new nn.ReLU();
      pools = [new nn.MaxPool2d(2)];
      forward(x: Tensor): Tensor {
        return this.pools[0]!.forward(this.rectifier.forward(x));
      }
    }
    class Assigned extends nn.Module {
      declare rectifier: nn.Module;
      constructor() {
        super();
        this.rectifier = new nn.ReLU();
      }
      forward(x: Tensor): Tensor {
        return this.rectifier.forward(x);
      }
    }
    class NamedPool extends nn.MaxPool2d {
      operation = 'mine';
    }
    const x = randn([1, 4, 4, 6]);
    const y = new nn.Sequential(
      new nn.Conv2d(6, 6, 1),
      new nn.ReLU(),
      new Named(),
      new NamedPool(2),
      new Assigned(),
      new nn.ReLU(),
    ).forward(x);
    expect(y.shape).toEqual([1, 1, 1, 6]);
  });

  test('where a residual block ends in a normalisation', () => {
    expect(calls(new nn.Residual(new nn.Sequential(...block(() => null))), 'binary')).toBe(0);
    expect(calls(new nn.Residual(new nn.Sequential(...block(() => new nn.ReLU()))), 'binary')).toBe(1);
  });

  test('but not where a forward was put in the place of a module’s own', () => {
    const model = new nn.Sequential(...block(() => new nn.ReLU()));
    let seen = 0;
    const norm = model.at(1)!;
    norm.forward = (x) => {
      seen++;
      return nn.BatchNorm2d.prototype.forward.call(norm, x);
    };
    expect(calls(model, 'unary')).toBe(1);
    expect(seen).toBe(1);
  });
});

test('fusion › a shortcut of another shape is an error', () => {
  const body = new nn.Sequential(...block(() => null, 2));
  expect(() => new nn.Residual(body).forward(randn([1, 4, 4, 6]))).toThrow(
    'batchNorm: what is added, as by a residual shortcut, has shape [1,4,4,6], expected [1,2,2,6]',
  );
  expect(() => new nn.Residual(new nn.Sequential(new nn.MaxPool2d(2))).forward(randn([1, 4, 4, 6]))).toThrow(
    'maxPool2d: what is added, as by a residual shortcut, has shape [1,4,4,6], expected [1,2,2,6]',
  );
  expect(() => new nn.Residual(new nn.Sequential(new nn.MaxPool1d(2))).forward(randn([1, 4, 6]))).toThrow(
    'maxPool1d: what is added, as by a residual shortcut, has shape [1,4,6], expected [1,2,6]',
  );
});

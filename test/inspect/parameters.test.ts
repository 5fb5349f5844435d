import fc from 'fast-check';
import { inspect, models, nn, ones, ops, type Tensor, zeros } from '../../lib';

const unshared = (model: nn.Module, input: number[] | Tensor) => inspect.parameters(model, input as number[]).total.unshared;

describe('inspect.parameters', () => {
  test('of LeNet-5', () => {
    const rows = inspect.parameters(models.lenet5(), [1, 28, 28, 1]);
    expect(rows.map(({ name, type, shared, unshared: apart }) => [name, type, shared, apart])).toEqual([
      ['0', 'Conv2d', 156, 28 * 28 * 156],
      ['3', 'Conv2d', 2416, 10 * 10 * 2416],
      ['7', 'Linear', 48_120, 48_120],
      ['9', 'Linear', 10_164, 10_164],
      ['11', 'Linear', 850, 850],
    ]);
    expect(rows.total).toEqual({ shared: 61_706, unshared: 423_038 });
    expect(String(rows).split('\n').slice(2, 4)).toEqual([
      '0      Conv2d  [1,28,28,6]      156   122,304  784 x',
      '3      Conv2d  [1,10,10,16]   2,416   241,600  100 x',
    ]);
  });

  test('a convolution is h·w·n·(kh·kw·M/groups + 1) numbers unshared, for any batch', () => {
    const size = fc.integer({ min: 1, max: 4 });
    fc.assert(
      fc.property(size, size, size, size, size, size, fc.boolean(), (groups, depth, width, kh, kw, stride, bias) => {
        const [M, n] = [groups * depth, groups * width];
        const conv = new nn.Conv2d(M, n, [kh, kw], { stride, groups, bias });
        const [h, w] = [Math.floor((9 - kh) / stride) + 1, Math.floor((7 - kw) / stride) + 1];
        expect(inspect.parameters(conv, [stride, 9, 7, M])[0]).toMatchObject({
          shared: n * (kh * kw * depth + Number(bias)),
          unshared: h * w * n * (kh * kw * depth + Number(bias)),
        });
      }),
      { numRuns: 200 },
    );
  });

  test.each<[string, nn.Module, number[] | Tensor, number]>([
    ['a fully connected layer holds as many', new nn.Linear(5, 3), [2, 5], 18],
    ['one that is used at each place of a sequence, as many for each', new nn.Linear(5, 3), [2, 7, 5], 7 * 18],
    ['batch norm, a pair an output', new nn.BatchNorm2d(3), [2, 4, 5, 3], 4 * 5 * 6],
    [
      'a transposed convolution, a kernel for each cell it starts from',
      new nn.ConvTranspose2d(2, 3, 2, { stride: 2 }),
      [2, 4, 5, 2],
      4 * 5 * 24 + 8 * 10 * 3,
    ],
    ['a layer that runs twice, for each run', twice(new nn.Conv2d(2, 2, 1)), [1, 3, 3, 2], 2 * 9 * 6],
  ])('%s', (_, model, input, expected) => {
    expect(unshared(model, input)).toBe(expected);
  });

  test('is what nn.LocallyConnected2d holds', () => {
    const conv = new nn.Conv2d(2, 3, [3, 2], { stride: 2, padding: 1 });
    const local = new nn.LocallyConnected2d(2, 3, [3, 2], { stride: 2, padding: 1, inputSize: [9, 8] });
    const { unshared: apart } = inspect.parameters(conv, [1, 9, 8, 2]).total;
    expect(inspect.parameters(local, [4, 9, 8, 2]).total).toEqual({ shared: apart, unshared: apart });
  });

  test('of what is not shared to begin with: as many; of a table, a table a place', () => {
    class Places extends nn.Module {
      places = new nn.Parameter(ones([6, 4]));
      table = new nn.Parameter(ones([10, 4]));
      unused = new nn.Parameter(ones([3]));
      forward(x: Tensor): Tensor {
        return ops.add(ops.gather(this.table, x), this.places);
      }
    }
    const rows = inspect.parameters(new Places(), zeros([2, 6], { dtype: 'int32' }));
    expect(rows).toEqual([{ name: '', type: 'Places', outputShape: [2, 6, 4], shared: 67, unshared: 24 + 6 * 40 + 3 }]);
  });

  test('what is made of parameters before it is used counts as it is', () => {
    class Normed extends nn.Module {
      weight = new nn.Parameter(ones([2, 2]));
      scale = new nn.Parameter(ones([1]));
      forward(x: Tensor): Tensor {
        return ops.linear(x, ops.mul(this.weight, this.scale));
      }
    }
    expect(inspect.parameters(new Normed(), [3, 5, 2]).total).toEqual({ shared: 5, unshared: 5 });
  });
});

function twice(layer: nn.Module): nn.Module {
  return new nn.Sequential(layer, layer);
}

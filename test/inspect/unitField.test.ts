import { inspect, models, nn, ones, ops, type Tensor } from '../../lib';

describe('inspect.unitField', () => {
  const model = models.lenet5();
  const field = (layer: inspect.LayerName, unit?: inspect.Unit) => inspect.unitField(model, [1, 28, 28, 1], layer, unit);

  test.each<[string, inspect.LayerName, inspect.Unit | undefined, number[][]]>([
    [
      'in a corner, less the padding',
      '3',
      [0, 0],
      [
        [0, 11],
        [0, 11],
      ],
    ],
    [
      'elsewhere',
      '3',
      [2, 4],
      [
        [2, 15],
        [6, 19],
      ],
    ],
    [
      'in the middle, by default',
      '3',
      undefined,
      [
        [8, 21],
        [8, 21],
      ],
    ],
    [
      'of one channel',
      '3',
      [2, 4, 5],
      [
        [2, 15],
        [6, 19],
      ],
    ],
    [
      'of the model',
      '',
      [7],
      [
        [0, 27],
        [0, 27],
      ],
    ],
    [
      'of a layer given by itself',
      model.at(5)!,
      [4, 4],
      [
        [14, 27],
        [14, 27],
      ],
    ],
  ])('%s', (_, layer, unit, expected) => {
    expect(field(layer, unit)).toEqual(expected);
  });

  test('of a later run of a layer, and of a channel of a concatenation', () => {
    class Net extends nn.Module {
      conv = new nn.Conv2d(1, 1, 3);
      forward(x: Tensor): Tensor {
        const y = this.conv.forward(this.conv.forward(x));
        return ops.concat([y, ops.slice(x, [0, 2, 2], [1, -2, -2])], 3);
      }
    }
    const net = new Net();
    const at = (layer: string, unit: number[]) => inspect.unitField(net, [1, 9, 9, 1], layer, unit);
    expect(at('conv', [1, 2])).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect(at('conv#2', [1, 2])).toEqual([
      [1, 5],
      [2, 6],
    ]);
    expect(at('', [1, 2])).toEqual([
      [1, 5],
      [2, 6],
    ]);
    expect(at('', [1, 2, 0])).toEqual([
      [1, 5],
      [2, 6],
    ]);
    expect(at('', [1, 2, 1])).toEqual([
      [3, 3],
      [4, 4],
    ]);
  });

  test('is empty where a unit depends on nothing', () => {
    class Zeros extends nn.Module {
      forward(x: Tensor): Tensor {
        return ops.add(
          ops.slice(
            ops.pad(x, [
              [0, 0],
              [3, 0],
              [0, 0],
              [0, 0],
            ]),
            [0, 0],
            [1, 3],
          ),
          ones([1]),
        );
      }
    }
    expect(inspect.unitField(new Zeros(), [1, 4, 4, 1], '', [0, 0])).toEqual([]);
  });
});

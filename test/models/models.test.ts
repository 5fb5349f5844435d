import { models, randn } from '../../lib';

describe('lenet5', () => {
  test("has LeNet-5's layers and 61,706 parameters", () => {
    const model = models.lenet5();
    const shapes = Object.fromEntries([...model.namedParameters()].map(([name, { shape }]) => [name, shape]));
    expect(shapes).toEqual({
      '0.weight': [5, 5, 1, 6],
      '0.bias': [6],
      '3.weight': [5, 5, 6, 16],
      '3.bias': [16],
      '7.weight': [120, 400],
      '7.bias': [120],
      '9.weight': [84, 120],
      '9.bias': [84],
      '11.weight': [10, 84],
      '11.bias': [10],
    });
    expect(model.parameters().reduce((n, { size }) => n + size, 0)).toBe(61_706);
    expect(model.forward(randn([3, 28, 28, 1])).shape).toEqual([3, 10]);
  });

  test.each([
    [32, 3, 100],
    [12, 1, 2],
    [29, 2, 5],
  ])('of %i pixels, %i channels and %i classes', (size, channels, classes) => {
    expect(models.lenet5({ size, channels, classes }).forward(randn([2, size, size, channels])).shape).toEqual([2, classes]);
  });

  test.each([11, 28.5])('refuses images of %d pixels', (size) => {
    expect(() => models.lenet5({ size })).toThrow(`lenet5: size is ${size}, expected an integer of at least 12`);
  });
});

describe('mlp', () => {
  test('flattens its input and puts rectifiers between the layers', () => {
    const model = models.mlp({ inputs: 12, hidden: [8, 4], classes: 3 });
    expect([...model].map(String)).toEqual(['Flatten()', 'Linear(12, 8)', 'ReLU()', 'Linear(8, 4)', 'ReLU()', 'Linear(4, 3)']);
    expect(model.forward(randn([5, 2, 3, 2])).shape).toEqual([5, 3]);
  });

  test('without hidden layers is a linear model', () => {
    expect([...models.mlp({ inputs: 2, hidden: [], classes: 3 })].map(String)).toEqual(['Flatten()', 'Linear(2, 3)']);
  });

  test('refuses what is no size', () => {
    expect(() => models.mlp({ inputs: 2, hidden: 3 as never, classes: 3 })).toThrow('mlp: hidden is 3, expected a list of layer sizes');
    expect(() => models.mlp({ inputs: 2, hidden: [0], classes: 3 })).toThrow('Linear: outFeatures is 0');
  });
});

import { inspect, manualSeed, memory, nn, noGrad, ones, ops, type Tensor, tensor, zeros } from '../../lib';
import { settle } from '../support/memory';

beforeEach(settle);

const positive = (model: nn.Module, value?: number): nn.Module => {
  for (const parameter of model.parameters()) value === undefined ? nn.init.uniform(parameter, 0.5, 1) : nn.init.constant(parameter, value);
  return model;
};

/** n convolutions of 3x3, all weights the same. */
const stack = (n: number) =>
  positive(new nn.Sequential(...Array.from({ length: n }, () => new nn.Conv2d(1, 1, 3, { padding: 1, bias: false }))), 1 / 9);

const rowsOf = ({ shape: [height, width], values }: inspect.EffectiveField) =>
  Array.from({ length: height }, (_, i) => [...values.subarray(i * width, (i + 1) * width)]);

describe('inspect.effectiveReceptiveField', () => {
  // The gradient of one 3x3 convolution is its kernel; of two, the kernel convolved with itself: 1, 2, 3, 2, 1 along each axis.
  test('of convolutions is their kernels, convolved', async () => {
    const effective = await inspect.effectiveReceptiveField(stack(2), [1, 7, 7, 1], '1', [3, 3]);
    const line = [0, 1, 2, 3, 2, 1, 0].map((n) => n / 9);
    expect(effective).toMatchObject({
      shape: [7, 7],
      field: [
        [1, 5],
        [1, 5],
      ],
    });
    for (const [i, row] of rowsOf(effective).entries())
      for (const [j, value] of row.entries()) expect(value).toBeCloseTo(line[i] * line[j], 6);
    expect(effective.size).toBe(5);
  });

  // Luo et al.: the field of n layers spreads as a Gaussian of deviation √(n·2/3), so its size grows as √n, not as n.
  test('grows with the root of the depth', async () => {
    const sizes = [];
    for (const n of [4, 16]) sizes.push((await inspect.effectiveReceptiveField(stack(n), [1, 45, 45, 1], '')).size);
    expect(sizes[1] / sizes[0]).toBeGreaterThan(1.7);
    expect(sizes[1] / sizes[0]).toBeLessThan(2.3);
    // a circle where the Gaussian has fallen to 4.55 %
    const radius = Math.sqrt(2 * 16 * (2 / 3) * Math.log(1 / (1 - 0.9545)));
    expect(sizes[1]).toBeGreaterThan(0.9 * Math.sqrt(Math.PI) * radius);
    expect(sizes[1]).toBeLessThan(1.1 * Math.sqrt(Math.PI) * radius);
  });

  test('is 0 outside the computed field and reaches its edges', async () => {
    const model = positive(
      new nn.Sequential(
        new nn.Conv2d(2, 3, 3, { stride: 2, padding: 1 }),
        new nn.ReLU(),
        new nn.BatchNorm2d(3),
        new nn.AvgPool2d([2, 3], { stride: 1 }),
        new nn.Conv2d(3, 4, [1, 3], { dilation: [1, 2] }),
      ),
    );
    const effective = await inspect.effectiveReceptiveField(model, [4, 24, 24, 2], '4', [2, 1]);
    const [[top, bottom], [left, right]] = effective.field;
    expect([top, bottom, left, right]).toEqual([3, 7, 1, 15]);
    const rows = rowsOf(effective);
    const outside = rows.flatMap((row, i) => row.filter((_, j) => i < top || i > bottom || j < left || j > right));
    expect(outside.filter((value) => value !== 0)).toEqual([]);
    expect(outside).toHaveLength(24 * 24 - (bottom - top + 1) * (right - left + 1));
    for (const i of [top, bottom]) expect(Math.max(...rows[i])).toBeGreaterThan(0);
    for (const j of [left, right]) expect(Math.max(...rows.map((row) => row[j]))).toBeGreaterThan(0);
  });

  test('is the mean over samples and channels of the absolute gradient; by default of the unit in the middle', async () => {
    const model = new nn.Conv2d(2, 2, 1, { bias: false });
    model.weight.dispose();
    Object.assign(model, { weight: new nn.Parameter(tensor([1, 2, -5, 3], [1, 1, 2, 2])) });
    const both = await inspect.effectiveReceptiveField(model, [3, 5, 4, 2], '');
    expect(both.field).toEqual([
      [2, 2],
      [2, 2],
    ]);
    expect(both.values[2 * 4 + 2]).toBeCloseTo((Math.abs(1 + 2) + Math.abs(-5 + 3)) / 2, 6);
    const second = await inspect.effectiveReceptiveField(model, [3, 5, 4, 2], '', [0, 3, 1]);
    expect(second.values[3]).toBeCloseTo((2 + 3) / 2, 6);
    expect(second.size).toBe(1);
  });

  test('of given images, of a sequence, and of normal samples that follow the seed', async () => {
    const relu = new nn.ReLU();
    const dark = await inspect.effectiveReceptiveField(relu, zeros([1, 3, 3, 1]), '');
    expect(dark).toMatchObject({
      size: 0,
      field: [
        [1, 1],
        [1, 1],
      ],
    });
    const sequence = await inspect.effectiveReceptiveField(new nn.Linear(3, 2), ones([1, 9, 3]), '', [4]);
    expect([sequence.shape, sequence.size, sequence.field]).toEqual([[9], 1, [[4, 4]]]);
    const measure = async (seed: number) => {
      manualSeed(seed);
      return (await inspect.effectiveReceptiveField(new nn.Sequential(new nn.MaxPool2d(2)), [1, 4, 4, 1], '0', [0, 0])).values;
    };
    expect(await measure(3)).toEqual(await measure(3));
  });

  test('leaves no gradients, no memory, and the model as it was', async () => {
    const model = new nn.Sequential(new nn.Conv2d(1, 2, 3), new nn.BatchNorm2d(2));
    const x = ones([1, 5, 5, 1]);
    const before = memory().tensors;
    await inspect.effectiveReceptiveField(model, x, '1');
    await inspect.effectiveReceptiveField(model, [1, 5, 5, 1], '1');
    expect(memory().tensors).toBe(before);
    expect(model.parameters().map(({ grad }) => grad)).toEqual([null, null, null, null]);
    expect([x.requiresGrad, x.grad, model.at(1)!.training]).toEqual([false, null, true]);
  });

  test.each<[string, () => Promise<unknown>, string]>([
    ['an unknown layer', () => inspect.effectiveReceptiveField(stack(1), [1, 5, 5, 1], '7'), 'effectiveReceptiveField: layer is "7"'],
    ['a unit out of range', () => inspect.effectiveReceptiveField(stack(1), [1, 5, 5, 1], '0', [0, 5]), 'unit is [0,5]'],
    ['tokens', () => inspect.effectiveReceptiveField(stack(1), ones([1, 5], { dtype: 'int32' }), '0'), 'the input is "int32"'],
    ['a model that is none', () => inspect.effectiveReceptiveField(null as never, [1, 5], '0'), 'model is null, expected a Module'],
    [
      'a layer that no gradient comes back from',
      () => {
        const cut = new nn.Sequential(new nn.ReLU());
        cut.forward = (x: Tensor) => noGrad(() => ops.relu(x));
        return inspect.effectiveReceptiveField(cut, [1, 5, 5, 1], '');
      },
      'no gradient reaches the input from this layer',
    ],
  ])('refuses %s', async (_, run, message) => {
    await expect(run()).rejects.toThrow(message);
  });
});

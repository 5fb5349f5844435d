import { losses, manualSeed, ops, randn, type Tensor, tensor, uniform, zeros } from '../../lib';
import type { CrossEntropyOptions } from '../../lib/losses';
import { precision, unit } from '../support/agree';
import { leaf, spacedLeaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

const labels = (...values: number[]): Tensor => tensor(Int32Array.from(values));

describe('crossEntropy', () => {
  const weight = () => tensor([0.5, 2, 1, 0.25], null, { dtype: 'float64' });
  const target = labels(3, 0, 1, 1, 2);

  const options: readonly (readonly [string, () => CrossEntropyOptions])[] = [
    ['plain', () => ({})],
    ['class weights', () => ({ weight: weight() })],
    ['label smoothing 0.1', () => ({ labelSmoothing: 0.1 })],
    ['label smoothing 1', () => ({ labelSmoothing: 1 })],
    ['an ignored label', () => ({ ignoreIndex: 1 })],
    ['class weights, label smoothing 0.3, an ignored label', () => ({ weight: weight(), labelSmoothing: 0.3, ignoreIndex: 0 })],
  ];

  /** PyTorch's definition for probabilities, row by row. */
  function soft(logits: number[][], targets: number[][], { weight: w, labelSmoothing = 0 }: CrossEntropyOptions) {
    const factors = w ? Array.from(w.dataSync()) : logits[0].map(() => 1);
    const rows = logits.map((row, i) => {
      const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
      return row.reduce((sum, x, c) => {
        const target = targets[i][c] * (1 - labelSmoothing) + labelSmoothing / row.length;
        return sum + factors[c] * target * (total - x);
      }, 0);
    });
    const sum = rows.reduce((a, b) => a + b, 0);
    return { none: rows, sum: [sum], mean: [sum / rows.length] };
  }

  /** PyTorch's definition, row by row. */
  function formula(logits: number[][], classes: number[], { weight: w, labelSmoothing = 0, ignoreIndex = -100 }: CrossEntropyOptions) {
    const factors = w ? Array.from(w.dataSync()) : logits[0].map(() => 1);
    let count = 0;
    const rows = logits.map((row, i) => {
      if (classes[i] === ignoreIndex) return 0;
      count += factors[classes[i]];
      const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
      const nll = row.map((x, c) => factors[c] * (total - x));
      return (1 - labelSmoothing) * nll[classes[i]] + (labelSmoothing / row.length) * nll.reduce((a, b) => a + b, 0);
    });
    const sum = rows.reduce((a, b) => a + b, 0);
    return { none: rows, sum: [sum], mean: [sum / count] };
  }

  describe.each(options)('%s', (_name, make) => {
    test.each(['none', 'sum', 'mean'] as const)('forward is the formula, reduction %s', async (reduction) => {
      const logits = randn([5, 4], { dtype: 'float64' });
      const expected = formula((await logits.array()) as number[][], Array.from(target.dataSync()), make())[reduction];
      const y = losses.crossEntropy(logits, target, { ...make(), reduction });
      expect(y.shape).toEqual(reduction === 'none' ? [5] : []);
      const values = y.dataSync();
      expected.forEach((value, i) => {
        expect(values[i]).toBeCloseTo(value, 12);
      });
    });

    test.each(['none', 'sum', 'mean'] as const)('gradient, reduction %s', (reduction) => {
      gradcheck((logits) => losses.crossEntropy(logits, target, { ...make(), reduction }), [leaf(5, 4)]);
    });

    // Rows add up to 1, but for the first: the formula does not ask it of them.
    const probabilities = [
      [0.5, 0.5, 0.25, 0],
      [1, 0, 0, 0],
      [0.1, 0.2, 0.3, 0.4],
      [0.25, 0.25, 0.25, 0.25],
      [0, 0.9, 0, 0.1],
    ];
    const shares = () => tensor(probabilities, null, { dtype: 'float64' });

    test.each(['none', 'sum', 'mean'] as const)('of probabilities is the formula, reduction %s', async (reduction) => {
      const logits = randn([5, 4], { dtype: 'float64' });
      const expected = soft((await logits.array()) as number[][], probabilities, make())[reduction];
      const y = losses.crossEntropy(logits, shares(), { ...make(), reduction });
      expect(y.shape).toEqual(reduction === 'none' ? [5] : []);
      const values = y.dataSync();
      expected.forEach((value, i) => {
        expect(values[i]).toBeCloseTo(value, 12);
      });
      gradcheck((x) => losses.crossEntropy(x, shares(), { ...make(), reduction }), [leaf(5, 4)]);
    });

    test('float32 agrees with float64', () => {
      const many = tensor(Int32Array.from({ length: 33 }, (_, i) => (i * 7) % 4));
      const { weight: w = null, ...rest } = make();
      const inputs = [leaf(33, 4), ...(w ? [w] : [])];
      const distances = precision((logits, weight = null as never) => losses.crossEntropy(logits, many, { ...rest, weight }), inputs);
      for (const one of distances) expect(one).toBeLessThan(64 * unit);
    });
  });

  test.each([
    ['scalar', [4], []],
    ['image', [2, 3, 1, 4], [2, 3, 1]],
    ['batch of none', [0, 4], [0]],
  ])('gradient with labels of a %s', (_name, shape, labelShape) => {
    const count = labelShape.reduce((a, b) => a * b, 1);
    const target = ops.reshape(tensor(Int32Array.from({ length: count }, (_, i) => i % 4)), labelShape);
    for (const reduction of ['none', 'mean'] as const) {
      for (const t of [target, uniform(shape, 0, 1, { dtype: 'float64' })]) {
        if (count > 0) gradcheck((logits) => losses.crossEntropy(logits, t, { reduction }), [leaf(...shape)]);
        expect(losses.crossEntropy(leaf(...shape), t, { reduction }).shape).toEqual(reduction === 'none' ? labelShape : []);
      }
    }
  });

  test('probabilities of 0 and 1 are labels, in float32', () => {
    const x = randn([50, 10]);
    const classes = Int32Array.from({ length: 50 }, (_, i) => (i * 7) % 10);
    const oneHot = Float32Array.from({ length: 500 }, (_, i) => Number(classes[Math.floor(i / 10)] === i % 10));
    const run = (t: Tensor) => losses.crossEntropy(x, t, { labelSmoothing: 0.1 }).itemSync();
    expect(run(tensor(oneHot, [50, 10]))).toBeCloseTo(run(tensor(classes)), 6);
  });

  test('does not overflow', () => {
    const x = tensor(
      [
        [1e4, 0],
        [0, -1e4],
      ],
      null,
      { requiresGrad: true },
    );
    const y = losses.crossEntropy(x, labels(0, 1), { reduction: 'none' });
    expect(Array.from(y.dataSync())).toEqual([0, 1e4]);
    ops.sum(y).backward();
    expect(Array.from(x.grad!.dataSync())).toEqual([0, 0, 1, -1]);
  });

  test('an ignored row gets a gradient of 0', () => {
    const x = leaf(2, 3);
    losses.crossEntropy(x, labels(1, -100)).backward();
    expect(Array.from(x.grad!.dataSync().slice(3))).toEqual([0, 0, 0]);
  });

  test('the mean over no rows is NaN', () => {
    expect(losses.crossEntropy(zeros([2, 3]), labels(-100, -100)).dataSync()[0]).toBeNaN();
  });

  test('a label out of range is an error when the loss is read', async () => {
    const loss = losses.crossEntropy(zeros([2, 3]), labels(0, 3));
    await expect(loss.item()).rejects.toMatchObject({ code: 'ERR_KERNEL', message: 'cross_entropy: label 3 of row 1 is not in 0 to 2' });
  });

  test.each([
    [
      'labels of floats',
      () => losses.crossEntropy(zeros([2, 3]), zeros([2])),
      [
        'RangeError',
        'ERR_SHAPE',
        'crossEntropy: labels have shape [2], expected that of the logits for probabilities, or int32 [2] (logits [2,3])',
      ],
    ],
    [
      'labels of bytes',
      () => losses.crossEntropy(zeros([2, 3]), zeros([2], { dtype: 'uint8' })),
      ['TypeError', 'ERR_DTYPE', 'crossEntropy: labels are uint8, expected int32, or float32 for probabilities (see ops.cast)'],
    ],
    [
      'probabilities of another type',
      () => losses.crossEntropy(zeros([2, 3]), zeros([2, 3], { dtype: 'float64' })),
      ['TypeError', 'ERR_DTYPE', 'crossEntropy: labels are float64, expected int32, or float32 for probabilities (see ops.cast)'],
    ],
    [
      'labels of another number',
      () => losses.crossEntropy(zeros([2, 3]), labels(0)),
      [
        'RangeError',
        'ERR_SHAPE',
        'crossEntropy: labels have shape [1], expected that of the logits without their last axis, the classes (logits [2,3])',
      ],
    ],
    [
      'no classes',
      () => losses.crossEntropy(zeros([2, 0]), labels(0, 0)),
      ['RangeError', 'ERR_SHAPE', 'crossEntropy: logits [2,0] have no classes'],
    ],
    [
      'a weight of another length',
      () => losses.crossEntropy(zeros([1, 3]), labels(0), { weight: zeros([2]) }),
      ['RangeError', 'ERR_SHAPE', 'crossEntropy: weight has shape [2], expected [3]'],
    ],
    [
      'an unknown reduction',
      () => losses.crossEntropy(zeros([1, 3]), labels(0), { reduction: 'average' as never }),
      ['RangeError', 'ERR_INVALID_VALUE', `crossEntropy: reduction is "average", expected 'none', 'mean' or 'sum'`],
    ],
    [
      'a smoothing above 1',
      () => losses.crossEntropy(zeros([1, 3]), labels(0), { labelSmoothing: 1.5 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'crossEntropy: labelSmoothing is 1.5, expected a number from 0 to 1'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

type Elementwise = readonly [
  name: 'mse' | 'l1' | 'bceWithLogits',
  formula: (x: number, t: number) => number,
  inputs: () => [Tensor, Tensor],
];

const elementwise: readonly Elementwise[] = [
  ['mse', (x, t) => (x - t) ** 2, () => [leaf(3, 4), leaf(3, 4)]],
  ['l1', (x, t) => Math.abs(x - t), () => [spacedLeaf(3, 4), tensor(new Float64Array(12).fill(0.05), [3, 4], { requiresGrad: true })]],
  [
    'bceWithLogits',
    (x, t) => -t * Math.log(1 / (1 + Math.exp(-x))) - (1 - t) * Math.log(1 - 1 / (1 + Math.exp(-x))),
    () => [
      leaf(3, 4),
      tensor(
        Float64Array.from({ length: 12 }, (_, i) => i / 11),
        [3, 4],
      ),
    ],
  ],
];

describe.each(elementwise)('%s', (name, formula, inputs) => {
  test('forward is the formula', () => {
    const [x, t] = inputs();
    const [a, b] = [x.dataSync(), t.dataSync()];
    const expected = Array.from(a, (value, i) => formula(value, b[i]));
    const sum = expected.reduce((total, one) => total + one, 0);
    const y = losses[name](x, t, { reduction: 'none' });
    expect(y.shape).toEqual([3, 4]);
    expected.forEach((value, i) => {
      expect(y.dataSync()[i]).toBeCloseTo(value, 12);
    });
    expect(losses[name](x, t, { reduction: 'sum' }).dataSync()[0]).toBeCloseTo(sum, 12);
    expect(losses[name](x, t).dataSync()[0]).toBeCloseTo(sum / 12, 12);
  });

  test.each(['none', 'sum', 'mean'] as const)('gradient, reduction %s', (reduction) => {
    gradcheck((x, t) => losses[name](x, t, { reduction }), inputs());
  });

  test('shapes that would broadcast are an error', () => {
    expect(fault(() => losses[name](zeros([3, 4]), zeros([4])))).toEqual({
      name: 'RangeError',
      code: 'ERR_SHAPE',
      message: `${name}: target has shape [4], expected that of the input, [3,4]`,
    });
  });
});

test('bceWithLogits › is finite for logits of any size, and its derivative at 0 is 1/2 - t', () => {
  const x = tensor([1000, -1000, 0, 0], null, { requiresGrad: true });
  const y = losses.bceWithLogits(x, tensor([0, 1, 1, 0]), { reduction: 'none' });
  expect(Array.from(y.dataSync(), (v) => Math.round(v * 1e6) / 1e6)).toEqual([1000, 1000, 0.693147, 0.693147]);
  ops.sum(y).backward();
  expect(Array.from(x.grad!.dataSync())).toEqual([1, -1, -0.5, 0.5]);
});

import * as fc from 'fast-check';
import { losses, manualSeed, ops, randn, type Tensor, tensor, uniform, zeros } from '../../lib';
import type { CrossEntropyOptions } from '../../lib/losses';
import { distance, precision, unit } from '../support/agree';
import { leaf, randomNumbers, sizeOf, spacedLeaf } from '../support/data';
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
    await expect(loss.item()).rejects.toMatchObject({ code: 'ERR_KERNEL', message: 'crossEntropy: label 3 of row 1 is not in 0 to 2' });
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

type Options = { reduction?: 'none' | 'sum' | 'mean' };

interface Elementwise {
  /** With its options, where it has any. */
  name: string;
  loss: (x: Tensor, t: Tensor, options: Options) => Tensor;
  formula: (x: number, t: number, i: number) => number;
  inputs: (...shape: number[]) => [Tensor, Tensor];
}

const float64 = (values: number[], shape?: number[]) => tensor(Float64Array.from(values), shape ?? [values.length]);

/** A leaf from 0.01 to 0.99. */
const shares = (...shape: number[]): Tensor => {
  const next = randomNumbers(7);
  return tensor(
    Float64Array.from({ length: sizeOf(shape) }, () => 0.01 + 0.98 * next()),
    shape,
    { requiresGrad: true },
  );
};

const two = (...shape: number[]): [Tensor, Tensor] => [leaf(...shape), leaf(...shape)];
/** Differences that lie on no corner: odd multiples of 0.1, and 0.01 more. */
const spaced = (...shape: number[]): [Tensor, Tensor] => [spacedLeaf(...shape), zeros(shape, { dtype: 'float64', requiresGrad: true })];
const withTargets =
  (targets: (...shape: number[]) => Tensor) =>
  (...shape: number[]): [Tensor, Tensor] => [leaf(...shape), targets(...shape)];

const bent = (d: number, corner: number) => (Math.abs(d) <= corner ? (d * d) / 2 : corner * (Math.abs(d) - corner / 2));
const bce = (x: number, t: number, p = 1) => -p * t * Math.log(1 / (1 + Math.exp(-x))) - (1 - t) * Math.log(1 - 1 / (1 + Math.exp(-x)));
const weights = [0.5, 2, 1, 0.25];

const elementwise: readonly Elementwise[] = [
  { name: 'mse', loss: losses.mse, formula: (x, t) => (x - t) ** 2, inputs: two },
  { name: 'l1', loss: losses.l1, formula: (x, t) => Math.abs(x - t), inputs: spaced },
  { name: 'huber', loss: losses.huber, formula: (x, t) => bent(x - t, 1), inputs: spaced },
  {
    name: 'huber, delta 0.4',
    loss: (x, t, o) => losses.huber(x, t, { ...o, delta: 0.4 }),
    formula: (x, t) => bent(x - t, 0.4),
    inputs: spaced,
  },
  { name: 'smoothL1', loss: losses.smoothL1, formula: (x, t) => bent(x - t, 1), inputs: spaced },
  {
    name: 'smoothL1, beta 0.4',
    loss: (x, t, o) => losses.smoothL1(x, t, { ...o, beta: 0.4 }),
    formula: (x, t) => bent(x - t, 0.4) / 0.4,
    inputs: spaced,
  },
  {
    name: 'smoothL1, beta 0',
    loss: (x, t, o) => losses.smoothL1(x, t, { ...o, beta: 0 }),
    formula: (x, t) => Math.abs(x - t),
    inputs: spaced,
  },
  { name: 'bceWithLogits', loss: losses.bceWithLogits, formula: (x, t) => bce(x, t), inputs: withTargets(shares) },
  {
    name: 'bceWithLogits, posWeight',
    loss: (x, t, o) => losses.bceWithLogits(x, t, { ...o, posWeight: float64(weights) }),
    formula: (x, t, i) => bce(x, t, weights[i % 4]),
    inputs: withTargets(shares),
  },
  {
    name: 'bceWithLogits, weight and posWeight',
    loss: (x, t, o) => losses.bceWithLogits(x, t, { ...o, weight: float64(weights), posWeight: float64([3], []) }),
    formula: (x, t, i) => weights[i % 4] * bce(x, t, 3),
    inputs: withTargets(shares),
  },
  { name: 'klDiv', loss: losses.klDiv, formula: (x, t) => t * (Math.log(t) - x), inputs: withTargets(shares) },
  {
    name: 'klDiv, logTarget',
    loss: (x, t, o) => losses.klDiv(x, t, { ...o, logTarget: true }),
    formula: (x, t) => Math.exp(t) * (t - x),
    inputs: two,
  },
];

describe.each(elementwise)('$name', ({ name, loss, formula, inputs }) => {
  test('forward is the formula, whatever the shape', () => {
    // The last axis is that of the weights above.
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 3 }), (outer) => {
        const [x, t] = inputs(...outer, 4);
        const [a, b] = [x.dataSync(), t.dataSync()];
        const expected = Array.from(a, (value, i) => formula(value, b[i], i));
        const sum = expected.reduce((total, one) => total + one, 0);
        const y = loss(x, t, { reduction: 'none' });
        expect(y.shape).toEqual(x.shape);
        expect(distance(y.dataSync(), expected)).toBeLessThan(1e-13);
        expect(loss(x, t, { reduction: 'sum' }).dataSync()[0]).toBeCloseTo(sum, 9);
        expect(loss(x, t, {}).dataSync()[0]).toBeCloseTo(sum / expected.length, 9);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  test.each(['none', 'sum', 'mean'] as const)('gradient, reduction %s', (reduction) => {
    gradcheck((x, t) => loss(x, t, { reduction }), inputs(3, 4));
  });

  test('shapes that would broadcast are an error', () => {
    expect(fault(() => loss(zeros([3, 4]), zeros([4]), {}))).toEqual({
      name: 'RangeError',
      code: 'ERR_SHAPE',
      message: `${name.split(',')[0]}: target has shape [4], expected that of the input, [3,4]`,
    });
  });

  test('an unknown reduction is an error', () => {
    expect(fault(() => loss(zeros([4]), zeros([4]), { reduction: 'average' as never }))).toMatchObject({
      code: 'ERR_INVALID_VALUE',
      message: expect.stringContaining('reduction is "average", expected '),
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

test.each([0.5, 2, 0])('smoothL1 of beta %d is huber of that delta over it', (beta) => {
  const [x, t] = [randn([20]), randn([20])];
  const expected = beta === 0 ? losses.l1(x, t) : ops.div(losses.huber(x, t, { delta: beta }), beta);
  expect(losses.smoothL1(x, t, { beta }).itemSync()).toBeCloseTo(expected.itemSync(), 6);
});

test('bceWithLogits › keeps the digits of small losses, and its mean is over all elements', () => {
  const logits = tensor([20, -20, 40]);
  const y = losses.bceWithLogits(logits, tensor([1, 0, 1]), { reduction: 'none' });
  expect(
    distance(
      y.dataSync(),
      [20, 20, 40].map((x) => Math.log1p(Math.exp(-x))),
    ),
  ).toBeLessThan(1e-6);
  const weight = tensor([2, 0, 0]);
  expect(losses.bceWithLogits(zeros([3]), zeros([3]), { weight }).itemSync()).toBeCloseTo((2 * Math.LN2) / 3, 6);
});

test('klDiv › is 0 between equal distributions, and a target of 0 costs nothing', () => {
  const p = ops.softmax(randn([5, 7], { dtype: 'float64' }));
  expect(losses.klDiv(ops.log(p), p, { reduction: 'sum' }).itemSync()).toBeCloseTo(0, 14);
  for (const dtype of ['float32', 'float64'] as const) {
    const y = losses.klDiv(tensor([-1, -2], null, { dtype }), tensor([0, 1], null, { dtype }), { reduction: 'none' });
    expect(Array.from(y.dataSync(), Math.abs)).toEqual([0, 2]);
  }
});

test('klDiv › batchmean divides by the length of the first axis', () => {
  const [x, t] = [leaf(3, 4), leaf(3, 4)];
  const sum = losses.klDiv(x, t, { logTarget: true, reduction: 'sum' }).itemSync();
  expect(losses.klDiv(x, t, { logTarget: true, reduction: 'batchmean' }).itemSync()).toBeCloseTo(sum / 3, 12);
  gradcheck((a, b) => losses.klDiv(a, b, { logTarget: true, reduction: 'batchmean' }), [x, t]);
});

test.each([
  ['huber', () => losses.huber(zeros([1]), zeros([1]), { delta: 0 }), 'huber: delta is 0, expected a positive number'],
  ['smoothL1', () => losses.smoothL1(zeros([1]), zeros([1]), { beta: -1 }), 'smoothL1: beta is -1, expected a finite number of at least 0'],
  [
    'huber',
    () => losses.huber(zeros([1]), zeros([1]), { beta: 1 } as never),
    'huber: an option name is "beta", expected one of reduction, delta',
  ],
  [
    'klDiv',
    () => losses.klDiv(zeros([1]), zeros([1]), { reduction: 'batch' as never }),
    `klDiv: reduction is "batch", expected 'none', 'mean', 'batchmean' or 'sum'`,
  ],
])('%s › bad options', (_name, call, message) => {
  expect(fault(call)).toEqual({ name: 'RangeError', code: 'ERR_INVALID_VALUE', message });
});

test.each([
  [
    'a weight that would stretch the logits',
    () => losses.bceWithLogits(zeros([1, 3]), zeros([1, 3]), { weight: zeros([2, 3]) }),
    `bceWithLogits: weight has shape [2,3], which does not stretch to the logits' [1,3]`,
  ],
  [
    'a weight of other classes',
    () => losses.bceWithLogits(zeros([2, 3]), zeros([2, 3]), { posWeight: zeros([2]) }),
    'bceWithLogits: shapes [2] and [2,3] do not broadcast',
  ],
])('bceWithLogits › %s', (_name, call, message) => {
  expect(fault(call)).toEqual({ name: 'RangeError', code: 'ERR_SHAPE', message });
});

test('bceWithLogits › types that differ are an error of its own', () => {
  expect(fault(() => losses.bceWithLogits(zeros([1]), zeros([1], { dtype: 'float64' })))).toEqual({
    name: 'TypeError',
    code: 'ERR_DTYPE',
    message: 'bceWithLogits: inputs are float32 and float64, expected the same type (see ops.cast)',
  });
});

test.each<[string, (x: Tensor, y: Tensor) => Tensor]>([
  ['mse', losses.mse],
  ['l1', losses.l1],
  ['huber', losses.huber],
  ['smoothL1', losses.smoothL1],
  ['bceWithLogits', losses.bceWithLogits],
  ['klDiv', losses.klDiv],
])('%s names itself where types do not go together', (name, loss) => {
  const integers = zeros([2], { dtype: 'int32' });
  expect(() => loss(integers, integers)).toThrow(`${name}: input is int32, expected float32 or float64`);
  expect(() => loss(zeros([2]), zeros([2], { dtype: 'float64' }))).toThrow(
    `${name}: inputs are float32 and float64, expected the same type`,
  );
});

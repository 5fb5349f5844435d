import fc from 'fast-check';
import { data, evaluate, losses, memory, metrics, nn, ops, optim, type Tally, type Tensor, Trainer, tensor } from '../../lib';

describe('accuracy', () => {
  const output = tensor([
    [0.1, 2, -1],
    [3, 2, 1],
    [0, 0, 9],
    [1, 0, 0],
  ]);

  test('of labels', () => {
    expect(metrics.accuracy(output, tensor(Int32Array.of(1, 0, 2, 2))).itemSync()).toBe(0.75);
  });

  test('of probabilities: the likeliest class counts', () => {
    const targets = [
      [0.3, 0.7, 0],
      [0.5, 0.25, 0.25],
      [0, 0.6, 0.4],
      [0.1, 0, 0.9],
    ];
    expect(metrics.accuracy(output, tensor(targets)).itemSync()).toBe(0.5);
  });
});

/** Random scores of some rows, many of them equal, and the class of each row. */
const classified = fc.integer({ min: 1, max: 6 }).chain((classes) =>
  fc.array(fc.tuple(fc.array(fc.integer({ min: -2, max: 2 }), { minLength: classes, maxLength: classes }), fc.nat(classes - 1)), {
    minLength: 1,
    maxLength: 12,
  }),
);
type Rows = [scores: number[], label: number][];

const scoresOf = (rows: Rows): Tensor => tensor(rows.map(([scores]) => scores));
const labelsOf = (rows: Rows): Tensor => tensor(Int32Array.from(rows, ([, label]) => label));
/** Classes by score, of equal ones the lower first. */
const sorted = (scores: number[]): number[] => scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);

describe('topK', () => {
  test('the share of rows whose class is among the first k', () => {
    fc.assert(
      fc.property(classified, fc.integer({ min: 1, max: 8 }), (rows, k) => {
        const right = rows.filter(([scores, label]) => sorted(scores).slice(0, k).includes(label)).length;
        expect(metrics.topK(k)(scoresOf(rows), labelsOf(rows)).itemSync()).toBe(Math.fround(right / rows.length));
      }),
      { numRuns: 300 },
    );
  });

  test('of one is the accuracy, also where outputs are NaN', () => {
    const output = tensor([
      [Number.NaN, 1, 2],
      [0, Number.NaN, Number.NaN],
      [3, 1, Number.NaN],
    ]);
    for (const labels of [Int32Array.of(0, 1, 2), Int32Array.of(1, 2, 0)]) {
      const target = tensor(labels);
      expect(metrics.topK(1)(output, target).itemSync()).toBe(metrics.accuracy(output, target).itemSync());
    }
  });

  test('of probabilities, and of more than one axis of rows', () => {
    const output = tensor([
      [
        [1, 2, 3],
        [3, 2, 1],
      ],
    ]);
    expect(
      metrics
        .topK(2)(
          output,
          tensor([
            [
              [0, 1, 0],
              [0, 0, 1],
            ],
          ]),
        )
        .itemSync(),
    ).toBe(0.5);
    expect(
      metrics
        .topK(2)(output, tensor(Int32Array.of(1, 2), [1, 2]))
        .itemSync(),
    ).toBe(0.5);
  });

  test.each([0, 1.5, -1, Number.NaN])('refuses a k of %p', (k) => {
    expect(() => metrics.topK(k)).toThrow(`topK: k is ${k}, expected a positive integer`);
  });

  test('a label out of range is an error when the result is read', async () => {
    await expect(
      metrics
        .topK(2)(tensor([[1, 2]]), tensor(Int32Array.of(2)))
        .item(),
    ).rejects.toThrow('label 2 of row 0 is not in 0 to 1');
  });
});

test.each<[string, (output: Tensor, target: Tensor) => unknown]>([
  ['accuracy', metrics.accuracy],
  ['topK', metrics.topK(2)],
  ['confusionMatrix', metrics.confusionMatrix.count],
])('%s says what does not fit', (name, metric) => {
  expect(() => metric(tensor([[1, 2]]), tensor(Int32Array.of(1, 1)))).toThrow(`${name}: labels have shape [2], expected one for each row`);
  expect(() => metric(tensor([[1, 2]]), tensor([[1]]))).toThrow(`${name}: labels have shape [1,1]`);
  expect(() => metric(tensor(1), tensor(Int32Array.of(1)))).toThrow(`${name}: output is a scalar`);
  expect(() => metric([1] as never, tensor(Int32Array.of(1)))).toThrow(`${name}: output is [1], expected a Tensor`);
  expect(() => metric(tensor([[1, 2]]), tensor([1]))).toThrow('int32');
});

/** Gives its input as it came, so that scores can be chosen. */
class Through extends nn.Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}

const objective = {
  loss: losses.crossEntropy,
  metrics: {
    accuracy: metrics.accuracy,
    confusion: metrics.confusionMatrix,
    precision: metrics.precision({ average: 'none' }),
    recall: metrics.recall({ average: 'none' }),
    f1: metrics.f1({ average: 'none' }),
    macro: metrics.f1(),
    micro: metrics.f1({ average: 'micro' }),
    microPrecision: metrics.precision({ average: 'micro' }),
    macroRecall: metrics.recall({ average: 'macro' }),
  },
};

/** The rows in batches of three. */
function batches(rows: Rows): data.DataLoader {
  const pick = (indices: Int32Array): Rows => Array.from(indices, (i) => rows[i]);
  const dataset: data.Dataset = {
    length: rows.length,
    batch: (indices) => ({ x: scoresOf(pick(indices)), y: labelsOf(pick(indices)) }),
  };
  return new data.DataLoader(dataset, { batchSize: 3 });
}

describe('metrics of all data', () => {
  // Class 0 was found twice of four times and guessed four times, class 1 twice of three and four, class 2 once of three and two.
  test('a case worked out by hand', async () => {
    const labels = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
    const guesses = [0, 0, 1, 2, 1, 1, 0, 2, 0, 1];
    const rows = labels.map((label, i): Rows[number] => [[0, 0, 0].with(guesses[i], 1), label]);
    const scores = await evaluate(new Through(), batches(rows), objective);
    const close = (list: number[]) => list.map((value) => expect.closeTo(value, 12));
    expect(scores).toEqual({
      loss: expect.any(Number),
      accuracy: expect.closeTo(0.5, 6),
      confusion: [
        [2, 1, 1],
        [1, 2, 0],
        [1, 1, 1],
      ],
      precision: close([0.5, 0.5, 0.5]),
      recall: close([0.5, 2 / 3, 1 / 3]),
      f1: close([0.5, 4 / 7, 0.4]),
      macro: expect.closeTo((0.5 + 4 / 7 + 0.4) / 3, 12),
      micro: 0.5,
      microPrecision: 0.5,
      macroRecall: expect.closeTo(0.5, 12),
    });
  });

  test('agree with counting, whatever the batches', async () => {
    await fc.assert(
      fc.asyncProperty(classified, async (rows) => {
        const classes = rows[0][0].length;
        const cell = (i: number, j: number) => rows.filter(([scores, label]) => label === i && sorted(scores)[0] === j).length;
        const matrix = Array.from({ length: classes }, (_, i) => Array.from({ length: classes }, (_, j) => cell(i, j)));
        const right = matrix.map((row, i) => row[i]);
        const labelled = matrix.map((row) => row.reduce((a, b) => a + b));
        const guessed = matrix.map((_, j) => matrix.reduce((sum, row) => sum + row[j], 0));
        const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
        const f1 = right.map((n, i) => share(2 * n, labelled[i] + guessed[i]));
        const present = f1.filter((_, i) => labelled[i] + guessed[i] > 0);
        const scores = await evaluate(new Through(), batches(rows), objective);
        expect(scores.confusion).toEqual(matrix);
        expect(scores.precision).toEqual(right.map((n, i) => share(n, guessed[i])));
        expect(scores.recall).toEqual(right.map((n, i) => share(n, labelled[i])));
        expect(scores.f1).toEqual(f1);
        expect(scores.macro).toBeCloseTo(present.reduce((a, b) => a + b, 0) / present.length, 12);
        expect(scores.micro).toBeCloseTo(scores.accuracy, 6);
      }),
      { numRuns: 100 },
    );
  });

  test('are of the training too, in the order they were given, but not of its steps', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 2));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    const { confusion, accuracy } = objective.metrics;
    const trainer = new Trainer(model, { optimizer, loss: losses.crossEntropy, metrics: { confusion, accuracy } });
    const rows: Rows = [1, 2, 3, 4].map((i) => [[i, -i], i % 2]);
    const seen: object[] = [];
    for await (const epoch of trainer.fit(batches(rows), { epochs: 2, validation: batches(rows), onStep: (step) => seen.push(step) })) {
      expect(Object.keys(epoch.validation)).toEqual(['loss', 'confusion', 'accuracy']);
      for (const { confusion: counts, accuracy } of [epoch, epoch.validation]) {
        expect(counts.flat().reduce((a, b) => a + b)).toBe(4);
        expect((counts[0][0] + counts[1][1]) / 4).toBeCloseTo(accuracy, 6);
      }
    }
    expect(seen.every((step) => !('confusion' in step) && 'accuracy' in step)).toBe(true);
  });

  test('keep no memory', async () => {
    const rows: Rows = [
      [[1, 2], 0],
      [[2, 1], 1],
      [[1, 1], 0],
      [[0, 1], 1],
    ];
    await evaluate(new Through(), batches(rows), objective);
    const before = memory().tensors;
    await evaluate(new Through(), batches(rows), objective);
    expect(memory().tensors).toBeLessThanOrEqual(before);
    const broken: Tally<number> = {
      count: (output) => ops.sum(output, { axis: 0 }),
      finish: () => {
        throw new Error('no');
      },
    };
    await expect(evaluate(new Through(), batches(rows), { ...objective, metrics: { broken } })).rejects.toThrow('no');
    expect(memory().tensors).toBeLessThanOrEqual(before);
  });
});

describe('a tally', () => {
  const rows: Rows = Array.from({ length: 7 }, (_, i) => [[i, -i, 2 * i], i % 3]);
  const measure = (tally: unknown) =>
    evaluate(new Through(), batches(rows), { loss: losses.crossEntropy, metrics: { tally: tally as Tally<unknown> } });

  test("of one's own gets the sum over batches, and its shape", async () => {
    const tally: Tally<[number[], readonly number[]]> = {
      count: (output) => ops.sum(output, { axis: 0, keepDims: true }),
      finish: (sum, shape) => [[...sum], shape],
    };
    expect((await measure(tally)).tally).toEqual([
      [21, -21, 42],
      [1, 3],
    ]);
  });

  test('that gives back a tensor of the batch does not change it', async () => {
    const target: Tensor[] = [];
    await evaluate(new Through(), batches(rows.slice(0, 6)), {
      loss: (output, y) => {
        target.push(y);
        return losses.crossEntropy(output, y);
      },
      metrics: { labels: { count: (_, y) => y, finish: (sum) => [...sum] } },
    }).then(({ labels }) => expect(labels).toEqual([0, 2, 4]));
    expect(target.every(({ disposed }) => disposed)).toBe(true);
  });

  test('whose count fails for a batch in the middle is an error', async () => {
    const late = rows.map(([scores, label], i): Rows[number] => [scores, i === 4 ? 9 : label]);
    const loss = (output: Tensor) => ops.mean(output);
    await expect(evaluate(new Through(), batches(late), { loss, metrics: { confusion: metrics.confusionMatrix } })).rejects.toThrow(
      'confusion: label 9',
    );
  });

  test.each<[string, unknown, string]>([
    ['no count', { finish: () => 1 }, 'metrics.tally is an Object, expected a function of output and target, or a tally { count, finish }'],
    ['no finish', { count: () => 1 }, 'metrics.tally is an Object'],
    ['a number for a count', { count: () => 1, finish: () => 1 }, 'what metrics.tally counts is 1, expected a Tensor'],
    ['bytes', { count: () => tensor(Uint8Array.of(1)), finish: () => 1 }, 'what metrics.tally counts is uint8'],
    ['counts that differ', { count: (output: Tensor) => output, finish: () => 1 }, 'what metrics.tally counts is float32 [1,3], expected'],
  ])('is refused with %s', async (_, tally, message) => {
    await expect(measure(tally)).rejects.toThrow(`evaluate: ${message}`);
  });
});

test.each([
  ['precision', metrics.precision],
  ['recall', metrics.recall],
  ['f1', metrics.f1],
])('%s refuses an average nobody knows', (name, metric) => {
  expect(() => metric({ average: 'weighted' as never })).toThrow(`${name}: average is "weighted", expected 'macro', 'micro' or 'none'`);
  expect(() => metric({ averaged: 'micro' } as never)).toThrow(`${name}: an option name is "averaged"`);
});

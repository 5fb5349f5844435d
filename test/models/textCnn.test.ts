import fc from 'fast-check';
import { losses, manualSeed, models, nn, ops, optim, type Tensor, tensor } from '../../lib';
import { distance } from '../support/agree';
import { randomNumbers } from '../support/data';
import { gradcheck } from '../support/gradcheck';

const options = { vocabulary: 12, classes: 3, embeddingDim: 4, widths: [2, 3], filters: 5 };

/** Sequences of tokens below each other, padding behind, as long as the longest or more. */
function rows(sequences: readonly (readonly number[])[], length = 0): Tensor {
  const longest = Math.max(1, length, ...sequences.map((sequence) => sequence.length));
  return tensor(Int32Array.from(sequences.flatMap((s) => [...s, ...new Array(longest - s.length).fill(0)])), [sequences.length, longest]);
}

/** The network of the paper as loops, in double, on one text without padding. */
function plain(model: models.TextCnn, tokens: readonly number[]) {
  const [table, head, bias] = [model.embedding.weight, model.head.weight, model.head.bias!].map((p) => p.dataSync());
  const D = model.embedding.weight.shape[1];
  const responses = model.convolutions.flatMap(({ weight, bias: shifts, kernelSize: width, outChannels: F }) => {
    const [w, b] = [weight.dataSync(), shifts!.dataSync()];
    const windows = Math.max(tokens.length - width, 0) + 1;
    return Array.from({ length: F }, (_, f) => {
      let [activation, start] = [-Infinity, 0];
      for (let at = 0; at < windows; at++) {
        let sum = b[f];
        for (let i = 0; i < width; i++) {
          if (at + i >= tokens.length) continue; // zeros are missing tokens
          for (let d = 0; d < D; d++) sum += table[tokens[at + i] * D + d] * w[(i * D + d) * F + f];
        }
        if (sum > activation) [activation, start] = [sum, at];
      }
      return { width, filter: f, start, activation: Math.max(activation, 0) };
    });
  });
  const scores = Array.from(bias, (shift, c) =>
    responses.reduce((sum, { activation }, i) => sum + activation * head[c * responses.length + i], shift),
  );
  return { responses, scores };
}

describe('textCnn', () => {
  test("has Kim's layers, and as many weights as they take", () => {
    const model = models.textCnn({ vocabulary: 1000, classes: 2 });
    expect(Object.fromEntries([...model.namedParameters()].map(([name, { shape }]) => [name, shape]))).toEqual({
      'embedding.weight': [1000, 128],
      ...{ 'convolutions.0.weight': [3, 128, 100], 'convolutions.0.bias': [100] },
      ...{ 'convolutions.1.weight': [4, 128, 100], 'convolutions.1.bias': [100] },
      ...{ 'convolutions.2.weight': [5, 128, 100], 'convolutions.2.bias': [100] },
      ...{ 'head.weight': [2, 300], 'head.bias': [2] },
    });
    const [most, least] = [ops.max, ops.min].map((extremum) => extremum(model.embedding.weight).itemSync());
    expect([most > 0.24, most <= 0.25, least < -0.24, least >= -0.25]).toEqual([true, true, true, true]);
    expect(model.embedding.weight.dataSync().subarray(0, 128)).toEqual(new Float32Array(128));
    expect(model.dropout.p).toBe(0.5);
  });

  test('computes what the paper says, on texts of any length, shorter than a filter and empty ones too', () => {
    const model = models.textCnn(options).eval();
    const sequence = fc.array(fc.integer({ min: 1, max: 11 }), { maxLength: 9 });
    fc.assert(
      fc.property(fc.array(sequence, { minLength: 1, maxLength: 4 }), fc.nat(12), (sequences, length) => {
        const scores = model.forward(rows(sequences, length));
        expect(scores.shape).toEqual([sequences.length, 3]);
        expect(
          distance(
            scores.dataSync(),
            sequences.flatMap((tokens) => plain(model, tokens).scores),
          ),
        ).toBeLessThan(1e-5);
      }),
      { numRuns: 200 },
    );
  });

  test('gives a text the same scores however much padding is behind it, and whatever is in its batch', () => {
    const model = models.textCnn({ ...options, widths: [1, 4, 7] }).eval();
    const sequences = [[5], [1, 2, 3, 4, 5, 6, 7, 8], [11, 10, 9], []];
    const alone = sequences.map((tokens) => [...model.forward(rows([tokens])).dataSync()]);
    for (const length of [0, 8, 9, 31]) {
      expect(distance(model.forward(rows(sequences, length)).dataSync(), alone.flat())).toBeLessThan(1e-6);
    }
  });

  test('an empty batch', () => {
    expect(models.textCnn(options).forward(tensor(new Int32Array(0), [0, 5])).shape).toEqual([0, 3]);
  });

  test('gradients, also of texts with padding, are those of the function', () => {
    manualSeed(4);
    const model = models.textCnn({ ...options, dropout: 0 });
    const x = rows([
      [3, 1, 4, 1, 5],
      [9, 2, 6],
      [5, 3, 5],
    ]);
    const names = Object.keys(model.stateDict());
    const doubles = names.map((name) => {
      const values = model.stateDict()[name];
      const leaf = ops.cast(values, 'float64').detach();
      leaf.requiresGrad = true;
      return leaf;
    });
    // The model with these parameters in place of its own.
    const run = (...parameters: Tensor[]) => {
      const [table, ...rest] = parameters;
      const of = (i: number) => ({ weight: rest[2 * i], bias: rest[2 * i + 1] });
      const parts = { embedding: { weight: table }, convolutions: [of(0), of(1)], head: of(2) };
      return withParameters(model, parts, () => model.forward(x));
    };
    gradcheck(run, doubles);
  });

  test('learns which words make a class', () => {
    manualSeed(1);
    const next = randomNumbers(7);
    const text = () => Array.from({ length: 3 + Math.floor(next() * 9) }, () => 4 + Math.floor(next() * 8));
    // Class 1 says 2 and 3 beside each other, class 0 has both apart.
    const make = (label: number) => {
      const tokens = text();
      if (label === 1) tokens.splice(Math.floor(next() * tokens.length), 0, 2, 3);
      else tokens.unshift(3);
      if (label === 0) tokens.push(2);
      return tokens;
    };
    const labels = Array.from({ length: 200 }, (_, i) => i % 2);
    const [x, y] = [rows(labels.map(make)), tensor(Int32Array.from(labels))];
    const model = models.textCnn({ ...options, classes: 2, dropout: 0.2 });
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
    for (let step = 0; step < 60; step++) {
      losses.crossEntropy(model.forward(x), y).backward();
      optimizer.step();
      optimizer.zeroGrad();
    }
    const fresh = labels.map(make);
    const guesses = ops.argmax(model.eval().forward(rows(fresh))).dataSync();
    expect(labels.filter((label, i) => guesses[i] === label).length).toBeGreaterThan(190);
  });
});

describe('explain', () => {
  test('gives what each filter answers to most, where, and its weights; together they are the scores', async () => {
    const model = models.textCnn(options).eval();
    const sequences = [[3, 1, 4, 1, 5, 9], [2], []];
    const x = rows(sequences);
    const responses = await model.explain(x);
    const scores = model.forward(x).dataSync();
    expect(responses).toHaveLength(3);
    for (const [n, tokens] of sequences.entries()) {
      const expected = plain(model, tokens).responses;
      expect(responses[n].map(({ width, filter, start }) => ({ width, filter, start }))).toEqual(
        expected.map(({ width, filter, start }) => ({ width, filter, start })),
      );
      expect(
        distance(
          responses[n].map((r) => r.activation),
          expected.map((r) => r.activation),
        ),
      ).toBeLessThan(1e-5);
      for (let c = 0; c < 3; c++) {
        const sum = responses[n].reduce(
          (total, { activation, weights }) => total + activation * weights[c],
          model.head.bias!.dataSync()[c],
        );
        expect(sum).toBeCloseTo(scores[n * 3 + c], 5);
      }
    }
  });

  test('does the same in training mode, which drops nothing here', async () => {
    const model = models.textCnn(options);
    const x = rows([[3, 1, 4]]);
    expect(await model.train().explain(x)).toEqual(await model.eval().explain(x));
  });
});

test.each<[string, () => unknown, string]>([
  ['a vocabulary', () => models.textCnn({ ...options, vocabulary: 0 }), 'textCnn: vocabulary is 0, expected a positive integer'],
  ['classes', () => models.textCnn({ ...options, classes: 1.5 }), 'textCnn: classes is 1.5, expected a positive integer'],
  ['widths', () => models.textCnn({ ...options, widths: [] }), 'textCnn: widths is [], expected a list of numbers of tokens'],
  ['each a width', () => models.textCnn({ ...options, widths: [3, 0] }), 'textCnn: a width is 0, expected a positive integer'],
  ['filters', () => models.textCnn({ ...options, filters: -1 }), 'textCnn: filters is -1'],
  ['a share', () => models.textCnn({ ...options, dropout: 1.5 }), 'Dropout: p is 1.5'],
  ['rows of tokens', () => models.textCnn(options).forward(tensor([1])), 'textCnn: input has shape [1], expected [N,L]'],
])('textCnn expects %s', (_, run, message) => expect(run).toThrow(message));

/** Runs fn while the named parameters of modules are others, which may be of another type. */
function withParameters<R>(module: object, parts: object, fn: () => R): R {
  const replaced: [object: Record<string, unknown>, name: string, own: unknown][] = [];
  const visit = (own: Record<string, unknown>, other: Record<string, unknown>) => {
    for (const [name, value] of Object.entries(other)) {
      if (own[name] instanceof nn.Parameter) {
        replaced.push([own, name, own[name]]);
        own[name] = value;
      } else {
        visit(own[name] as Record<string, unknown>, value as Record<string, unknown>);
      }
    }
  };
  visit(module as Record<string, unknown>, parts as Record<string, unknown>);
  try {
    return fn();
  } finally {
    for (const [own, name, value] of replaced) own[name] = value;
  }
}

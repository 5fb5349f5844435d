import { manualSeed, models, nn, ops, randn, tensor } from '../../lib';
import { distance } from '../support/agree';

const small = { vocabulary: 8, classes: 3, length: 130, features: 6, hidden: 10 };
const row = (tokens: readonly number[]) => tensor(Int32Array.from(tokens), [1, tokens.length]);
const text = (length: number) => Array.from({ length }, (_, i) => 2 + ((i * i) % 6));

describe('charCnn', () => {
  test("is the paper's small network: six convolutions, three pools, 34 frames of 256 features, two layers of 1024", () => {
    const model = models.charCnn({ vocabulary: 72, classes: 4 });
    const kinds = [...model].map((layer) => layer.constructor.name);
    const hidden = ['Linear', 'ReLU', 'Dropout'];
    expect(kinds).toEqual([
      ...['Length', 'OneHot', 'Conv1d', 'ReLU', 'MaxPool1d', 'Conv1d', 'ReLU', 'MaxPool1d'],
      ...['Conv1d', 'ReLU', 'Conv1d', 'ReLU', 'Conv1d', 'ReLU', 'Conv1d', 'ReLU', 'MaxPool1d'],
      ...['Flatten', ...hidden, ...hidden, 'Linear'],
    ]);
    expect(model.parameters().map(({ shape }) => shape)).toEqual([
      ...[[7, 70, 256], [256], [7, 256, 256], [256]],
      ...[[3, 256, 256], [256], [3, 256, 256], [256], [3, 256, 256], [256], [3, 256, 256], [256]],
      ...[[1024, 34 * 256], [1024], [1024, 1024], [1024], [4, 1024], [4]],
    ]);
    expect(model.forward(row(text(20))).shape).toEqual([1, 4]);
  });

  test('the shortest length leaves one frame', () => {
    const model = models.charCnn({ ...small, length: 123 });
    expect([...model].find((layer): layer is nn.Linear => layer instanceof nn.Linear)!.inFeatures).toBe(6);
    expect(model.forward(row(text(123))).shape).toEqual([1, 3]);
  });

  test('padding makes no difference, and what is beyond the length none either', () => {
    manualSeed(1); // the rectifiers of so small a network may let nothing through
    const model = models.charCnn(small).eval();
    const short = text(40);
    const scores = model.forward(row(short)).dataSync();
    for (const padding of [1, 89, 90, 200]) {
      expect(model.forward(row([...short, ...new Array(padding).fill(0)])).dataSync()).toEqual(scores);
    }
    const long = text(150);
    expect(model.forward(row(long)).dataSync()).toEqual(model.forward(row(long.slice(0, 130))).dataSync());
    expect(model.forward(row(long)).dataSync()).not.toEqual(model.forward(row(long.slice(0, 100))).dataSync());
  });

  test('characters are one-hot vectors, padding and unknown ones zeros', () => {
    const oneHot = [...models.charCnn({ ...small, vocabulary: 5 })][1];
    expect([...oneHot.forward(row([0, 1, 2, 3, 4])).dataSync()]).toEqual([...[0, 0, 0, 0, 0, 0], ...[1, 0, 0, 0, 1, 0, 0, 0, 1]]);
    expect(oneHot.parameters()).toEqual([]);
  });

  test('or learned vectors, with zeros for padding', () => {
    const model = models.charCnn({ ...small, embeddingDim: 4 });
    const embedding = [...model][1] as nn.Embedding;
    expect(embedding.weight.shape).toEqual([8, 4]);
    expect([...embedding.weight.dataSync().subarray(0, 4)]).toEqual([0, 0, 0, 0]);
    expect(model.forward(row(text(20))).shape).toEqual([1, 3]);
  });

  test('keeps the variance of what goes through it at the start, whatever the number of features', () => {
    for (const features of [16, 64]) {
      const model = models.charCnn({ ...small, features });
      const convolutions = [...model].filter((layer) => layer instanceof nn.Conv1d);
      let x = randn([4, 100, features]);
      for (const layer of convolutions.slice(2)) x = ops.relu(layer.forward(x));
      const meanSquare = ops.mean(ops.square(x)).itemSync();
      expect(meanSquare).toBeGreaterThan(0.2);
      expect(meanSquare).toBeLessThan(5);
    }
  });

  test('a batch is its texts', () => {
    const model = models.charCnn(small).eval();
    const texts = [text(130), [...text(60), ...new Array(70).fill(0)]];
    const apart = texts.flatMap((one) => [...model.forward(row(one)).dataSync()]);
    expect(distance(model.forward(tensor(Int32Array.from(texts.flat()), [2, 130])).dataSync(), apart)).toBeLessThan(1e-5);
  });

  test.each<[string, () => unknown, string]>([
    ['a vocabulary', () => models.charCnn({ ...small, vocabulary: 2 }), 'charCnn: vocabulary is 2, expected an integer of at least 3'],
    ['a length', () => models.charCnn({ ...small, length: 122 }), 'charCnn: length is 122, expected an integer of at least 123'],
    ['features', () => models.charCnn({ ...small, features: 0 }), 'charCnn: features is 0, expected a positive integer'],
    ['a size of embeddings', () => models.charCnn({ ...small, embeddingDim: 0 }), 'charCnn: embeddingDim is 0'],
    ['rows', () => models.charCnn(small).forward(tensor([1])), 'charCnn: input has shape [1], expected [N,L]'],
  ])('expects %s', (_, run, message) => expect(run).toThrow(message));
});

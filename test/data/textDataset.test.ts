import fc from 'fast-check';
import { data } from '../../lib';

const alphabet = ['red', 'green', 'blue'];

describe('TextDataset', () => {
  const set = new data.TextDataset(['a fine film', 'not for me', 'so so'], ['good', 'bad', 'fair']);

  test('numbers the classes in the order of their names, or as given', () => {
    expect([set.classes, [...set.labels], set.length]).toEqual([['bad', 'fair', 'good'], [2, 0, 1], 3]);
    expect([...new data.TextDataset(['x'], ['b'], { classes: ['c', 'b', 'a'] }).labels]).toEqual([1]);
  });

  test('subset keeps the classes, also those none of it has', () => {
    const part = set.subset([2, 0]);
    expect([part.texts, part.classes, [...part.labels]]).toEqual([
      ['so so', 'a fine film'],
      ['bad', 'fair', 'good'],
      [1, 2],
    ]);
    expect(set.subset([]).classes).toEqual(set.classes);
  });

  test.each<[string, () => unknown, string]>([
    ['texts', () => new data.TextDataset('ab' as never, []), 'TextDataset: texts is "ab", expected a list of strings'],
    ['each a string', () => new data.TextDataset(['a', 1 as never], ['b', 'b']), 'TextDataset: texts[1] is 1, expected a string'],
    ['a label a text', () => new data.TextDataset(['a'], []), 'TextDataset: the number of labels is 0, expected 1, one a text'],
    [
      'labels of the classes',
      () => new data.TextDataset(['a'], ['b'], { classes: ['c'] }),
      'TextDataset: a label is "b", expected one of c',
    ],
    ['an index', () => set.subset([3]), 'subset: an index is 3, expected an integer from 0 to 2'],
    ['a fraction', () => set.split(1.5, 1), 'split: fraction is 1.5, expected a number from 0 to 1'],
    ['a seed', () => set.split(0.5, -1), 'split: seed is -1, expected an integer from 0 to 2^53 - 1'],
  ])('expects %s', (_, run, message) => expect(run).toThrow(message));
});

describe('split', () => {
  const labelled = fc.array(fc.tuple(fc.constantFrom(...alphabet), fc.nat(30)), { minLength: 1, maxLength: 120 });
  const make = (list: readonly (readonly [string, number])[]) =>
    new data.TextDataset(
      list.map(([label, n]) => `${label} ${n}`),
      list.map(([label]) => label),
      { classes: alphabet },
    );

  test('every text in one part, equal ones in the same, in the order of the whole, and no class over its share', () => {
    fc.assert(
      fc.property(labelled, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(), (list, fraction, seed) => {
        const whole = make(list);
        const { train, test: held } = whole.split(fraction, seed);
        expect([...train.texts, ...held.texts].sort()).toEqual([...whole.texts].sort());
        expect(train.texts.filter((text) => held.texts.includes(text))).toEqual([]);
        for (const part of [train, held]) {
          expect(part.texts).toEqual(whole.texts.filter((text) => part.texts.includes(text)));
          expect(part.classes).toEqual(alphabet);
          expect(Array.from(part.labels, (label) => alphabet[label])).toEqual(part.texts.map((text) => text.split(' ')[0]));
        }
        for (const [label] of alphabet.entries()) {
          const count = (part: data.TextDataset) => part.labels.filter((l) => l === label).length;
          expect(count(held)).toBeLessThanOrEqual(Math.floor(count(whole) * fraction));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('exact shares where all texts differ; another seed splits otherwise, the same one the same way', () => {
    const list = Array.from({ length: 300 }, (_, i) => [alphabet[i % 10 === 0 ? 0 : 1], i] as const);
    const whole = make(list);
    const held = (seed: number) => whole.split(0.2, seed).test.texts;
    const { train, test: tests } = whole.split(0.2, 1);
    expect([train, tests].map(({ labels }) => [0, 1].map((label) => labels.filter((l) => l === label).length))).toEqual([
      [24, 216],
      [6, 54],
    ]);
    expect(held(1)).toEqual(tests.texts);
    expect(held(2)).not.toEqual(held(1));
    // Chosen at random, not from one end.
    expect(tests.texts.filter((text) => whole.texts.indexOf(text) < 150).length).toBeGreaterThan(15);
    expect(tests.texts.filter((text) => whole.texts.indexOf(text) >= 150).length).toBeGreaterThan(15);
  });

  test('nothing, or everything', () => {
    const whole = make([
      ['red', 1],
      ['blue', 2],
    ]);
    expect(whole.split(0, 1).test.length).toBe(0);
    expect(whole.split(1, 1).train.length).toBe(0);
  });
});

describe('TokenDataset', () => {
  const sequences = [Int32Array.of(5, 6, 7), Int32Array.of(), Int32Array.of(9)];
  const set = new data.TokenDataset(sequences, Int32Array.of(2, 0, 1));

  test('a batch is as long as its longest sequence, 0 behind the others, and never empty', async () => {
    expect([set.length, [...set.lengths]]).toEqual([3, [3, 0, 1]]);
    const { x, y } = set.batch(Int32Array.of(2, 0, 1));
    expect([x.dtype, x.shape, await x.array(), y.dtype, await y.array()]).toEqual([
      ...['int32', [3, 3]],
      [
        [9, 0, 0],
        [5, 6, 7],
        [0, 0, 0],
      ],
      ...['int32', [1, 2, 0]],
    ]);
    expect(await set.batch(Int32Array.of(2, 1)).x.array()).toEqual([[9], [0]]);
    expect(await set.batch(Int32Array.of(1)).x.array()).toEqual([[0]]);
  });

  test('goes through a loader by length', async () => {
    const seen: number[] = [];
    for await (const { x, y } of new data.DataLoader(set, { batchSize: 2, byLength: true })) seen.push(...x.shape, ...y.dataSync());
    expect(seen).toEqual([2, 1, 0, 1, 1, 3, 2]);
  });

  test.each<[string, () => unknown, string]>([
    [
      'sequences',
      () => new data.TokenDataset([[1]] as never, Int32Array.of(0)),
      'TokenDataset: sequences is [[…]], expected a list of Int32Array',
    ],
    ['labels', () => new data.TokenDataset([], [] as never), 'TokenDataset: labels is [], expected an Int32Array'],
    ['a label each', () => new data.TokenDataset(sequences, Int32Array.of(1)), 'the number of labels is 1, expected 3, one a sequence'],
    ['an index', () => set.batch(Int32Array.of(3)), 'TokenDataset: an index is 3, expected an integer from 0 to 2'],
  ])('expects %s', (_, run, message) => expect(run).toThrow(message));
});

test('encode gives the numbers of each text under its label, and leaves the event loop free', async () => {
  const texts = Array.from({ length: 20_000 }, (_, i) => `number ${i} of many, ${i * 7919} times`);
  const set = new data.TextDataset(
    texts,
    texts.map((_, i) => alphabet[i % 3]),
    { classes: alphabet },
  );
  let turns = 0;
  const counting = setInterval(() => turns++, 1);
  const tokenizer = await data.Tokenizer.fit(set.texts, { minFrequency: 2 });
  const encoded = await set.encode(tokenizer);
  clearInterval(counting);
  expect(turns).toBeGreaterThan(3);
  expect(encoded.length).toBe(20_000);
  expect([...encoded.labels.subarray(0, 4)]).toEqual([0, 1, 2, 0]);
  expect([0, 12].map((i) => tokenizer.decode(encoded.sequences[i]))).toEqual([
    'number 0 of many , 0 times',
    'number <unk> of many , <unk> times',
  ]);
});

import fc from 'fast-check';
import { data, manualSeed, memory, ones, ops, randn, randomState, setRandomState, type Tensor, tensor } from '../../lib';
import { permutation } from '../../lib/data/permutation';

/** Samples whose x and y say their index; counts what is asked of it. */
class Numbers implements data.Dataset {
  readonly asked: number[][] = [];
  readonly made: Tensor[] = [];
  constructor(readonly length: number) {}

  batch(indices: Int32Array): data.Samples {
    this.asked.push([...indices]);
    const [x, y] = [tensor(Float32Array.from(indices)), tensor(indices)];
    this.made.push(x, y);
    return { x, y };
  }
}

async function pass(loader: data.DataLoader): Promise<number[][]> {
  const batches: number[][] = [];
  for await (const { x, y, size } of loader) {
    const indices = [...y.dataSync()];
    expect(indices).toHaveLength(size);
    expect([...x.dataSync()]).toEqual(indices);
    batches.push(indices);
  }
  return batches;
}

describe('DataLoader', () => {
  test.each<[string, () => unknown, string, string]>([
    ['nothing', () => undefined, 'ERR_INVALID_TYPE', 'what batch() of Odd gives is undefined, expected { x, y }, two Tensors'],
    ['no tensors', () => ({ images: [1] }), 'ERR_INVALID_TYPE', 'x of what batch() of Odd gives is undefined, expected a Tensor'],
    ['no targets', () => ({ x: ones([3, 8, 8, 1]), y: [0, 1, 2] }), 'ERR_INVALID_TYPE', 'y of what batch() of Odd gives is [0,1,2]'],
    [
      'all samples',
      () => ({ x: ones([4, 8, 8, 1]), y: ones([3]) }),
      'ERR_SHAPE',
      'x of what batch() of Odd gives has shape [4,8,8,1], expected 3 rows',
    ],
    [
      'one target',
      () => ({ x: ones([3, 8, 8, 1]), y: ones([]) }),
      'ERR_SHAPE',
      'y of what batch() of Odd gives has shape [], expected 3 rows',
    ],
  ])('a data set that gives %s is an error that names it', async (_name, give, code, message) => {
    class Odd {
      readonly length = 3;
      readonly batch = give as data.Dataset['batch'];
    }
    for (const augment of [undefined, { flip: true }]) {
      const before = memory().tensors;
      await expect(pass(new data.DataLoader(new Odd(), { batchSize: 3, augment }))).rejects.toMatchObject({
        code,
        message: expect.stringContaining(`DataLoader: ${message}`),
      });
      expect(memory().tensors).toBeLessThanOrEqual(before); // others may be collected meanwhile
    }
  });

  test('in order, the last batch shorter, or left out', async () => {
    expect(await pass(new data.DataLoader(new Numbers(7), { batchSize: 3 }))).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    const loader = new data.DataLoader(new Numbers(7), { batchSize: 3, dropLast: true });
    expect([loader.length, await pass(loader)]).toEqual([
      2,
      [
        [0, 1, 2],
        [3, 4, 5],
      ],
    ]);
    expect(await pass(new data.DataLoader(new Numbers(0), { batchSize: 3 }))).toEqual([]);
  });

  test('shuffled: every sample exactly once an epoch, whatever the sizes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 70 }), fc.nat(), async (n, batchSize, seed) => {
        const loader = new data.DataLoader(new Numbers(n), { batchSize, shuffle: true, seed });
        for (let epoch = 0; epoch < 2; epoch++) {
          const batches = await pass(loader);
          expect(batches).toHaveLength(loader.length);
          expect(batches.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
        }
      }),
      { numRuns: 30 },
    );
  });

  describe('by length', () => {
    class Sequences extends Numbers {
      constructor(readonly lengths: readonly number[]) {
        super(lengths.length);
      }
    }
    const lengths = fc.array(fc.nat(20), { minLength: 1, maxLength: 300 });

    test('shuffled: every sample exactly once an epoch, every batch sorted, a short one last', async () => {
      await fc.assert(
        fc.asyncProperty(lengths, fc.integer({ min: 1, max: 7 }), fc.nat(), async (list, batchSize, seed) => {
          const loader = new data.DataLoader(new Sequences(list), { batchSize, shuffle: true, byLength: true, seed });
          for (let epoch = 0; epoch < 2; epoch++) {
            const batches = await pass(loader);
            const full = Math.floor(list.length / batchSize);
            expect(batches.slice(0, full).every(({ length }) => length === batchSize)).toBe(true);
            expect(batches).toHaveLength(loader.length);
            expect(batches.flat().sort((a, b) => a - b)).toEqual(list.map((_, i) => i));
            for (const batch of batches.slice(0, full)) {
              const inside = batch.map((i) => list[i]);
              expect(inside).toEqual(inside.toSorted((a, b) => a - b));
            }
          }
        }),
        { numRuns: 50 },
      );
    });

    test('pads far less than orders that do not look at it, in batches that come in no order of length', async () => {
      const list = Array.from({ length: 2000 }, (_, i) => 1 + ((i * 7919) % 997));
      const padded = (batches: number[][]) =>
        batches.reduce((sum, batch) => sum + batch.length * Math.max(...batch.map((i) => list[i])), 0) / list.reduce((a, b) => a + b, 0);
      const options = { batchSize: 20, shuffle: true, seed: 3 };
      const sorted = await pass(new data.DataLoader(new Sequences(list), { ...options, byLength: true }));
      expect(padded(sorted)).toBeLessThan(1.02);
      expect(padded(await pass(new data.DataLoader(new Sequences(list), options)))).toBeGreaterThan(1.5);
      const longest = sorted.map((batch) => Math.max(...batch.map((i) => list[i])));
      const rises = longest.slice(1).filter((length, i) => length > longest[i]).length;
      expect(rises).toBeGreaterThan(30);
      expect(rises).toBeLessThan(70);
    });

    test('the same seed gives the same orders; another seed and another epoch others', async () => {
      const list = Array.from({ length: 100 }, (_, i) => i % 10);
      const orders = async (seed: number) => {
        const loader = new data.DataLoader(new Sequences(list), { batchSize: 4, shuffle: true, byLength: true, seed });
        return [await pass(loader), await pass(loader)];
      };
      const [one, again, two] = [await orders(1), await orders(1), await orders(2)];
      expect(again).toEqual(one);
      expect(one[1]).not.toEqual(one[0]);
      expect(two[0]).not.toEqual(one[0]);
    });

    test('in order: the shortest first, those of one length as they are', async () => {
      const loader = new data.DataLoader(new Sequences([3, 1, 2, 1, 3]), { batchSize: 2, byLength: true });
      expect(await pass(loader)).toEqual([[1, 3], [2, 0], [4]]);
    });
  });

  test('the same seed gives the same orders; another seed and another epoch others', async () => {
    const orders = async (seed: number) => {
      const loader = new data.DataLoader(new Numbers(100), { batchSize: 100, shuffle: true, seed });
      return [await pass(loader), await pass(loader)];
    };
    const [one, again, two] = [await orders(1), await orders(1), await orders(2)];
    expect(again).toEqual(one);
    expect(one[1]).not.toEqual(one[0]);
    expect(two[0]).not.toEqual(one[0]);
    expect(two[0]).not.toEqual(one[1]);
  });

  test('goes on at the epoch it is set to', async () => {
    const first = new data.DataLoader(new Numbers(50), { batchSize: 50, shuffle: true, seed: 9 });
    await pass(first);
    expect(first.epoch).toBe(1);
    const resumed = new data.DataLoader(new Numbers(50), { batchSize: 50, shuffle: true, seed: 9 });
    resumed.epoch = first.epoch;
    expect(await pass(resumed)).toEqual(await pass(first));
  });

  test('without a seed of its own it follows manualSeed', async () => {
    const order = (seed: number) => {
      manualSeed(seed);
      return pass(new data.DataLoader(new Numbers(50), { batchSize: 50, shuffle: true }));
    };
    expect(await order(4)).toEqual(await order(4));
    expect(await order(4)).not.toEqual(await order(5));
  });

  test('asks for one batch ahead, and frees it when left early', async () => {
    const numbers = new Numbers(10);
    for await (const { y } of new data.DataLoader(numbers, { batchSize: 2 })) {
      if (numbers.asked.length === 2) expect([...y.dataSync()]).toEqual([0, 1]);
      if (numbers.asked.length === 3) break;
    }
    expect(numbers.asked).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    expect(numbers.made.map(({ disposed }) => disposed)).toEqual([false, false, false, false, true, true]);
  });

  test('takes promises; a rejected one surfaces at its batch', async () => {
    const numbers = new Numbers(6);
    const late: data.Dataset = {
      length: 6,
      batch: async (indices) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (indices.includes(5)) throw new Error('sample 5 is broken');
        return numbers.batch(indices);
      },
    };
    const seen: number[] = [];
    const run = async () => {
      for await (const { y } of new data.DataLoader(late, { batchSize: 2 })) seen.push(...y.dataSync());
    };
    await expect(run()).rejects.toThrow('sample 5 is broken');
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  test.each<[string, () => unknown, string]>([
    ['a dataset', () => new data.DataLoader([] as never, { batchSize: 1 }), 'DataLoader: dataset is [], expected an object with a length'],
    [
      'a batch size',
      () => new data.DataLoader(new Numbers(3), { batchSize: 0 }),
      'DataLoader: batchSize is 0, expected a positive integer',
    ],
    [
      'lengths',
      () => new data.DataLoader(new Numbers(3), { batchSize: 1, byLength: true }),
      "DataLoader: the dataset's lengths is undefined, expected a number for each of its 3 samples, since byLength is set",
    ],
    ['a seed', () => new data.DataLoader(new Numbers(3), { batchSize: 1, seed: -1 }), 'DataLoader: seed is -1'],
  ])('expects %s', (_, make, message) => {
    expect(make).toThrow(message);
  });
});

test('permutation: every order of 4 is as likely', () => {
  const counts = new Map<string, number>();
  const draws = 24_000;
  for (let seed = 0; seed < draws; seed++) {
    const order = permutation(4, seed, 0).join('');
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect(counts.size).toBe(24);
  // Chi-square of 23 degrees of freedom: 49.7 is passed once in a thousand times; the seeds here are fixed.
  const expected = draws / 24;
  const chi = [...counts.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  expect(chi).toBeLessThan(49.7);
});

describe('state and restore', () => {
  /** Samples to which random numbers are added, from where dropout takes its own. */
  class Noisy extends Numbers {
    override batch(indices: Int32Array): data.Samples {
      const { x, y } = super.batch(indices);
      return { x: ops.add(x, randn(x.shape)), y };
    }
  }
  const make = (options: Partial<data.DataLoaderOptions> = {}) =>
    new data.DataLoader(new Noisy(10), { batchSize: 3, shuffle: true, seed: 5, ...options });

  /** Batches from where a loader stands to the end of its second pass, each with a draw behind it, as a training step has. */
  async function rest(loader: data.DataLoader, onBatch: (given: number) => void = () => {}): Promise<number[][]> {
    const batches: number[][] = [];
    while (loader.epoch < 2) {
      for await (const { x } of loader) {
        batches.push([...x.dataSync(), randn([3]).dataSync()[2]]);
        onBatch(batches.length);
      }
    }
    return batches;
  }

  test('go on after any batch with the same batches, and with the same random numbers around them', async () => {
    manualSeed(3);
    const states: string[] = [];
    const loader = make();
    const batches = await rest(loader, () => states.push(JSON.stringify({ loader: loader.state(), random: randomState() })));
    expect(batches).toHaveLength(8);
    for (const [i, text] of states.entries()) {
      const state = JSON.parse(text);
      const other = make({ seed: 77 }); // its seed is part of the state
      manualSeed(1234);
      other.restore(state.loader);
      setRandomState(state.random);
      expect(other.state()).toEqual(state.loader);
      expect(await rest(other)).toEqual(batches.slice(i + 1));
      expect(other.seed).toBe(5);
    }
  });

  test('do not prepare the batches before', async () => {
    const [first, second] = [make(), make()];
    for await (const _ of first) {
      second.restore(first.state());
      if (first.state().batch === 2) break;
    }
    await pass2(second);
    expect((second.dataset as Noisy).asked).toHaveLength(2);
  });

  test('between passes: the next one from its start', async () => {
    const [loader, other] = [make(), make()];
    expect(loader.state()).toEqual({ seed: 5, epoch: 0, batch: 0, length: 4, random: null });
    await pass2(loader);
    expect(loader.state()).toMatchObject({ epoch: 1, batch: 0, random: null });
    for await (const _ of loader) break;
    expect(loader.state()).toMatchObject({ epoch: 2, batch: 0, random: null });
    other.restore(loader.state());
    expect(await pass2(other)).toEqual(await pass2(loader));
  });

  async function pass2(loader: data.DataLoader): Promise<number[][]> {
    const batches: number[][] = [];
    for await (const { y } of loader) batches.push([...y.dataSync()]);
    return batches;
  }

  test('with augmentation', async () => {
    const images: data.Dataset = {
      length: 6,
      batch: (indices) => ({
        x: tensor(
          Float32Array.from({ length: indices.length * 16 }, (_, i) => i),
          [indices.length, 4, 4, 1],
        ),
        y: tensor(indices),
      }),
    };
    const loaders = [1, 2].map(
      (seed) => new data.DataLoader(images, { batchSize: 2, shuffle: true, seed, augment: { flip: true, crop: { padding: 2 } } }),
    );
    const [loader, other] = loaders;
    const seen: number[][] = [];
    for await (const { x } of loader) {
      seen.push([...x.dataSync()]);
      if (seen.length === 1) other.restore(loader.state());
    }
    const rest: number[][] = [];
    for await (const { x } of other) rest.push([...x.dataSync()]);
    expect(rest).toEqual(seen.slice(1));
  });

  test.each<[string, object | null, string]>([
    ['nothing', null, 'DataLoader.restore: seed is undefined, expected what state() gave'],
    ['half a batch', { seed: 1, epoch: 0, batch: 0.5, length: 4, random: null }, 'DataLoader.restore: batch is 0.5'],
    [
      'passes of another length',
      { seed: 1, epoch: 0, batch: 0, length: 5, random: null },
      'length is 5, expected 4, the batches of a pass here',
    ],
  ])('refuse %s and change nothing', (_, state, message) => {
    const loader = make();
    const before = loader.state();
    expect(() => loader.restore(state as never)).toThrow(message);
    expect(loader.state()).toEqual(before);
  });
});

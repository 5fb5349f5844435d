import { data, losses, manualSeed, metrics, models, optim, runtime, setNumThreads, type Tensor, Trainer, tensor } from '../../lib';
import { randomNumbers } from '../support/data';
import { fault } from '../support/fault';

/** Images of random bytes, 0 to 250 of which sample i's first is i; not normalised. */
function images(n: number, [height, width, channels]: readonly number[], classes = 4): data.ImageDataset {
  const next = randomNumbers(5);
  const size = height * width * channels;
  const bytes = Uint8Array.from({ length: n * size }, (_, k) => (k % size === 0 ? k / size : Math.floor(next() * 251)));
  return new data.ImageDataset(
    tensor(bytes, [n, height, width, channels]),
    Int32Array.from({ length: n }, (_, i) => i % classes),
    { classes: Array.from({ length: classes }, (_, i) => `class ${i}`), normalization: { mean: 0, std: 1 / 255 } },
  );
}

/** All samples of a pass: pixels, and what the labels hold. */
async function pass(loader: data.DataLoader): Promise<{ x: number[][]; y: number[][] }> {
  const [x, y]: number[][][] = [[], []];
  const rows = ({ shape, size }: Tensor, values: ArrayLike<number>): number[][] =>
    Array.from({ length: shape[0] }, (_, i) => Array.from(values).slice((i * size) / shape[0], ((i + 1) * size) / shape[0]));
  for await (const batch of loader) {
    x.push(...rows(batch.x, batch.x.dataSync()));
    y.push(...rows(batch.y, batch.y.dataSync()));
    batch.x.dispose();
    batch.y.dispose();
  }
  return { x, y };
}

const near = (a: readonly number[], b: readonly number[], tolerance = 1e-3): boolean =>
  a.length === b.length && a.every((v, i) => Math.abs(v - b[i]) < tolerance);

const loader = (set: data.Dataset, augment: data.AugmentOptions, more: Partial<data.DataLoaderOptions> = {}) =>
  new data.DataLoader(set, { batchSize: 16, seed: 1, augment, ...more });

describe('what happens to an image', () => {
  const shape = [4, 5, 3] as const;
  const original = async (set: data.ImageDataset) => (await pass(new data.DataLoader(set, { batchSize: 100 }))).x;
  const at = (image: readonly number[], i: number, j: number, [height, width, channels]: readonly number[] = shape): number[] =>
    i < 0 || j < 0 || i >= height || j >= width
      ? new Array(channels).fill(0)
      : image.slice((i * width + j) * channels, (i * width + j + 1) * channels);
  /** The image whose pixel (i, j) is pixel where(i, j) of another. */
  const moved = (image: readonly number[], where: (i: number, j: number) => [number, number], [height, width] = [4, 5]): number[] =>
    Array.from({ length: height * width }, (_, k) => at(image, ...where(Math.floor(k / width), k % width))).flat();

  test('nothing, without options', async () => {
    const set = images(40, shape);
    const [before, after] = [await original(set), (await pass(loader(set, {}))).x];
    expect(after.every((image, i) => near(image, before[i]))).toBe(true);
  });

  test.each<[data.AugmentOptions['flip'], ((i: number, j: number) => [number, number])[]]>([
    [true, [(i, j) => [i, j], (i, j) => [i, 4 - j]]],
    ['horizontal', [(i, j) => [i, j], (i, j) => [i, 4 - j]]],
    ['vertical', [(i, j) => [i, j], (i, j) => [3 - i, j]]],
    ['both', [(i, j) => [i, j], (i, j) => [i, 4 - j], (i, j) => [3 - i, j], (i, j) => [3 - i, 4 - j]]],
  ])('flip %p: each way as often', async (flip, ways) => {
    const set = images(200, shape);
    const [before, { x: after }] = [await original(set), await pass(loader(set, { flip }))];
    const counts = ways.map((way) => after.filter((image, i) => near(image, moved(before[i], way))).length);
    expect(counts.reduce((a, b) => a + b)).toBe(200);
    for (const count of counts) expect(Math.abs(count - 200 / ways.length)).toBeLessThan(25); // 3.5 standard deviations
  });

  test('crop: every place in the padded image, in every size', async () => {
    const set = images(250, shape);
    const before = await original(set);
    for (const [crop, size, low, high] of [
      [{ padding: 1 }, [4, 5], [-1, -1], [1, 1]],
      [{ padding: [0, 2] }, [4, 5], [0, -2], [0, 2]],
      [{ size: [2, 3] }, [2, 3], [0, 0], [2, 2]],
      [{ size: 5, padding: 1 }, [5, 5], [-1, -1], [0, 1]],
    ] as const) {
      const seen = new Set<string>();
      for (const [n, image] of (await pass(loader(set, { crop }))).x.entries()) {
        const places: [number, number][] = [];
        for (let top = low[0]; top <= high[0]; top++) for (let left = low[1]; left <= high[1]; left++) places.push([top, left]);
        const found = places.filter(([top, left]) =>
          near(
            image,
            moved(before[n], (i, j) => [i + top, j + left], [...size]),
          ),
        );
        expect(found.length).toBeGreaterThan(0);
        seen.add(String(found[0]));
      }
      expect(seen.size).toBe((high[0] - low[0] + 1) * (high[1] - low[1] + 1));
    }
  });

  test('border: what a crop sees beyond the edge', async () => {
    const set = images(30, [3, 3, 1]);
    const before = await original(set);
    const fold = { replicate: (i: number) => Math.min(Math.max(i, 0), 2), reflect: (i: number) => 2 - Math.abs(2 - Math.abs(i)) };
    for (const border of ['replicate', 'reflect'] as const) {
      for (const [n, image] of (await pass(loader(set, { crop: { padding: 2 }, border }))).x.entries()) {
        const shifts = [-2, -1, 0, 1, 2];
        const found = shifts.some((top) =>
          shifts.some((left) =>
            near(
              image,
              Array.from({ length: 9 }, (_, k) => before[n][3 * fold[border](Math.floor(k / 3) + top) + fold[border]((k % 3) + left)]),
            ),
          ),
        );
        expect(found).toBe(true);
      }
    }
  });

  test('rotate: about the middle, by angles up to the one given either way', async () => {
    // a blob to the right of the middle
    const bytes = Uint8Array.from(
      { length: 33 * 33 },
      (_, k) => 250 * Math.exp(-((Math.floor(k / 33) - 16) ** 2 + ((k % 33) - 26) ** 2) / 8),
    );
    const set = new data.ImageDataset(tensor(bytes, [1, 33, 33, 1]), Int32Array.of(0), {
      classes: ['blob'],
      normalization: { mean: 0, std: 1 },
    });
    const angles: number[] = [];
    const turning = loader(set, { rotate: 60 }, { batchSize: 1 });
    for (let i = 0; i < 150; i++) {
      const [image] = (await pass(turning)).x;
      const mass = image.reduce((a, b) => a + b);
      const y = image.reduce((sum, v, k) => sum + v * (Math.floor(k / 33) - 16), 0) / mass;
      const x = image.reduce((sum, v, k) => sum + v * ((k % 33) - 16), 0) / mass;
      expect(Math.hypot(x, y)).toBeCloseTo(10, 0);
      angles.push((Math.atan2(y, x) * 180) / Math.PI);
    }
    expect(Math.max(...angles.map(Math.abs))).toBeLessThan(60.5);
    expect(Math.min(...angles)).toBeLessThan(-50);
    expect(Math.max(...angles)).toBeGreaterThan(50);
  });

  test('brightness: one factor an image, from 1 - v to 1 + v', async () => {
    const set = images(100, shape);
    const before = await original(set);
    const factors = (await pass(loader(set, { colour: { brightness: 0.5 } }))).x.map((image, n) => {
      const at = before[n].findIndex((v, k) => k > 0 && v > 50 && v < 160); // not clamped by any factor
      const factor = image[at] / before[n][at];
      expect(
        near(
          image,
          before[n].map((v) => Math.min(255, factor * v)),
          0.01,
        ),
      ).toBe(true);
      return factor;
    });
    expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.5);
    expect(Math.min(...factors)).toBeLessThan(0.55);
    expect(Math.max(...factors)).toBeLessThanOrEqual(1.5);
    expect(Math.max(...factors)).toBeGreaterThan(1.45);
  });

  test.each(['contrast', 'saturation'] as const)('%s: a share of the way from grey', async (what) => {
    const set = images(60, shape);
    const before = await original(set);
    const grey = (v: readonly number[]) => 0.299 * v[0] + 0.587 * v[1] + 0.114 * v[2];
    for (const [n, image] of (await pass(loader(set, { colour: { [what]: 0.8 } }))).x.entries()) {
      const cells = Array.from({ length: 20 }, (_, k) => before[n].slice(3 * k, 3 * k + 3));
      const mean = cells.reduce((sum, v) => sum + grey(v), 0) / 20;
      const centre = cells.flatMap((v) => v.map(() => (what === 'contrast' ? mean : grey(v))));
      const ratios = image.map((v, k) => (v - centre[k]) / (before[n][k] - centre[k]));
      const inside = ratios.filter((_, k) => image[k] > 0.01 && image[k] < 254.99 && Math.abs(before[n][k] - centre[k]) > 20);
      expect(inside.length).toBeGreaterThan(3);
      expect(Math.max(...inside) - Math.min(...inside)).toBeLessThan(0.01);
      expect(inside[0]).toBeGreaterThan(0.19);
      expect(inside[0]).toBeLessThan(1.81);
    }
  });

  test('cutout: a square, at the edges a part of one, is the mean of the pixels; whatever else is on', async () => {
    const bytes = new Uint8Array(200 * 36).fill(255);
    const set = new data.ImageDataset(tensor(bytes, [200, 6, 6, 1]), new Int32Array(200), {
      classes: ['white'],
      normalization: { mean: 0.2, std: 0.4 },
    });
    const sizes = new Set<number>();
    for (const image of (await pass(loader(set, { cutout: 3, flip: 'both', colour: { brightness: 0 } }))).x) {
      const rows = image.map((v, k) => (v === 0 ? Math.floor(k / 6) : -1)).filter((i) => i >= 0);
      const columns = image.map((v, k) => (v === 0 ? k % 6 : -1)).filter((i) => i >= 0);
      const [height, width] = [new Set(rows).size, new Set(columns).size];
      expect(rows.length).toBe(height * width);
      expect(image.every((v) => v === 0 || Math.abs(v - 2) < 1e-6)).toBe(true);
      sizes.add(rows.length);
    }
    expect([...sizes].sort((a, b) => a - b)).toEqual([4, 6, 9]);
  });

  test('an option draws the same with and without others', async () => {
    const set = images(50, shape);
    const before = await original(set);
    const [alone, together] = [await pass(loader(set, { flip: true })), await pass(loader(set, { flip: true, cutout: 1 }))];
    expect(alone.x.some((image, n) => !near(image, before[n]))).toBe(true);
    for (const [n, image] of together.x.entries()) {
      expect(image.filter((v, k) => Math.abs(v - alone.x[n][k]) > 1e-3).length).toBeLessThanOrEqual(3);
    }
  });
});

describe('mixup', () => {
  test('blends image and label with those of another sample of the batch by one share', async () => {
    const n = 60;
    const set = images(n, [2, 2, 1]);
    const { x, y } = await pass(loader(set, { mixup: 1 }, { batchSize: n }));
    const before = (await pass(new data.DataLoader(set, { batchSize: n }))).x;
    const label = (i: number) => [0, 1, 2, 3].map((c) => Number(i % 4 === c));
    const shares = new Set<string>();
    const partners = x.map((image, i) => {
      const mixed = (share: number, a: readonly number[], b: readonly number[]) => a.map((v, k) => share * v + (1 - share) * b[k]);
      // The label says the share where the partner is of another class; one image is tried against each partner.
      for (let j = 0; j < n; j++) {
        const share = j % 4 === i % 4 ? 1 : y[i][i % 4];
        if (share < 1 && near(image, mixed(share, before[i], before[j]), 0.01) && near(y[i], mixed(share, label(i), label(j)), 1e-5)) {
          shares.add(share.toFixed(5));
          return j;
        }
      }
      return -1;
    });
    expect(partners.filter((j) => j >= 0).length).toBeGreaterThan(n / 2);
    expect(shares.size).toBe(1);
    expect(y.every((row) => Math.abs(row.reduce((a, b) => a + b) - 1) < 1e-5)).toBe(true);
  });

  test.each([0.05, 0.2, 1, 4])('shares are of the distribution Beta(%d, v)', async (v) => {
    const bytes = new Uint8Array(4000);
    const set = new data.ImageDataset(
      tensor(bytes, [4000, 1, 1, 1]),
      Int32Array.from(bytes, (_, i) => i % 2),
      { classes: ['even', 'odd'], normalization: { mean: 0, std: 1 } },
    );
    // Of two samples each keeps its label half of the time, and has a share of it otherwise.
    const kept = (await pass(loader(set, { mixup: v }, { batchSize: 2 }))).y.filter((_, i) => i % 2 === 0).map(([share]) => share);
    const moment = (power: number) => (2 * kept.reduce((sum, share) => sum + share ** power, 0)) / kept.length - 1;
    expect(kept.every((share) => share >= 0 && share <= 1)).toBe(true);
    expect(Math.abs(moment(1) - 0.5)).toBeLessThan(0.06); // 3 standard deviations, at most
    expect(Math.abs(moment(2) - 0.25 - 1 / (4 * (2 * v + 1)))).toBeLessThan(0.06);
  });

  test('its labels train a classifier, and its accuracy is measured', async () => {
    manualSeed(1);
    const bytes = Uint8Array.from({ length: 64 * 16 }, (_, k) => (Math.floor(k / 16) % 4 === Math.floor((k % 16) / 4) ? 255 : 0));
    const set = new data.ImageDataset(
      tensor(bytes, [64, 4, 4, 1]),
      Int32Array.from({ length: 64 }, (_, i) => i % 4),
      { classes: ['first row', 'second', 'third', 'fourth'], normalization: { mean: 0.25, std: 0.43 } },
    );
    const model = models.mlp({ inputs: 16, hidden: [16], classes: 4 });
    const trainer = new Trainer(model, {
      optimizer: new optim.Adam(model.parameters(), { lr: 0.01 }),
      loss: losses.crossEntropy,
      metrics: { accuracy: metrics.accuracy },
    });
    const training = loader(set, { mixup: 0.2 }, { shuffle: true });
    let last = { accuracy: 0, validation: { accuracy: 0 } };
    for await (const epoch of trainer.fit(training, { epochs: 20, validation: new data.DataLoader(set, { batchSize: 64 }) })) last = epoch;
    expect(last.validation.accuracy).toBe(1);
    expect(last.accuracy).toBeGreaterThan(0.9);
  });
});

describe('what it depends on', () => {
  const everything: data.AugmentOptions = {
    crop: { padding: 2 },
    flip: 'both',
    rotate: 15,
    colour: { brightness: 0.2, contrast: 0.2, saturation: 0.2 },
    cutout: 2,
    border: 'reflect',
  };
  const set = () => images(50, [6, 6, 3]);

  test('the seed and the epoch; not the size of batches, nor the number of threads', async () => {
    const one = await pass(loader(set(), everything, { shuffle: true }));
    expect(await pass(loader(set(), everything, { shuffle: true, batchSize: 7 }))).toEqual(one);
    const before = runtime.info().threads;
    try {
      for (const threads of [1, 2, 3]) {
        setNumThreads(threads);
        expect(await pass(loader(set(), everything, { shuffle: true }))).toEqual(one);
      }
    } finally {
      setNumThreads(before);
    }
    expect(await pass(loader(set(), everything, { shuffle: true, seed: 2 }))).not.toEqual(one);
    const again = loader(set(), everything, { shuffle: true });
    expect(await pass(again)).toEqual(one);
    expect(await pass(again)).not.toEqual(one);
  });

  test('a loader set to an epoch goes on as if it had never stopped', async () => {
    const options = { ...everything, mixup: 0.4 };
    const first = loader(set(), options, { shuffle: true });
    await pass(first);
    const resumed = loader(set(), options, { shuffle: true });
    resumed.epoch = 1;
    expect(await pass(resumed)).toEqual(await pass(first));
  });

  test('without a seed of its own, manualSeed', async () => {
    const order = async (seed: number) => {
      manualSeed(seed);
      return pass(new data.DataLoader(set(), { batchSize: 50, augment: everything }));
    };
    expect(await order(4)).toEqual(await order(4));
    expect(await order(4)).not.toEqual(await order(5));
  });
});

describe('any dataset of images', () => {
  const floats: data.Dataset = {
    length: 3,
    classes: ['a', 'b'],
    batch: async (indices) => ({
      x: tensor(
        Float32Array.from(indices).map((i) => i / 4),
        [indices.length, 1, 1, 1],
      ),
      y: tensor(indices.map((i) => i % 2)),
    }),
  };

  test('of floating-point numbers, also one that answers later', async () => {
    const { x, y } = await pass(loader(floats, { crop: { size: 2, padding: 1 }, border: 'replicate' }));
    expect(x).toEqual([new Array(4).fill(0), new Array(4).fill(0.25), new Array(4).fill(0.5)]);
    expect(y).toEqual([[0], [1], [0]]);
  });

  test.each<[string, data.Dataset, data.AugmentOptions, string]>([
    [
      'images',
      { ...floats, batch: (i) => ({ x: tensor([1, 2, 3]), y: tensor(i) }) },
      {},
      'augment: a batch of images has shape [3], expected [N,H,W,C]',
    ],
    ['room for a crop', floats, { crop: { size: 2 } }, 'augment: crop.size is [2,2], the images have 1x1 pixels and padding [0,0]'],
  ])('expects %s', async (_, set, augment, message) => {
    await expect(pass(loader(set, augment))).rejects.toThrow(message);
  });

  test.each<[data.AugmentOptions, string]>([
    [{ flip: 'up' as never }, `augment: flip is "up", expected a boolean, 'horizontal', 'vertical' or 'both'`],
    [{ rotate: 181 }, 'augment: rotate is 181, expected a number from 0 to 180'],
    [{ rotate: '9' as never }, 'augment: rotate is "9", expected a number from 0 to 180'],
    [{ border: 'wrap' as never }, `augment: border is "wrap", expected 'zeros', 'replicate' or 'reflect'`],
    [{ crop: { padding: -1 } }, 'augment: crop.padding is -1, expected an integer from 0'],
    [{ crop: { size: 0 } }, 'augment: crop.size is 0, expected an integer from 1'],
    [{ crop: { pad: 1 } as never }, 'augment: an option name is "pad", expected one of padding, size'],
    [{ colour: { hue: 1 } as never }, 'augment: an option name is "hue", expected one of brightness, contrast, saturation'],
    [{ colour: { contrast: Number.NaN } }, 'augment: contrast is NaN, expected a number from 0'],
    [{ cutout: 2.5 }, 'augment: cutout is 2.5, expected a whole number of pixels'],
    [{ mixup: -1 }, 'augment: mixup is -1, expected a number from 0'],
  ])('%j', (augment, message) => {
    expect(fault(() => loader(floats, augment)).message).toContain(message);
  });

  test('mixup wants to know the classes', () => {
    const { classes, ...unnamed } = floats;
    expect(fault(() => loader(unnamed, { mixup: 1 })).message).toBe(
      "augment: the dataset's classes is undefined, expected the list of their names, since mixup is set",
    );
  });
});

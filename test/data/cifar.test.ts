import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { data } from '../../lib';

// Files of the real sizes, all zeros but for some records; no bytes are spent on holes.

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cifar-'));
});
afterEach(() => rm(dir, { recursive: true }));

/** What pixel (i, j) of image n holds in colour c: something else everywhere. */
const pixel = (n: number, i: number, j: number, c: number): number => (n * 7 + i * 5 + j * 3 + c * 89) % 256;

async function writeRecords(name: string, count: number, labels: Record<number, number[]>): Promise<void> {
  const bytes = Object.values(labels)[0].length + 3072;
  const file = await open(join(dir, name), 'w');
  await file.truncate(count * bytes);
  for (const [n, label] of Object.entries(labels)) {
    const image = Uint8Array.from({ length: 3072 }, (_, k) => pixel(Number(n), Math.floor((k % 1024) / 32), k % 32, Math.floor(k / 1024)));
    await file.write(Buffer.of(...label, ...image), 0, bytes, Number(n) * bytes);
  }
  await file.close();
}

const writeCifar10 = async (): Promise<void> => {
  for (let i = 1; i <= 5; i++) await writeRecords(`data_batch_${i}.bin`, 10_000, { 0: [i], 9999: [9 - i] });
  await writeRecords('test_batch.bin', 10_000, { 1: [9] });
};

function expectImage(values: ArrayLike<number>, at: number, n: number): void {
  const expected = Array.from({ length: 3072 }, (_, k) => pixel(n, Math.floor(k / 96), Math.floor(k / 3) % 32, k % 3));
  expect(Array.from(values).slice(at * 3072, (at + 1) * 3072)).toEqual(expected);
}

describe('cifar10', () => {
  test('training files in their order, planes turned into pixels', async () => {
    await writeCifar10();
    const { train, test: tests } = await data.cifar10({ dir });
    expect([train.images.shape, tests.images.shape]).toEqual([
      [50_000, 32, 32, 3],
      [10_000, 32, 32, 3],
    ]);
    const { x, y } = train.pixels(Int32Array.of(0, 9999, 20_000, 49_999));
    expect([...y.dataSync()]).toEqual([1, 8, 3, 4]);
    const pixels = x.dataSync();
    [0, 9999, 0, 9999].forEach((n, at) => {
      expectImage(pixels, at, n);
    });
    expect(tests.classes[tests.labels[1]]).toBe('truck');
    const normal = tests.batch(Int32Array.of(1)).x.dataSync();
    [0.4914, 0.4822, 0.4465].forEach((mean, c) => {
      expect(normal[c]).toBeCloseTo((pixel(1, 0, 0, c) / 255 - mean) / [0.247, 0.2435, 0.2616][c], 5);
    });
  });

  test('one half needs its own files only, and names the one that is missing', async () => {
    await writeRecords('test_batch.bin', 10_000, { 0: [0] });
    expect((await data.cifar10({ dir, split: 'test' })).length).toBe(10_000);
    await expect(data.cifar10({ dir })).rejects.toMatchObject({
      code: 'ERR_FILE',
      message: expect.stringMatching(/data_batch_1\.bin: ENOENT/),
    });
  });

  test.each([
    ['truncated', 30_729_999],
    ['oversized', 30_730_001],
    ['empty', 0],
    ['of a record less', 30_730_000 - 3073],
  ])('a file that is %s is named', async (_, size) => {
    await writeCifar10();
    await truncate(join(dir, 'data_batch_3.bin'), size);
    await expect(data.cifar10({ dir, split: 'train' })).rejects.toThrow(
      `${join(dir, 'data_batch_3.bin')}: has ${size} bytes, expected 30730000 (10000 records of 3073 bytes)`,
    );
  });

  test('a label that is no class', async () => {
    await writeRecords('test_batch.bin', 10_000, { 77: [10] });
    await expect(data.cifar10({ dir, split: 'test' })).rejects.toThrow('test_batch.bin: label 77 is 10, expected 0 to 9');
    await expect(data.cifar10({ dir, split: 'all' as never })).rejects.toThrow('cifar10: split is "all", expected train or test');
  });
});

describe('cifar100', () => {
  const names = (n: number) => Array.from({ length: n }, (_, i) => `class ${i}\n`).join('');

  test('fine and coarse labels, with their names', async () => {
    await writeRecords('train.bin', 50_000, { 0: [19, 99], 49999: [3, 50] });
    await writeRecords('test.bin', 10_000, { 5: [1, 2] });
    await writeFile(join(dir, 'fine_label_names.txt'), `${names(100)}\n`);
    await writeFile(join(dir, 'coarse_label_names.txt'), names(20).replaceAll('\n', '\r\n'));
    const { train, test: tests } = await data.cifar100({ dir });
    const { x, y } = train.pixels(Int32Array.of(0, 49_999));
    expect([...y.dataSync()]).toEqual([99, 50]);
    expectImage(x.dataSync(), 1, 49_999);
    expect([tests.labels[5], tests.classes[99]]).toEqual([2, 'class 99']);
    const coarse = await data.cifar100({ dir, split: 'test', labels: 'coarse' });
    expect([coarse.labels[5], coarse.classes.length, coarse.classes[19]]).toEqual([1, 20, 'class 19']);
  });

  test('faults', async () => {
    await writeRecords('test.bin', 10_000, { 0: [0, 0], 3: [20, 5] });
    await writeFile(join(dir, 'fine_label_names.txt'), names(99));
    await writeFile(join(dir, 'coarse_label_names.txt'), names(20));
    const read = (labels: 'fine' | 'coarse') => data.cifar100({ dir, split: 'test', labels });
    await expect(read('fine')).rejects.toThrow('fine_label_names.txt: holds 99 names, expected 100');
    await expect(read('coarse')).rejects.toThrow('test.bin: label 3 is 20, expected 0 to 19');
    await expect(read('rough' as never)).rejects.toThrow('cifar100: labels is "rough", expected fine or coarse');
    await expect(data.cifar100({ dir, split: 'train' })).rejects.toThrow('fine_label_names.txt: holds 99 names');
  });
});

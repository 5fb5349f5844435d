import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { data, memory } from '../../lib';
import { decodeImage, type Fit } from '../../lib/formats/image';
import { settle } from '../support/memory';
import { type Png, png } from '../support/png';

jest.mock('../../lib/formats/image', () => {
  const real = jest.requireActual('../../lib/formats/image');
  return { ...real, decodeImage: jest.fn(real.decodeImage) };
});

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'images-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function write(files: Record<string, Uint8Array>): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), bytes);
  }
}

/** A 2x1 image of this grey. */
const grey = (value: number): Buffer => png({ width: 2, height: 1, type: 0, depth: 8, samples: [value, value] });
const all = ({ length }: data.Dataset): Int32Array => Int32Array.from({ length }, (_, i) => i);

async function pixels(set: data.PixelDataset, indices = all(set)): Promise<number[]> {
  const { x, y } = await set.pixels(indices);
  expect(x.dtype).toBe('uint8');
  const values = [...x.dataSync()];
  x.dispose();
  y.dispose();
  return values;
}

/** The pixels one file of this content is read as, in its own size unless another is asked for. */
async function read(file: Uint8Array, options: Partial<data.ImageFolderOptions>, name = 'file.png'): Promise<number[]> {
  await write({ [`class/${name}`]: file });
  return pixels(await data.imageFolder({ dir, size: [1, 2], ...options }));
}

describe('the folder', () => {
  test('a class a folder, images at any depth, in the order of their names', async () => {
    await write({
      'dog/b.png': grey(3),
      'dog/a.PNG': grey(2),
      'cat/deep/er/z.png': grey(1),
      'cat/deep/.hidden.png': grey(9),
      'cat/notes.txt': Buffer.from('no image'),
      'cat/folder.png/inside.png': grey(0),
      '.git/x.png': grey(9),
      'beside.png': grey(9),
    });
    const set = await data.imageFolder({ dir, size: [1, 2], channels: 1 });
    expect(set.classes).toEqual(['cat', 'dog']);
    expect(set.files).toEqual(['cat/deep/er/z.png', 'cat/folder.png/inside.png', 'dog/a.PNG', 'dog/b.png'].map((file) => join(dir, file)));
    expect([...set.labels]).toEqual([0, 0, 1, 1]);
    expect(await pixels(set)).toEqual([1, 1, 0, 0, 2, 2, 3, 3]);
    expect(await pixels(set, Int32Array.of(3, 0, 3))).toEqual([3, 3, 1, 1, 3, 3]);
    expect(set.skipped).toEqual([]);
  });

  test('classes as they are asked for', async () => {
    await write({ 'a/1.png': grey(1), 'b/1.png': grey(2), 'c/1.png': grey(3) });
    const set = await data.imageFolder({ dir, size: [1, 2], channels: 1, classes: ['c', 'a'] });
    expect([set.classes, [...set.labels], await pixels(set)]).toEqual([
      ['c', 'a'],
      [0, 1],
      [3, 3, 1, 1],
    ]);
  });

  test.each<[string, Partial<data.ImageFolderOptions>, string]>([
    ['a folder that exists', { dir: '/nonesuch', classes: undefined }, '/nonesuch: ENOENT'],
    ['classes that exist', { classes: ['a', 'x'] }, 'x: ENOENT'],
    ['images', { classes: ['a', 'empty'] }, 'empty: holds no images (.png, .jpg, .jpeg, .webp, .gif, .avif, .tif, .tiff)'],
    ['a path', { dir: '' }, 'imageFolder: dir is "", expected a path'],
    ['a size', { size: 0 }, 'imageFolder: size is 0, expected an integer from 1'],
    ['channels', { channels: 2 as never }, 'imageFolder: channels is 2, expected 1, 3 or 4'],
    ['a fit', { fit: 'inside' as never }, `imageFolder: fit is "inside", expected 'cover', 'contain', 'fill'`],
    ['a background', { background: [0, 0, 256] }, 'imageFolder: background is [0,0,256], expected red, green and blue'],
    ['classes once', { classes: ['a', 'a'] }, 'imageFolder: classes is ["a","a"], expected each name once'],
    [
      'a normalization of its channels',
      { normalization: { mean: [0, 0], std: 1 } },
      'imageFolder: mean is [0,0], expected a finite number',
    ],
    ['to know what to do with faults', { onError: 'ignore' as never }, `imageFolder: onError is "ignore", expected 'throw' or 'skip'`],
    ['to know whether to keep', { cache: 1 as never }, 'imageFolder: cache is 1, expected true or false'],
    ['a cache that fits', { cache: true, size: 1_000_000 }, 'take 2,861,023 MiB, there are '],
  ])('expects %s', async (_, options, message) => {
    await write({ 'a/1.png': grey(1), 'empty/none.txt': Buffer.alloc(1) });
    await expect(data.imageFolder({ dir, size: 8, classes: ['a'], ...options })).rejects.toThrow(message);
  });

  test('expects folders', async () => {
    await write({ 'a.png': grey(1) });
    await expect(data.imageFolder({ dir, size: 8 })).rejects.toThrow(`${dir}: holds no folders, expected one for each class`);
  });
});

describe('what an image is read as', () => {
  const row = (type: Png['type'], depth: Png['depth'], samples: number[], more: Partial<Png> = {}) =>
    png({ width: 2, height: 1, type, depth, samples, ...more });
  const palette = [
    [10, 20, 30],
    [200, 100, 0],
  ] as const;

  test.each<[string, Buffer, readonly number[], readonly number[], readonly number[]]>([
    ['grey', row(0, 8, [7, 255]), [7, 255], [7, 7, 7, 255, 255, 255], [7, 7, 7, 255, 255, 255, 255, 255]],
    ['grey of one bit', row(0, 1, [0, 1]), [0, 255], [0, 0, 0, 255, 255, 255], [0, 0, 0, 255, 255, 255, 255, 255]],
    ['grey of 16 bits', row(0, 16, [771, 65535]), [3, 255], [3, 3, 3, 255, 255, 255], [3, 3, 3, 255, 255, 255, 255, 255]],
    ['colour', row(2, 8, [9, 9, 9, 1, 2, 3]), [9, 2], [9, 9, 9, 1, 2, 3], [9, 9, 9, 255, 1, 2, 3, 255]],
    ['colour of 16 bits', row(2, 16, [257, 514, 771, 65535, 0, 32896]), [], [1, 2, 3, 255, 0, 128], [1, 2, 3, 255, 255, 0, 128, 255]],
    ['a palette', row(3, 1, [1, 0], { palette }), [], [200, 100, 0, 10, 20, 30], [200, 100, 0, 255, 10, 20, 30, 255]],
    [
      'a palette with transparency',
      row(3, 4, [1, 0], { palette, alphas: [255, 0] }),
      [],
      [0, 0, 0, 10, 20, 30],
      [200, 100, 0, 0, 10, 20, 30, 255],
    ],
    ['grey and alpha', row(4, 8, [200, 255, 200, 0]), [200, 0], [200, 200, 200, 0, 0, 0], [200, 200, 200, 255, 200, 200, 200, 0]],
    ['colour and alpha', row(6, 8, [1, 2, 3, 255, 200, 100, 50, 0]), [], [1, 2, 3, 0, 0, 0], [1, 2, 3, 255, 200, 100, 50, 0]],
    ['colour and alpha of 16 bits', row(6, 16, [257, 514, 771, 65535, 5, 5, 5, 0]), [], [1, 2, 3, 0, 0, 0], []],
  ])('%s', async (_, file, one, three, four) => {
    if (one.length > 0) expect(await read(file, { channels: 1 })).toEqual(one);
    expect(await read(file, {})).toEqual(three);
    if (four.length > 0) expect(await read(file, { channels: 4 })).toEqual(four);
  });

  test('transparent pixels over a background', async () => {
    const file = row(6, 8, [200, 100, 50, 0, 255, 255, 255, 255]);
    expect(await read(file, { background: [1, 2, 3] })).toEqual([1, 2, 3, 255, 255, 255]);
  });

  const raw = (width: number, height: number, values: readonly number[], channels: 3 | 4 = 3) =>
    sharp(Uint8Array.from(values), { raw: { width, height, channels } });

  // The upper left quarter red, the upper right green, the lower left blue, the lower right white.
  const quarters = Array.from({ length: 32 * 32 }, (_, k) => {
    const [lower, right] = [Math.floor(k / 32) >= 16, k % 32 >= 16];
    return lower ? (right ? [255, 255, 255] : [0, 0, 255]) : right ? [0, 255, 0] : [255, 0, 0];
  }).flat();
  const name = (r: number, g: number, b: number) =>
    r > 128 ? (g > 128 ? 'white' : 'red') : g > 128 ? 'green' : b > 128 ? 'blue' : 'black';

  // EXIF 2.32, orientation: which of the quarters as they are stored are seen upper left, upper right, lower left, lower right.
  test.each([
    [1, ['red', 'green', 'blue', 'white']],
    [2, ['green', 'red', 'white', 'blue']],
    [3, ['white', 'blue', 'green', 'red']],
    [4, ['blue', 'white', 'red', 'green']],
    [5, ['red', 'blue', 'green', 'white']],
    [6, ['blue', 'red', 'white', 'green']],
    [7, ['white', 'green', 'blue', 'red']],
    [8, ['green', 'white', 'red', 'blue']],
  ])('EXIF orientation %i', async (orientation, seen) => {
    const file = await raw(32, 32, quarters).withMetadata({ orientation }).jpeg({ quality: 95 }).toBuffer();
    const values = await read(file, { size: 32 }, 'photo.jpg');
    const at = (i: number, j: number) => name(...(values.slice((i * 32 + j) * 3) as [number, number, number]));
    expect([at(8, 8), at(8, 24), at(24, 8), at(24, 24)]).toEqual(seen);
  });

  test.each(['png', 'jpeg', 'webp', 'gif', 'avif', 'tiff'] as const)('%s', async (format) => {
    const file = await raw(32, 32, quarters).toFormat(format).toBuffer();
    const values = await read(file, { size: 32 }, `image.${format}`);
    const at = (i: number, j: number) => name(...(values.slice((i * 32 + j) * 3) as [number, number, number]));
    expect([at(8, 8), at(8, 24), at(24, 8), at(24, 24)]).toEqual(['red', 'green', 'blue', 'white']);
  });

  test('a JPEG of the colours print is made with', async () => {
    const file = await raw(32, 32, quarters).toColourspace('cmyk').jpeg().toBuffer();
    expect((await sharp(file).metadata()).space).toBe('cmyk');
    const values = await read(file, { size: 1 }, 'print.jpg');
    expect(values).toHaveLength(3);
  });

  test('cover, contain and fill', async () => {
    // wide: a third red, a third green, a third blue
    const wide = Array.from({ length: 20 * 60 }, (_, k) => [0, 1, 2].map((c) => (Math.floor((k % 60) / 20) === c ? 255 : 0))).flat();
    const file = await raw(60, 20, wide).png().toBuffer();
    const middle = async (fit: Fit) => {
      const values = await read(file, { size: 20, fit, background: [255, 255, 255] });
      const at = (i: number, j: number) => name(...(values.slice((i * 20 + j) * 3) as [number, number, number]));
      return [at(10, 2), at(10, 10), at(10, 17), at(1, 10)];
    };
    expect(await middle('cover')).toEqual(['green', 'green', 'green', 'green']);
    expect(await middle('contain')).toEqual(['red', 'green', 'blue', 'white']);
    expect(await middle('fill')).toEqual(['red', 'green', 'blue', 'green']);
  });

  test('as numbers: normalised as asked for, else as photographs are', async () => {
    await write({ 'a/1.png': row(2, 8, [0, 51, 255, 0, 0, 0]) });
    const numbers = async (options: Partial<data.ImageFolderOptions>) => {
      const { x, y } = await (await data.imageFolder({ dir, size: [1, 2], ...options })).batch(Int32Array.of(0));
      expect([y.dtype, [...y.dataSync()]]).toEqual(['int32', [0]]);
      return Array.from(x.dataSync().slice(0, 3), (v) => Number(v.toFixed(4)));
    };
    expect(await numbers({ normalization: { mean: 0.5, std: 0.5 } })).toEqual([-1, -0.6, 1]);
    expect(await numbers({ cache: true })).toEqual([-2.1179, -1.1429, 2.64]);
  });
});

describe('readImages', () => {
  test('files as a batch of the folder would hold them', async () => {
    await write({ 'a/1.png': grey(10), 'b/2.png': grey(200) });
    const files = ['b/2.png', 'a/1.png', 'b/2.png'].map((file) => join(dir, file));
    const options = { size: [1, 2], channels: 1, normalization: { mean: 0.5, std: 0.25 } } as const;
    const x = await data.readImages(files, options);
    const { x: expected } = await (await data.imageFolder({ dir, ...options })).batch(Int32Array.of(1, 0, 1));
    expect([x.dtype, x.shape, [...x.dataSync()]]).toEqual(['float32', [3, 1, 2, 1], [...expected.dataSync()]]);
    expect((await data.readImages([], { size: 8 })).shape).toEqual([0, 8, 8, 3]);
  });

  test('the bytes of files, and no vast images of them', async () => {
    await write({ 'a.png': grey(10) });
    const options = { size: 4, channels: 1 } as const;
    const bytes = await readFile(join(dir, 'a.png'));
    const x = await data.readImages([bytes, join(dir, 'a.png')], options);
    const numbers = x.dataSync();
    expect([...numbers.subarray(0, 16)]).toEqual([...numbers.subarray(16)]);
    await expect(data.readImages([Buffer.from('none')], options)).rejects.toThrow(/^the image: cannot be decoded/);
    const vast = await sharp({ create: { width: 9000, height: 8000, channels: 3, background: '#000' } })
      .png()
      .toBuffer();
    await expect(data.readImages([vast], options)).rejects.toThrow(/^the image: cannot be decoded: .*pixel limit/);
  });

  test('frees what it makes besides, and names a file that cannot be read', async () => {
    await write({ 'a.png': grey(10), 'b.png': Buffer.from('none') });
    await settle();
    const { tensors } = memory();
    (await data.readImages([join(dir, 'a.png')], { size: 8 })).dispose();
    await expect(data.readImages([join(dir, 'a.png'), join(dir, 'b.png')], { size: 8 })).rejects.toThrow(
      `${join(dir, 'b.png')}: cannot be`,
    );
    await expect(data.readImages([join(dir, 'c.png')], { size: 8 })).rejects.toThrow(`${join(dir, 'c.png')}: ENOENT`);
    await expect(data.readImages('c.png' as never, { size: 8 })).rejects.toThrow(
      'readImages: files is "c.png", expected a list of paths, or of bytes',
    );
    await expect(data.readImages([], { size: -1 })).rejects.toThrow('readImages: size is -1');
    await settle();
    expect(memory().tensors).toBe(tensors);
  });
});

describe('damaged files', () => {
  const whole = () =>
    sharp({ create: { width: 40, height: 40, channels: 3, background: '#123456', noise: { type: 'gaussian', mean: 100, sigma: 40 } } });
  const files = async (): Promise<Record<string, Uint8Array>> => {
    const [asPng, asJpeg, asWebp] = await Promise.all([whole().png().toBuffer(), whole().jpeg().toBuffer(), whole().webp().toBuffer()]);
    return {
      'a/0 good.png': asPng,
      'a/1 cut.png': asPng.subarray(0, asPng.length >> 1),
      'a/2 cut.jpg': asJpeg.subarray(0, asJpeg.length >> 1),
      'a/3 cut.webp': asWebp.subarray(0, asWebp.length >> 1),
      'b/4 empty.png': Buffer.alloc(0),
      'b/5 text.png': Buffer.from('this is no image'),
      'b/6 good.jpg': asJpeg,
    };
  };

  test('fail the batch they are in, by name; others are read', async () => {
    await write(await files());
    const set = await data.imageFolder({ dir, size: 8 });
    expect(set.length).toBe(7);
    for (const i of [1, 2, 3, 4, 5]) {
      await expect(set.batch(Int32Array.of(0, i))).rejects.toMatchObject({
        code: 'ERR_FILE',
        message: expect.stringContaining(`${set.files[i]}: cannot be decoded: `),
      });
    }
    expect((await set.batch(Int32Array.of(0, 6))).x.shape).toEqual([2, 8, 8, 3]);
  });

  test.each([false, true])('are left out and listed where so asked, cached %p', async (cache) => {
    await write(await files());
    const set = await data.imageFolder({ dir, size: 8, onError: 'skip', cache });
    expect([[...set.labels], set.files.map((file) => file.slice(dir.length + 1))]).toEqual([
      [0, 1],
      ['a/0 good.png', 'b/6 good.jpg'],
    ]);
    expect(set.skipped.map(({ file }) => file.slice(dir.length + 3))).toEqual([
      '1 cut.png',
      '2 cut.jpg',
      '3 cut.webp',
      '4 empty.png',
      '5 text.png',
    ]);
    for (const { reason } of set.skipped) expect(reason).toMatch(/^cannot be decoded: ./);
    expect((await set.batch(Int32Array.of(0, 1))).x.shape).toEqual([2, 8, 8, 3]);
  });

  test('fail the opening where all are decoded then', async () => {
    const { 'b/6 good.jpg': good, 'a/1 cut.png': cut } = await files();
    await write({ 'a/good.jpg': good, 'a/cut.png': cut });
    await expect(data.imageFolder({ dir, size: 8, cache: true })).rejects.toThrow(`${join(dir, 'a/cut.png')}: cannot be decoded: `);
    await rm(join(dir, 'a/good.jpg'));
    await expect(data.imageFolder({ dir, size: 8, onError: 'skip' })).rejects.toThrow(`${dir}: none of its 1 images can be decoded`);
  });

  test('a file that has gone since is named', async () => {
    await write({ 'a/1.png': grey(1), 'a/2.png': grey(2) });
    const set = await data.imageFolder({ dir, size: 8 });
    await rm(join(dir, 'a/2.png'));
    await expect(set.batch(Int32Array.of(0, 1))).rejects.toThrow(`${join(dir, 'a/2.png')}: ENOENT`);
  });
});

describe('in use', () => {
  /** 150 images of 8x8, whose grey is their number. */
  async function many(cache: boolean, classes = 3): Promise<data.ImageFolder> {
    for (let i = 0; i < 150; i++) {
      await write({
        [`${i % classes}/${String(i).padStart(3, '0')}.png`]: png({
          width: 8,
          height: 8,
          type: 0,
          depth: 8,
          samples: new Array(64).fill(i),
        }),
      });
    }
    return data.imageFolder({ dir, size: 8, channels: 1, cache });
  }

  test('cached or not, a loader gives the same batches, augmented or not', async () => {
    const [lazy, cached] = [await many(false), await many(true)];
    const pass = async (set: data.Dataset, augment?: data.AugmentOptions) => {
      const values: number[] = [];
      for await (const { x, y } of new data.DataLoader(set, { batchSize: 32, shuffle: true, seed: 3, augment })) {
        values.push(...x.dataSync(), ...y.dataSync());
        x.dispose();
        y.dispose();
      }
      return values;
    };
    for (const augment of [undefined, { crop: { padding: 2 }, flip: true, rotate: 10 }]) {
      expect(await pass(cached, augment)).toEqual(await pass(lazy, augment));
    }
    await settle();
    const { tensors } = memory();
    await pass(lazy, { mixup: 1 });
    await pass(cached, { mixup: 1 });
    expect(memory().tensors).toBe(tensors);
    cached.dispose();
    lazy.dispose();
    expect(memory().tensors).toBe(tensors - 5);
  });

  test('decodes as many at a time as there are processors', async () => {
    const set = await many(false);
    let [running, most] = [0, 0];
    const { decodeImage: decode } = jest.requireActual('../../lib/formats/image');
    jest.mocked(decodeImage).mockImplementation(async (...args) => {
      most = Math.max(most, ++running);
      try {
        return await decode(...args);
      } finally {
        running--;
      }
    });
    try {
      await set.batch(all(set));
      expect(most).toBe(availableParallelism());
    } finally {
      jest.mocked(decodeImage).mockImplementation(decode);
    }
  });

  test('splits by class: other images in either part, the same for a seed, and each part a dataset of pixels', async () => {
    const set = await many(true);
    const { train, test: tests } = set.split(0.2, 5);
    expect([train.length, tests.length]).toEqual([120, 30]);
    for (const label of [0, 1, 2]) expect(tests.labels.filter((one) => one === label)).toHaveLength(10);
    const numbers = async (part: data.PixelDataset) => (await pixels(part)).filter((_, k) => k % 64 === 0);
    const [a, b] = [await numbers(train), await numbers(tests)];
    expect([...a, ...b].sort((x, y) => x - y)).toEqual(Array.from({ length: 150 }, (_, i) => i));
    expect(b).toEqual(await numbers(set.split(0.2, 5).test));
    expect(b).not.toEqual(await numbers(set.split(0.2, 6).test));
    expect(b.map((n) => n % 3)).toEqual([...tests.labels]);
    const { x } = await new data.DataLoader(tests, { batchSize: 30, augment: { flip: true } })
      [Symbol.asyncIterator]()
      .next()
      .then(({ value }) => value!);
    expect(x.shape).toEqual([30, 8, 8, 1]);
    const { x: plain } = await tests.batch(Int32Array.of(4));
    expect(plain.dataSync()[0]).toBeCloseTo((b[4] / 255 - 0.459) / 0.226, 4);
  });

  test('parts know their bounds', async () => {
    const set = await many(true);
    expect(() => set.split(1.5, 0)).toThrow('split: fraction is 1.5, expected a number from 0 to 1');
    expect(() => set.split(0.5, -1)).toThrow('split: seed is -1');
    expect(() => set.subset([150])).toThrow('subset: an index is 150, expected an integer from 0 to 149');
    expect(() => set.subset([1]).pixels(Int32Array.of(1))).toThrow('pixels: an index is -1, expected an integer from 0 to 149');
    expect(() => set.pixels(Int32Array.of(-1))).toThrow('pixels: an index is -1');
  });
});

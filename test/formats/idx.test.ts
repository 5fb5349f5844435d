import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGunzip, type Gunzip, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { readIdx } from '../../lib/formats/idx';

let dir: string;
let path: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'idx-'));
  path = join(dir, 'file');
});
afterAll(() => rm(dir, { recursive: true }));

function encode(shape: readonly number[], data: Uint8Array, type = 8): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, type, shape.length]);
  for (const [i, n] of shape.entries()) header.writeUInt32BE(n, 4 + 4 * i);
  return Buffer.concat([header, data]);
}

async function read(bytes: Uint8Array, rank: number) {
  await writeFile(path, bytes);
  return readIdx(path, rank);
}

const six = Uint8Array.of(1, 2, 3, 250, 251, 252);
const good = encode([2, 3], six);

describe.each<[string, (bytes: Uint8Array) => Uint8Array]>([
  ['plain', (bytes) => bytes],
  ['gzipped', gzipSync],
])('%s', (kind, pack) => {
  test('reads what was written', async () => {
    expect(await read(pack(good), 2)).toEqual({ shape: [2, 3], data: six });
    expect(await read(pack(encode([0], new Uint8Array(0))), 1)).toEqual({ shape: [0], data: new Uint8Array(0) });
  });

  test('reads a file larger than any chunk', async () => {
    const data = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * i) >> 3);
    const { shape, data: back } = await read(pack(encode([3000, 1000], data)), 2);
    expect(shape).toEqual([3000, 1000]);
    expect(Buffer.compare(back, data)).toBe(0);
  });

  test.each<[string, Uint8Array, string]>([
    ['only a magic number', good.subarray(0, 4), 'has 4 bytes, the header alone takes 12'],
    [
      'truncated',
      good.subarray(0, 15),
      kind === 'plain' ? 'shape [2,3] takes 18 bytes, the file holds at most 15' : 'ends after 3 of the 6 bytes',
    ],
    ['oversized', encode([2, 3], new Uint8Array(7)), 'more bytes follow the 6 that shape [2,3] takes'],
    [
      'another format',
      Buffer.from('\x89PNG\r\n\x1a\n0123', 'latin1'),
      'begins with 89504e47, which is no IDX file of bytes (expected 00000802)',
    ],
    ['an unknown type', encode([2, 3], six, 7), 'begins with 00000702'],
    ['of floats', encode([2, 3], new Uint8Array(24), 13), 'holds float32 values, expected uint8'],
    ['of another rank', encode([6], new Uint8Array(16)), 'has 1 dimensions, expected 2'],
    ['of a dimension no tensor has', encode([2 ** 31, 1], six), 'has shape [2147483648,1], expected dimensions up to 2147483647'],
    ['of a shape that no file this small holds', encode([2 ** 31 - 1, 2 ** 31 - 1], six), 'shape [2147483647,2147483647] takes'],
  ])('%s', async (_, bytes, fault) => {
    await expect(read(pack(bytes), 2)).rejects.toMatchObject({ code: 'ERR_FILE' });
    await expect(read(pack(bytes), 2)).rejects.toThrow(`${path}: `);
    await expect(read(pack(bytes), 2)).rejects.toThrow(fault);
  });

  test('any truncation is an error', async () => {
    const whole = pack(good);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), async (length) => {
        await expect(read(whole.subarray(0, length), 2)).rejects.toMatchObject({ code: 'ERR_FILE' });
      }),
      { numRuns: 50 },
    );
  });
});

test('empty and missing files', async () => {
  await expect(read(new Uint8Array(0), 2)).rejects.toThrow(`${path}: is empty`);
  await expect(readIdx(join(dir, 'none'), 2)).rejects.toMatchObject({ code: 'ERR_FILE', cause: { code: 'ENOENT' } });
});

test('a damaged gzip stream', async () => {
  const damaged = Buffer.from(
    gzipSync(
      encode(
        [100],
        Uint8Array.from({ length: 100 }, (_, i) => i),
      ),
    ),
  );
  damaged[damaged.length - 6] ^= 0xff; // in the checksum
  await expect(read(damaged, 1)).rejects.toThrow(`${path}: incorrect data check`);
  damaged.fill(0xff, 10, 40);
  await expect(read(damaged, 1)).rejects.toMatchObject({ code: 'ERR_FILE' });
});

test('a gzip bomb is not inflated beyond what its header declares', async () => {
  const bytes = 50_000_000;
  const bomb = gzipSync(encode([2, 3], new Uint8Array(bytes)));
  const push = jest.spyOn(Object.getPrototypeOf(createGunzip()) as Gunzip, 'push');
  await expect(read(bomb, 2)).rejects.toThrow('more bytes follow the 6 that shape [2,3] takes');
  const inflated = push.mock.calls.reduce((sum, [chunk]) => sum + (chunk?.byteLength ?? 0), 0);
  push.mockRestore();
  expect(inflated).toBeGreaterThan(0);
  expect(inflated).toBeLessThan(bytes / 50);
});

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import {
  arange,
  type Dtype,
  fromBuffer,
  load,
  memory,
  models,
  nn,
  ones,
  ops,
  readSafetensors,
  save,
  type Tensor,
  tensor,
  zeros,
} from '../../lib';
import { writeAtomically } from '../../lib/formats/file';
import { settle } from '../support/memory';
import { onnxFile } from '../support/onnx';

let dir: string;
let path: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'safetensors-'));
  path = join(dir, 'model.safetensors');
});
afterEach(() => rm(dir, { recursive: true }));

/** A file written by the format's description alone. */
function encode(header: unknown, data: Uint8Array = Buffer.alloc(0)): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.byteLength));
  return Buffer.concat([length, json, data]);
}

const entry = (dtype: string, shape: unknown, ...data_offsets: unknown[]) => ({ dtype, shape, data_offsets });
const bytesOf = (array: ArrayBufferView): Buffer => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

async function read(bytes: Uint8Array) {
  await writeFile(path, bytes);
  return readSafetensors(path);
}

describe('round trip', () => {
  test('any names, shapes and types', async () => {
    const named = fc.dictionary(
      fc.string({ unit: 'grapheme', maxLength: 12 }).filter((name) => name !== '__metadata__'),
      fc.record({
        dtype: fc.constantFrom<Dtype>('float32', 'float64', 'int32', 'uint8'),
        shape: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }),
        seed: fc.nat(200),
      }),
      { maxKeys: 6 },
    );
    await fc.assert(
      fc.asyncProperty(named, fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }), async (parts, metadata) => {
        const tensors = Object.entries(parts).map(([name, { dtype, shape, seed }]): [string, Tensor] => {
          const size = shape.reduce((a, b) => a * b, 1);
          return [name, tensor(Float64Array.from({ length: size }, (_, i) => seed + i / 2).map(Math.floor), shape, { dtype })];
        });
        await save(path, Object.fromEntries(tensors), { metadata });
        const file = await readSafetensors(path);
        expect({ ...file.metadata }).toEqual({ ...metadata, format: 'receptive' });
        expect(Object.keys(file.tensors).sort()).toEqual(tensors.map(([name]) => name).sort());
        for (const [name, original] of tensors) {
          const back = file.tensors[name];
          expect([back.shape, back.dtype]).toEqual([original.shape, original.dtype]);
          expect(back.dataSync()).toEqual(original.dataSync());
        }
      }),
      { numRuns: 60 },
    );
  });

  test('a model into another, with its metadata', async () => {
    const [from, to] = [models.lenet5(), models.lenet5()];
    await save(path, from, { metadata: { architecture: 'lenet5' } });
    expect({ ...(await load(path, to)) }).toEqual({ architecture: 'lenet5', format: 'receptive' });
    const other = to.stateDict();
    for (const [name, part] of Object.entries(from.stateDict())) expect([...other[name].dataSync()]).toEqual([...part.dataSync()]);
  });

  test('saves the values of the moment of the call, whatever is queued after it', async () => {
    const linear = new nn.Linear(1, 1);
    nn.init.constant(linear.weight, 1);
    const saving = save(path, linear);
    nn.init.constant(linear.weight, 2);
    await saving;
    await load(path, linear);
    expect(linear.weight.itemSync()).toBe(1);
  });

  test('a name from the prototype chain is a name like any other', async () => {
    const tensors = Object.create(null) as nn.StateDict;
    for (const name of ['__proto__', 'constructor', 'toString']) tensors[name] = ones([1]);
    await save(path, tensors);
    const file = await readSafetensors(path);
    expect(Object.keys(file.tensors).sort()).toEqual(['__proto__', 'constructor', 'toString']);
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();
  });
});

describe('the file', () => {
  test('is laid out as the format says: wide types first, data aligned to 8', async () => {
    const values = { b: tensor(Uint8Array.of(1, 2, 3)), a: tensor([0.5, -1]), d: tensor(Float64Array.of(Math.PI), []), c: zeros([0]) };
    await save(path, values, { metadata: { k: 'v' } });
    const bytes = await readFile(path);
    const length = Number(bytes.readBigUInt64LE());
    expect(length % 8).toBe(0);
    const json = bytes.toString('utf8', 8, 8 + length);
    expect(json).toMatch(/^\{.*\} *$/);
    expect(JSON.parse(json)).toEqual({
      __metadata__: { k: 'v', format: 'receptive' },
      d: entry('F64', [], 0, 8),
      a: entry('F32', [2], 8, 16),
      c: entry('F32', [0], 16, 16),
      b: entry('U8', [3], 16, 19),
    });
    const data = Buffer.concat([bytesOf(Float64Array.of(Math.PI)), bytesOf(Float32Array.of(0.5, -1)), Buffer.of(1, 2, 3)]);
    expect(bytes.subarray(8 + length).equals(data)).toBe(true);
  });

  test('from elsewhere: half precision and 64-bit integers are converted', async () => {
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x8000, 0x7c00, 0xfc00, 0x7e00);
    const header = { h: entry('F16', [9], 0, 18), b: entry('BF16', [2], 18, 22), i: entry('I64', [2], 22, 38) };
    const data = [halves, Uint16Array.of(0x3f80, 0xc040), BigInt64Array.of(-(2n ** 31n), 7n)].map(bytesOf);
    const { tensors } = await read(encode(header, Buffer.concat(data)));
    expect([...tensors.h.dataSync()]).toEqual([1, -2, 65504, 2 ** -24, 2 ** -14, -0, Infinity, -Infinity, NaN]);
    expect([...tensors.b.dataSync()]).toEqual([1, -3]);
    expect([tensors.i.dtype, ...tensors.i.dataSync()]).toEqual(['int32', -(2 ** 31), 7]);
  });
});

const twoFloats = Buffer.alloc(8);

describe('what is not a safetensors file', () => {
  test.each<[string, Uint8Array, string]>([
    ['empty', Buffer.alloc(0), 'has 0 bytes, a safetensors file has at least 8'],
    ['shorter than the length', Buffer.alloc(7), 'has 7 bytes'],
    ['text', Buffer.from('text,label\nfine,good\n'), 'is no safetensors file: it looks like text'],
    ['text of other letters', Buffer.from(`${'x'.repeat(63)}é, grüße`), 'is no safetensors file: it looks like text'],
    ['text whose letters are no UTF-8', Buffer.from('text,label\nfin\u00e9,good\n', 'latin1'), 'header claims 7089066226646279000 bytes'],
    ['letters, then other bytes', Buffer.from(`a damaged length${'\0'.repeat(60)}`), 'header claims 7306916042845200000 bytes'],
    ['an ONNX model', onnxFile({ nodes: [['Relu', ['x'], ['y']]], inputs: [['x', [2]]], outputs: [['y']] }), 'it looks like an ONNX model'],
    ['a header over the limit', Buffer.from('ffffffffffffff7f', 'hex'), 'header claims 9223372036854776000 bytes, at most 100000000'],
    ['a header longer than the file', encode('{}').subarray(0, 9), 'header claims 2 bytes, 1 follow'],
    ['no JSON', encode('{"a":'), 'header is not JSON'],
    ['not UTF-8', encode('{}').fill(0xff, 8), 'header is not JSON'],
    ['an array', encode('[]'), 'header is not a JSON object'],
    ['spaces before the object', encode(' {}'), 'header is not a JSON object'],
    ['a tensor twice', encode('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":1}'), 'header has a key twice'],
    ['a key twice', encode('{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}'), 'header has a key twice'],
    ['metadata that is not text', encode({ __metadata__: { n: 1 } }), '__metadata__ is not an object of strings'],
    ['an entry that is no object', encode({ a: 7 }), 'tensor "a": is not described by an object'],
    ['an unknown type', encode({ a: entry('C64', [1], 0, 8) }, twoFloats), 'tensor "a": dtype is "C64", which is not one of F64, F32'],
    ['a type from the prototype', encode({ a: entry('toString', [], 0, 0) }), 'dtype is "toString"'],
    ['a negative dimension', encode({ a: entry('F32', [-2], 0, 8) }, twoFloats), 'tensor "a": shape is [-2]'],
    ['too many dimensions', encode({ a: entry('F32', [1, 1, 1, 1, 1, 1, 2], 0, 8) }, twoFloats), 'expected at most 6 integers'],
    ['offsets that are not two', encode({ a: entry('F32', [2], 0) }, twoFloats), 'data_offsets is [0]'],
    ['offsets backwards', encode({ a: entry('F32', [0], 8, 0) }, twoFloats), 'bytes 8 to 0 lie outside'],
    ['offsets past the end', encode({ a: entry('F32', [4], 0, 16) }, twoFloats), "bytes 0 to 16 lie outside of the file's data of 8 bytes"],
    [
      'fewer bytes than the shape',
      encode({ a: entry('F32', [3], 0, 8) }, twoFloats),
      'F32 of shape [3] takes 12 bytes, its data_offsets hold 8',
    ],
    [
      'a product that overflows',
      encode({ a: entry('F32', [2 ** 30, 2 ** 30, 2 ** 4], 0, 0) }),
      'takes 73786976294838210000 bytes, its data_offsets hold 0',
    ],
    [
      'a hole',
      encode({ a: entry('U8', [1], 0, 1), b: entry('U8', [6], 2, 8) }, twoFloats),
      'tensor "b": begins at byte 2, the one before ends at 1',
    ],
    ['an overlap', encode({ a: entry('U8', [5], 0, 5), b: entry('U8', [4], 4, 8) }, twoFloats), 'tensor "b": begins at byte 4'],
    ['bytes at the end', encode({ a: entry('F32', [1], 0, 4) }, twoFloats), '4 bytes follow the last tensor'],
    [
      'an integer that does not fit',
      encode({ a: entry('I64', [1], 0, 8) }, bytesOf(BigInt64Array.of(2n ** 31n))),
      '2147483648 does not fit int32',
    ],
  ])('%s', async (_, bytes, fault) => {
    const before = memory().tensors;
    await expect(read(bytes)).rejects.toMatchObject({ name: 'ReceptiveError', code: 'ERR_FILE' });
    await expect(read(bytes)).rejects.toThrow(`${path}: `);
    await expect(read(bytes)).rejects.toThrow(fault);
    expect(memory().tensors).toBeLessThanOrEqual(before);
  });

  test('missing: named, with the cause', async () => {
    await expect(readSafetensors(path)).rejects.toMatchObject({ code: 'ERR_FILE', cause: { code: 'ENOENT' } });
    await expect(load(path, new nn.Linear(1, 1))).rejects.toThrow(path);
  });

  test('any truncation is an error; any flipped bit an error or tensors of the same bytes', async () => {
    await save(path, { w: ones([2, 3]), b: zeros([3], { dtype: 'float64' }), n: tensor(Uint8Array.of(9)) }, { metadata: { a: 'b' } });
    const good = await readFile(path);
    const bytes = good.byteLength - 8 - Number(good.readBigUInt64LE());
    await fc.assert(
      fc.asyncProperty(fc.nat(good.byteLength - 1), async (length) => {
        await expect(read(good.subarray(0, length))).rejects.toMatchObject({ code: 'ERR_FILE' });
      }),
      { numRuns: 100 },
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(good.byteLength * 8 - 1), async (bit) => {
        const bad = Buffer.from(good);
        bad[bit >> 3] ^= 1 << (bit & 7);
        const file = await read(bad).catch((error) => expect(error).toMatchObject({ code: 'ERR_FILE' }));
        if (!file) return;
        const arrays = await Promise.all(Object.values(file.tensors).map((t) => t.data()));
        expect(arrays.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThanOrEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  test('a good file that does not fit the model changes nothing', async () => {
    const model = new nn.Linear(2, 1);
    const before = [...model.weight.dataSync()];
    await save(path, { weight: ones([1, 3]), bias: zeros([1]) });
    await expect(load(path, model)).rejects.toThrow(
      `${path}: loadStateDict: the state does not fit the model: weight has shape [1,3], expected [1,2]`,
    );
    expect([...model.weight.dataSync()]).toEqual(before);
  });
});

describe('writing', () => {
  // Three pieces and a bit, of a type whose elements are not a byte each.
  const large = 3 * 2 ** 20 + 5;

  test('a tensor of several pieces comes back, and the event loop turns between them', async () => {
    const x = arange(0, large, 1, { dtype: 'int32' });
    let turns = 0;
    let saving = true;
    const turning = (async () => {
      for (; saving; turns++) await setImmediate();
    })();
    await save(path, { x, after: tensor([1, 2, 3]) });
    saving = false;
    await turning;
    expect(turns).toBeGreaterThan(3);
    const { tensors } = await readSafetensors(path);
    expect(bytesOf(tensors.x.dataSync()).equals(bytesOf(x.dataSync()))).toBe(true);
    expect([...tensors.after.dataSync()]).toEqual([1, 2, 3]);
  });

  test('keeps every bit: negative zeros, denormals and all kinds of NaN', async () => {
    const bits = Uint32Array.of(0x80000000, 1, 0x7fc00001, 0xffc12345, 0x7f800000, 0x3f800000);
    const model = new nn.Linear(6, 1, { bias: false });
    await save(path, { weight: fromBuffer(bits, [1, 6]) });
    await load(path, model);
    expect(new Uint32Array(model.weight.dataSync().buffer)).toEqual(bits);
    await save(path, model);
    const { weight } = (await readSafetensors(path)).tensors;
    expect(new Uint32Array(weight.dataSync().buffer)).toEqual(bits);
  });

  test('keeps no memory, whether it ends well or not', async () => {
    const x = arange(0, large, 1, { dtype: 'int32' });
    await settle();
    const before = memory().tensors;
    await save(path, { x });
    await expect(save(join(path, 'below a file'), { x })).rejects.toMatchObject({ code: 'ERR_FILE' });
    expect(memory().tensors).toBeLessThanOrEqual(before);
  });

  test('a tensor whose kernel failed is an error, and leaves the old file', async () => {
    await writeFile(path, 'old');
    const wrong = ops.gather(ones([2, 1]), tensor(Int32Array.of(5)));
    await expect(save(path, { wrong })).rejects.toThrow(/^gather: index 5/);
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(dir)).toEqual(['model.safetensors']);
  });

  test('leaves the old file and nothing else where it fails half-way', async () => {
    await writeFile(path, 'old');
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const writing = writeAtomically(path, async (file) => {
      await file.write('half');
      throw full;
    });
    await expect(writing).rejects.toMatchObject({ code: 'ERR_FILE', message: `${path}: ${full.message}`, cause: full });
    expect(await readdir(dir)).toEqual(['model.safetensors']);
    expect(await readFile(path, 'utf8')).toBe('old');
  });

  test('replaces the old file and leaves nothing else', async () => {
    await writeFile(path, 'old'.repeat(1000));
    await save(path, { a: ones([1]) });
    expect(Object.keys((await readSafetensors(path)).tensors)).toEqual(['a']);
    expect(await readdir(dir)).toEqual(['model.safetensors']);
  });

  test('into what is no file is an error that names it', async () => {
    await expect(save(dir, { a: ones([1]) })).rejects.toMatchObject({ code: 'ERR_FILE' });
    await expect(save(join(dir, 'no', 'such'), { a: ones([1]) })).rejects.toThrow(`${join(dir, 'no', 'such')}: ENOENT`);
    expect(await readdir(dir)).toEqual([]);
  });

  test.each<[string, () => Promise<unknown>, string]>([
    ['a path', () => save(1 as never, {}), 'save: path is 1, expected a string'],
    ['tensors', () => save('x', { a: 1 as never }), 'save: tensor a is 1, expected a Tensor'],
    ['metadata', () => save('x', {}, { metadata: { a: 1 as never } }), 'save: metadata.a is 1, expected a string'],
    ['another name', () => save('x', { __metadata__: ones([1]) }), 'save: a tensor name is "__metadata__"'],
    ['a model', () => load('x', {} as never), 'load: model is an Object, expected a Module'],
  ])('expects %s', async (_, run, message) => {
    await expect(run()).rejects.toThrow(message);
  });
});

test.each([[{ meta: {} }], [null], ['text']])('save and load refuse options that are %j before they touch a file', async (options) => {
  const wrong = options as never;
  await expect(save('/nowhere/file', {}, wrong)).rejects.toThrow(/^save: (an option name|options) is/);
  await expect(load('/nowhere/file', new nn.Linear(1, 1), wrong)).rejects.toThrow(/^load: (an option name|options) is/);
});

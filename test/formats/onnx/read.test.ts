import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { importOnnx, loadOnnx, randn, readOnnx, tidy, zeros } from '../../../lib';
import { fromBfloat, fromHalf, toBfloat, toHalf } from '../../../lib/formats/half';
import type { ElementType } from '../../../lib/formats/onnx/elementType';
import { hostTensor } from '../../../lib/formats/onnx/host';
import { encodeOnnx } from '../../../lib/formats/onnx/write';
import { trace } from '../../../lib/trace';
import { ints, type NodeRow, nodeOf, onnxFile, weights } from '../../support/onnx';

/** RECEPTIVE_FUZZ=4000000 npx jest test/formats/onnx/read -t damaged runs for about an hour. */
const runs = Number(process.env.RECEPTIVE_FUZZ ?? 1500);
const timeout = 60_000 + 20 * runs;

const folder = mkdtempSync(join(tmpdir(), 'onnx-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('readOnnx', () => {
  test('gives what was written', async () => {
    const types: ElementType[] = ['float32', 'float64', 'float16', 'bfloat16', 'int64', 'int32', 'int8', 'uint8', 'uint64', 'bool'];
    const model = {
      producer: 'tests',
      opset: 17,
      nodes: [
        nodeOf(['Conv', ['x', 'w'], ['y'], { pads: [1, 1, 1, 1], auto_pad: 'NOTSET', group: 2, alpha: { float: 0.5 } }]),
        nodeOf(['Constant', [], ['z'], { value: hostTensor('int64', [2], [2n ** 62n + 1n, -5n]) }]),
      ],
      initializers: new Map([
        ['w', hostTensor('float32', [2, 1, 1], [1.5, -2])],
        ...types.map((type) => [`of ${type}`, hostTensor(type, [3], [0, 1, 1])] as const),
        ['texts', hostTensor('string', [2], ['ä', ''])],
      ]),
      inputs: [{ name: 'x', type: 'float32' as const, shape: ['N', 2, '', 5] }],
      outputs: [
        { name: 'y', type: 'float32' as const, shape: null },
        { name: 'z', type: 'int64' as const, shape: [2] },
      ],
      metadata: new Map([['key', 'value']]),
    };
    const read = await readOnnx(encodeOnnx(model));
    expect(read).toEqual({ ...model, source: 'ONNX model', opsets: new Map([['', 17]]) });
  });

  test.each<[string, NodeRow[], string]>([
    ['reads what is not there', [['Relu', ['z'], ['7']]], 'node "7" (Relu) reads "z", which nothing before it makes'],
    ['has no operator', [['', ['x'], ['7']]], 'node "7" has no operator'],
    [
      'is not supported',
      [
        ['Foo', ['x'], ['', '7']],
        ['Foo', ['x'], []],
      ],
      'not supported: Foo (7, Foo)',
    ],
    ['is of one size of batch', [['Reshape', ['x', 's'], ['7']]], 'node "7" (Reshape): [67,3] cannot become [3,2]'],
    ['has that size as a constant', [['Expand', ['x', 't'], ['7']]], 'the batch may be a constant in "7" (Expand): export'],
  ])('a node without a name is called by its first output: one that %s', async (_name, rows, message) => {
    const model = {
      producer: 'tests',
      opset: 17,
      nodes: rows.map((row) => ({ ...nodeOf(row), name: '' })),
      initializers: new Map([
        ['s', ints(3, 2)],
        ['t', ints(2, 3)],
      ]),
      inputs: [{ name: 'x', type: 'float32' as const, shape: [2, 3] }],
      outputs: [{ name: '7', type: 'float32' as const, shape: null }],
      metadata: new Map(),
    };
    await expect(importOnnx(encodeOnnx(model), { dynamicBatch: true })).rejects.toThrow(message);
  });

  test('weights that lie at any byte of a file, which a model keeps when the file is gone', async () => {
    const w = weights(40, 50);
    const plain = onnxFile({
      nodes: [['MatMul', ['x', 'w'], ['y']]],
      initializers: { w },
      inputs: [['x', [1, 40]]],
      outputs: [['y', [1, 50]]],
    });
    const x = randn([1, 40]);
    const results: Float32Array[] = [];
    for (let before = 0; before < 4; before++) {
      const path = join(folder, `moved-${before}.onnx`);
      // the text that describes a model is of no use, but for its length
      const text = new BinaryWriter().tag(6, WireType.LengthDelimited).string(' '.repeat(before)).finish();
      writeFileSync(path, Buffer.concat([text, plain]));
      expect((await readOnnx(path)).initializers.get('w')).toEqual(w);
      const model = await importOnnx(path);
      results.push((await tidy(() => model.forward(x)).data()) as Float32Array);
      model.dispose();
    }
    for (const result of results) expect(result).toEqual(results[0]);
  });

  test('numbers that are not raw, packed and one by one', async () => {
    const tensor = (type: number, field: number, write: (writer: BinaryWriter) => void) => {
      const writer = new BinaryWriter();
      writer.tag(1, WireType.Varint).int64(2).tag(2, WireType.Varint).int64(type).tag(8, WireType.LengthDelimited).string(`t${type}`);
      void field;
      write(writer);
      return writer.finish();
    };
    const initializers = [
      tensor(1, 4, (w) => w.tag(4, WireType.LengthDelimited).fork().float(1.5).float(-2).join()),
      tensor(11, 10, (w) => w.tag(10, WireType.Bit64).double(0.1).tag(10, WireType.Bit64).double(0.2)),
      tensor(7, 7, (w) => w.tag(7, WireType.LengthDelimited).fork().int64(-1).int64('4611686018427387905').join()),
      tensor(10, 5, (w) => w.tag(5, WireType.LengthDelimited).fork().int32(0x3c00).int32(0xc000).join()),
    ];
    const writer = new BinaryWriter();
    writer.tag(7, WireType.LengthDelimited).fork();
    for (const bytes of initializers) writer.tag(5, WireType.LengthDelimited).bytes(bytes);
    writer.tag(12, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string('t1').join();
    writer.join();
    const { initializers: read } = await readOnnx(writer.finish());
    expect([...read.values()].map(({ data }) => Array.from(data as ArrayLike<number | bigint>))).toEqual([
      [1.5, -2],
      [0.1, 0.2],
      [-1n, 4611686018427387905n],
      [1, -2],
    ]);
  });

  test('halves there and back', () => {
    const all = Array.from({ length: 65536 }, (_, bits) => bits);
    expect(all.filter((bits) => !Number.isNaN(fromHalf(bits)) && toHalf(fromHalf(bits)) !== bits)).toEqual([]);
    expect(all.filter((bits) => !Number.isNaN(fromBfloat(bits)) && toBfloat(fromBfloat(bits)) !== bits)).toEqual([]);
    expect([toHalf(NaN), toBfloat(NaN)].map((bits, i) => (i === 0 ? fromHalf(bits) : fromBfloat(bits)))).toEqual([NaN, NaN]);
    expect([1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519, 65520, 2 ** -25, 1e-9].map((x) => fromHalf(toHalf(x)))).toEqual([
      1,
      1 + 2 ** -9,
      65504,
      Infinity,
      0,
      0,
    ]);
  });
});

describe('external data', () => {
  /** A file whose only initialiser lies elsewhere. */
  function external(entries: Record<string, string>, dims = [2, 2], type = 1): Uint8Array {
    const writer = new BinaryWriter();
    writer.tag(7, WireType.LengthDelimited).fork();
    writer.tag(5, WireType.LengthDelimited).fork();
    for (const n of dims) writer.tag(1, WireType.Varint).int64(n);
    writer.tag(2, WireType.Varint).int64(type).tag(8, WireType.LengthDelimited).string('w').tag(14, WireType.Varint).int64(1);
    for (const [key, value] of Object.entries(entries)) {
      writer.tag(13, WireType.LengthDelimited).fork();
      writer.tag(1, WireType.LengthDelimited).string(key).tag(2, WireType.LengthDelimited).string(value).join();
    }
    writer.join();
    writer.tag(12, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string('w');
    writer.tag(2, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.Varint).int64(type).join().join().join();
    writer.join();
    return writer.finish();
  }
  const inner = join(folder, 'inner');
  const path = join(inner, 'model.onnx');
  beforeAll(() => {
    mkdirSync(inner);
    mkdirSync(join(inner, 'sub'));
    writeFileSync(join(inner, 'sub', 'weights.bin'), new Uint8Array(Float32Array.of(9, 1, 2, 3, 4).buffer));
    writeFileSync(join(folder, 'secret.bin'), new Uint8Array(16));
    symlinkSync(join(folder, 'secret.bin'), join(inner, 'link.bin'));
    symlinkSync(folder, join(inner, 'up'));
  });

  test('numbers of a graph outlive the memory their file was read into', async () => {
    const int64 = 7;
    const numbers = BigInt64Array.from({ length: 1000 }, (_, i) => BigInt(3 * i));
    writeFileSync(join(inner, 'numbers.bin'), new Uint8Array(numbers.buffer));
    writeFileSync(path, external({ location: 'numbers.bin' }, [1000], int64));
    using session = await loadOnnx(path);
    const { w } = await session.run({});
    expect(Array.from(await w!.data())).toEqual(Array.from(numbers, Number));
    w!.dispose();
  });

  test('is read from where it lies', async () => {
    writeFileSync(path, external({ location: 'sub/weights.bin', offset: '4', length: '16' }));
    const { initializers } = await readOnnx(path);
    expect([...initializers.values()]).toEqual([{ type: 'float32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }]);
    writeFileSync(path, external({ location: 'sub/weights.bin', offset: '4' }));
    expect((await readOnnx(path)).initializers.get('w')!.data).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  test.each([
    ['a path upwards', { location: '../secret.bin' }, "lies outside of the model's folder"],
    ['a path down and upwards', { location: 'sub/../../secret.bin' }, "lies outside of the model's folder"],
    ['an absolute path', { location: join(folder, 'secret.bin') }, "lies outside of the model's folder"],
    ['a drive', { location: 'C:secret.bin' }, "lies outside of the model's folder"],
    ['a path with backslashes', { location: 'sub\\..\\..\\secret.bin' }, "lies outside of the model's folder"],
    ['a link to outside', { location: 'link.bin' }, "lies outside of the model's folder"],
    ['a folder linked to outside', { location: 'up/secret.bin' }, "lies outside of the model's folder"],
    ['a zero in the path', { location: 'sub\0' }, "lies outside of the model's folder"],
    ['a folder', { location: 'sub' }, 'is no file'],
    ['a file that is not there', { location: 'none.bin' }, 'does not exist'],
    ['no location', { offset: '0' }, 'without a location'],
    ['too many bytes', { location: 'sub/weights.bin', offset: '8', length: '16' }, 'are bytes 8 to 24 of sub/weights.bin, which has 20'],
    ['a wrong length', { location: 'sub/weights.bin', offset: '0', length: '12' }, 'are 12 bytes, the tensor takes 16'],
    ['a negative offset', { location: 'sub/weights.bin', offset: '-4' }, 'expected a count of bytes'],
    ['an absurd length', { location: 'sub/weights.bin', length: '999999999999999' }, 'which has 20'],
  ])('%s is refused', async (_name, entries, message) => {
    writeFileSync(path, external(entries as Record<string, string>));
    await expect(readOnnx(path)).rejects.toMatchObject({ code: 'ERR_FILE', message: expect.stringContaining(message) });
    await expect(readOnnx(path)).rejects.toThrow(path);
  });

  test('of a model given as bytes is refused', async () => {
    await expect(readOnnx(external({ location: 'sub/weights.bin' }))).rejects.toThrow('cannot be found: the model was given as bytes');
  });
});

describe('damaged files', () => {
  const network = onnxFile({
    nodes: [
      ['Conv', ['x', 'w', 'b'], ['c'], { pads: [1, 1, 1, 1] }],
      ['Relu', ['c'], ['r']],
      ['Flatten', ['r'], ['f']],
      ['Gemm', ['f', 'fw'], ['y'], { transB: 1 }],
    ],
    initializers: { w: weights(2, 1, 3, 3), b: weights(2), fw: weights(3, 32) },
    inputs: [['x', ['N', 1, 4, 4]]],
    outputs: [['y', ['N', 3]]],
  });
  /** Sizes are computed: of what a changed number makes of them nothing may be made before it is checked. */
  const shapes = onnxFile({
    nodes: [
      ['Shape', ['x'], ['s']],
      ['Gather', ['s', 'one'], ['n']],
      ['Concat', ['n', 'two'], ['to'], { axis: 0 }],
      ['Expand', ['x', 'wide'], ['e']],
      ['Tile', ['e', 'times'], ['t']],
      ['Slice', ['t', 'from', 'until', 'axes', 'step'], ['u']],
      ['Pad', ['u', 'pads'], ['p']],
      ['Resize', ['p', '', 'scales'], ['z'], { mode: 'linear', coordinate_transformation_mode: 'asymmetric' }],
      ['ConstantOfShape', ['two'], ['k']],
      ['Range', ['zero', 'five', 'unit'], ['q']],
      ['Cast', ['q'], ['qf'], { to: 1 }],
      ['ReduceSum', ['k'], ['ks'], { keepdims: 0 }],
      ['Mul', ['qf', 'ks'], ['m']],
      ['ReduceMax', ['z'], ['zm'], { keepdims: 0 }],
      ['Add', ['m', 'zm'], ['y']],
    ],
    initializers: {
      one: ints(0),
      two: ints(2, 3),
      wide: ints(2, 1, 4, 4),
      times: ints(1, 2, 1, 1),
      from: ints(0),
      until: ints(3),
      axes: ints(2),
      step: ints(2),
      pads: ints(0, 0, 1, 1, 0, 0, 1, 1),
      scales: hostTensor('float32', [4], [1, 1, 1.5, 2]),
      zero: hostTensor('int64', [], [0]),
      five: hostTensor('int64', [], [5]),
      unit: hostTensor('int64', [], [1]),
    },
    inputs: [['x', ['N', 1, 4, 4]]],
    outputs: [['y', [5]]],
  });
  const isFault = (error: unknown) =>
    ['ERR_FILE', 'ERR_UNSUPPORTED', 'ERR_SHAPE', 'ERR_INVALID_VALUE', 'ERR_INVALID_TYPE', 'ERR_DTYPE'].includes(
      (error as { code: string }).code,
    );

  /** Imports bytes, and runs what they give by its shapes alone; what is thrown must be an error of this library. */
  async function attempt(bytes: Uint8Array): Promise<void> {
    try {
      const model = await importOnnx(bytes);
      try {
        tidy(() => trace(model, [zeros([2, 1, 4, 4])], { hollow: true }).dispose());
      } finally {
        model.dispose();
      }
    } catch (error) {
      if (!isFault(error)) throw error;
    }
  }

  test('both are whole', async () => {
    for (const bytes of [network, shapes]) {
      const model = await importOnnx(bytes);
      expect(model.forward(zeros([2, 1, 4, 4])).size).toBeGreaterThan(4);
    }
  });

  test.each([
    ['a network', network],
    ['shapes', shapes],
  ])('every truncation of %s is refused or read', async (_name, whole) => {
    for (let length = 0; length < whole.length; length++) await attempt(whole.subarray(0, length));
  });

  test.each([
    ['a network', network],
    ['shapes', shapes],
  ])(
    '%s with bits flipped, bytes changed, cut out and doubled',
    async (_name, whole) => {
      const place = fc.nat(whole.length - 1);
      const change = fc.tuple(fc.constantFrom('flip', 'set', 'cut', 'double'), place, fc.nat(255), fc.nat(20));
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
          let bytes = Buffer.from(whole);
          for (const [kind, at, value, length] of changes) {
            const i = Math.min(at, bytes.length - 1);
            if (bytes.length === 0) break;
            if (kind === 'flip') bytes[i]! ^= 1 << (value & 7);
            else if (kind === 'set') bytes[i] = value;
            else if (kind === 'cut') bytes = Buffer.concat([bytes.subarray(0, i), bytes.subarray(i + length)]);
            else bytes = Buffer.concat([bytes.subarray(0, i + length), bytes.subarray(i)]);
          }
          await attempt(bytes);
        }),
        { numRuns: runs },
      );
    },
    timeout,
  );

  test(
    'noise',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), (bytes) => attempt(bytes)),
        { numRuns: runs },
      );
    },
    timeout,
  );

  test.each([
    ['text', new TextEncoder().encode('text,label\nfine,good\n'), 'is not an ONNX file: it looks like text'],
    ['no bytes', new Uint8Array(0), 'has no graph: it is no ONNX model'],
    ['a graph of no output', onnxFile({ nodes: [], inputs: [], outputs: [] }), 'has no output'],
    [
      'a cycle',
      onnxFile({
        nodes: [
          ['Relu', ['b'], ['a']],
          ['Relu', ['a'], ['b']],
        ],
        inputs: [],
        outputs: [['a']],
      }),
      'node "Relu_a" (Relu) reads "b", which nothing before it makes',
    ],
    ['an output from nowhere', onnxFile({ nodes: [], inputs: [['x', [1]]], outputs: [['y']] }), 'output "y" is made by nothing'],
    [
      'a value twice',
      onnxFile({
        nodes: [
          ['Relu', ['x'], ['y']],
          ['Relu', ['x'], ['y']],
        ],
        inputs: [['x', [1]]],
        outputs: [['y']],
      }),
      'value "y" is defined twice',
    ],
    [
      'a tensor of the wrong size',
      onnxFile({ nodes: [], initializers: { w: { ...weights(2, 2), shape: [2, 3] } }, inputs: [], outputs: [['w']] }),
      'tensor "w": float32 of shape [2,3] takes 24 bytes, the file holds 16',
    ],
    [
      'a tensor of an absurd size',
      onnxFile({
        nodes: [],
        initializers: { w: { ...weights(1), shape: [2147483647, 2147483647, 2147483647] } },
        inputs: [],
        outputs: [['w']],
      }),
      'bytes, the file holds 4',
    ],
  ])('%s', async (_name, bytes, message) => {
    const error = await importOnnx(bytes).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'ERR_FILE', message: expect.stringContaining(message) });
    expect((error as Error).message).toMatch(/^ONNX model: /);
  });

  test('lists that claim more than there is take no memory for it', async () => {
    const before = process.memoryUsage().rss;
    const writer = new BinaryWriter();
    writer.tag(7, WireType.LengthDelimited).uint32(0x7fffffff);
    await expect(readOnnx(writer.finish())).rejects.toMatchObject({ code: 'ERR_FILE' });
    const deep = new BinaryWriter();
    for (let i = 0; i < 1000; i++) deep.tag(99, WireType.StartGroup);
    await expect(readOnnx(deep.finish())).rejects.toMatchObject({ code: 'ERR_FILE' });
    const many = Buffer.alloc(2 * 2 ** 21, Uint8Array.of(0x0a, 0x00)); // empty nodes
    const graph = new BinaryWriter();
    graph.tag(7, WireType.LengthDelimited).bytes(many);
    await expect(readOnnx(graph.finish())).rejects.toThrow('has no operator');
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
  });
});

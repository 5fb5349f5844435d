'use strict';
// What is fuzzed: each reader with whole files to begin with, a way to spoil them, and what is done with a file that it takes.
const { mkdirSync, readFileSync, symlinkSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { gzipSync } = require('node:zlib');
const { data, exportOnnx, importOnnx, loadOnnx, models, nn, readSafetensors, save, tensor, zeros } = require('../..');
const { byteMutations, mutateProtobuf, mutateSafetensors, mutateText, pick, varint, write } = require('./mutations.cjs');

/** What no reader may find: numbers in a file beside the folder that a model may read. */
const secret = 1234.5;

async function onnxSeeds(folder) {
  const nets = {
    lenet: [models.lenet5({ classes: 3 }), [1, 28, 28, 1]],
    text: [
      models.textCnn({ vocabulary: 20, classes: 2, embeddingDim: 4, filters: 2, widths: [2, 3] }),
      tensor(Int32Array.of(1, 2, 3, 4, 5, 0), [1, 6]),
    ],
    layers: [
      new nn.Sequential(
        new nn.Conv2d(3, 4, 3, { padding: 1, groups: 1 }),
        new nn.BatchNorm2d(4),
        new nn.Residual(new nn.Conv2d(4, 4, 3, { padding: 1, groups: 2 })),
        new nn.GELU(),
        new nn.ConvTranspose2d(4, 3, 2, { stride: 2 }),
        new nn.AvgPool2d(2),
        new nn.Upsample({ scale: 2, mode: 'bilinear' }),
        new nn.GroupNorm(3, 3),
        new nn.Flatten(),
        new nn.Linear(768, 2),
        new nn.Softmax(),
      ),
      [1, 8, 8, 3],
    ],
  };
  const seeds = [];
  for (const [name, [model, input]] of Object.entries(nets)) {
    const path = join(folder, `${name}.onnx`);
    await exportOnnx(path, model.eval(), { input });
    seeds.push(readFileSync(path));
  }
  return [...seeds, ...external().flatMap(({ bytes, inside }) => (inside ? [bytes] : [])), ...shapes()];
}

const text = (number, value) => ({ number, type: 2, value: Buffer.from(value) });
const inner = (number, ...fields) => ({ number, type: 2, inner: fields, value: Buffer.alloc(0) });
const integer = (number, value) => ({ number, type: 0, value: BigInt(value) });
const valueInfo = (number, name, ...dims) =>
  inner(number, text(1, name), inner(2, inner(1, integer(1, 1), inner(2, ...dims.map((n) => inner(1, integer(1, n)))))));
const model = (...graph) => write([integer(1, 8), inner(7, ...graph), inner(8, integer(2, 17))]);

/** Models whose weights lie in files beside them, or where they must not. */
function external() {
  const at = (location, offset = 0, length = 16) =>
    model(
      inner(1, text(1, 'x'), text(1, 'w'), text(2, 'y'), text(4, 'Add')),
      inner(
        5,
        integer(1, 4),
        integer(2, 1),
        text(8, 'w'),
        integer(14, 1),
        ...Object.entries({ location, offset: String(offset), length: String(length) }).map(([key, value]) =>
          inner(13, text(1, key), text(2, value)),
        ),
      ),
      valueInfo(11, 'x', 4),
      valueInfo(12, 'y', 4),
    );
  const outside = [
    '../secret.bin',
    '/etc/hostname',
    './../secret.bin',
    'weights/../../secret.bin',
    '..\\secret.bin',
    'link',
    'folder-link/secret.bin',
    'C:\\secret.bin',
    'weights.bin\0',
    '.',
    '/dev/zero',
    '',
  ];
  return [
    { bytes: at('weights.bin'), inside: true },
    ...outside.map((location) => ({ bytes: at(location), inside: false })),
    ...[
      [0, 2 ** 40],
      [2 ** 40, 16],
      [-1, 16],
      [0, 15],
      [56, 16],
    ].map(([offset, length]) => ({ bytes: at('weights.bin', offset, length), inside: false })),
  ];
}

/** Operators whose constants say sizes. */
function shapes() {
  const ints = (name, ...values) =>
    inner(5, integer(1, values.length), integer(2, 7), text(8, name), {
      number: 7,
      type: 2,
      value: Buffer.concat(values.map((n) => varint(BigInt(n)))),
    });
  const one = (operator, inputs, before, ...attributes) =>
    model(
      ...before,
      inner(1, ...inputs.map((name) => text(1, name)), text(2, 'y'), text(4, operator), ...attributes),
      valueInfo(11, 'x', 1, 2, 4, 4),
      inner(12, text(1, 'y'), inner(2, inner(1, integer(1, 1)))),
    );
  return [
    one('Reshape', ['x', 's'], [ints('s', 2, -1)]),
    one('Expand', ['x', 's'], [ints('s', 3, 2, 4, 4)]),
    one('Tile', ['x', 's'], [ints('s', 1, 2, 1, 3)]),
    one('Pad', ['x', 's'], [ints('s', 0, 0, 1, 1, 0, 0, 1, 1)]),
    one('Slice', ['x', 'a', 'b'], [ints('a', 0, 0, 1, 1), ints('b', 1, 2, 3, 3)]),
    one('Transpose', ['x'], [], inner(5, text(1, 'perm'), { number: 8, type: 2, value: Buffer.from([0, 3, 1, 2]) }, integer(20, 7))),
    one('Add', ['x', 'c'], [inner(1, text(1, 's'), text(2, 'c'), text(4, 'ConstantOfShape')), ints('s', 1, 2, 4, 4)]),
    one('Gather', ['x', 's'], [ints('s', 1, 0)], inner(5, text(1, 'axis'), integer(3, 2), integer(20, 2))),
  ];
}

async function safetensorsSeeds(folder) {
  const path = join(folder, 'seed.safetensors');
  await save(
    path,
    { a: zeros([2, 3]), b: tensor(Uint8Array.of(1, 2, 3)), c: tensor(Float64Array.of(1)), d: zeros([0, 4]) },
    { metadata: { k: 'v' } },
  );
  const small = readFileSync(path);
  await save(path, models.lenet5({ classes: 3 }), { layout: 'torch', input: [1, 28, 28, 1] });
  return [small, readFileSync(path)];
}

function idxSeeds() {
  const images = Buffer.concat([Buffer.from([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]), Buffer.alloc(24, 7)]);
  return [images, gzipSync(images)];
}

/** The targets, whose seeds are made in a folder. */
async function targets(folder) {
  mkdirSync(join(folder, 'weights'), { recursive: true });
  writeFileSync(join(folder, 'weights.bin'), Buffer.from(new Float32Array(16).buffer));
  writeFileSync(join(folder, '..', 'secret.bin'), Buffer.from(new Float32Array(16).fill(secret).buffer));
  for (const [name, to] of Object.entries({ link: '../secret.bin', 'folder-link': '..' })) symlinkSync(to, join(folder, name));
  const { readIdx } = require('../../dist/formats/idx.js');
  const textOf = (...lines) => Buffer.from(lines.join('\n'));
  return {
    onnx: {
      seeds: await onnxSeeds(folder),
      refused: external().flatMap(({ bytes, inside }) => (inside ? [] : [bytes])),
      mutate: mutateProtobuf,
      name: 'case.onnx',
      async read(path) {
        const module = await importOnnx(path);
        try {
          for (const parameter of Object.values(module.stateDict())) {
            if ((await parameter.data()).includes(secret)) throw new Error('a file outside of the folder was read');
          }
        } finally {
          module.dispose();
        }
        const sizes = module.inputs.map(
          ({ shape }) => shape?.reduce((size, n) => size * (typeof n === 'number' && n >= 0 ? n : 1), 1) ?? Infinity,
        );
        if (sizes.every((size) => size <= 4096)) (await loadOnnx(path)).dispose();
      },
    },
    safetensors: {
      seeds: await safetensorsSeeds(folder),
      mutate: mutateSafetensors,
      name: 'case.safetensors',
      async read(path) {
        const { tensors } = await readSafetensors(path);
        for (const one of Object.values(tensors)) one.dispose();
      },
    },
    idx: {
      seeds: idxSeeds(),
      mutate: (bytes, next) => pick(next, byteMutations)(bytes, next),
      name: 'case.idx',
      read: (path) => readIdx(path, 3),
    },
    csv: {
      seeds: [textOf('text,label', '"a ""fine"" film",good', 'not for me,bad', '')],
      mutate: mutateText,
      name: 'case.csv',
      read: (file) => data.csv({ file }),
    },
    jsonl: {
      seeds: [textOf('{"text": "a fine film", "label": "good"}', '{"text": "not\\u0020for me", "label": "bad"}', '')],
      mutate: mutateText,
      name: 'case.jsonl',
      read: (file) => data.jsonl({ file }),
    },
  };
}

module.exports = { targets, external };

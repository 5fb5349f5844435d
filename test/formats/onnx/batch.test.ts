import { type Feed, importOnnx, loadOnnx, manualSeed, memory, ops, randn, type Session } from '../../../lib';
import { onnxOf } from '../../../lib/formats/onnx/export';
import { hostTensor } from '../../../lib/formats/onnx/host';
import { distance } from '../../support/agree';
import { cases } from '../../support/exported';
import { ints, type NodeRow, onnxFile, weights } from '../../support/onnx';

// Files whose batches have one size, as exporters write them by default, opened for batches of any.

beforeEach(() => manualSeed(1));

const dynamicBatch = true;

/** What a session gives for x. */
async function outputOf(session: Session, x: Feed): Promise<{ values: number[]; shape: readonly number[] }> {
  const [{ name }] = session.inputs as [Session['inputs'][number]];
  const output = (await session.run({ [name]: x }))[session.outputs[0]!.name]!;
  return { values: [...(await output.data())], shape: output.shape };
}

const image = { x: [4, 6, 6] };
const flattened: readonly NodeRow[] = [
  ['Conv', ['x', 'w'], ['c'], { pads: [1, 1, 1, 1] }],
  ['BatchNormalization', ['c', 'scale', 'scale', 'scale', 'scale'], ['n']],
  ['Relu', ['n'], ['r']],
  ['Flatten', ['r'], ['f']],
  ['Gemm', ['f', 'fc'], ['y'], { transB: 1 }],
];
const learned = () => ({
  w: weights(4, 4, 3, 3),
  scale: hostTensor('float32', [4], [1, 2, 3, 4]),
  fc: weights(5, 144),
  one: ints(1, -1),
  spread: ints(1, -1, 36),
  together: ints(1, 24, -1),
  apart: ints(-1, 4, 6, 6),
  exact: ints(1, 144),
  bias: weights(5),
  row: ints(1, 5),
  first: ints(0),
});

/** A graph of x [batch,4,6,6] to y. */
const graph = (nodes: readonly NodeRow[], batch = 1): Uint8Array =>
  onnxFile({ nodes, initializers: learned(), inputs: [['x', [batch, ...image.x]]], outputs: [['y', [batch, 5]]] });

test.each([1, 3])('a file of batches of %d runs others, and gives each row what it gave', async (batch) => {
  const bytes = graph(flattened, batch);
  using fixed = await loadOnnx(bytes);
  using session = await loadOnnx(bytes, { dynamicBatch });
  expect(fixed.inputs[0]!.shape).toEqual([batch, ...image.x]);
  expect([session.inputs[0]!.shape, session.outputs[0]!.shape]).toEqual([
    ['N', ...image.x],
    ['N', 5],
  ]);
  const x = randn([2 * batch, ...image.x]);
  const rows = [];
  for (const begin of [0, batch]) rows.push(...(await outputOf(fixed, ops.slice(x, [begin], [begin + batch]))).values);
  expect((await outputOf(session, x)).values.map((v) => v.toFixed(4))).toEqual(rows.map((v) => v.toFixed(4)));
  await expect(fixed.run({ x })).rejects.toThrow(
    `input "x" has shape [${2 * batch},4,6,6], expected [${batch},4,6,6]; for batches of any size load it with dynamicBatch: true`,
  );
});

test('a module of one size of batch says how to open it', async () => {
  const model = await importOnnx(graph(flattened));
  expect(() => model.forward(randn([2, ...image.x]))).toThrow(
    'has shape [2,4,6,6], expected [1,4,6,6]: the file is of batches of 1, open it with dynamicBatch: true for others',
  );
  expect(() => model.forward(randn([2, 4, 6, 7]))).toThrow(/expected \[1,4,6,6\]$/);
  const open = await importOnnx(graph(flattened), { dynamicBatch, layout: 'nhwc' });
  expect(open.inputs[0]!.shape).toEqual(['N', 6, 6, 4]);
  const x = randn([2, 6, 6, 4], { requiresGrad: true });
  ops.sum(open.forward(x)).backward();
  expect(x.grad!.shape).toEqual([2, 6, 6, 4]);
});

const last: NodeRow = ['Gemm', ['f', 'fc'], ['y'], { transB: 1 }];

test.each<[string, readonly NodeRow[], RegExp]>([
  [
    'flattened to a constant batch that is not its first axis',
    [['Transpose', ['x'], ['t'], { perm: [1, 2, 3, 0] }], ['Reshape', ['t', 'exact'], ['f']], last],
    /cannot become \[1,144\].*the batch may be a constant in "Reshape_f" \(Reshape\): export the model again/,
  ],
  [
    'flattened to one row by a constant that is read elsewhere',
    [
      ['Reshape', ['x', 'one'], ['y']],
      ['Add', ['one', 'one'], ['z']],
    ],
    /"y" \[1,9648\] for 67 rows is not made of each by itself/,
  ],
  [
    'whose rows become channels, and rows again',
    [
      ['Transpose', ['x'], ['r'], { perm: [1, 0, 2, 3] }],
      ['Reshape', ['r', 'together'], ['t']],
      ['Softmax', ['t'], ['s'], { axis: -1 }],
      ['Reshape', ['s', 'apart'], ['y']],
    ],
    /for 67 rows (mixes them|is not made).*constant in "Reshape_t"/,
  ],
  [
    'of the mean of all',
    [
      ['ReduceMean', ['x'], ['m'], { axes: [0], keepdims: 1 }],
      ['Sub', ['x', 'm'], ['y']],
    ],
    /"y" \[67,4,6,6\] for 67 rows mixes them in \w+/,
  ],
  [
    'of its first row',
    [
      ['Gather', ['x', 'first'], ['f'], { axis: 0 }],
      ['Sub', ['x', 'f'], ['y']],
    ],
    /for 67 rows (mixes them|is not made)/,
  ],
])('a graph %s is refused', async (_name, nodes, message) => {
  const bytes = graph(nodes);
  const before = memory().tensors;
  (await importOnnx(bytes)).dispose();
  const opened = importOnnx(bytes, { dynamicBatch });
  await expect(opened).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED', message: expect.stringMatching(message) });
  await expect(opened).rejects.toThrow('ONNX model: works for batches of 1 only, not with dynamicBatch: ');
  expect(memory().tensors).toBeLessThanOrEqual(before); // others may be collected meanwhile
});

test.each<[string, readonly NodeRow[]]>([
  ['to one row of any length', [['Reshape', ['x', 'one'], ['f']], last]],
  ['to one row of that length', [['Reshape', ['x', 'exact'], ['f']], last]],
  [
    'with a constant of that row beside it',
    [
      ['Reshape', ['x', 'one'], ['f']],
      ['Gemm', ['f', 'fc'], ['g'], { transB: 1 }],
      ['Reshape', ['bias', 'row'], ['b']],
      ['Add', ['g', 'b'], ['y']],
    ],
  ],
  [
    'by channels, and back',
    [['Reshape', ['x', 'together'], ['t']], ['Softmax', ['t'], ['s'], { axis: -1 }], ['Reshape', ['s', 'exact'], ['f']], last],
  ],
])('an image that a constant flattens %s', async (_name, nodes) => {
  const bytes = graph(nodes);
  using fixed = await loadOnnx(bytes);
  const x = randn([3, ...image.x]);
  const rows = [];
  for (const row of [0, 1, 2]) rows.push(...(await outputOf(fixed, ops.slice(x, [row], [row + 1]))).values);
  for (const layout of ['nchw', 'nhwc'] as const) {
    using session = await loadOnnx(bytes, { dynamicBatch, layout });
    const given = layout === 'nchw' ? x : ops.transpose(x, [0, 2, 3, 1]);
    const { values, shape } = await outputOf(session, given);
    expect(shape).toEqual([3, 5]);
    expect(distance(Float64Array.from(values), Float64Array.from(rows))).toBeLessThan(1e-4);
  }
});

test('rows that become channels and rows again, by themselves, are theirs', async () => {
  const bytes = graph([
    ['Reshape', ['x', 'spread'], ['s']],
    ['Relu', ['s'], ['r']],
    ['Reshape', ['r', 'apart'], ['y']],
  ]);
  const model = await importOnnx(bytes, { dynamicBatch });
  const x = randn([3, ...image.x]);
  expect([...model.forward(x).dataSync()]).toEqual([...ops.relu(x).dataSync()]);
});

test('several inputs, and a batch that is open already', async () => {
  const row = (first: number | string) =>
    onnxFile({
      nodes: [
        ['Gather', ['table', 'ids'], ['e']],
        ['Add', ['e', 'x'], ['s']],
        ['ReduceSum', ['s', 'axis'], ['y'], { keepdims: 0 }],
      ],
      initializers: { table: weights(10, 4), axis: ints(1) },
      inputs: [
        ['ids', [first, 7], 'int64'],
        ['x', [first, 7, 4]],
        ['unused', [5]],
      ],
      outputs: [['y', [first, 4]], ['s']],
    });
  for (const first of [2, 'B']) {
    const { inputs, outputs } = await importOnnx(row(first), { dynamicBatch });
    const name = first === 2 ? 'N' : 'B';
    expect(inputs.map(({ shape }) => shape)).toEqual([[name, 7], [name, 7, 4], [5]]);
    expect(outputs.map(({ shape }) => shape)).toEqual([[name, 4], null]);
  }
});

test.each<[string, Parameters<typeof onnxFile>[0], (number | string)[][]]>([
  [
    'a scalar before the batch',
    {
      nodes: [['Mul', ['x', 'k'], ['y']]],
      inputs: [
        ['k', []],
        ['x', [1, 3]],
      ],
      outputs: [['y', [1, 3]]],
    },
    [[], ['N', 3]],
  ],
  [
    'an input before the batch that no node reads',
    {
      nodes: [['Relu', ['x'], ['y']]],
      inputs: [
        ['unused', [5]],
        ['x', [2, 3]],
      ],
      outputs: [['y', [2, 3]]],
    },
    [[5], ['N', 3]],
  ],
  [
    'a threshold as long as the batch',
    {
      nodes: [['Add', ['x', 't'], ['y']]],
      inputs: [
        ['x', [1, 3, 4, 4]],
        ['t', [1]],
      ],
      outputs: [['y', [1, 3, 4, 4]]],
    },
    [['N', 3, 4, 4], [1]],
  ],
  [
    'a table with as many axes, as long as the batch',
    {
      nodes: [['MatMul', ['x', 'w'], ['y']]],
      inputs: [
        ['x', [2, 2]],
        ['w', [2, 5]],
      ],
      outputs: [['y', [2, 5]]],
    },
    [
      ['N', 2],
      [2, 5],
    ],
  ],
  [
    'another axis that is called N',
    {
      nodes: [['Add', ['x', 'z'], ['y']]],
      inputs: [
        ['x', [1, 'N']],
        ['z', [1, 'N']],
      ],
      outputs: [['y', [1, 'N']]],
    },
    [
      ['N2', 'N'],
      ['N2', 'N'],
    ],
  ],
])('%s', async (_name, row, shapes) => {
  const { inputs, outputs } = await importOnnx(onnxFile(row), { dynamicBatch });
  expect(inputs.map(({ shape }) => shape)).toEqual(shapes);
  expect(outputs[0]!.shape![0]).toBe(shapes.flat().find((n) => typeof n === 'string'));
});

test('the hint is of the batch only, and where it is not open', async () => {
  const bytes = onnxFile({
    nodes: [['Add', ['x', 'b'], ['y']]],
    inputs: [
      ['x', [1, 3]],
      ['b', [3]],
    ],
    outputs: [['y', [1, 3]]],
  });
  const [x, b] = [randn([1, 3]), randn([4])];
  const wanted = /input "b" has shape \[4\], expected \[3\]$/;
  for (const options of [{}, { dynamicBatch }]) {
    const model = await importOnnx(bytes, options);
    expect(() => model.forward(x, b)).toThrow(wanted);
    using session = await loadOnnx(bytes, options);
    await expect(session.run({ x, b })).rejects.toThrow(wanted);
  }
});

// Every layer and operation, written for one size of batch: either it is refused, or each row is what it was.
const refused = new Set(['a product with itself under another shape']);

test.each(cases)('%s', async (name, make, [rows, ...rest]) => {
  const model = make().eval();
  const bytes = await onnxOf(model, { input: [rows!, ...rest], dynamicBatch: false });
  const opened = importOnnx(bytes, { layout: 'nhwc', dynamicBatch });
  if (refused.has(name)) {
    await expect(opened).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    return;
  }
  const x = randn([2 * rows! + 1, ...rest]);
  const y = (await opened).forward(x);
  const wanted = model.forward(x);
  expect(y.shape).toEqual(wanted.shape);
  expect(ops.max(ops.abs(ops.sub(y, wanted))).itemSync()).toBeLessThan(1e-4);
});

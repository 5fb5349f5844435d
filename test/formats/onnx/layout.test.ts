import { importOnnx, manualSeed, noGrad, ops, randn, type Tensor, tensor } from '../../../lib';
import { hostTensor } from '../../../lib/formats/onnx/host';
import { distance } from '../../support/agree';
import { ints, type ModelRow, type NodeRow, onnxFile, weights } from '../../support/onnx';

// However the axes of a value lie in memory, an operator gives the same. A Transpose in front of it moves nothing and leaves them in any order.

manualSeed(1);

const shape = [2, 4, 3, 6];

interface Case {
  readonly name: string;
  readonly nodes: readonly NodeRow[];
  readonly initializers?: ModelRow['initializers'];
  readonly outputs?: readonly string[];
  readonly opset?: number;
}

const node = (
  operator: string,
  attributes: NodeRow[3] = {},
  more: readonly string[] = [],
  initializers: ModelRow['initializers'] = {},
): Case => ({
  name: [operator, JSON.stringify(attributes), ...Object.values(initializers).map((one) => `[${one.shape}]`)].join(' '),
  nodes: [[operator, ['x', ...more], ['y'], attributes]],
  initializers,
});

const of = (...values: number[]) => ints(...values);
const floats = (...values: number[]) => hostTensor('float32', [values.length], values);

const cases: readonly Case[] = [
  node('Relu'),
  node('Add', {}, ['w'], { w: weights(2, 4, 3, 6) }),
  node('Add', {}, ['w'], { w: weights(4, 1, 1) }),
  node('Add', {}, ['w'], { w: weights(6) }),
  node('Mul', {}, ['w'], { w: weights(3, 1) }),
  node('Sub', {}, ['w'], { w: weights(5, 1, 1, 1, 1) }),
  node('Div', {}, ['w'], { w: weights(1) }),
  node('PRelu', {}, ['w'], { w: weights(4, 1, 1) }),
  node('PRelu', {}, ['w'], { w: weights(1) }),
  node('PRelu', {}, ['w'], { w: weights(3, 6) }),
  node('Reshape', {}, ['s'], { s: of(2, 4, 18) }),
  node('Reshape', {}, ['s'], { s: of(8, -1) }),
  node('Reshape', {}, ['s'], { s: of(2, 2, 2, 3, 6) }),
  node('Reshape', {}, ['s'], { s: of(2, 12, 6) }),
  node('Reshape', {}, ['s'], { s: of(1, 2, 4, 3, 6) }),
  node('Reshape', {}, ['s'], { s: of(4, 36) }),
  node('Reshape', {}, ['s'], { s: of(-1) }),
  node('Flatten'),
  node('Flatten', { axis: 3 }),
  node('Unsqueeze', {}, ['a'], { a: of(1, -1) }),
  node('Transpose', { perm: [0, 2, 3, 1] }),
  node('Concat', { axis: 1 }, ['w'], { w: weights(2, 3, 3, 6) }),
  node('Concat', { axis: -1 }, ['x', 'x']),
  node('Slice', {}, ['b', 'e', 'a', 's'], { b: of(1, -1), e: of(9, -9), a: of(1, 3), s: of(2, -2) }),
  { ...node('Split', { axis: 3 }, ['s'], { s: of(2, 4) }), nodes: [['Split', ['x', 's'], ['y', 'z'], { axis: 3 }]], outputs: ['y', 'z'] },
  node('Gather', { axis: 1 }, ['i'], { i: of(3, 0, -1) }),
  node('Gather', { axis: 2 }, ['i'], { i: hostTensor('int64', [2, 2], [0, 1, 2, 1]) }),
  node('Gather', { axis: 3 }, ['i'], { i: hostTensor('int64', [], [2]) }),
  node('Pad', {}, ['p'], { p: of(0, 1, 2, 0, 1, 0, -1, 3) }),
  node('Pad', { mode: 'reflect' }, ['p'], { p: of(0, 0, 1, 2, 0, 0, 2, 1) }),
  node('Expand', {}, ['s'], { s: of(3, 2, 4, 3, 6) }),
  node('Expand', {}, ['s'], { s: of(1, 6) }),
  node('Tile', {}, ['s'], { s: of(1, 2, 1, 3) }),
  node('ReduceMean', { axes: [2, 3] }),
  node('ReduceMax', { axes: [1], keepdims: 0 }),
  node('ReduceSum', { keepdims: 0 }, ['a'], { a: of(0, 3) }),
  node('ReduceProd', { axes: [3], keepdims: 0 }),
  node('ReduceLogSumExp', { axes: [1, 2] }),
  node('ArgMax', { axis: 2, keepdims: 0 }),
  node('ArgMin', { axis: 1, select_last_index: 1 }),
  node('Softmax', { axis: 1 }),
  node('LogSoftmax'),
  { ...node('Softmax', { axis: 2 }), name: 'Softmax over axes 2 and 3', opset: 11 },
  { ...node('TopK', { axis: 3 }, ['k'], { k: of(2) }), nodes: [['TopK', ['x', 'k'], ['y', 'i'], { axis: 3 }]], outputs: ['y', 'i'] },
  node('Conv', { pads: [1, 1, 0, 1], strides: [1, 2] }, ['w', 'b'], { w: weights(5, 4, 3, 3), b: weights(5) }),
  node('ConvTranspose', { strides: [2, 2], output_padding: [1, 0] }, ['w'], { w: weights(4, 3, 2, 3) }),
  node('MaxPool', { kernel_shape: [2, 3], auto_pad: 'SAME_LOWER' }),
  node('AveragePool', { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }),
  node('LpPool', { kernel_shape: [2, 2], p: 3 }),
  node('GlobalAveragePool'),
  node('GlobalMaxPool'),
  node('BatchNormalization', {}, ['a', 'b', 'c', 'd'], { a: weights(4), b: weights(4), c: weights(4), d: floats(1, 2, 3, 4) }),
  node('InstanceNormalization', {}, ['a', 'b'], { a: weights(4), b: weights(4) }),
  node('LayerNormalization', { axis: 2 }, ['a', 'b'], { a: weights(3, 6), b: weights(3, 6) }),
  node('LRN', { size: 3 }),
  node('MatMul', {}, ['w'], { w: weights(6, 5) }),
  node('MatMul', {}, ['w'], { w: weights(4, 6, 5) }),
  node('MatMul', {}, ['w'], { w: weights(6) }),
  {
    ...node('MatMul'),
    name: 'MatMul by itself turned',
    nodes: [
      ['Transpose', ['x'], ['t'], { perm: [0, 1, 3, 2] }],
      ['MatMul', ['x', 't'], ['y']],
    ],
  },
  node('Resize', { mode: 'nearest' }, ['', 's'], { s: floats(1, 1, 2, 1.5) }),
  node('Resize', { mode: 'linear', coordinate_transformation_mode: 'align_corners' }, ['', 's'], { s: floats(1, 1, 2, 2) }),
  node('Resize', { mode: 'cubic' }, ['', '', 'n'], { n: of(2, 4, 5, 4) }),
  node('DepthToSpace', { blocksize: 2 }),
  node('DepthToSpace', { blocksize: 2, mode: 'CRD' }),
  node('SpaceToDepth', { blocksize: 3 }),
  {
    ...node('Where'),
    nodes: [
      ['Greater', ['x', 'zero'], ['g']],
      ['Where', ['g', 'x', 'w'], ['y']],
    ],
    initializers: { zero: floats(0), w: weights(4, 1, 1) },
  },
  {
    ...node('And'),
    nodes: [
      ['Greater', ['x', 'zero'], ['g']],
      ['Not', ['g'], ['n']],
      ['Or', ['g', 'n'], ['y']],
    ],
    initializers: { zero: floats(0) },
  },
  {
    ...node('Cast'),
    nodes: [
      ['Cast', ['x'], ['i'], { to: 7 }],
      ['Mul', ['i', 'i'], ['y']],
    ],
  },
];

function* permutations(list: readonly number[]): Generator<number[]> {
  if (list.length === 0) yield [];
  for (const [i, one] of list.entries()) for (const rest of permutations(list.toSpliced(i, 1))) yield [one, ...rest];
}

const infos = (outputs: readonly string[]) => outputs.map((name) => [name] as const);

test.each(cases.map((one) => [one.name, one] as const))('%s', async (_name, { nodes, initializers, outputs = ['y'], opset }) => {
  const x = ops.mul(randn(shape), 2);
  const results = async (file: ModelRow, given: Tensor): Promise<Float64Array[]> => {
    const model = await importOnnx(onnxFile({ ...file, initializers, opset }));
    const [came] = [noGrad(() => model.run([given]))];
    model.dispose();
    return came.map((output) => Float64Array.from([...output.shape, ...output.dataSync()]));
  };
  const plain = await results({ nodes, inputs: [['x', shape]], outputs: infos(outputs) }, x);
  for (const perm of permutations([0, 1, 2, 3])) {
    // x is given with its axes in another order, and brought to its own by the graph
    const inverse = perm.map((_, axis) => perm.indexOf(axis));
    const given = ops.transpose(x, inverse);
    const turned = nodes.map(
      ([operator, inputs, ...rest]): NodeRow => [operator, inputs.map((name) => (name === 'x' ? 'tx' : name)), ...rest],
    );
    const came = await results(
      { nodes: [['Transpose', ['x'], ['tx'], { perm }], ...turned], inputs: [['x', given.shape]], outputs: infos(outputs) },
      given,
    );
    for (const [i, values] of came.entries()) expect(distance(values, plain[i]!)).toBeLessThan(1e-5);
  }
});

test('an index that is a tensor, in every order', async () => {
  const x = randn(shape);
  for (const perm of permutations([0, 1, 2, 3])) {
    const inverse = perm.map((_, axis) => perm.indexOf(axis));
    const model = await importOnnx(
      onnxFile({
        nodes: [
          ['Transpose', ['x'], ['t'], { perm }],
          ['Gather', ['t', 'i'], ['y'], { axis: 1 }],
        ],
        inputs: [
          ['x', inverse.map((axis) => shape[axis]!)],
          ['i', ['K'], 'int64'],
        ],
        outputs: [['y']],
      }),
    );
    const y = model.run([ops.transpose(x, inverse), tensor(Int32Array.of(2, -4))])[0]!;
    const expected = ops.concat([ops.slice(x, [0, 2], [2, 3]), ops.slice(x, [0, 0], [2, 1])], 1);
    expect([...y.dataSync()]).toEqual([...expected.dataSync()]);
  }
});

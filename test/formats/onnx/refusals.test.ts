import { importOnnx, ones } from '../../../lib';
import { type HostTensor, hostTensor } from '../../../lib/formats/onnx/host';
import { ints, type ModelRow, type NodeRow, onnxFile, weights } from '../../support/onnx';

// What a file may ask for that no operator can do: each is an error that names the node and says what is wrong, before memory is touched.

interface Case {
  readonly operator: string;
  readonly says: string;
  readonly x?: readonly number[];
  readonly type?: 'float32' | 'int64';
  readonly attributes?: NodeRow[3];
  /** Inputs behind x, each a constant; null where one is left out. */
  readonly more?: readonly (HostTensor | null)[];
  readonly opset?: number;
  readonly outputs?: readonly string[];
}

const floats = (...values: number[]) => hostTensor('float32', [values.length], values);
const none = floats();

const misshapen: readonly Case[] = [
  { operator: 'Reshape', more: [null], says: 'has no shape' },
  { operator: 'Reshape', more: [ints(-1, -1)], says: 'cannot become [-1,-1]' },
  { operator: 'Reshape', more: [ints(2, -2)], says: 'cannot become [2,-2]' },
  { operator: 'Reshape', more: [ints(5, -1)], says: '[2,3] cannot become [5,-1]' },
  { operator: 'Reshape', more: [ints(0, 0, 0)], says: '[2,3] cannot become [0,0,0]' },
  { operator: 'Reshape', more: [ints(0, -1)], attributes: { allowzero: 1 }, says: '[2,3] cannot become [0,-1]' },
  { operator: 'Squeeze', more: [ints(1)], says: 'axis 1 of [2,3] is not 1' },
  { operator: 'Squeeze', more: [ints(2)], says: 'axis is 2, expected an integer from -2 to 1' },
  { operator: 'Unsqueeze', says: 'has no axes' },
  { operator: 'Unsqueeze', more: [ints(0, 0)], says: 'axes [0,0] name one twice' },
  { operator: 'Transpose', attributes: { perm: [0, 0] }, says: 'perm [0,0] does not name each axis of [2,3] once' },
  { operator: 'Transpose', attributes: { perm: [0, 1, 2] }, says: 'perm [0,1,2] does not name each axis of [2,3] once' },
  { operator: 'Concat', more: [weights(2)], attributes: { axis: 0 }, says: 'inputs have different numbers of axes' },
  { operator: 'Slice', more: [ints(0)], says: 'starts and ends do not go together' },
  { operator: 'Slice', more: [ints(0), ints(1, 2)], says: 'starts and ends do not go together' },
  { operator: 'Slice', more: [ints(0), ints(1), ints(0, 1)], says: 'axes [0,1] and steps [1] do not go with 1 starts' },
  { operator: 'Slice', more: [ints(0, 0), ints(1, 1), ints(1, 1)], says: 'axes [1,1] and steps [1,1] do not go with 2 starts' },
  { operator: 'Slice', more: [ints(0), ints(1), ints(0), ints(0)], says: 'axes [0] and steps [0] do not go with 1 starts' },
  { operator: 'Split', more: [ints(1, 2)], outputs: ['y', 'z'], says: 'split [1,2] is not 2 in all' },
  { operator: 'Split', more: [ints(-1, 3)], outputs: ['y', 'z'], says: 'split [-1,3] is not 2 in all' },
  { operator: 'Gather', x: [], more: [ints(0)], says: 'the input is a scalar' },
  { operator: 'Gather', more: [ints(2)], says: 'index 2 is not one of 2 cells along axis 0' },
  { operator: 'Pad', says: 'pads has no numbers, expected two for each of 2 axes' },
  { operator: 'Pad', more: [ints(1, 1)], says: 'pads has 2 numbers, expected two for each of 2 axes' },
  { operator: 'Pad', more: [ints(1, 1, 1, 1), floats(1, 2)], says: 'input 2 has 2 elements, expected one' },
  { operator: 'Expand', says: 'has no shape' },
  { operator: 'Expand', more: [ints(2, 2)], says: '[2,3] does not stretch to [2,2]' },
  { operator: 'Tile', says: 'repeats has no numbers for 2 axes' },
  { operator: 'Tile', more: [ints(1, 2, 3)], says: 'repeats has 3 numbers for 2 axes' },
  { operator: 'MatMul', x: [], more: [weights(2)], says: 'an input is a scalar' },
  { operator: 'MatMul', x: [2, 1, 3], more: [weights(3, 3, 1)], says: 'batches [2,1,3] and [3,3,1] do not broadcast' },
  { operator: 'Gemm', x: [2, 3, 1], more: [weights(2, 2)], says: 'input 0 has 3 axes, expected a matrix' },
  { operator: 'ArgMax', x: [], says: 'axis is 0, expected none, the input is a scalar' },
  { operator: 'MaxPool', x: [1, 1, 4, 4], says: 'has no kernel_shape' },
  {
    operator: 'MaxPool',
    x: [1, 1, 4, 4],
    attributes: { kernel_shape: [2] },
    says: 'a window over 1 axes cannot slide over the 2 of the input',
  },
  {
    operator: 'AveragePool',
    x: [1, 1, 4, 4],
    attributes: { kernel_shape: [2, 2], strides: [1] },
    says: 'strides has 1 numbers, expected one for each of 2 axes',
  },
  {
    operator: 'AveragePool',
    x: [1, 1, 4, 4],
    attributes: { kernel_shape: [2, 2], pads: [1, 1] },
    says: 'pads has 2 numbers, expected two for each of 2 axes',
  },
  { operator: 'LRN', x: [3], attributes: { size: 3 }, says: 'the input has 1 axes, expected [N,C,…]' },
  { operator: 'DepthToSpace', x: [1, 3, 2, 2], attributes: { blocksize: 2 }, says: 'blocks of 2x2 do not divide 3 channels' },
  { operator: 'DepthToSpace', x: [4, 3], attributes: { blocksize: 2 }, says: 'the input has shape [4,3], expected [N,C,H,W]' },
  { operator: 'SpaceToDepth', x: [1, 1, 3, 2], attributes: { blocksize: 2 }, says: 'blocks of 2x2 do not divide 3x2 cells' },
  { operator: 'Resize', x: [1, 1, 2, 2], says: 'has neither scales nor sizes' },
  { operator: 'Resize', x: [1, 1, 2, 2], more: [null, none, none], says: 'has neither scales nor sizes' },
  {
    operator: 'Resize',
    x: [1, 1, 2, 2],
    more: [null, floats(2, 2)],
    attributes: { axes: [2] },
    opset: 18,
    says: '2 scales or sizes for 1 axes',
  },
  { operator: 'Upsample', x: [1, 1, 2, 2], more: [floats(2, 2)], opset: 9, says: 'has no scale for each axis' },
  { operator: 'Add', more: [weights(2, 3, 1)], attributes: { broadcast: 1, axis: 1 }, opset: 6, says: '[2,3,1] does not lie in [2,3]' },
];

const refused: readonly Case[] = [
  {
    operator: 'MaxPool',
    x: [1, 1, 4, 4],
    attributes: { kernel_shape: [2, 2], auto_pad: 'SOME' },
    says: 'auto_pad "SOME"',
  },
  { operator: 'MaxPool', x: [1, 1, 2, 2, 2, 2], attributes: { kernel_shape: [1, 1, 1, 1] }, says: 'an input of 6 axes, expected 3 to 5' },
];

/** Told from the node alone, when the file is read. */
const unsupported: readonly Case[] = [
  {
    operator: 'MaxPool',
    attributes: { kernel_shape: [2] },
    outputs: ['y', 'i'],
    says: 'MaxPool with Indices of another shape than images',
  },
  { operator: 'AveragePool', attributes: { kernel_shape: [2], dilations: [2] }, opset: 19, says: 'AveragePool with dilations' },
  { operator: 'LpPool', attributes: { kernel_shape: [2], ceil_mode: 1 }, opset: 18, says: 'LpPool with ceil_mode' },
  { operator: 'Pad', attributes: { mode: 'wrap' }, opset: 19, says: 'Pad in mode "wrap"' },
  { operator: 'Resize', attributes: { mode: 'best' }, says: 'Resize in mode "best"' },
  {
    operator: 'Resize',
    attributes: { coordinate_transformation_mode: 'odd' },
    says: 'Resize with coordinates "odd"',
  },
  { operator: 'Resize', attributes: { nearest_mode: 'up' }, says: 'Resize with rounding "up"' },
  {
    operator: 'Resize',
    attributes: { keep_aspect_ratio_policy: 'not_larger' },
    opset: 18,
    says: 'Resize with a keep_aspect_ratio_policy',
  },
  { operator: 'DepthToSpace', attributes: { blocksize: 2, mode: 'RGB' }, says: 'DepthToSpace in another mode than DCR and CRD' },
  { operator: 'Cast', attributes: { to: 8 }, says: 'Cast to string' },
  { operator: 'Cast', attributes: { to: 99 }, says: 'Cast to element type 99' },
  { operator: 'BatchNormalization', opset: 6, says: 'BatchNormalization without is_test' },
  { operator: 'BatchNormalization', attributes: { spatial: 0 }, opset: 7, says: 'BatchNormalization without spatial' },
  { operator: 'BatchNormalization', outputs: ['y', 'm'], says: 'BatchNormalization with more outputs than one' },
];

function fileOf({ operator, x = [2, 3], type = 'float32', attributes, more = [], opset, outputs = ['y'] }: Case): Uint8Array {
  const constants = more.map((host, i) => [host === null ? '' : `c${i}`, host] as const);
  const row: ModelRow = {
    nodes: [[operator, ['x', ...constants.map(([name]) => name)], outputs, attributes]],
    initializers: Object.fromEntries(constants.filter((pair): pair is [string, HostTensor] => pair[1] !== null)),
    inputs: [['x', x, type]],
    outputs: [['y']],
    opset,
  };
  return onnxFile(row);
}

const named = (cases: readonly Case[]) => cases.map((one) => [`${one.operator}: ${one.says}`, one] as const);

/** The error of a run with an input of ones. */
async function errorOf(one: Case): Promise<{ code: string; message: string }> {
  const model = await importOnnx(fileOf(one));
  try {
    model.forward(ones(one.x ?? [2, 3]));
  } catch (error) {
    return error as Error & { code: string };
  } finally {
    model.dispose();
  }
  throw new Error('nothing was thrown');
}

test.each(named(misshapen))('%s', async (_name, one) => {
  const { code, message } = await errorOf(one);
  expect(message).toContain(`ONNX model: node "${one.operator}_y" (${one.operator}): `);
  expect(message).toContain(one.says);
  expect(['ERR_SHAPE', 'ERR_INVALID_VALUE']).toContain(code);
});

test.each(named(refused))('%s', async (_name, one) => {
  const { code, message } = await errorOf(one);
  expect([code, message]).toEqual(['ERR_UNSUPPORTED', `ONNX model: node "${one.operator}_y" (${one.operator}): ${one.says}`]);
});

test.each(named(unsupported))('%s', async (_name, one) => {
  await expect(importOnnx(fileOf(one))).rejects.toMatchObject({
    code: 'ERR_UNSUPPORTED',
    message: `ONNX model: not supported: ${one.says} (${one.operator}_y)`,
  });
});

test('a shape to fill that is none', async () => {
  const bad = { nodes: [['ConstantOfShape', ['s'], ['y']]], inputs: [], outputs: [['y']] } as const;
  const model = await importOnnx(onnxFile({ ...bad, initializers: { s: ints(2, -1) } }));
  expect(() => model.run([])).toThrow('(ConstantOfShape): shape [2,-1] is none');
  const without = await importOnnx(onnxFile({ ...bad, nodes: [['ConstantOfShape', [''], ['y']]] }));
  expect(() => without.run([])).toThrow('(ConstantOfShape): has no shape');
});

test('beside no input', async () => {
  const model = await importOnnx(onnxFile({ nodes: [['Concat', [], ['y'], { axis: 0 }]], inputs: [], outputs: [['y']] }));
  expect(() => model.run([])).toThrow('(Concat): has no input');
});

test('texts are looked at and passed on, not computed with', async () => {
  const words = hostTensor('string', [2], ['a', 'b']);
  const texts = (node: NodeRow, type: 'int64' | 'float32' = 'int64') =>
    importOnnx(onnxFile({ nodes: [node], initializers: { words }, inputs: [], outputs: [['y', [2], type]] }));
  expect([...(await texts(['Shape', ['words'], ['y']])).run([])[0]!.dataSync()]).toEqual([2]);
  for (const node of [
    ['Softmax', ['words'], ['y']],
    ['Cast', ['words'], ['y'], { to: 1 }],
    ['ArgMax', ['words'], ['y']],
  ] as const) {
    const model = await texts(node);
    expect(() => model.run([])).toThrow(`ONNX model: node "${node[0]}_y" (${node[0]}): computes with texts`);
  }
  // a text itself cannot leave
  const model = await texts(['Identity', ['words'], ['y']]);
  expect(() => model.run([])).toThrow('computes with texts');
});

test('a distribution over a number alone is 1', async () => {
  for (const opset of [11, 13]) {
    for (const [operator, y] of [
      ['Softmax', 1],
      ['LogSoftmax', 0],
      ['Hardmax', 1],
    ] as const) {
      const model = await importOnnx(fileOf({ operator, x: [], attributes: { axis: 0 }, opset, says: '' }));
      const output = model.forward(ones([]));
      expect([output.shape, ...output.dataSync()]).toEqual([[], y]);
    }
  }
});

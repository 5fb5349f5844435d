import {
  importOnnx,
  inspect,
  loadOnnx,
  manualSeed,
  memory,
  noGrad,
  OnnxModule,
  ops,
  optim,
  randn,
  readOnnx,
  tensor,
  tidy,
  zeros,
} from '../../../lib';
import { hostTensor } from '../../../lib/formats/onnx/host';
import { observe } from '../../../lib/op';
import { trace } from '../../../lib/trace';
import { fault } from '../../support/fault';
import { ints, type ModelRow, type NodeRow, onnxFile, weights } from '../../support/onnx';

beforeEach(() => manualSeed(1));

const load = (model: ModelRow, options = {}) => importOnnx(onnxFile(model), options);

/** Convolution, batch norm, pool, dropout and a linear layer. */
const network = (): ModelRow => ({
  nodes: [
    ['Conv', ['x', 'conv.weight', 'conv.bias'], ['c'], { pads: [1, 1, 1, 1] }],
    ['BatchNormalization', ['c', 'scale', 'shift', 'mean', 'var'], ['n']],
    ['Relu', ['n'], ['r']],
    ['MaxPool', ['r'], ['p'], { kernel_shape: [2, 2], strides: [2, 2] }],
    ['Dropout', ['p', 'ratio'], ['d']],
    ['Flatten', ['d'], ['f']],
    ['Gemm', ['f', 'fc.weight', 'fc.bias'], ['y'], { transB: 1 }],
  ],
  initializers: {
    'conv.weight': weights(4, 3, 3, 3),
    'conv.bias': weights(4),
    scale: weights(4),
    shift: weights(4),
    mean: weights(4),
    var: hostTensor('float32', [4], [1, 2, 0.5, 1]),
    ratio: hostTensor('float32', [], [0.5]),
    'fc.weight': weights(5, 4 * 3 * 3),
    'fc.bias': weights(5),
  },
  inputs: [['x', ['N', 3, 6, 6]]],
  outputs: [['y', ['N', 5]]],
});

describe('importOnnx', () => {
  test('says what goes in and comes out', async () => {
    const model = await load({
      nodes: [
        ['Gather', ['table', 'ids'], ['e']],
        ['Equal', ['ids', 'ids'], ['same']],
      ],
      initializers: { table: weights(10, 4) },
      inputs: [['ids', ['N', ''], 'int64']],
      outputs: [['e'], ['same', ['N', ''], 'bool']],
    });
    expect(model.inputs).toEqual([{ name: 'ids', dtype: 'int32', type: 'int64', shape: ['N', -1] }]);
    expect(model.outputs).toEqual([
      { name: 'e', dtype: 'float32', type: 'float32', shape: null },
      { name: 'same', dtype: 'uint8', type: 'bool', shape: ['N', -1] },
    ]);
    const [e, same] = model.run([tensor(Int32Array.of(1, -1), [1, 2])]);
    expect([e!.shape, e!.dtype, same!.shape, same!.dtype]).toEqual([[1, 2, 4], 'float32', [1, 2], 'uint8']);
    expect(model.toString()).toBe('OnnxModule(ids [N,-1] -> e […], same [N,-1])');
  });

  test('weights are parameters under their names, statistics and single numbers buffers', async () => {
    const model = await load(network());
    expect(Array.from(model.namedParameters(), ([name, { shape }]) => [name, shape])).toEqual([
      ['conv.weight', [3, 3, 3, 4]],
      ['conv.bias', [4]],
      ['scale', [4]],
      ['shift', [4]],
      ['fc.weight', [5, 36]],
      ['fc.bias', [5]],
    ]);
    expect(Array.from(model.namedBuffers(), ([name]) => name)).toEqual(['mean', 'var']);
    expect(model.training).toBe(false);
  });

  test('channels last give the same, and turn nothing', async () => {
    const [row, x] = [network(), randn([2, 3, 6, 6])];
    const [plain, last] = [await load(row), await load(row, { layout: 'nhwc' })];
    expect(last.inputs[0]!.shape).toEqual(['N', 6, 6, 3]);
    const y = plain.forward(x);
    const z = last.forward(ops.transpose(x, [0, 2, 3, 1]));
    expect([...z.dataSync()]).toEqual([...y.dataSync()]);
    expect([plain.transposes, last.transposes]).toEqual([2, 1]); // the image, and its cells behind each other
  });

  test('a graph that turns its images around itself turns none in memory', async () => {
    const model = await load({
      nodes: [
        ['Transpose', ['x'], ['t'], { perm: [0, 3, 1, 2] }],
        ['Conv', ['t', 'w'], ['c']],
        ['Mul', ['c', 'factor'], ['m']],
        ['Concat', ['m', 'c'], ['k'], { axis: 1 }],
        ['ReduceMean', ['k'], ['r'], { axes: [2], keepdims: 0 }],
        ['Softmax', ['k'], ['s'], { axis: 1 }],
        ['Transpose', ['s'], ['y'], { perm: [0, 2, 3, 1] }],
      ],
      initializers: { w: weights(2, 3, 3, 3), factor: weights(2, 1, 1) },
      inputs: [['x', [1, 5, 5, 3]]],
      outputs: [['y'], ['r']],
    });
    const [y, r] = model.run([randn([1, 5, 5, 3])]);
    expect([y!.shape, r!.shape, model.transposes]).toEqual([[1, 3, 3, 4], [1, 4, 3], 1]); // r leaves as [N,C,W]
  });

  test('trains: batch norm by its batch, dropout drops, every weight moves, and the loss falls', async () => {
    const model = await load(network());
    const [x, before] = [randn([8, 3, 6, 6]), model.buffers().map((buffer) => [...buffer.dataSync()])];
    const first = model.parameters().map((parameter) => [...parameter.dataSync()]);
    const step = new optim.Adam(model.parameters(), { lr: 0.05 });
    const loss = () => ops.mean(ops.square(ops.sub(model.forward(x), 1)));
    const start = tidy(() => loss().itemSync());
    model.train();
    for (let i = 0; i < 20; i++) {
      tidy(() => {
        step.zeroGrad();
        loss().backward();
        step.step();
      });
    }
    model.eval();
    expect(tidy(() => loss().itemSync())).toBeLessThan(start / 2);
    for (const [i, parameter] of model.parameters().entries()) expect([...parameter.dataSync()]).not.toEqual(first[i]);
    for (const [i, buffer] of model.buffers().entries()) expect([...buffer.dataSync()]).not.toEqual(before[i]);
  });

  test('gradients reach the input and all weights as differences say', async () => {
    const double = (host: ReturnType<typeof weights>) => hostTensor('float64', host.shape, Array.from(host.data as Float32Array));
    const row = network();
    const initializers = Object.fromEntries(Object.entries(row.initializers!).map(([name, host]) => [name, double(host as never)]));
    const model = await importOnnx(
      onnxFile({ ...row, initializers, inputs: [['x', ['N', 3, 6, 6], 'float64']], outputs: [['y', ['N', 5], 'float64']] }),
    );
    const x = ops.cast(randn([1, 3, 6, 6]), 'float64').detach();
    const direction = randn([1, 5], { dtype: 'float64' });
    const project = () => tidy(() => ops.sum(ops.mul(model.forward(x), direction)).itemSync());
    model.forward(x).backward(direction);
    for (const parameter of model.parameters()) {
      const values = parameter.dataSync();
      const at = values.length >> 1;
      const shifted = (by: number) => {
        parameter.assign(
          tensor(
            Float64Array.from(values, (value, i) => (i === at ? value + by : value)),
            parameter.shape,
          ),
        );
        const result = noGrad(project);
        parameter.assign(tensor(values, parameter.shape));
        return result;
      };
      const numeric = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
      expect(parameter.grad!.dataSync()[at]).toBeCloseTo(numeric, 6);
    }
  });

  test('is traced and inspected as any model, without running', async () => {
    const model = await load(network());
    const traced = trace(model, [zeros([2, 3, 6, 6])], { hollow: true });
    expect(traced.nodes.map(({ op }) => op.name)).toEqual([
      'transpose',
      'conv2d',
      'batchNorm',
      'relu',
      'maxPool2d',
      'transpose',
      'reshape',
      'linear',
    ]);
    expect(traced.whole.output!.shape).toEqual([2, 5]);
    traced.dispose();
    expect(inspect.summary(model, [1, 3, 6, 6]).toString()).toContain('OnnxModule');
  });

  test('what depends on shapes only never touches a tensor', async () => {
    const model = await load({
      nodes: [
        ['Shape', ['x'], ['s']],
        ['Slice', ['s', 'from', 'to'], ['n']],
        ['Concat', ['n', 'rest'], ['shape'], { axis: 0 }],
        ['Reshape', ['x', 'shape'], ['y']],
      ],
      initializers: { from: ints(0), to: ints(1), rest: ints(-1) },
      inputs: [['x', ['N', 2, 3]]],
      outputs: [['y'], ['shape', [2], 'int64']],
    });
    const traced = trace(model, [zeros([5, 2, 3])], { hollow: true });
    expect(traced.nodes.map(({ op }) => op.name)).toEqual(['reshape']);
    expect(traced.whole.output!.shape).toEqual([5, 6]);
    traced.dispose();
    expect([...model.run([zeros([5, 2, 3])])[1]!.dataSync()]).toEqual([5, -1]);
  });

  test("what it gives is the caller's own, even an input or a weight", async () => {
    const model = await load({
      nodes: [
        ['Identity', ['x'], ['y']],
        ['Identity', ['w'], ['z']],
        ['Relu', ['x'], ['r']],
        ['Identity', ['r'], ['q']],
        ['Shape', ['x'], ['s']],
      ],
      initializers: { w: weights(2) },
      inputs: [['x', [2]]],
      outputs: [['y'], ['z'], ['w'], ['r'], ['q'], ['s', [1], 'int64']],
    });
    const x = randn([2]);
    for (const output of model.run([x])) output.dispose();
    const again = model.run([x]);
    expect([x.disposed, again.map((output) => output.disposed), new Set(again).size]).toEqual([false, new Array(6).fill(false), 6]);
  });

  test('frees each value behind the last node that reads it', async () => {
    const nodes = Array.from({ length: 20 }, (_, i): NodeRow => ['Relu', [i === 0 ? 'x' : `v${i - 1}`], [`v${i}`]]);
    const inputs: ModelRow['inputs'] = [['x', ['N']]];
    // an alias is no copy, and x is not the model's to free
    const model = await load({
      nodes: [['Identity', ['x'], ['a']], ...nodes, ['Identity', ['v19'], ['b']], ['Add', ['b', 'v19'], ['y']]],
      inputs,
      outputs: [['y']],
    });
    const x = randn([100_000]);
    let most = 0;
    const watching = {
      hollow: false,
      ran: () => {
        most = Math.max(most, memory().bytes);
      },
    };
    const before = memory().bytes;
    const y = observe(watching, () => noGrad(() => model.forward(x)));
    expect(most - before).toBeLessThanOrEqual(2 * 4 * 100_000 + 1024);
    expect([...y.dataSync().subarray(0, 9)]).toEqual(Array.from(x.dataSync().subarray(0, 9), (n) => 2 * Math.max(n, 0)));
  });

  test('frees what it makes on the way, and everything when disposed of', async () => {
    const model = await load(network());
    const x = randn([2, 3, 6, 6]);
    noGrad(() => model.forward(x).dispose());
    const held = memory().tensors;
    for (let i = 0; i < 3; i++) noGrad(() => model.forward(x).dispose());
    expect(memory().tensors).toBe(held);
    model.dispose();
    expect(memory().tensors).toBe(held - 8);
  });
});

describe('errors', () => {
  test('one lists every operator that is not supported, with its nodes', async () => {
    const file = onnxFile({
      nodes: [
        ['Einsum', ['x'], ['a'], { equation: 'i->i' }],
        ['Relu', ['a'], ['b']],
        ['Einsum', ['b'], ['c'], { equation: 'i->i' }],
        ['Resize', ['c', '', 's'], ['d'], { antialias: 1 }],
        ['constructor', ['d'], ['y']],
      ],
      initializers: { s: hostTensor('float32', [1], [2]) },
      inputs: [['x', [3]]],
      outputs: [['y']],
    });
    await expect(importOnnx(file)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: 'ONNX model: not supported: Einsum (Einsum_a, Einsum_c); Resize with antialias (Resize_d); constructor (constructor_y)',
    });
  });

  test('of versions that are not known', async () => {
    const row: ModelRow = { nodes: [['Relu', ['x'], ['y']]], inputs: [['x', [3]]], outputs: [['y']] };
    await expect(load({ ...row, opset: 22 })).rejects.toThrow('uses opset 22, known are 6 to 21');
    await expect(load({ ...row, opset: 5 })).rejects.toThrow('not supported: Relu of opset 5 (Relu_y)');
  });

  test('of inputs', async () => {
    const model = await load(network());
    expect([
      fault(() => model.forward()),
      fault(() => model.forward(zeros([1, 3, 6, 7]))),
      fault(() => model.forward(tensor(new Int32Array(108), [1, 3, 6, 6]))),
      fault(() => model.forward([1] as never)),
    ]).toEqual([
      { name: 'RangeError', code: 'ERR_INVALID_VALUE', message: 'OnnxModule: number of inputs is 0, expected 1: x' },
      { name: 'RangeError', code: 'ERR_SHAPE', message: 'OnnxModule: input "x" has shape [1,3,6,7], expected [N,3,6,6]' },
      { name: 'TypeError', code: 'ERR_INVALID_TYPE', message: 'OnnxModule: input "x"\'s type is "int32", expected float32' },
      { name: 'TypeError', code: 'ERR_INVALID_TYPE', message: 'OnnxModule: input "x" is [1], expected a Tensor' },
    ]);
  });

  test('name the node they come from', async () => {
    const model = await load({
      nodes: [['Softmax', ['x'], ['y'], { axis: 'last' }]],
      inputs: [['x', [2]]],
      outputs: [['y']],
    });
    expect(fault(() => model.forward(zeros([2])))).toEqual({
      name: 'ReceptiveError',
      code: 'ERR_FILE',
      message: 'ONNX model: node "Softmax_y" (Softmax): attribute axis is of kind string, expected int',
    });
    const wide = await load({
      nodes: [['Add', ['x', 'big'], ['y']]],
      initializers: { big: hostTensor('int64', [1], [2n ** 40n]) },
      inputs: [['x', [2], 'int64']],
      outputs: [['y', [2], 'int64']],
    });
    expect(fault(() => wide.forward(tensor(Int32Array.of(1, 2)))).message).toContain(
      'the value 1099511627776 of a int64 [1] does not fit int32',
    );
  });

  test('of options', async () => {
    const bytes = onnxFile(network());
    const model = await readOnnx(bytes);
    const ways: [name: string, open: (options: never) => Promise<unknown>][] = [
      ['importOnnx', (options) => importOnnx(bytes, options)],
      ['loadOnnx', (options) => loadOnnx(bytes, options)],
      ['OnnxModule', async (options) => new OnnxModule(model, options)],
    ];
    for (const [name, open] of ways) {
      await expect(open({ layout: 'nwhc' } as never)).rejects.toThrow(`${name}: layout is "nwhc", expected 'nchw' or 'nhwc'`);
      await expect(open({ Layout: 'nhwc' } as never)).rejects.toThrow(`${name}: an option name is "Layout"`);
      await expect(open({ dynamicBatch: 1 } as never)).rejects.toThrow(`${name}: dynamicBatch is 1, expected true or false`);
    }
  });

  test('of sources', async () => {
    for (const [name, open] of Object.entries({ importOnnx, loadOnnx, readOnnx })) {
      await expect(open(5 as never)).rejects.toMatchObject({
        code: 'ERR_INVALID_TYPE',
        message: `${name}: source is 5, expected a path or a Uint8Array`,
      });
    }
    await expect(importOnnx('/nowhere/model.onnx')).rejects.toMatchObject({
      code: 'ERR_FILE',
      message: expect.stringContaining('/nowhere/model.onnx'),
    });
  });
});

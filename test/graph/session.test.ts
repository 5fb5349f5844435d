import {
  compile,
  inspect,
  loadOnnx,
  manualSeed,
  memory,
  models,
  nn,
  noGrad,
  ops,
  randn,
  type Session,
  type Tensor,
  tensor,
  tidy,
  uniformLike,
  zeros,
} from '../../lib';
import { onnxOf } from '../../lib/formats/onnx/export';
import { native } from '../../lib/native';
import { distance } from '../support/agree';
import { fault } from '../support/fault';
import { settle } from '../support/memory';

beforeEach(() => manualSeed(1));

/** Running statistics as those of a trained network, so that folding them is not folding nothing. */
function trained<M extends nn.Module>(model: M, shape: number[]): M {
  model.train();
  tidy(() => void noGrad(() => model.forward(randn(shape))));
  for (const parameter of model.parameters()) {
    if (parameter.rank === 1) tidy(() => parameter.assign(ops.add(parameter, ops.mul(randn(parameter.shape), 0.2))));
  }
  return model;
}

const eager = (model: nn.Module, ...x: Tensor[]) => {
  model.eval();
  return noGrad(() => tidy(() => model.forward(...x)));
};

describe.each<[string, () => nn.Module, number[]]>([
  ['lenet5', () => models.lenet5({ classes: 10 }), [3, 28, 28, 1]],
  ['resnet18', () => models.resnet18({ classes: 10, stem: 'cifar' }), [2, 32, 32, 3]],
  ['resnet50', () => models.resnet50({ classes: 10, stem: 'cifar' }), [1, 32, 32, 3]],
  ['mobilenetV2', () => models.mobilenetV2({ classes: 10 }), [1, 64, 64, 3]],
  ['vgg11', () => models.vgg11({ classes: 10, batchNorm: true }), [1, 32, 32, 3]],
])('compile › %s', (_name, make, shape) => {
  test('gives what the model gives, at other batch sizes too', async () => {
    const model = trained(make(), [4, ...shape.slice(1)]);
    using session = await compile(model, { input: ['N', ...shape.slice(1)] });
    for (const batch of [shape[0]!, 1, 5]) {
      const x = randn([batch, ...shape.slice(1)]);
      const { output } = await session.run({ input: x });
      const expected = eager(model, x);
      expect(output!.shape).toEqual(expected.shape);
      expect(distance(await output!.data(), await expected.data())).toBeLessThan(1e-5);
    }
    const { operations, arenaBytes, valueBytes } = session.describe(shape);
    expect(operations.filter((line) => /= (batchNorm|relu|relu6|add)\(/.test(line))).toEqual([]);
    expect(arenaBytes).toBeLessThan(valueBytes);
  });
});

class Texts extends nn.Module {
  embedding = new nn.Embedding(50, 8);
  convolutions = [2, 3].map((width) => new nn.Conv1d(8, 6, width));
  head = new nn.Linear(12, 3);
  forward(tokens: Tensor): Tensor {
    const x = this.embedding.forward(tokens);
    const features = this.convolutions.map((conv) => ops.max(ops.relu(conv.forward(x)), { axis: 1 }));
    return ops.softmax(this.head.forward(ops.concat(features, 1)));
  }
}

test('compile › of token ids', async () => {
  const model = new Texts();
  using session = await compile(model, { input: { shape: [-1, 9], dtype: 'int32' } });
  const ids = Int32Array.from({ length: 36 }, (_, i) => (i * 7) % 50);
  const { output } = await session.run({ input: { data: BigInt64Array.from(ids, BigInt), shape: [4, 9] } });
  expect(distance(await output!.data(), await eager(model, tensor(ids, [4, 9])).data())).toBeLessThan(1e-6);
  await expect(session.run({ input: { data: Int32Array.of(...ids.slice(0, 8), 50), shape: [1, 9] } })).rejects.toThrow('embedding');
  await expect(session.run({ input: { data: new BigInt64Array(9).fill(2n ** 40n), shape: [1, 9] } })).rejects.toThrow(
    'run: element 0 of input "input" is 1099511627776, expected an integer from -2147483648 to 2147483647',
  );
});

class Two extends nn.Module {
  conv = new nn.Conv2d(3, 4, 3, { padding: 1 });
  norm = new nn.BatchNorm2d(4);
  forward(a: Tensor, b: Tensor): Tensor {
    const y = this.conv.forward(a);
    return ops.add(ops.mul(ops.relu(this.norm.forward(y)), b), ops.sigmoid(y)); // y is used twice: the norm cannot be folded
  }
}

test('compile › several inputs, and values used more than once', async () => {
  const model = trained2(new Two());
  using session = await compile(model, { inputs: { image: ['N', 'H', 'W', 3], scale: ['N', 'H', 'W', 4] } });
  expect(session.outputs).toEqual([{ name: 'output', dtype: 'float32', shape: [-1, -1, -1, 4] }]);
  for (const [h, w] of [
    [5, 6],
    [8, 3],
  ] as const) {
    const [a, b] = [randn([2, h, w, 3]), randn([2, h, w, 4])];
    const { output } = await session.run({ image: a, scale: b });
    expect(distance(await output!.data(), await eager(model, a, b).data())).toBeLessThan(1e-6);
  }
  await expect(session.run({ image: randn([2, 5, 5, 3]), scale: randn([1, 5, 5, 4]) })).rejects.toThrow(
    'run: input "scale" has shape [1,5,5,4], expected [N,H,W,4]',
  );
});

function trained2<M extends nn.Module>(model: M): M {
  for (const buffer of model.buffers()) tidy(() => buffer.assign(ops.add(ops.abs(randn(buffer.shape)), 0.5)));
  return model;
}

test.each<[string, (x: Tensor) => Tensor]>([
  ['its input', (x) => x],
  ['its input under another shape', (x) => ops.reshape(x, [x.size])],
  ['a constant', () => tensor([1, 2])],
  ['a computed constant', () => ops.exp(tensor([0, 1]))],
  ['what two equal operations gave', (x) => ops.add(ops.exp(x), ops.exp(x))],
  ['a sum of one thing with itself', (x) => ops.add(x, x)],
])('compile › a model that gives %s', async (_name, forward) => {
  class Odd extends nn.Module {
    forward(x: Tensor): Tensor {
      return forward(x);
    }
  }
  using session = await compile(new Odd(), { input: [2, 3] });
  const x = randn([2, 3]);
  for (let i = 0; i < 2; i++) {
    const { output } = await session.run({ input: x });
    expect(Array.from(await output!.data())).toEqual(Array.from(await tidy(() => forward(x)).data()));
  }
});

test('a session keeps the parameters it was made with', async () => {
  const model = new nn.Linear(3, 2);
  using session = await compile(model, { input: [1, 3] });
  const x = randn([1, 3]);
  const before = await eager(model, x).data();
  tidy(() => model.weight.assign(randn([2, 3])));
  expect(await (await session.run({ input: x })).output!.data()).toEqual(before);
  model.dispose();
  expect(await (await session.run({ input: x })).output!.data()).toEqual(before);
});

test('runs that overlap do not disturb each other, nor a model that trains meanwhile', async () => {
  const model = new nn.Sequential(new nn.Conv2d(2, 16, 3, { padding: 1 }), new nn.ReLU(), new nn.Conv2d(16, 3, 3));
  using a = await compile(model, { input: [-1, 9, 9, 2] });
  using b = await compile(model, { input: [-1, 9, 9, 2] });
  const inputs = Array.from({ length: 12 }, (_, i) => randn([1 + (i % 3), 9, 9, 2]));
  const runs = inputs.map((x, i) => (i % 2 ? a : b).run({ input: x }));
  const expected = inputs.map((x) => eager(model, x));
  for (const [i, run] of runs.entries()) {
    expect(distance(await (await run).output!.data(), await expected[i]!.data())).toBeLessThan(1e-5);
  }
});

test('memory is flat over runs, and freed with the session', async () => {
  const model = new nn.Sequential(new nn.Conv2d(2, 16, 3, { padding: 1 }), new nn.BatchNorm2d(16), new nn.ReLU());
  const x = randn([2, 9, 9, 2]);
  await settle();
  const start = memory();
  const session = await compile(model, { input: [-1, 9, 9, 2] });
  const once = async () => (await session.run({ input: x })).output!.dispose();
  await once();
  const after = memory();
  for (let i = 0; i < 200; i++) await once();
  expect(memory().tensors).toBe(after.tensors);
  expect(memory().bytes).toBe(after.bytes);
  session.dispose();
  session.dispose();
  expect(memory().tensors).toBe(start.tensors);
  expect(memory().bytes).toBe(start.bytes);
  await expect(session.run({ input: x })).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
});

test('plans for the shapes used last are kept', async () => {
  using session = await compile(new nn.Linear(2, 2), { input: [-1, 2] });
  for (let n = 1; n <= 20; n++) (await session.run({ input: randn([n, 2]) })).output!.dispose();
  await settle();
  const { bytes } = memory();
  for (let n = 1; n <= 20; n++) (await session.run({ input: randn([n, 2]) })).output!.dispose();
  await settle();
  expect(memory().bytes).toBeLessThanOrEqual(bytes * 1.5);
});

test('as many plans are kept as are asked for', async () => {
  const kept = async (plans: number) => {
    using session = await compile(new nn.Sequential(new nn.Linear(2, 512), new nn.Softmax(), new nn.Linear(512, 2)), {
      input: [-1, 2],
      plans,
    });
    for (let n = 1; n <= 20; n++) (await session.run({ input: randn([n, 2]) })).output!.dispose();
    return session.plans;
  };
  expect(await kept(20)).toEqual({ made: 20, kept: 20, most: 20 });
  expect(await kept(12)).toEqual({ made: 20, kept: 12, most: 12 });
  await expect(compile(new nn.ReLU(), { input: [1], plans: 0 })).rejects.toThrow('compile: plans is 0, expected a positive integer');
});

test('a session that makes plans again and again says so once', async () => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
  using session = await compile(new nn.Linear(2, 2), { input: ['N', 2], plans: 2 });
  for (let n = 0; n < 7; n++) session.describe([1 + (n % 3), 2]);
  expect(warn).not.toHaveBeenCalled();
  for (let n = 7; n < 20; n++) session.describe([1 + (n % 3), 2]);
  expect(session.plans).toEqual({ made: 20, kept: 2, most: 2 });
  expect(warn.mock.calls).toEqual([
    [
      'the session of Linear has made 8 plans for shapes of its inputs and keeps 2: pad inputs to fewer lengths and batch sizes, or let it ' +
        'keep more (the option plans)',
      { type: 'ReceptiveWarning', code: 'RECEPTIVE_PLANS' },
    ],
  ]);
  warn.mockRestore();
});

test.each([16, 64])('plans for several shapes do not mix up what they made of weights, %d channels', async (width) => {
  const model = new nn.Conv2d(16, width, 6, { stride: 2, padding: 2 });
  using session = await compile(model, { input: ['N', 'H', 'W', 16] });
  for (const size of [8, 24, 8, 40]) {
    const x = randn([1, size, size, 16]);
    const [{ output }, expected] = [await session.run({ input: x }), eager(model, x)];
    expect(distance(await output!.data(), await expected.data())).toBeLessThan(2e-5);
  }
});

test('plans for several shapes share packed weights and one piece of memory', async () => {
  const model = new nn.Sequential(new nn.Conv2d(64, 256, 1), new nn.ReLU(), new nn.Conv2d(256, 64, 1), new nn.MaxPool2d(2));
  using session = await compile(model, { input: ['N', 32, 32, 64] });
  const run = async (batch: number) => {
    const x = randn([batch, 32, 32, 64]);
    const [{ output }, expected] = [await session.run({ input: x }), eager(model, x)];
    expect(distance(await output!.data(), await expected.data())).toBeLessThan(1e-5);
    for (const tensor of [x, output!, expected]) tensor.dispose();
  };
  const trimmed = () => {
    native.trim();
    return native.settled(model.parameters()[0]!.id);
  };
  await run(4);
  const { packedBytes, arenaBytes } = session.describe([4, 32, 32, 64]);
  expect(packedBytes).toBe(2 * 64 * 256 * 4);
  await trimmed();
  const { reserved } = memory();
  for (const batch of [1, 2, 3]) await run(batch);
  await trimmed();
  expect(session.describe([2, 32, 32, 64]).packedBytes).toBe(packedBytes);
  expect(memory().reserved).toBeLessThan(reserved + packedBytes + arenaBytes / 4);
  // a larger one moves the others to where it needs more
  await run(6);
  for (const batch of [1, 6, 4, 2, 6, 1]) await run(batch);
  expect(session.plans).toEqual({ made: 5, kept: 5, most: 8 });
});

test('a session that owns its model uses its parameters where they are, and frees them', async () => {
  const model = new nn.Linear(3, 2);
  const x = randn([1, 3]);
  const expected = await eager(model, x).data();
  await settle();
  const before = memory().tensors;
  const session = await compile(model, { input: [-1, 3], owned: true });
  expect(memory().tensors).toBe(before);
  expect(await (await session.run({ input: x })).output!.data()).toEqual(expected);
  session.dispose();
  expect(model.parameters().every(({ disposed }) => disposed)).toBe(true);
});

describe('random numbers made inside of forward', () => {
  class Noisy extends nn.Module {
    constructor(readonly noise: (x: Tensor) => Tensor) {
      super();
    }
    forward(x: Tensor): Tensor {
      return ops.add(x, this.noise(x));
    }
  }

  test.each<[string, (x: Tensor) => Tensor, string]>([
    ['randn', (x) => randn(x.shape), 'randn'],
    ['uniformLike', (x) => uniformLike(x), 'uniform'],
    ['dropout', (x) => ops.dropout(x, 0.5, { training: true }), 'dropout that trains'],
    ['a new layer', (x) => new nn.Linear(2, 2).forward(x), 'an initialiser'],
  ])('%s: no session or file would draw them again', async (_name, noise, called) => {
    const model = new Noisy(noise);
    for (const [operation, made] of [
      ['compile', () => compile(model, { input: [2, 2] })],
      ['compile', () => compile(model, { input: ['N', 2] })],
      ['exportOnnx', () => onnxOf(model, { input: [2, 2] })],
    ] as const) {
      await expect(made()).rejects.toMatchObject({
        code: 'ERR_UNSUPPORTED',
        message: expect.stringContaining(`${operation}: ${called} makes random numbers inside of forward`),
      });
    }
    expect(inspect.summary(model, [2, 2]).length).toBe(1);
    expect(model.forward(randn([2, 2])).shape).toEqual([2, 2]);
  });

  test('a layer that drops in training is none', async () => {
    using session = await compile(new nn.Sequential(new nn.Dropout(0.5)).train(), { input: [2] });
    expect([...(await (await session.run({ input: tensor([1, 2]) })).output!.data())]).toEqual([1, 2]);
  });
});

describe('what weights were computed of, where a normalisation is part of them,', () => {
  const make = () =>
    trained2(new nn.Sequential(new nn.Conv2d(16, 16, 3, { padding: 1, bias: false }), new nn.BatchNorm2d(16), new nn.ReLU()));
  const shape = [1, 4, 4, 16];
  /** Bytes of all tensors of a session once it is made, without its arena's. */
  const held = async (open: () => Promise<Session>) => {
    await settle();
    const { bytes } = memory();
    const session = await open();
    await settle();
    const { arenaBytes } = session.describe(shape);
    return { session, bytes: memory().bytes - bytes - arenaBytes };
  };
  const folded = 4 * (9 * 16 * 16 + 16);

  test('goes where no other shape can come', async () => {
    const model = make();
    const { session, bytes } = await held(() => compile(model, { input: shape }));
    expect(bytes).toBe(folded);
    const x = randn(shape);
    expect(distance(await (await session.run({ input: x })).output!.data(), await eager(model, x).data())).toBeLessThan(1e-5);
    expect(fault(() => session.describe([2, 4, 4, 16]))).toMatchObject({
      message: expect.stringMatching(/^describe: .* expected \[1,4,4,16\]$/),
    });
    session.dispose();
  });

  test('goes with the model of a file whose shapes are known', async () => {
    const model = make();
    const file = await onnxOf(model, { input: shape, dynamicBatch: false });
    const { session, bytes } = await held(() => loadOnnx(file, { layout: 'nhwc' }));
    expect(bytes).toBe(folded);
    const x = randn(shape);
    const [output] = Object.values(await session.run({ input: x }));
    expect(distance(await output!.data(), await eager(model, x).data())).toBeLessThan(1e-5);
    session.dispose();
  });

  test('stays where other shapes may come, and in a model that others have', async () => {
    const model = make();
    const { session, bytes } = await held(() => compile(model, { input: ['N', 4, 4, 16] }));
    expect(bytes).toBeGreaterThan(folded + 4 * 9 * 16 * 16);
    session.dispose();
    const [first, second] = [
      await compile(model, { input: shape, owned: true }),
      await compile(model, { input: [2, 4, 4, 16], owned: true }),
    ];
    const x = randn([2, 4, 4, 16]);
    expect(distance(await (await second.run({ input: x })).output!.data(), await eager(model, x).data())).toBeLessThan(1e-5);
    first.dispose();
    second.dispose();
  });
});

describe('a signal', () => {
  const deep = () => new nn.Sequential(...Array.from({ length: 60 }, () => new nn.Conv2d(32, 32, 3, { padding: 1 })));

  test('that is aborted before stops the run at once', async () => {
    using session = await compile(new nn.ReLU(), { input: [1] });
    const reason = new Error('no more');
    await expect(session.run({ input: randn([1]) }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('stops a run between operations; others go on', async () => {
    const model = deep();
    using session = await compile(model, { input: [8, 32, 32, 32] });
    const x = randn([8, 32, 32, 32]);
    (await session.run({ input: x })).output!.dispose();
    const controller = new AbortController();
    const [first, second, third] = [
      session.run({ input: x }),
      session.run({ input: x }, { signal: controller.signal }),
      session.run({ input: x }),
    ];
    controller.abort();
    await expect(second).rejects.toMatchObject({ name: 'AbortError' });
    const [a, c] = [(await first).output!, (await third).output!];
    expect(await c.data()).toEqual(await a.data());
  });
});

describe('bad arguments', () => {
  const linear = () => new nn.Linear(3, 2);

  test.each<[string, () => Promise<unknown>, string]>([
    ['no model', () => compile({} as never, { input: [1] }), 'compile: model is'],
    ['no input', () => compile(linear(), {}), 'expected either input, or inputs by name'],
    ['a shape that is none', () => compile(linear(), { input: [1.5] }), 'compile: a length of input "input" is 1.5'],
    [
      'a type that is none',
      () => compile(linear(), { input: { shape: [1], dtype: 'half' as never } }),
      'compile: the type of input "input" is "half"',
    ],
    ['an unknown option', () => compile(linear(), { input: [1, 3], batch: 3 } as never), 'batch'],
    ['a shape the model does not take', () => compile(linear(), { input: [1, 4] }), 'linear: input has 4 features'],
  ])('compile › %s', async (_name, run, message) => {
    await expect(run()).rejects.toThrow(message);
  });

  test.each<[string, Record<string, unknown>, object, string]>([
    ['a missing input', {}, {}, 'run: input "input" is undefined, expected a Tensor, or { data, shape }'],
    ['an unknown input', { x: randn([1, 3]) }, {}, 'run: input is "x", expected one of input'],
    ['a shape that differs', { input: randn([1, 4]) }, {}, 'run: input "input" has shape [1,4], expected [1,3]'],
    ['a type that differs', { input: tensor([[1, 2, 3]], null, { dtype: 'float64' }) }, {}, 'the type of input "input" is "float64"'],
    ['data that do not fill the shape', { input: { data: new Float32Array(2), shape: [1, 3] } }, {}, '2 values do not fill shape [1,3]'],
    ['data that are no numbers', { input: { data: ['1'], shape: [1] } }, {}, 'run: the data of input "input"'],
    ['a signal that is none', { input: randn([1, 3]) }, { signal: 1 }, 'run: signal is 1, expected an AbortSignal'],
  ])('run › %s', async (_name, feeds, options, message) => {
    using session = await compile(linear(), { input: [1, 3] });
    await expect(session.run(feeds as never, options)).rejects.toThrow(message);
  });

  test('a forward function that reads values is an error that says so', async () => {
    class Reads extends nn.Module {
      forward(x: Tensor): Tensor {
        return ops.mul(x, x.dataSync()[0]!);
      }
    }
    expect(
      (await compile(new Reads(), { input: [1] }).catch((error) =>
        fault(() => {
          throw error;
        }),
      )) as object,
    ).toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });
});

test('a shape too large for memory leaves the others as they are, and a large one goes with its plan', async () => {
  const model = new nn.Sequential(new nn.Conv2d(1, 512, 1), new nn.ReLU(), new nn.Conv2d(512, 1, 1));
  using session = await compile(model, { input: ['N', 1, 1, 1], plans: 2 });
  const run = async (batch: number) => {
    using x = randn([batch, 1, 1, 1]);
    const [{ output }, expected] = [await session.run({ input: x }), eager(model, x)];
    expect(distance(await output!.data(), await expected.data())).toBeLessThan(1e-5);
    for (const each of [output!, expected]) each.dispose();
  };
  const reserved = async () => {
    native.trim();
    await native.settled(model.parameters()[0]!.id);
    return memory().reserved;
  };
  await run(16);
  using huge = zeros([2_000_000, 1, 1, 1]);
  await expect(session.run({ input: huge })).rejects.toThrow(); // an arena of 4 GB
  expect(session.plans).toEqual({ made: 1, kept: 1, most: 2 });
  for (const batch of [4, 16, 8]) await run(batch);
  const small = await reserved();
  await run(20_000); // 40 MB
  expect(await reserved()).toBeGreaterThan(small + 2e7);
  for (const batch of [5, 6]) await run(batch);
  expect(await reserved()).toBeLessThan(small + 2e6);
});

test('what an owned model makes on the way is there when its plan moves to more memory', async () => {
  const model = models.textCnn({ vocabulary: 50, classes: 3 });
  model.eval();
  const expected = async (x: Tensor) => Array.from(await noGrad(() => model.forward(x)).data());
  const batches = [1, 8, 2, 20, 1].map((n) =>
    tensor(
      Array.from({ length: n * 12 }, (_, i) => (7 * i) % 50),
      [n, 12],
      { dtype: 'int32' },
    ),
  );
  const wanted = await Promise.all(batches.map(expected));
  using session = await compile(model, { inputs: { tokens: { shape: ['N', 12], dtype: 'int32' } }, owned: true });
  for (const [i, tokens] of batches.entries()) {
    const { output } = await session.run({ tokens });
    expect(distance(await output!.data(), Float32Array.from(wanted[i]!))).toBeLessThan(1e-5);
  }
});

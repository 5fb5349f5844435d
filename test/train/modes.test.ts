import { data, losses, nn, ops, optim, randn, type Tensor, Trainer, tensor, zeros } from '../../lib';

// Which modules of a model are in which mode while it is trained.

const points: data.Dataset = {
  length: 64,
  batch: (indices) => ({ x: randn([indices.length, 2]), y: tensor(Int32Array.from(indices, (i) => i % 2)) }),
};

describe('modes', () => {
  class Frozen extends nn.BatchNorm1d {
    override train(): this {
      return super.train(false);
    }
  }

  /** Two normalisations, and what the model says of modes while it runs. */
  function normalised(second: nn.BatchNorm1d = new nn.BatchNorm1d(2)) {
    const [trunk, head] = [new nn.Sequential(new nn.BatchNorm1d(2), new nn.Dropout(0.5)), new nn.Sequential(second, new nn.Linear(2, 2))];
    const seen = new Set<string>();
    class Net extends nn.Module {
      trunk = trunk;
      head = head;
      forward(x: Tensor): Tensor {
        seen.add([this, trunk, trunk.at(0)!, trunk.at(1)!, second].map(({ training }) => Number(training)).join(''));
        return head.forward(trunk.forward(x));
      }
    }
    const model = new Net();
    const trainer = new Trainer(model, { optimizer: new optim.SGD(head.parameters(), { lr: 0.1 }), loss: losses.crossEntropy });
    const run = async () => {
      for await (const epoch of trainer.fit(new data.DataLoader(points, { batchSize: 32 }), { epochs: 1 })) expect(epoch.steps).toBe(2);
    };
    const modes = () => Array.from(model.namedModules(), ([, { training }]) => training);
    return { model, trunk, seen, run, modes, statistics: (module: nn.Module) => module.buffers().map((one) => [...one.dataSync()]) };
  }

  test('what is in inference mode inside a model that trains stays so', async () => {
    const { model, trunk, seen, run, modes, statistics } = normalised();
    trunk.eval();
    const [frozen, learning, before] = [statistics(trunk), statistics(model), modes()];
    await run();
    expect([...seen]).toEqual(['10001']);
    expect(statistics(trunk)).toEqual(frozen);
    expect(statistics(model)).not.toEqual(learning);
    expect(modes()).toEqual(before);
  });

  test('a model in inference mode trains as a whole', async () => {
    const { model, seen, run, modes } = normalised();
    model.eval();
    await run();
    expect([...seen]).toEqual(['11111']);
    expect(modes()).not.toContain(true);
  });

  test.each([true, false])('a module that says itself what it trains is asked, where training is %s', async (training) => {
    const { model, seen, run, modes } = normalised(new Frozen(2));
    if (!training) model.eval();
    const before = modes();
    await run();
    expect([...seen]).toEqual(['11110']);
    expect(modes()).toEqual(before);
  });

  /** Notes what it is told. */
  class Told extends nn.Sequential {
    readonly log: boolean[] = [];
    readonly #said: (training: boolean) => boolean;
    constructor(said: (training: boolean) => boolean, ...modules: nn.Module[]) {
      super(...modules);
      this.#said = said;
    }
    override train(training = true): this {
      this.log.push(training);
      return super.train(this.#said(training));
    }
  }
  const same = (training: boolean) => training;

  function once(model: nn.Module) {
    const seen: boolean[][] = [];
    const layers = Array.from(model.namedModules(), ([, module]) => module);
    class Net extends nn.Module {
      model = model;
      fc = new nn.Linear(2, 2);
      forward(x: Tensor): Tensor {
        seen.push(layers.map(({ training }) => training));
        return this.fc.forward(x);
      }
    }
    const net = new Net();
    const trainer = new Trainer(net, { optimizer: new optim.SGD(net.parameters(), { lr: 0.1 }), loss: losses.crossEntropy });
    const loader = new data.DataLoader(points, { batchSize: 64 });
    const run = async () => {
      for await (const epoch of trainer.fit(loader, { epochs: 1 })) expect(epoch.steps).toBe(1);
      return seen;
    };
    return { net, run, evaluate: () => trainer.evaluate(loader) };
  }

  test('a module in inference mode that one around it wakes is told so last', async () => {
    const inner = new Told(same, new nn.Dropout(0.5));
    const outer = new Told(same, inner);
    inner.eval();
    expect(await once(outer).run()).toEqual([[true, false, false]]);
    expect(inner.log.at(-1)).toBe(false);
  });

  test('what trains inside a module in inference mode that overrides train goes on to', async () => {
    const inner = new Told(same, new nn.Dropout(0.5));
    const parent = new Told(same, new nn.Dropout(0.5), inner);
    parent.eval();
    parent.at(0)!.train();
    inner.train();
    expect(await once(parent).run()).toEqual([[false, true, true, true]]);
    expect(inner.log.at(-1)).toBe(true);

    // The same where one around the parent wakes it, and it then sets all that is inside to inference mode.
    expect(await once(new Told(same, parent)).run()).toEqual([[true, false, true, true, true]]);
    expect(inner.log.at(-1)).toBe(true);
    expect(parent.log.at(-1)).toBe(false);
  });

  test('what one module says of another that overrides train, too, goes first', async () => {
    class Freezing extends nn.Sequential {
      override train(training = true): this {
        super.train(training);
        this.at(0)!.eval();
        return this;
      }
    }
    const inner = new Told(same, new nn.Dropout(0.5));
    expect(await once(new Freezing(inner, new nn.Dropout(0.5))).run()).toEqual([[true, false, false, true]]);
    expect(inner.log.at(-2)).toBe(false); // the last is that its own mode is back
    expect([inner.training, inner.log.at(-1)]).toEqual([true, true]);
  });

  test('a module that overrides train is told of the mode it had before, once a step is done', async () => {
    const module = new Told(same, new nn.Dropout(0.5));
    const { net, run, evaluate } = once(module);
    await evaluate();
    expect(module.log).toEqual([false, true]);
    net.eval();
    await run();
    expect(module.log).toEqual([false, true, false, true, false]);
  });

  test('a training goes through the model once an epoch, not at each step', async () => {
    let visits = 0;
    class Counted extends nn.Linear {
      override *namedParts() {
        visits++;
        yield* super.namedParts();
      }
    }
    const model = new Counted(2, 2);
    const trainer = new Trainer(model, { optimizer: new optim.SGD(model.parameters(), { lr: 0.1 }), loss: losses.crossEntropy });
    visits = 0;
    const loader = new data.DataLoader(points, { batchSize: 1 });
    for await (const epoch of trainer.fit(loader, { epochs: 2 })) expect(epoch.steps).toBe(64);
    expect(visits).toBe(2);
  });
});

test('a model whose parameters are all frozen may have an optimizer of something else', async () => {
  const prompt = zeros([1, 2], { requiresGrad: true });
  class Prompted extends nn.Module {
    inner = new nn.Linear(2, 2);
    forward(x: Tensor): Tensor {
      return this.inner.forward(ops.add(x, prompt));
    }
  }
  const model = new Prompted();
  const options = { optimizer: new optim.SGD([prompt], { lr: 1 }), loss: losses.crossEntropy };
  expect(() => new Trainer(model, options)).toThrow('Trainer: the optimizer holds none of what model.parameters() gives');
  for (const parameter of model.parameters()) parameter.requiresGrad = false;
  const before = model.parameters().map((parameter) => [...parameter.dataSync()]);
  const loader = new data.DataLoader(points, { batchSize: 32 });
  for await (const epoch of new Trainer(model, options).fit(loader, { epochs: 1 })) expect(epoch.steps).toBe(2);
  expect([...prompt.dataSync()]).not.toContain(0);
  expect(model.parameters().map((parameter) => [...parameter.dataSync()])).toEqual(before);
});

import { data, losses, nn, optim, randn, type Tensor, Trainer, tensor } from '../../lib';

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
});

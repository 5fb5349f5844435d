import { losses, nn, ops, optim, randn, type Tensor, tensor } from '../../lib';
import { native } from '../../lib/native';

// What bad data lead to changes nothing that outlives them, and is told: by a read, else by the next update.

type Make = (parameters: Tensor[]) => optim.Optimizer;

const makers: [string, Make][] = [
  ['SGD', (parameters) => new optim.SGD(parameters, { lr: 0.1 })],
  ['SGD with momentum', (parameters) => new optim.SGD(parameters, { lr: 0.1, momentum: 0.9 })],
  ['Adam', (parameters) => new optim.Adam(parameters, { lr: 0.1 })],
  ['AdamW', (parameters) => new optim.AdamW(parameters, { lr: 0.1 })],
  ['RMSprop', (parameters) => new optim.RMSprop(parameters, { lr: 0.1, momentum: 0.9, centered: true })],
];

const clips: [string, (parameters: Tensor[]) => void][] = [
  ['no clipping', () => {}],
  ['clipGradNorm', (parameters) => optim.clipGradNorm(parameters, 0.1).dispose()],
  ['clipGradValue', (parameters) => optim.clipGradValue(parameters, 0.1)],
];

const good = () => tensor(Int32Array.from([0, 1]));
const bad = () => tensor(Int32Array.from([0, 9]));
const failure = { code: 'ERR_KERNEL', message: expect.stringMatching(/label 9/) };

/** A linear layer, and all that its optimiser may change. */
function setUp(make: Make) {
  const layer = new nn.Linear(2, 3);
  const optimizer = make(layer.parameters());
  const x = randn([2, 2]);
  const propagate = (labels: Tensor) => losses.crossEntropy(layer.forward(x), labels).backward();
  const state = () => [...layer.parameters(), ...Object.values(optimizer.stateDict().tensors)].map((one) => [...one.dataSync()]);
  return { layer, optimizer, propagate, state };
}

/** Until the stream has come to what was queued, and nobody was told of anything. */
const settle = (layer: nn.Linear) => layer.weight.dataSync();

function thrown(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe.each(makers)('%s', (_, make) => {
  test.each(clips)('leaves parameters and its running tensors as they were, with %s', (_, clip) => {
    const { layer, optimizer, propagate, state } = setUp(make);
    const step = (labels: Tensor) => {
      propagate(labels);
      clip(layer.parameters());
      optimizer.step();
      optimizer.zeroGrad();
    };
    step(good());
    const before = state();
    step(bad());
    expect(state()).toEqual(before);
    propagate(good());
    expect(thrown(() => optimizer.step())).toMatchObject(failure);
    expect(state()).toEqual(before);
    optimizer.step(); // once told, it goes on
    const after = state();
    for (const [i, values] of after.entries()) {
      expect(values).not.toEqual(before[i]);
      expect(values.every(Number.isFinite)).toBe(true);
    }
  });

  test('its first update may be one that is left out', () => {
    const { layer, optimizer, propagate, state } = setUp(make);
    const weight = [...layer.weight.dataSync()];
    const loss = losses.crossEntropy(layer.forward(randn([2, 2])), bad());
    loss.backward();
    optimizer.step();
    optimizer.zeroGrad();
    expect(thrown(() => loss.itemSync())).toMatchObject(failure);
    expect([...layer.weight.dataSync()]).toEqual(weight);
    propagate(good());
    optimizer.step();
    expect(state().flat().every(Number.isFinite)).toBe(true);
    expect([...layer.weight.dataSync()]).not.toEqual(weight);
  });
});

describe('the failure', () => {
  const make: Make = (parameters) => new optim.Adam(parameters);

  test('comes to a loop that reads nothing', () => {
    const { optimizer, propagate } = setUp(make);
    const loop = () => {
      for (let step = 0; step < 10_000; step++) {
        propagate(bad());
        optimizer.step();
        optimizer.zeroGrad();
      }
    };
    expect(thrown(loop)).toMatchObject(failure);
  });

  test.each([
    ['before the update', true],
    ['after it', false],
  ])('is told once: a read %s is enough', async (_, first) => {
    const { layer, optimizer, propagate } = setUp(make);
    const loss = losses.crossEntropy(layer.forward(randn([2, 2])), bad());
    loss.backward();
    const reading = first ? loss.item() : null;
    optimizer.step();
    settle(layer);
    await expect(reading ?? loss.item()).rejects.toMatchObject(failure);
    optimizer.zeroGrad();
    propagate(good());
    optimizer.step();
  });

  test('does not come to another optimiser, or to who only reads the parameters', () => {
    const [one, other] = [setUp(make), setUp(make)];
    one.propagate(bad());
    one.optimizer.step();
    settle(one.layer);
    other.propagate(good());
    other.optimizer.step();
    one.layer.forward(randn([2, 2])).dataSync();
    one.optimizer.zeroGrad();
    one.propagate(good());
    expect(thrown(() => one.optimizer.step())).toMatchObject(failure);
  });

  test('is not told of memory that is another parameter’s now', () => {
    for (const fresh of [() => randn([2, 3]), () => tensor(new Float32Array(6), [2, 3])]) {
      const { layer, optimizer, propagate } = setUp(make);
      propagate(bad());
      optimizer.step();
      settle(layer);
      layer.dispose();
      const parameter = fresh();
      parameter.requiresGrad = true;
      const next = new optim.SGD([parameter], { lr: 1 });
      ops.sum(parameter).backward();
      next.step();
      parameter.dispose();
    }
  });

  test('of a step does not count as one', () => {
    const { layer, optimizer, propagate } = setUp(make);
    propagate(bad());
    optimizer.step();
    settle(layer);
    const before = optimizer.stateDict().steps;
    expect(thrown(() => optimizer.step())).toMatchObject(failure);
    expect(optimizer.stateDict().steps).toEqual(before);
  });
});

test('an index out of range leaves an embedding and what follows as they were', () => {
  const [embedding, linear] = [new nn.Embedding(4, 3), new nn.Linear(3, 2)];
  const parameters = [...embedding.parameters(), ...linear.parameters()];
  const optimizer = new optim.SGD(parameters, { lr: 0.1, momentum: 0.9 });
  const values = () => parameters.map((one) => [...one.dataSync()]);
  const before = values();
  const run = (indices: number[]) => {
    const rows = embedding.forward(tensor(Int32Array.from(indices)));
    losses.crossEntropy(linear.forward(rows), good()).backward();
    optimizer.step();
    optimizer.zeroGrad();
  };
  run([1, 7]);
  expect(values()).toEqual(before);
  expect(thrown(() => run([1, 2]))).toMatchObject({ code: 'ERR_KERNEL', message: expect.stringMatching(/index 7/) });
});

test('gradients are marked where one of two that are added up is', () => {
  for (const labels of [
    [good, bad],
    [bad, good],
  ]) {
    const { layer, optimizer, propagate, state } = setUp((parameters) => new optim.SGD(parameters, { lr: 0.1 }));
    const before = state();
    for (const make of labels) propagate(make());
    expect(thrown(() => layer.weight.grad!.dataSync())).toMatchObject(failure);
    optimizer.step();
    expect(state()).toEqual(before);
  }
});

test('parts of an output that were bad are told of, whichever comes first', () => {
  const table = randn([3, 2]);
  const wrong = () => ops.gather(table, tensor(Int32Array.from([5])));
  const right = () => ops.gather(table, tensor(Int32Array.from([1])));
  for (const parts of [
    [wrong(), right()],
    [right(), wrong()],
  ]) {
    expect(thrown(() => ops.concat(parts).dataSync())).toMatchObject({ code: 'ERR_KERNEL' });
  }
  expect(
    thrown(() =>
      ops
        .pad(wrong(), [
          [1, 1],
          [0, 0],
        ])
        .dataSync(),
    ),
  ).toMatchObject({ code: 'ERR_KERNEL' });
});

test('running statistics keep their values, and the next batch is told', () => {
  const [embedding, norm] = [new nn.Embedding(4, 3), new nn.BatchNorm1d(3)];
  const run = (indices: number[]) => norm.forward(embedding.forward(tensor(Int32Array.from(indices))));
  const statistics = () => norm.buffers().map((one) => [...one.dataSync()]);
  run([0, 1]);
  const before = statistics();
  const lost = run([0, 9]);
  expect(statistics()).toEqual(before);
  expect(thrown(() => run([0, 1]))).toMatchObject({ code: 'ERR_KERNEL', message: expect.stringMatching(/index 9/) });
  run([2, 3]);
  expect(statistics()).not.toEqual(before);
  expect(thrown(() => lost.dataSync())).toMatchObject({ code: 'ERR_KERNEL' });
});

test('a tensor that bad data were copied into is good again once it is written anew', () => {
  const layer = new nn.Linear(2, 2, { bias: false });
  const table = randn([2, 2]);
  layer.loadStateDict({ weight: ops.gather(table, tensor(Int32Array.from([0, 5]))) });
  expect(thrown(() => layer.weight.dataSync())).toMatchObject({ code: 'ERR_KERNEL' });
  layer.loadStateDict({ weight: table });
  expect([...layer.weight.dataSync()]).toEqual([...table.dataSync()]);
  layer.loadStateDict({ weight: ops.gather(table, tensor(Int32Array.from([0, 5]))) });
  nn.init.constant(layer.weight, 2);
  expect([...layer.weight.dataSync()]).toEqual([2, 2, 2, 2]);
});

afterAll(() => thrown(() => native.syncSync())); // tells what these tests left untold, so that nobody else is

test('a step that throws has updated the parameters before, and the next batch goes on', () => {
  const other = new nn.Linear(2, 3);
  const { layer, propagate } = setUp((parameters) => new optim.SGD(parameters, { lr: 0.1 }));
  const [firsts, parameters] = [other.parameters(), [...other.parameters(), ...layer.parameters()]];
  const optimizer = new optim.SGD(parameters, { lr: 0.1 });
  const values = (list: readonly Tensor[]) => list.map((one) => [...one.dataSync()]);
  propagate(bad());
  optimizer.step();
  optimizer.zeroGrad();
  const before = values(parameters);
  const run = () => {
    losses.crossEntropy(other.forward(randn([2, 2])), good()).backward();
    propagate(good());
    optimizer.step();
  };
  expect(thrown(run)).toMatchObject(failure);
  const after = values(parameters);
  for (const i of firsts.keys()) expect(after[i]).not.toEqual(before[i]);
  expect(after.slice(firsts.length)).toEqual(before.slice(firsts.length));
  optimizer.zeroGrad();
  run();
  for (const [i, one] of values(parameters).entries()) expect(one).not.toEqual(after[i]);
});

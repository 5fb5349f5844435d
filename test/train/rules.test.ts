import { data, losses, manualSeed, memory, nn, ops, optim, type Tally, type Tensor, Trainer, type TrainerOptions, tensor } from '../../lib';
import { settle } from '../support/memory';

// Early stopping, plateau and clipping in a Trainer, on scores that are written down beforehand.

const samples: data.Dataset = {
  length: 8,
  batch: (indices) => ({
    x: tensor(Float32Array.from(indices), [indices.length, 1]),
    y: tensor(Float32Array.from(indices), [indices.length, 1]),
  }),
};

/** A metric that gives these numbers, one each time it is asked for. */
const scripted = (scores: number[]): Tally<number> => ({ count: (output) => ops.sum(output), finish: () => scores.shift()! });

function setUp(scores: number[], options: Partial<TrainerOptions<Record<never, never>>> = {}, lr = 0.001) {
  manualSeed(1);
  const model = new nn.Sequential(new nn.Linear(1, 4), new nn.BatchNorm1d(4), new nn.Linear(4, 1));
  const optimizer = new optim.SGD(model.parameters(), { lr });
  const trainer = new Trainer(model, { optimizer, loss: losses.mse, metrics: { score: scripted(scores) }, ...(options as object) });
  const loader = new data.DataLoader(samples, { batchSize: 2 });
  return { model, optimizer, trainer, loader };
}

const weights = (model: nn.Module) => Object.values(model.stateDict()).map((part) => [...part.dataSync()]);

/** Trains; the weights after each epoch that was given. */
async function train({ trainer, loader, model }: ReturnType<typeof setUp>, epochs: number): Promise<number[][][]> {
  const after: number[][][] = [];
  for await (const _ of trainer.fit(loader, { epochs })) after.push(weights(model));
  return after;
}

describe('early stopping', () => {
  test.each<[string, number[], object, number, number]>([
    ['two epochs in a row without a better one end it', [0.5, 0.7, 0.6, 0.7], { patience: 2 }, 4, 2],
    ['equal is not better', [0.5, 0.5], { patience: 1 }, 2, 1],
    ['a better one in between starts the count again', [0.5, 0.4, 0.6, 0.3, 0.2], { patience: 2 }, 5, 3],
    ['low may be good', [3, 2, 2.5, 2.2], { patience: 2, mode: 'min' }, 4, 2],
    ['better by less than minDelta does not count', [1, 1.05, 1.2, 1.25, 1.29], { patience: 2, minDelta: 0.1 }, 5, 3],
    ['NaN is never better', [Number.NaN, 0.1, Number.NaN, Number.NaN], { patience: 2 }, 4, 2],
  ])('%s', async (_, scores, options, epochs, best) => {
    const made = setUp([...scores, 9, 9, 9], { earlyStopping: { metric: 'score', ...options } as never });
    const after = await train(made, 7);
    expect(after).toHaveLength(epochs);
    expect(made.trainer.best).toEqual({ epoch: best, score: scores[best - 1] });
    expect(weights(made.model)).toEqual(after[best - 1]);
  });

  test('the best weights come back, running statistics too, where the epochs end first', async () => {
    const made = setUp([1, 3, 2], { earlyStopping: { metric: 'score', patience: 5 } as never });
    const after = await train(made, 3);
    expect(weights(made.model)).toEqual(after[1]);
    expect(after[1]).not.toEqual(after[2]);
  });

  test('the last weights stay where they are to', async () => {
    const made = setUp([1, 3, 2], { earlyStopping: { metric: 'score', patience: 1, restoreBest: false } as never });
    const after = await train(made, 9);
    expect(after).toHaveLength(3);
    expect(weights(made.model)).toEqual(after[2]);
  });

  test('goes by the loss of the validation, if there is one', async () => {
    const { trainer, loader } = setUp(new Array(99).fill(0), { earlyStopping: { patience: 1 } }, 0);
    const validation = new data.DataLoader(samples, { batchSize: 8 });
    let epochs = 0;
    for await (const { validation: scores } of trainer.fit(loader, { epochs: 3, validation })) {
      epochs++;
      expect(trainer.best?.score).toBeLessThanOrEqual(scores.loss + 1e-6);
      if (epochs === 1) expect(trainer.best?.score).toBe(scores.loss);
    }
    expect(epochs).toBeGreaterThan(1);
  });

  test('leaves the weights as they are where a loop is left', async () => {
    const { trainer, loader, model } = setUp([3, 2, 1], { earlyStopping: { metric: 'score', patience: 5 } as never });
    let last: number[][] = [];
    for await (const { epoch } of trainer.fit(loader, { epochs: 3 })) {
      last = weights(model);
      if (epoch === 2) break;
    }
    expect(weights(model)).toEqual(last);
  });

  test('keeps no memory after the training', async () => {
    const made = setUp([1, 2, 3, 4], { earlyStopping: { metric: 'score', patience: 5 } as never });
    await train(made, 1);
    await settle();
    const before = memory().tensors;
    await train(made, 3);
    await settle();
    expect(memory().tensors).toBeLessThanOrEqual(before);
  });
});

describe('plateau', () => {
  const scores = [1, 2, 2, 2, 2, 3];
  const plateau = { metric: 'score', patience: 1, factor: 0.5 };

  /** The learning rates of all steps. */
  async function ratesOf(made: ReturnType<typeof setUp>, epochs: number): Promise<number[]> {
    const rates: number[] = [];
    for await (const _ of made.trainer.fit(made.loader, { epochs, onStep: () => void rates.push(made.optimizer.lr) }));
    return rates;
  }

  test('lowers the rate after epochs that bring nothing better', async () => {
    const made = setUp([...scores], { plateau: plateau as never }, 0.1);
    const seen: number[] = [];
    for await (const _ of made.trainer.fit(made.loader, { epochs: 6 })) seen.push(made.optimizer.lr);
    // read as the epoch is given, when its score has been taken in
    expect(seen).toEqual([0.1, 0.1, 0.1, 0.05, 0.05, 0.05]);
  });

  test('goes with a schedule, by multiplication', async () => {
    const used: number[] = [];
    const made = setUp([...scores], { plateau: plateau as never, schedule: (step) => 0.1 / (1 + step) });
    const loss = (output: Tensor, target: Tensor) => {
      used.push(made.optimizer.lr);
      return losses.mse(output, target);
    };
    const trainer = new Trainer(made.model, {
      optimizer: made.optimizer,
      loss,
      metrics: { score: scripted([...scores]) },
      plateau,
      schedule: (step) => 0.1 / (1 + step),
    });
    await ratesOf({ ...made, trainer } as never, 6);
    expect(used).toEqual(Array.from({ length: 24 }, (_, step) => (0.1 / (1 + step)) * (step < 16 ? 1 : 0.5)));
  });

  test('begins anew with each training', async () => {
    const made = setUp([1, 1, 1, 1], { plateau: { ...plateau, patience: 0 } as never }, 0.1);
    await ratesOf(made, 2);
    expect(made.optimizer.lr).toBe(0.05);
    await ratesOf(made, 1);
    expect(made.optimizer.lr).toBe(0.05);
  });
});

describe('clipNorm', () => {
  test('is the most a step moves the weights by, in units of the rate', async () => {
    const made = setUp([0, 0], { clipNorm: 0.01 }, 0.5);
    const before = made.model.parameters().flatMap((p) => [...p.dataSync()]);
    for await (const _ of made.trainer.fit(new data.DataLoader(samples, { batchSize: 8 }), { epochs: 1 }));
    const moved = made.model
      .parameters()
      .flatMap((p) => [...p.dataSync()])
      .map((value, i) => value - before[i]);
    expect(Math.hypot(...moved)).toBeCloseTo(0.5 * 0.01, 6);
  });

  test('of gradients that are shorter changes nothing', async () => {
    const [clipped, plain] = [setUp([0, 0], { clipNorm: 1e9 }), setUp([0, 0])];
    expect(await train(clipped, 2)).toEqual(await train(plain, 2));
  });
});

test.each<[string, object, string]>([
  ['a norm below 0', { clipNorm: -1 }, 'Trainer: clipNorm is -1, expected a number of at least 0'],
  ['early stopping without patience', { earlyStopping: {} }, 'earlyStopping: patience is undefined, expected a positive integer'],
  ['early stopping at once', { earlyStopping: { patience: 0 } }, 'earlyStopping: patience is 0'],
  ['a negative difference', { earlyStopping: { patience: 1, minDelta: -1 } }, 'earlyStopping: minDelta is -1'],
  ['a score there is not', { earlyStopping: { patience: 1, metric: 'f1' } }, 'earlyStopping: metric is "f1", expected one of loss, score'],
  ['a mode there is not', { earlyStopping: { patience: 1, mode: 'high' } }, "earlyStopping: mode is \"high\", expected 'min' or 'max'"],
  ['half a wish', { earlyStopping: { patience: 1, restoreBest: 1 } }, 'earlyStopping: restoreBest is 1, expected true or false'],
  ['an option nobody knows', { earlyStopping: { patience: 1, delta: 1 } }, 'earlyStopping: an option name is "delta"'],
  ['a plateau by a score there is not', { plateau: { metric: 'f1' } }, 'plateau: metric is "f1", expected one of loss, score'],
  ['a plateau with an option nobody knows', { plateau: { delta: 1 } }, 'plateau: an option name is "delta"'],
  ['a plateau that is none', { plateau: 3 }, 'plateau: options is 3'],
])('a Trainer refuses %s', (_, options, message) => {
  expect(() => setUp([], options)).toThrow(message);
});

test('a score that is no number is an error when it is known', async () => {
  const { trainer, loader } = setUp([[1, 2] as never], { earlyStopping: { patience: 1, metric: 'score' } as never });
  const fitting = trainer.fit(loader, { epochs: 1 }).next();
  await expect(fitting).rejects.toThrow('earlyStopping: the score of the epoch is [1,2], expected a number');
});

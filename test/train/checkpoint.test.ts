import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  data,
  losses,
  manualSeed,
  memory,
  metrics,
  nn,
  ops,
  optim,
  randn,
  randomState,
  readSafetensors,
  type Tensor,
  Trainer,
  type TrainerOptions,
  tensor,
} from '../../lib';
import { settle } from '../support/memory';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'checkpoint-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** Points of the plane, of class 1 where x·y > 0, moved by random numbers that come from where dropout's come from. */
class Noisy implements data.Dataset {
  readonly length = 52;

  batch(indices: Int32Array): data.Samples {
    const points = Array.from(indices, (i) => [((i % 8) - 3.5) / 4, (Math.floor(i / 8) - 3.5) / 4]);
    const x = tensor(points);
    return { x: ops.add(x, ops.mul(randn(x.shape), 0.1)), y: tensor(Int32Array.from(points, ([a, b]) => Number(a * b > 0))) };
  }
}

interface Made {
  readonly model: nn.Module;
  readonly trainer: Trainer<{ accuracy: typeof metrics.accuracy; confusion: typeof metrics.confusionMatrix }>;
  readonly loader: data.DataLoader;
  readonly validation: data.DataLoader;
}

type Options = Partial<TrainerOptions<Record<string, never>>> & { make?: (parameters: Tensor[]) => optim.Optimizer; shift?: number };

/** Everything a training may have that a checkpoint must hold: dropout, running statistics, momentum, a plateau, tallies, patience. */
function setUp({ make = (p) => new optim.SGD(p, { lr: 0.2, momentum: 0.9 }), shift = 0, ...options }: Options = {}): Made {
  manualSeed(7);
  randn([1 + shift]); // another process may have drawn other numbers before
  const model = new nn.Sequential(new nn.Linear(2, 16), new nn.BatchNorm1d(16), new nn.ReLU(), new nn.Dropout(0.2), new nn.Linear(16, 2));
  const trainer = new Trainer(model, {
    optimizer: make(model.parameters()),
    loss: losses.crossEntropy,
    metrics: { accuracy: metrics.accuracy, confusion: metrics.confusionMatrix },
    plateau: { factor: 0.8, patience: 0, threshold: 0.3 }, // lowers the rate after most epochs
    earlyStopping: { patience: 100 },
    clipNorm: 1,
    ...options,
  } as never) as Made['trainer'];
  const loader = new data.DataLoader(new Noisy(), { batchSize: 8, shuffle: true, seed: 3 });
  const validation = new data.DataLoader(new Noisy(), { batchSize: 20, shuffle: true, seed: 4 });
  return { model, trainer, loader, validation };
}

const bits = (model: nn.Module) => Object.values(model.stateDict()).map((part) => Buffer.from(part.dataSync().buffer).toString('hex'));

/** What an epoch came to, without the time it took. */
type Told = Record<string, unknown>;
const told = ({ seconds: _, imagesPerSecond: __, ...rest }: Record<string, unknown>): Told => rest;

const epochs = 4;
const stepsAnEpoch = 7;

/** Trains to the end. */
async function finish({ trainer, loader, validation }: Made, resume = false): Promise<Told[]> {
  const list: Told[] = [];
  for await (const epoch of trainer.fit(loader, { epochs, validation, resume })) list.push(told(epoch));
  return list;
}

/** Trains for some steps, and leaves what a killed process would: checkpoints up to there. */
async function stop({ trainer, loader, validation }: Made, after: number, resume = false): Promise<void> {
  const controller = new AbortController();
  let steps = 0;
  const onStep = () => {
    if (++steps === after) controller.abort(new Error('enough'));
  };
  const run = async () => {
    for await (const _ of trainer.fit(loader, { epochs, validation, resume, onStep, signal: controller.signal }));
  };
  await expect(run()).rejects.toThrow('enough');
}

const files = async () => (await readdir(dir)).sort();

describe('resuming', () => {
  const kinds: [string, Options][] = [
    ['SGD with momentum', {}],
    ['Adam and a schedule', { make: (p) => new optim.Adam(p, { lr: 0.01 }), schedule: optim.warmUp(optim.cosine(0.01), { steps: 5 }) }],
    [
      'RMSprop in groups',
      { make: ([a, ...rest]) => new optim.RMSprop([{ params: [a], lr: 0.002, centered: true }, { params: rest }], { momentum: 0.5 }) },
    ],
  ];
  test.each(kinds)('%s: from any step the rest is the same, to the bit', async (_, options) => {
    const whole = setUp(options);
    const expected = { told: await finish(whole), bits: bits(whole.model), best: whole.trainer.best, random: randomState() };

    // after the first step, in the middle, before and after the end of an epoch, in the last
    for (const [i, after] of [1, 3, stepsAnEpoch - 1, stepsAnEpoch, stepsAnEpoch + 1, 3 * stepsAnEpoch + 2].entries()) {
      const checkpoint = { dir: join(dir, String(i)), every: 1 };
      await stop(setUp({ ...options, checkpoint }), after);
      // The newest is of the abort. Those before it were written while the training went on, as a killed one's are.
      if (i % 3 > 0) await rm(join(checkpoint.dir, (await readdir(checkpoint.dir)).sort().at(-1)!));
      const rest = setUp({ ...options, checkpoint, shift: 1000 });
      const list = await finish(rest, true);
      expect(list).toEqual(expected.told.slice(epochs - list.length));
      expect(list.length).toBeGreaterThanOrEqual(epochs - Math.ceil((after + 1) / stepsAnEpoch));
      expect(bits(rest.model)).toEqual(expected.bits);
      expect(rest.trainer.best).toEqual(expected.best);
      expect(randomState()).toEqual(expected.random);
    }
  });

  test('again and again comes to the same bits as once', async () => {
    const whole = setUp();
    const expected = await finish(whole);
    const checkpoint = { dir, every: 2 };
    await stop(setUp({ checkpoint }), 2);
    for (const after of [1, 4, 2, 5]) await stop(setUp({ checkpoint, shift: after }), after, true);
    const rest = setUp({ checkpoint });
    const list = await finish(rest, true);
    expect(list).toEqual(expected.slice(epochs - list.length));
    expect(bits(rest.model)).toEqual(bits(whole.model));
  });

  test('a finished training gives no epoch, and the weights it ended with', async () => {
    const whole = setUp({ checkpoint: { dir } });
    await finish(whole);
    const again = setUp({ checkpoint: { dir } });
    expect(await finish(again, true)).toEqual([]);
    expect(bits(again.model)).toEqual(bits(whole.model));
  });

  test('goes on from nothing where there is nothing', async () => {
    const [plain, made] = [setUp(), setUp({ checkpoint: { dir: join(dir, 'new', 'folder') } })];
    const expected = await finish(plain);
    manualSeed(7);
    expect(await finish(setUp({ checkpoint: { dir: join(dir, 'new', 'folder') } }), true)).toEqual(expected);
    expect(made.trainer.best).toBeNull();
  });

  test('adopts the seed of a loader that drew its own', async () => {
    const once = async (seed: number | undefined, resume: boolean, after?: number) => {
      const made = setUp({ checkpoint: { dir, every: 1 } });
      const loader = new data.DataLoader(new Noisy(), { batchSize: 8, shuffle: true, seed });
      if (after) await stop({ ...made, loader }, after, resume);
      else await finish({ ...made, loader }, resume);
      return { loader, bits: bits(made.model) };
    };
    const { loader } = await once(undefined, false, 3);
    const rest = await once(99, true);
    expect(rest.loader.seed).toBe(loader.seed);
    await rm(dir, { recursive: true });
    expect((await once(undefined, false)).bits).toEqual(rest.bits);
  });

  test('batches that cannot be set to a place are gone through', async () => {
    const list = Array.from({ length: 6 }, (_, i) => i);
    class Plain implements AsyncIterable<data.Samples> {
      given = 0;
      async *[Symbol.asyncIterator]() {
        for (const i of list) {
          this.given++;
          yield new Noisy().batch(Int32Array.of(i, i + 9, i + 18));
        }
      }
    }
    const run = async (trainer: Trainer<never>, resume: boolean, after = Infinity) => {
      const loader = new Plain();
      const controller = new AbortController();
      let steps = 0;
      const onStep = () => void (++steps === after && controller.abort('enough'));
      try {
        for await (const _ of trainer.fit(loader, { epochs: 2, resume, onStep, signal: controller.signal }));
      } catch (error) {
        if (error !== 'enough') throw error;
      }
      return { steps, given: loader.given };
    };
    const whole = setUp();
    await run(whole.trainer as never, false);
    const checkpoint = { dir, every: 1 };
    await run(setUp({ checkpoint }).trainer as never, false, 7);
    const rest = setUp({ checkpoint });
    expect(await run(rest.trainer as never, true)).toEqual({ steps: 4, given: 6 });
    expect(bits(rest.model)).toEqual(bits(whole.model));
  });

  test('of fewer epochs than were trained changes nothing but the weights', async () => {
    const checkpoint = { dir };
    await finish(setUp({ checkpoint }));
    const { trainer, loader } = setUp({ checkpoint });
    const after: unknown[] = [];
    for await (const epoch of trainer.fit(loader, { epochs: 2, resume: true })) after.push(epoch);
    expect(after).toEqual([]);
  });

  test('keeps no memory', async () => {
    const checkpoint = { dir, every: 2 };
    await stop(setUp({ checkpoint }), 9);
    const made = setUp({ checkpoint });
    await finish(made, true);
    await settle();
    const before = memory().tensors;
    expect(await finish(made, true)).toEqual([]);
    expect(memory().tensors).toBeLessThanOrEqual(before);
  });
});

describe('files', () => {
  const name = (updates: number) => `checkpoint-${String(updates).padStart(9, '0')}.safetensors`;

  test('one every so many steps and at the end of each epoch; the newest are kept', async () => {
    const written: string[][] = [];
    const { trainer, loader } = setUp({ checkpoint: { dir, every: 3, keep: 4 } });
    for await (const _ of trainer.fit(loader, { epochs: 2 })) written.push(await files());
    expect(await files()).toEqual([7, 9, 12, 14].map(name));
    expect(written).toHaveLength(2);
  });

  test('at the end of each epoch only, three of them, by default', async () => {
    await finish(setUp({ checkpoint: { dir } }));
    expect(await files()).toEqual([14, 21, 28].map(name));
  });

  test('an abort leaves one of the last step; one before the first step leaves none', async () => {
    await stop(setUp({ checkpoint: { dir } }), 4);
    expect(await files()).toEqual([name(5)]); // the fifth was running
    const other = setUp({ checkpoint: { dir: join(dir, 'other') } });
    const aborted = other.trainer.fit(other.loader, { epochs: 1, signal: AbortSignal.abort() });
    await expect(aborted.next()).rejects.toMatchObject({ name: 'AbortError' });
    expect(await readdir(join(dir, 'other'))).toEqual([]);
  });

  test('hold a safetensors file each, of weights, optimiser, best weights and counts', async () => {
    await stop(setUp({ checkpoint: { dir } }), 9);
    const { tensors, metadata } = await readSafetensors(join(dir, name(10)));
    const kinds = [...new Set(Object.keys(tensors).map((key) => key.split('.')[0]))].sort();
    expect(kinds).toEqual(['best', 'model', 'optimizer', 'total']);
    expect(JSON.parse(metadata['receptive.checkpoint'])).toMatchObject({ version: 1, epoch: 2, totals: { steps: 3, samples: 24 } });
  });

  test('what a killed process had begun is removed, other files are not', async () => {
    await writeFile(join(dir, `${name(3)}.123.abc.tmp`), 'half');
    await writeFile(join(dir, 'notes.tmp'), 'mine');
    await finish(setUp({ checkpoint: { dir, keep: 1 } }));
    expect(await files()).toEqual([name(28), 'notes.tmp']);
  });

  test('of an earlier training are neither mixed with a new one nor removed', async () => {
    await finish(setUp({ checkpoint: { dir } }));
    const before = await files();
    await expect(finish(setUp({ checkpoint: { dir } }))).rejects.toMatchObject({
      code: 'ERR_FILE',
      message: expect.stringContaining(`${dir}: holds checkpoints of an earlier training, such as ${name(28)}`),
    });
    expect(await files()).toEqual(before);
  });
});

describe('a checkpoint that cannot be read', () => {
  const warnings: string[] = [];
  beforeEach(() => {
    warnings.length = 0;
    jest.spyOn(process, 'emitWarning').mockImplementation((message) => void warnings.push(String(message)));
  });
  afterEach(() => jest.restoreAllMocks());

  test.each<[string, (path: string) => Promise<void>, RegExp]>([
    ['truncated', async (path) => writeFile(path, (await readFile(path)).subarray(0, 1000)), /bytes/],
    ['empty', (path) => writeFile(path, ''), /has 0 bytes/],
    [
      'not a checkpoint',
      async (path) => writeFile(path, Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{}')])),
      /is no checkpoint/,
    ],
  ])('%s: the one before is taken, with a warning', async (_, damage, fault) => {
    const whole = setUp();
    await finish(whole);
    await stop(setUp({ checkpoint: { dir, every: 2 } }), 9);
    const newest = join(dir, (await files()).at(-1)!);
    await damage(newest);
    const rest = setUp({ checkpoint: { dir, every: 2 } });
    await finish(rest, true);
    expect(warnings).toEqual([expect.stringMatching(fault)]);
    expect(warnings[0]).toContain(newest);
    expect(bits(rest.model)).toEqual(bits(whole.model));
  });

  test('where none can be read the training does not begin anew', async () => {
    await finish(setUp({ checkpoint: { dir } }));
    for (const file of await files()) await writeFile(join(dir, file), 'nonsense');
    await expect(finish(setUp({ checkpoint: { dir } }), true)).rejects.toThrow(`${dir}: none of 3 checkpoints can be read`);
    expect(warnings).toHaveLength(3);
  });

  test.each<[string, (made: Made) => Made, RegExp]>([
    ['model', (made) => ({ ...made, ...other(made) }), /is not of this training: loadStateDict: the state does not fit the model/],
    [
      'number of batches',
      (made) => ({ ...made, loader: new data.DataLoader(new Noisy(), { batchSize: 10 }) }),
      /is not of this training: DataLoader.restore: length is 7, expected 6/,
    ],
  ])('of another %s is an error, not passed over', async (_, change, message) => {
    await stop(setUp({ checkpoint: { dir } }), 9);
    await expect(finish(change(setUp({ checkpoint: { dir } })), true)).rejects.toMatchObject({
      code: 'ERR_FILE',
      message: expect.stringMatching(message),
    });
    expect(warnings).toEqual([]);
  });

  function other({ trainer }: Made): Pick<Made, 'trainer' | 'model'> {
    const model = new nn.Linear(2, 2);
    const optimizer = new optim.SGD(model.parameters(), { lr: 1 });
    expect(trainer.optimizer).not.toBe(optimizer);
    return { model, trainer: new Trainer(model, { optimizer, loss: losses.crossEntropy, checkpoint: { dir } }) as never };
  }

  test('of another optimiser, or other metrics, is an error', async () => {
    await stop(setUp({ checkpoint: { dir } }), 9);
    const adam = setUp({ checkpoint: { dir }, make: (p) => new optim.Adam(p) });
    await expect(finish(adam, true)).rejects.toThrow('is not of this training: Adam.loadStateDict: a tensor name is "velocity.0"');
    const counting = setUp({ checkpoint: { dir }, metrics: { accuracy: metrics.accuracy } as never });
    await expect(finish(counting, true)).rejects.toThrow('the metrics are accuracy, confusion, loss, expected accuracy, loss');
  });
});

describe('a checkpoint that cannot be written', () => {
  test('ends the training with an error that names it; the ones before stay', async () => {
    const { trainer, loader } = setUp({ checkpoint: { dir, every: 2 } });
    const moved = `${dir}-moved`;
    const training = (async () => {
      for await (const { epoch } of trainer.fit(loader, { epochs: 3 })) if (epoch === 1) await rename(dir, moved);
    })();
    try {
      await expect(training).rejects.toMatchObject({ code: 'ERR_FILE', message: expect.stringContaining('ENOENT') });
      for (const file of await readdir(moved)) await readSafetensors(join(moved, file));
      expect((await readdir(moved)).length).toBeGreaterThan(0);
    } finally {
      await rm(moved, { recursive: true });
    }
  });

  test.each<[string, object, string]>([
    ['no folder', {}, 'checkpoint: dir is undefined, expected the path of a folder'],
    ['every 0 steps', { dir: 'x', every: 0 }, 'checkpoint: every is 0, expected a positive integer'],
    ['none kept', { dir: 'x', keep: 0 }, 'checkpoint: keep is 0, expected a positive integer'],
    ['an option nobody knows', { dir: 'x', each: 1 }, 'checkpoint: an option name is "each"'],
  ])('refuses %s', (_, checkpoint, message) => {
    expect(() => setUp({ checkpoint: checkpoint as never })).toThrow(message);
  });

  test('resume needs to know from where', async () => {
    await expect(finish(setUp(), true)).rejects.toThrow('fit: resume is true, expected false, since the Trainer has no checkpoint option');
    const { trainer, loader } = setUp({ checkpoint: { dir } });
    await expect(trainer.fit(loader, { epochs: 1, resume: 'yes' as never }).next()).rejects.toThrow(
      'fit: resume is "yes", expected true or false',
    );
  });

  test('a folder that is a file is an error', async () => {
    await writeFile(join(dir, 'file'), '');
    await expect(finish(setUp({ checkpoint: { dir: join(dir, 'file') } }))).rejects.toMatchObject({ code: 'ERR_FILE' });
  });
});

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSafetensors, save } from '../../lib';
import { randomNumbers } from '../support/data';
import { png } from '../support/png';
import { events, type Run, receptive, writeDigits } from './support';

// The built commands on a folder of 3 x 20 images, each of one colour with noise, and on files of Fashion-MNIST's format.

const colours = { blue: [40, 60, 200], green: [50, 190, 40], red: [210, 50, 60] } as const;
let dir: string;

function writeColours(folder: string, each: number, seed: number): void {
  const next = randomNumbers(seed);
  for (const [name, colour] of Object.entries(colours)) {
    mkdirSync(join(folder, name), { recursive: true });
    for (let i = 0; i < each; i++) {
      const samples = Array.from({ length: 12 * 12 * 3 }, (_, k) => Math.floor(colour[k % 3] + 40 * (next() - 0.5)));
      writeFileSync(join(folder, name, `${i}.png`), png({ width: 12, height: 12, type: 2, depth: 8, samples }));
    }
  }
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'receptive-images-'));
  writeColours(join(dir, 'colours'), 20, 1);
  writeColours(join(dir, 'others'), 4, 2);
  writeDigits(join(dir, 'clothes'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('images', () => {
  const train = (...more: string[]) => {
    const fixed = ['--size', '8', '--batch-size', '8', '--epochs', '6', '--lr', '0.02', '--json'];
    return receptive(['train', 'images', '--data', join(dir, 'colours'), ...fixed, ...more]);
  };

  test('a folder becomes a model that evaluate and predict agree with', async () => {
    const out = join(dir, 'colours.safetensors');
    const trained = await train('--out', out, '--augment', 'crop,flip,rotate,colour,cutout,mixup');
    expect(trained.stderr).toBe('');
    const [start, ...rest] = events(trained);
    expect(start).toMatchObject({ arch: 'smallVgg', images: { training: 45, validation: 3, test: 12 } });
    expect(rest.at(-1)).toMatchObject({ event: 'done', accuracy: 1, images: 12 });

    const evaluate = async (...args: string[]) => events(await receptive(['evaluate', out, ...args, '--json']))[0];
    const heldOut = await evaluate('--data', join(dir, 'colours'), '--held-out');
    expect(heldOut).toMatchObject({ accuracy: 1, images: 12 });
    expect(heldOut.loss).toBeCloseTo(rest.at(-1).loss, 6);
    expect(await evaluate('--data', join(dir, 'others'))).toMatchObject({ accuracy: 1, images: 12 });
    expect(await evaluate('--data', join(dir, 'colours'), '--no-cache')).toMatchObject({ images: 60 });

    const files = ['red', 'green', 'blue'].map((name) => join(dir, 'others', name, '3.png'));
    const seen = events(await receptive(['predict', out, ...files, '--json']));
    expect(seen.map(({ file, predicted }) => [file, predicted])).toEqual(files.map((file, i) => [file, ['red', 'green', 'blue'][i]]));
    for (const { probabilities } of seen) {
      const shares: number[] = probabilities.map(({ probability }: { probability: number }) => probability);
      expect(probabilities.map(({ label }: { label: string }) => label).sort()).toEqual(['blue', 'green', 'red']);
      expect(shares).toEqual(shares.toSorted((a, b) => b - a));
      expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    }
    const { stdout } = await receptive(['predict', out, files[0]]);
    expect(stdout).toMatch(/3\.png\n *\d+\.\d % red/);
  });

  test('--patience ends a training at its best epoch, also one that was killed on the way', async () => {
    const [whole, parts] = ['patient', 'killed'].map((name) => join(dir, `${name}.safetensors`));
    const patient = [
      '--data',
      join(dir, 'colours'),
      '--size',
      '8',
      '--batch-size',
      '8',
      '--epochs',
      '60',
      '--patience',
      '3',
      '--lr',
      '0.002',
      '--json',
    ];
    const run = (out: string, more: string[], onLine?: Run['onLine']) =>
      receptive(['train', 'images', ...patient, '--out', out, ...more], { onLine });
    const expected = events(await run(whole, []));
    const epochs = expected.filter(({ event }) => event === 'epoch');
    const { epoch: best } = expected.at(-1);
    expect(epochs).toHaveLength(best + 3);
    expect(epochs.length).toBeLessThan(60);
    for (const { epoch, validation } of epochs) {
      if (epoch < best) expect(validation.accuracy).toBeLessThan(epochs[best - 1].validation.accuracy);
      else expect(validation.accuracy).toBeLessThanOrEqual(epochs[best - 1].validation.accuracy);
    }

    const checkpoints = ['--checkpoint-dir', join(dir, 'patience'), '--checkpoint-every', '2', '--resume'];
    await run(parts, checkpoints, (line, kill) => {
      const { event, epoch } = JSON.parse(line);
      if (event === 'epoch' && epoch === 3) kill('SIGKILL');
    });
    const rest = events(await run(parts, checkpoints));
    const { seconds: _, out: __, ...done } = expected.at(-1);
    expect(rest.at(-1)).toMatchObject(done);
    expect(rest.filter(({ event }) => event === 'epoch').length).toBeLessThan(epochs.length);
    expect(readFileSync(parts).equals(readFileSync(whole))).toBe(true);
  });

  test.each(['lenet5', 'resnet18', 'mobilenetV2'])('the network may be %s, and the tests in a folder of their own', async (arch) => {
    const out = join(dir, `${arch}.safetensors`);
    const result = await train(
      '--out',
      out,
      '--arch',
      arch,
      '--size',
      '12',
      '--epochs',
      '1',
      '--test-data',
      join(dir, 'others'),
      '--no-cache',
    );
    expect(result.stderr).toBe('');
    expect(events(result)[0]).toMatchObject({ images: { training: 54, validation: 6, test: 12 } });
    const { architecture, heldOut, images } = JSON.parse((await readSafetensors(out)).metadata.receptive);
    expect([architecture, heldOut, images.size]).toEqual([arch, null, 12]);
    const { stderr } = await receptive(['evaluate', out, '--data', join(dir, 'colours'), '--held-out']);
    expect(stderr).toContain('its training held nothing out of its data');
  });

  test('damaged files end the training, or are left out and named', async () => {
    const data = join(dir, 'damaged');
    writeColours(data, 10, 3);
    const bad = join(data, 'red', '3.png');
    writeFileSync(bad, 'no image');
    const args = ['train', 'images', '--data', data, '--size', '8', '--epochs', '1', '--out', join(dir, 'damaged.safetensors')];
    const ended = await receptive(args);
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining(`${bad}: cannot be decoded: `)]);
    const went = await receptive([...args, '--skip-damaged']);
    expect([went.code, went.stderr]).toEqual([0, expect.stringContaining(`left out ${bad}: cannot be decoded: `)]);
    expect(went.stdout).toContain('24 training and 5 test images');
  });

  const cases: [name: string, args: () => string[], message: RegExp][] = [
    ['no folder', () => ['train', 'images'], /no images: give the folder that holds a folder for each class with --data DIR/],
    [
      'one class',
      () => ['train', 'images', '--data', join(dir, 'single')],
      /all its images are of class red, expected two classes or more/,
    ],
    ['too few images', () => ['train', 'images', '--data', join(dir, 'few')], /its 6 images leave none to test on/],
    ['augmentation nobody knows', () => ['train', 'images', '--augment', 'flip,warp'], /--augment.*Expected none, or some of crop, flip/],
    ['a share that is none', () => ['train', 'images', '--test-fraction', '1'], /--test-fraction.*Expected a number from 0 to/],
    ['nothing to predict', () => ['predict', join(dir, 'colours.safetensors')], /what follows the model is \[\], expected image files/],
    ['a file that is missing', () => ['predict', join(dir, 'colours.safetensors'), join(dir, 'none.png')], /none\.png: ENOENT/],
    ['a model that does not say enough', () => ['predict', join(dir, 'bare.safetensors'), 'x.png'], /does not say how its images are read/],
  ];
  test.each(cases)('%s is one line, and exit code 1', async (_, args, message) => {
    const image = png({ width: 1, height: 1, type: 0, depth: 8, samples: [0] });
    for (const [folder, count] of [
      ['single/red', 6],
      ['few/red', 3],
      ['few/green', 3],
    ] as const) {
      mkdirSync(join(dir, folder), { recursive: true });
      for (let i = 0; i < count; i++) writeFileSync(join(dir, folder, `${i}.png`), image);
    }
    const weights = (await readSafetensors(join(dir, 'colours.safetensors'))).tensors;
    const described = { task: 'images', architecture: 'smallVgg', options: { classes: 3 }, labels: ['a', 'b', 'c'] };
    await save(join(dir, 'bare.safetensors'), weights, { metadata: { receptive: JSON.stringify(described) } });
    const { code, stderr } = await receptive([...args(), '--json']);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(code).toBe(1);
  });
});

describe('fashion', () => {
  test('trains on files in MNIST’s format with names of its own, and recognises files too', async () => {
    const out = join(dir, 'fashion.safetensors');
    const args = ['--data', join(dir, 'clothes'), '--json'];
    const trained = events(await receptive(['train', 'fashion', ...args, '--epochs', '1', '--batch-size', '20', '--out', out]));
    expect(trained[0]).toMatchObject({ arch: 'smallVgg', parameters: 278890, schedule: 'one-cycle' });
    const [measured] = events(await receptive(['evaluate', out, ...args]));
    expect(measured).toMatchObject({ accuracy: trained.at(-1).accuracy, images: 100 });
    const seen = events(await receptive(['predict', out, ...args, '--start', '8', '--count', '2']));
    expect(seen.map(({ index, label }) => [index, label])).toEqual([
      [8, 'Bag'],
      [9, 'Ankle boot'],
    ]);
    const [file] = events(await receptive(['predict', out, join(dir, 'colours', 'red', '0.png'), '--json']));
    expect(file.probabilities.map(({ label }: { label: string }) => label)).toContain('T-shirt/top');
  });

  test('without augmentation trains on other images', async () => {
    const losses = [[], ['--no-augment']].map(async (more) => {
      const args = [
        '--data',
        join(dir, 'clothes'),
        '--arch',
        'mlp',
        '--epochs',
        '1',
        '--out',
        join(dir, `mlp${more}.safetensors`),
        '--json',
      ];
      return events(await receptive(['train', 'fashion', ...args, ...more])).at(-1).loss;
    });
    const [augmented, plain] = await Promise.all(losses);
    expect(augmented).not.toBe(plain);
  });

  test('says where the files come from', async () => {
    const { code, stdout, stderr } = await receptive(['train', 'fashion', '--epochs', '1', '--data', join(dir, 'none')]);
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringMatching(/none: ENOENT/)]);
    if (existsSync('/usr/share/datasets/fashion-mnist')) return;
    expect((await receptive(['evaluate', join(dir, 'fashion.safetensors')])).stderr).toContain('apt-get install dataset-fashion-mnist');
  });
});

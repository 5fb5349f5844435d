import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { data, losses, manualSeed, metrics, models, optim, Trainer } from '../../lib';
import { temporaryDirectory } from '../packaging/support';

// Some 1,900 transparent PNGs of 64x64 in ten categories: those of the npm package emoji-datasource-google@16, in the folder RECEPTIVE_EMOJI
// names. It takes 80 MB, so it is not among the development dependencies, and without it this is skipped.

const source = process.env.RECEPTIVE_EMOJI ?? '';

interface Emoji {
  readonly image: string;
  readonly category: string;
  readonly has_img_google: boolean;
}

(existsSync(join(source, 'emoji.json')) ? describe : describe.skip)('emoji', () => {
  const dir = join(temporaryDirectory(), 'emoji');
  const emoji = () => (require(join(source, 'emoji.json')) as Emoji[]).filter(({ has_img_google: drawn }) => drawn);

  beforeAll(() => {
    for (const { image, category } of emoji()) {
      mkdirSync(join(dir, category), { recursive: true });
      symlinkSync(join(source, 'img', 'google', '64', image), join(dir, category, image));
    }
  });

  test('all are read, the same cached or not, over any background', async () => {
    const options = { dir, size: 32, background: [255, 255, 255] } as const;
    const [lazy, cached] = await Promise.all([data.imageFolder(options), data.imageFolder({ ...options, cache: true, onError: 'skip' })]);
    expect([lazy.length, cached.length, cached.skipped]).toEqual([emoji().length, emoji().length, []]);
    expect(lazy.classes).toEqual(readdirSync(dir).sort());
    const some = Int32Array.from({ length: 200 }, (_, i) => (i * 7919) % lazy.length);
    const [a, b] = [await lazy.pixels(some), cached.pixels(some) as data.Samples];
    expect([...a.x.dataSync()]).toEqual([...b.x.dataSync()]);
    const corners = Array.from(a.x.dataSync()).filter((_, k) => k % (32 * 32 * 3) < 3);
    expect(corners.filter((v) => v === 255).length).toBeGreaterThan(400); // flags alone reach the corners
  });

  test('faces, flags and food can be told apart', async () => {
    manualSeed(1);
    const set = await data.imageFolder({ dir, size: 32, classes: ['Smileys & Emotion', 'Flags', 'Food & Drink'], cache: true });
    const { train, test: held } = set.split(0.25, 1);
    const model = models.smallVgg({ classes: 3, stages: [[16], [32], [64]] });
    const trainer = new Trainer(model, {
      optimizer: new optim.Adam(model.parameters(), { lr: 0.003 }),
      loss: losses.crossEntropy,
      metrics: { accuracy: metrics.accuracy },
      schedule: optim.cosine(0.003),
    });
    const batches = new data.DataLoader(train, { batchSize: 32, shuffle: true, seed: 1, augment: { flip: true, crop: { padding: 3 } } });
    let accuracy = 0;
    for await (const epoch of trainer.fit(batches, { epochs: 10, validation: new data.DataLoader(held, { batchSize: 100 }) })) {
      accuracy = epoch.validation.accuracy;
    }
    expect(accuracy).toBeGreaterThan(0.9);
  });
});

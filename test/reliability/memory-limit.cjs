'use strict';
// Takes memory until there is no more, and works on. Run by faults.test.ts under `ulimit -v`.
const { losses, manualSeed, memory, models, noGrad, ones, ops, optim, randn, tensor } = require('../..');

const caught = (call) => {
  try {
    call();
  } catch (error) {
    return { name: error.constructor.name, code: error.code };
  }
  return 'nothing was thrown';
};

async function main() {
  manualSeed(1);
  const model = models.lenet5();
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01 });
  const x = randn([16, 28, 28, 1]);
  const labels = tensor(new Int32Array(16), [16]);
  const step = () => {
    const loss = losses.crossEntropy(model.forward(x), labels);
    optimizer.zeroGrad();
    loss.backward();
    optimizer.step();
    return loss.itemSync();
  };
  const before = step();

  const kept = [];
  const size = [16, 1024, 1024]; // 64 MiB
  const full = caught(() => {
    for (;;) kept.push(ones(size));
  });
  const result = caught(() => noGrad(() => ops.mul(kept[0], kept[0])));
  const copy = caught(() => kept[0].dataSync());
  const promised = await kept[0].data().then(
    () => 'was resolved',
    (error) => ({ name: error.constructor.name, code: error.code }),
  );
  const untouched = ops.max(kept[0]).itemSync();
  const count = kept.length;
  for (const t of kept) t.dispose();

  const after = step();
  const again = ones(size);
  const sum = ops.sum(again).itemSync();
  again.dispose();
  console.log(
    JSON.stringify({ count, full, result, copy, promised, untouched, learned: after < before, sum, bytes: memory().bytes < 2e6 }),
  );
}

main();

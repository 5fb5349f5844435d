'use strict';
// Ends in the middle of work: the first argument says how, the second of what. It says "busy" when there is much to do. Run by faults.test.ts.
const { setTimeout: sleep } = require('node:timers/promises');
const { compile, losses, models, ops, optim, randn, tensor } = require('../..');

const [how, what] = process.argv.slice(2);

/** Work without an end; each calls `busy` when it is under way. */
const works = {
  async operations(busy) {
    const x = randn([256, 256]);
    for (let i = 0; ; ++i) {
      for (let j = 0; j < 50; ++j) ops.matmul(x, x).dispose();
      if (i === 5) busy();
      await sleep(0);
    }
  },
  async training(busy) {
    const model = models.lenet5();
    const optimizer = new optim.Adam(model.parameters());
    const x = randn([64, 28, 28, 1]);
    const labels = tensor(new Int32Array(64), [64]);
    for (let i = 0; ; ++i) {
      const loss = losses.crossEntropy(model.forward(x), labels);
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step();
      const read = loss.item();
      if (i === 5) busy();
      await read;
    }
  },
  async session(busy) {
    const session = await compile(models.lenet5(), { input: [32, 28, 28, 1] });
    const x = randn([32, 28, 28, 1]);
    for (let i = 0; ; ++i) {
      const runs = Array.from({ length: 8 }, () => session.run({ input: x }));
      if (i === 3) busy();
      await Promise.all(runs);
    }
  },
};

const ends = {
  exit: () => process.exit(7),
  'exit in a promise': () => Promise.resolve().then(() => process.exit(7)),
  'uncaught error': () => {
    throw new Error('uncaught');
  },
  SIGTERM: () => process.kill(process.pid, 'SIGTERM'),
  'SIGTERM that is handled': () => {
    process.once('SIGTERM', () => process.exit(7));
    process.kill(process.pid, 'SIGTERM');
  },
};

works[what](ends[how]);

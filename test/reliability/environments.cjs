'use strict';
// Starts and ends worker threads that each load the package, and prints what the process holds when a third of them have come and gone, and
// when all have. Every third is terminated in the middle of its work. Usage: node test/reliability/environments.cjs [workers]
const fs = require('node:fs');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

if (!isMainThread) {
  const { compile, models, ones, ops, randn } = require('../..');
  const x = randn([64, 64]);
  ops.matmul(x, x).dataSync();
  (async () => {
    const session = await compile(models.lenet5(), { input: [1, 28, 28, 1] });
    await session.run({ input: ones([1, 28, 28, 1]) });
    parentPort.postMessage('ready');
    while (workerData.endless) ops.matmul(x, x);
  })();
} else {
  const workers = Number(process.argv[2] ?? 1000);

  const work = (endless) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(__filename, { workerData: { endless } });
      worker.on('message', () => endless && worker.terminate());
      worker.on('error', reject);
      worker.on('exit', resolve);
    });

  const measure = () => {
    globalThis.gc?.();
    return {
      rss: process.memoryUsage().rss,
      threads: fs.readdirSync('/proc/self/task').length,
      files: fs.readdirSync('/proc/self/fd').length,
    };
  };

  (async () => {
    let first;
    for (let i = 0; i < workers; i += 2) {
      await Promise.all([work(i % 3 === 0), work((i + 1) % 3 === 0)]);
      if (i < workers / 3) first = measure();
    }
    const last = measure();
    console.log(JSON.stringify({ workers, first, last, perWorker: Math.round((last.rss - first.rss) / ((2 / 3) * workers)) }));
  })();
}

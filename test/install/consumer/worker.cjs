// Three workers at once, and the main thread; one is terminated in the middle of its work.
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const train = require('./train.cjs');

if (isMainThread) {
  const work = (endless) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(__filename, { workerData: endless });
      worker.on('message', () => endless && setTimeout(() => worker.terminate(), 20));
      worker.on('error', reject);
      worker.on('exit', (code) => (code === (endless ? 1 : 0) ? resolve() : reject(new Error(`the worker ended with ${code}`))));
    });
  Promise.all([work(false), work(false), work(true), train(require('receptive'))]).then(() => console.log('good'));
} else {
  train(require('receptive')).then(() => {
    parentPort.postMessage('ready');
    for (const x = require('receptive').ones([64, 64]); workerData; ) require('receptive').ops.matmul(x, x).dispose();
  });
}

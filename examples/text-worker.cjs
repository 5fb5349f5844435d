'use strict';

// Text classification in a worker_thread: the worker has the network, and a stream of native work of its own; the main thread sends it
// texts and stays free, even of cutting texts into tokens.
//
//   npm run train:spam
//   node examples/text-worker.cjs models/spam.safetensors "You have won a prize" "See you at lunch"
//   cat mails.txt | node examples/text-worker.cjs models/spam.safetensors       a text a line

const { createInterface } = require('node:readline');
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');

/** What a worker is to the main thread: a function that answers. */
class Classifier {
  #worker;
  #waiting = new Map();
  #next = 0;
  #error = null;

  constructor(path) {
    this.#worker = new Worker(__filename, { workerData: path });
    this.#worker.on('message', ({ id, answer, error }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) reject(new Error(error));
      else resolve(answer);
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('the worker has ended')));
  }

  /** A worker that has failed answers nothing any more. */
  #fail(error) {
    this.#error ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#error);
    this.#waiting.clear();
  }

  classify(text) {
    if (this.#error) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, text });
    });
  }

  close() {
    return this.#worker.terminate();
  }
}

async function main() {
  const [path = 'models/spam.safetensors', ...given] = process.argv.slice(2);
  const classifier = new Classifier(path);
  try {
    const texts = given.length > 0 ? given : createInterface({ input: process.stdin });
    const answers = [];
    for await (const text of texts) {
      // All at once: they run together.
      const line = classifier.classify(text).then(({ label, probability }) => `${label}\t${(100 * probability).toFixed(1)} %\t${text}`);
      line.catch(() => {}); // is looked at below, once all texts have been read
      answers.push(line);
    }
    for (const line of await Promise.all(answers)) console.log(line);
  } finally {
    await classifier.close();
  }
}

async function serve(path) {
  const { Batcher, compile, loadModel } = require('..');
  const { model, labels, tokenizer } = await loadModel(path);
  const length = tokenizer.maxLength; // every text is padded to it, so that any two can be in one batch
  const session = await compile(model, { input: { shape: ['N', length], dtype: 'int32' }, owned: true });
  const batcher = new Batcher(session, { maxBatch: 32, maxWait: 1, maxQueue: 100_000 });

  return async (text) => {
    const tokens = new Int32Array(length);
    tokens.set(tokenizer.encode(text));
    const { output } = await batcher.run({ input: { data: tokens, shape: [1, length] } });
    const powers = Array.from(output.data, (score) => Math.exp(score - Math.max(...output.data)));
    const sum = powers.reduce((a, b) => a + b);
    const best = powers.indexOf(Math.max(...powers));
    return { label: labels[best], probability: powers[best] / sum };
  };
}

if (isMainThread) {
  main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
} else {
  const ready = serve(workerData);
  parentPort.on('message', async ({ id, text }) => {
    try {
      parentPort.postMessage({ id, answer: await (await ready)(text) });
    } catch (error) {
      parentPort.postMessage({ id, error: error.message });
    }
  });
}

'use strict';
const { readFileSync } = require('node:fs');
const receptive = require('../..');
const { native } = require('../../dist/native.js');
const { outputSize } = require('../cases.cjs');
const networks = require('./networks.cjs');
const { serve, threads, total } = require('./serve.cjs');

const { data, losses, manualSeed, noGrad, ops, optim, randn, runtime, setNumThreads, tensor, tidy, Trainer } = receptive;
setNumThreads(threads);
manualSeed(1);

/** Waits for what is queued, without reading any of it. */
const settle = () => native.syncSync();
const whole = (size, below, from = 0) => Int32Array.from({ length: size }, () => from + Math.floor(Math.random() * (below - from)));

function disposeAll(tensors) {
  for (const x of tensors) {
    x.grad?.dispose();
    x.dispose();
  }
}

function layer(wanted) {
  const { op, batch, size, in: channels, out, kernel, stride, padding, dilation, groups } = wanted;
  const window = size.map(() => kernel);
  const shapes = {
    conv1d: () => [...window, channels / groups, out],
    conv2d: () => [...window, channels / groups, out],
    convTranspose2d: () => [...window, out / groups, channels],
    linear: () => [out, channels],
    matmul: () => [channels, out],
  };
  const weights = shapes[op]();
  const random = (...shape) => {
    const t = randn(shape);
    t.requiresGrad = true;
    return t;
  };
  const x = random(batch, ...size, channels);
  const w = random(...weights);
  const bias = op === 'matmul' ? null : random(out);
  const gradient = randn([batch, ...outputSize(wanted), out]);
  const run =
    {
      linear: () => ops.linear(x, w, bias),
      matmul: () => ops.matmul(x, w),
    }[op] ?? (() => ops[op](x, w, { bias, stride, padding, dilation, groups }));
  const leaves = bias ? [x, w, bias] : [x, w];
  return {
    forward: () => {
      tidy(() => void noGrad(run));
      settle();
    },
    train: () => {
      for (const leaf of leaves) {
        leaf.grad?.dispose();
        leaf.grad = null;
      }
      tidy(() => {
        run().backward(gradient);
        // A step of training finds other weights than the one before it: nothing that was made of these may be kept.
        noGrad(() => ops.slice(w, ...[0, 1].map((n) => w.shape.map(() => n))));
      });
      settle();
    },
    dispose: () => disposeAll([...leaves, gradient]),
  };
}

function network(wanted) {
  const { batch, trainBatch, input, classes, vocabulary } = wanted;
  const model = networks[wanted.name](wanted);
  const sample = (n) =>
    vocabulary ? tensor(whole(n * total(input), vocabulary, 1), [n, ...input], { dtype: 'int32' }) : randn([n, ...input]);
  const x = sample(batch);
  const parameters = model.parameters();
  const made = [x];
  let training; // made when it is asked for, so that measuring inference holds no more than it needs
  const prepare = () => {
    const xs = sample(trainBatch);
    const target = classes
      ? tensor(whole(trainBatch, classes), [trainBatch], { dtype: 'int32' })
      : tidy(() => noGrad(() => randn(model.forward(xs).shape)));
    made.push(xs, target);
    return { xs, target, optimizer: new optim.SGD(parameters, { lr: 1e-3, momentum: 0.9 }) };
  };
  const loss = classes ? losses.crossEntropy : losses.mse;
  return {
    parameters: parameters.reduce((sum, p) => sum + p.size, 0),
    forward: () => {
      model.eval();
      tidy(() => void noGrad(() => model.forward(x)));
      settle();
    },
    train: trainBatch
      ? () => {
          training ??= prepare();
          const { xs, target, optimizer } = training;
          model.train();
          tidy(() => {
            optimizer.zeroGrad();
            const value = loss(model.forward(xs), target);
            value.backward();
            optimizer.step();
            value.itemSync(); // waits for the step to have run
          });
        }
      : 'is measured in inference only',
    dispose: () => disposeAll([...made, ...parameters]),
  };
}

/** Peak resident memory of this process, in bytes, after a few training steps. */
function memory(wanted) {
  const { train } = network(wanted);
  for (let i = 0; i < 5; i++) train();
  try {
    const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
    return { bytes: kilobytes * 1024 };
  } catch {
    return { unsupported: 'peak memory is read from /proc, which this system lacks' };
  }
}

let digits;
/** One epoch over the digits, batches put together and normalised on the way; the files are read before. */
async function epoch({ batch, digits: dir }) {
  digits ??= (await data.mnist({ dir })).train;
  const model = networks.lenet5();
  const trainer = new Trainer(model, {
    optimizer: new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 }),
    loss: losses.crossEntropy,
  });
  const loader = new data.DataLoader(digits, { batchSize: batch, shuffle: true, seed: 1 });
  const start = performance.now();
  let loss;
  for await (const result of trainer.fit(loader, { epochs: 1 })) loss = result.loss;
  return { ms: performance.now() - start, samples: digits.length, loss };
}

/** Bytes per second between memory and kernels: the best that a sum, an addition and a product that reads each weight once come to. */
function machine() {
  const [features, out] = [4096, 16_384];
  const [a, b] = [randn([out, features]), randn([out, features])]; // 256 MiB each, beyond the caches
  const x = randn([1, features]);
  const bytes = 4 * features * out;
  const perSecond = (moved, run) => {
    let best = Infinity;
    for (let i = 0; i < 5; i++) {
      const start = performance.now();
      tidy(() => void run());
      settle();
      best = Math.min(best, performance.now() - start);
    }
    return (1000 * moved) / best;
  };
  const bandwidth = Math.max(
    perSecond(bytes, () => ops.sum(a)),
    perSecond(3 * bytes, () => ops.add(a, b)),
    perSecond(bytes, () => ops.linear(x, a)),
  );
  disposeAll([a, b, x]);
  return { bandwidth };
}

const { version, isa } = runtime.info();
serve({ name: 'receptive', version: `${version} (${isa})` }, (wanted) => (wanted.set === 'layers' ? layer(wanted) : network(wanted)), {
  memory,
  epoch,
  machine,
  peak: () => ({ peak: native.peak() }),
});

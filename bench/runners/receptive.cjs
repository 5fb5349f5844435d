'use strict';
const { losses, manualSeed, models, noGrad, optim, randn, runtime, setNumThreads, tensor, tidy } = require('../..');
const { serve, batch, threads } = require('./serve.cjs');

setNumThreads(threads);
manualSeed(1);
const model = models.lenet5();
const x = randn([batch, 28, 28, 1]);
const labels = tensor(
  Int32Array.from({ length: batch }, (_, i) => i % 10),
  [batch],
  { dtype: 'int32' },
);
const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });

const { version, isa } = runtime.info();
serve(
  { name: 'receptive', version: `${version} (${isa})` },
  {
    train: () =>
      tidy(() => {
        model.train();
        optimizer.zeroGrad();
        const loss = losses.crossEntropy(model.forward(x), labels);
        loss.backward();
        optimizer.step();
        loss.itemSync(); // waits for the step to have run
      }),
    infer: () =>
      tidy(() => {
        model.eval();
        noGrad(() => model.forward(x)).dataSync();
      }),
  },
);

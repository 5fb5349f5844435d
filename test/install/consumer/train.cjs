// What a program does with the library: trains a small network, writes it to a file, reads it back, gets the same answers.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

module.exports = async function train(receptive) {
  const { load, losses, manualSeed, nn, ops, optim, runtime, save, tensor, tidy } = receptive;
  manualSeed(1); // one start in a hundred has hardly a unit that answers to these images, and learns too little
  const network = () => new nn.Sequential(new nn.Conv2d(1, 4, 3), new nn.ReLU(), new nn.Flatten(), new nn.Linear(4 * 6 * 6, 2));
  const model = network();
  const pixels = Float32Array.from({ length: 8 * 64 }, (_, i) => (Math.floor(i / 64) % 2) * 0.5 + (i % 7) / 7);
  const x = tensor(pixels, [8, 8, 8, 1]);
  const labels = tensor(
    Int32Array.from({ length: 8 }, (_, i) => i % 2),
    [8],
  );
  const optimiser = new optim.Adam(model.parameters(), { lr: 0.02 });
  const step = () =>
    tidy(() => {
      const loss = losses.crossEntropy(model.forward(x), labels);
      optimiser.zeroGrad();
      loss.backward();
      optimiser.step();
      return loss.itemSync();
    });
  const first = step();
  let last = first;
  for (let i = 0; i < 30; ++i) last = step();
  if (!(last < first / 2)) throw new Error(`the loss went from ${first} to ${last}`);

  const file = path.join(os.tmpdir(), `receptive-install-${process.pid}-${Math.random().toString(36).slice(2)}.safetensors`);
  try {
    await save(file, model);
    const copy = network();
    await load(file, copy);
    const [before, after] = await Promise.all([model, copy].map((each) => ops.softmax(each.forward(x)).data()));
    if (!before.every((value, i) => value === after[i])) throw new Error('the same weights gave other answers');
  } finally {
    fs.rmSync(file, { force: true });
  }
  return runtime.info();
};

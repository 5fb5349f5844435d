import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { checkWritable } from '../formats/file';
import { load } from '../formats/safetensors';
import { crossEntropy } from '../losses';
import type { Module } from '../nn';
import { Adam, cosine, SGD } from '../optim';
import { manualSeed } from '../random';
import { runtime, setNumThreads } from '../runtime';
import { type Epoch, metrics, type Step, Trainer } from '../train';
import { nonNegative, oneOf, positiveInteger, wholeNumber } from './arguments';
import { buildModel, saveModel } from './model-file';
import { bar, clock, count, createOutput, emphasis, type Output, percent } from './output';
import { tasks } from './tasks';
import type { Job, Task, TrainOptions } from './tasks/task';

export function addTrain(program: Command): void {
  const train = program.command('train').description('train a network and save it');
  for (const [name, task] of Object.entries(tasks)) {
    const { architectures, defaults } = task;
    const command = train
      .command(name)
      .description(task.summary)
      .option('--data <path>', task.data)
      .addOption(
        new Option('--arch <name>', `network: ${architectures.join(', ')}`).argParser(oneOf(architectures)).default(architectures[0]),
      )
      .option('--epochs <n>', `passes over the training ${task.unit}`, positiveInteger, defaults.epochs)
      .option('--batch-size <n>', `${task.unit} a step`, positiveInteger, defaults.batchSize)
      .addOption(new Option('--optimizer <name>', 'update rule').choices(['sgd', 'adam']).default(defaults.optimizer))
      .option('--lr <rate>', `learning rate at the start; it falls to 0 along a cosine (default: ${rates(defaults)})`, nonNegative)
      .option('--seed <n>', 'makes the run repeatable', wholeNumber, 1)
      .option('--threads <n>', 'threads for the kernels (default: the CPUs this process may use)', positiveInteger)
      .option('--out <file>', 'where the model goes (safetensors)', `models/${name}.safetensors`)
      .option('--json', 'one JSON object a line', false);
    task.addOptions?.(command, 'train');
    command.action((options: TrainOptions) => run(task, options));
  }
  train.showHelpAfterError(`(a task is one of ${Object.keys(tasks).join(', ')})`);
}

/** What an epoch of these trainings says. */
type Measured = Epoch<{ accuracy: typeof metrics.accuracy }> & { validation: Omit<Best, 'epoch'> };

/** The best scores so far, and the epoch they are of; 0 before the first. */
interface Best {
  readonly epoch: number;
  readonly accuracy: number;
  readonly loss: number;
}

async function run(task: Task, options: TrainOptions): Promise<void> {
  const output = createOutput(options.json);
  if (options.threads) setNumThreads(options.threads);
  manualSeed(options.seed);
  const out = resolve(options.out);
  await checkWritable(out); // now, not after an hour of training
  const job = await task.prepare(options);
  const { validation, test, description } = job;
  const model = buildModel(description);
  const { trainer, lr } = makeTrainer(model, options, task);
  announce(output, task, job, model, { ...options, out, lr });

  const interrupt = new AbortController();
  const onSignal = () => {
    if (interrupt.signal.aborted) process.exit(130); // asked twice
    interrupt.abort();
  };
  process.on('SIGINT', onSignal);
  const began = performance.now();
  const shown = showEpochs(output, options.epochs, task.unit, validation ? 'validation' : 'test');
  let finished = 0;
  let best: Best = { epoch: 0, accuracy: 0, loss: Infinity };
  try {
    const { signal } = interrupt;
    const epochs = trainer.fit(job.train.batches, {
      epochs: options.epochs,
      validation: (validation ?? test).batches,
      signal,
      onStep: shown.step,
    });
    for await (const epoch of epochs) {
      finished = epoch.epoch;
      shown.epoch(epoch);
      if (validation && !isBetter(epoch.validation, best)) continue;
      best = { epoch: finished, ...epoch.validation };
      if (validation) await saveModel(out, model, description);
    }
  } catch (error) {
    output.clear();
    if (error !== interrupt.signal.reason) throw error;
  }
  const kept = validation !== undefined && best.epoch > 0;
  if (!kept) await saveModel(out, model, description);
  process.off('SIGINT', onSignal);

  if (finished < options.epochs) {
    output.line(
      `interrupted in epoch ${finished + 1}; the model as of ${kept ? `epoch ${best.epoch}` : 'the last finished step'} is in ${out}`,
    );
    output.event({ event: 'interrupted', epoch: finished + 1, out });
    process.exitCode = 130;
    return;
  }
  if (kept) await load(out, model);
  const { loss, accuracy } = kept ? await trainer.evaluate(test.batches) : best;
  output.line(
    `test accuracy ${emphasis(percent(accuracy))} on ${count(test.size)} ${task.unit} (loss ${loss.toFixed(4)})` +
      (kept ? `, of epoch ${best.epoch}, the best by validation` : ''),
  );
  output.line(`saved ${out}\n`);
  const seconds = (performance.now() - began) / 1000;
  output.event({ event: 'done', accuracy, loss, [task.unit]: test.size, epoch: best.epoch, seconds, out });
  if (!output.json && job.show) output.line(await job.show(model));
}

const isBetter = (scores: Omit<Best, 'epoch'>, best: Best): boolean =>
  best.epoch === 0 || scores.accuracy > best.accuracy || (scores.accuracy === best.accuracy && scores.loss < best.loss);

/** The learning rate of a task where none is asked for: its own for its own optimiser. */
function rateOf({ optimizer, lr }: Task['defaults'], wanted: TrainOptions['optimizer']): number {
  return (wanted === optimizer ? lr : undefined) ?? (wanted === 'adam' ? 0.001 : 0.05);
}

const rates = (defaults: Task['defaults']): string => `sgd ${rateOf(defaults, 'sgd')}, adam ${rateOf(defaults, 'adam')}`;

function makeTrainer(model: Module, options: TrainOptions, { defaults }: Task) {
  const parameters = model.parameters();
  const lr = options.lr ?? rateOf(defaults, options.optimizer);
  const optimizer =
    options.optimizer === 'adam' ? new Adam(parameters, { lr }) : new SGD(parameters, { lr, momentum: 0.9, weightDecay: 5e-4 });
  const trainer = new Trainer(model, { optimizer, loss: crossEntropy, metrics: { accuracy: metrics.accuracy }, schedule: cosine(lr) });
  return { trainer, lr };
}

/** Says what is about to be trained, and on what. */
function announce(output: Output, task: Task, { train, validation, test }: Job, model: Module, options: TrainOptions): void {
  const { isa, threads } = runtime.info();
  const parameters = model.parameters().reduce((sum, p) => sum + p.size, 0);
  const sizes = { training: train.size, ...(validation && { validation: validation.size }), test: test.size };
  const parts = Object.entries(sizes).map(([part, size]) => `${count(size)} ${part}`);
  output.line(
    `${emphasis(options.arch)}: ${count(parameters)} parameters; ${parts.slice(0, -1).join(', ')} and ${parts.at(-1)} ${task.unit}; ` +
      `batches of ${options.batchSize}; ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${isa}`,
  );
  output.event({ event: 'start', ...options, parameters, [task.unit]: sizes, isa, threads });
}

/** Shows a run: a bar that is redrawn ten times a second at most, and a line an epoch. */
function showEpochs(output: Output, epochs: number, unit: string, measured: 'validation' | 'test') {
  const began = performance.now();
  let epochBegan = began;
  let drawn = 0;
  return {
    step({ epoch, step, steps = 1, images, loss }: Step<object>) {
      const now = performance.now();
      if (now - drawn < 100 && step < steps) return;
      drawn = now;
      const done = (epoch - 1) * steps + step;
      const left = ((now - began) / 1000 / done) * (epochs * steps - done);
      const rate = (images / (now - epochBegan)) * 1000;
      output.progress(
        `epoch ${epoch}/${epochs} ${bar(step, steps)} ${step}/${steps}  loss ${loss.toFixed(4)}  ${count(rate)} ${unit}/s  ${clock(left)} left`,
      );
    },
    epoch({ imagesPerSecond: rate, ...epoch }: Measured) {
      output.line(
        `epoch ${String(epoch.epoch).padStart(String(epochs).length)}/${epochs}  loss ${epoch.loss.toFixed(4)}  ` +
          `train ${percent(epoch.accuracy)}  ${measured} ${percent(epoch.validation.accuracy)}  ` +
          `${epoch.seconds.toFixed(1)} s  ${count(rate)} ${unit}/s`,
      );
      output.event({ event: 'epoch', ...epoch, [`${unit}PerSecond`]: rate });
      epochBegan = performance.now();
    },
  };
}

import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { checkWritable } from '../formats/file';
import { buildModel } from '../formats/modelFile';
import type { Module } from '../nn';
import { manualSeed } from '../random';
import { runtime, setNumThreads } from '../runtime';
import type { Epoch, metrics, Scores, Step } from '../train';
import { oneOf, positiveInteger, wholeNumber } from './arguments';
import { saveModel } from './model-file';
import { bar, clock, count, createOutput, emphasis, type Output, percent } from './output';
import { drawClasses, measure, scoresByLabel } from './scores';
import { tasks } from './tasks';
import type { Job, Task, TrainOptions } from './tasks/task';
import { addTrainingOptions, makeTrainer, rateOf } from './training';

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
      .option('--seed <n>', 'makes the run repeatable', wholeNumber, 1)
      .option('--threads <n>', 'threads for the kernels (default: the CPUs this process may use)', positiveInteger)
      .option('--out <file>', 'where the model goes (safetensors)', `models/${name}.safetensors`)
      .option('--json', 'one JSON object a line', false);
    addTrainingOptions(command, defaults);
    task.addOptions?.(command, 'train');
    command.action((options: TrainOptions) => run(task, options));
  }
  train.showHelpAfterError(`(a task is one of ${Object.keys(tasks).join(', ')})`);
}

/** What ends a training, with the model saved: from a terminal, and from what runs a machine's services. */
const stops = ['SIGINT', 'SIGTERM'] as const;

/** What an epoch of these trainings says. */
type Metrics = { accuracy: typeof metrics.accuracy };
type Measured = Epoch<Metrics> & { validation: Scores<Metrics> };

async function run(task: Task, options: TrainOptions): Promise<void> {
  const output = createOutput(options.json);
  if (options.threads) setNumThreads(options.threads);
  manualSeed(options.seed);
  const out = resolve(options.out);
  await checkWritable(out); // now, not after an hour of training
  const job = await task.prepare(options);
  const { validation, test, description } = job;
  const model = buildModel(description);
  const lr = options.lr ?? rateOf(task.defaults, options.optimizer);
  const prepared = { train: job.train.batches, validated: validation !== undefined, epochs: options.epochs };
  const trainer = makeTrainer(model, { ...options, lr }, prepared);
  announce(output, task, job, model, { ...options, out, lr });

  const interrupt = new AbortController();
  let exitCode = 0;
  const onSignal = (_: NodeJS.Signals, number: number) => {
    exitCode = 128 + number;
    if (interrupt.signal.aborted) process.exit(exitCode); // asked twice
    interrupt.abort();
  };
  for (const name of stops) process.on(name, onSignal);
  const began = performance.now();
  const shown = showEpochs(output, options.epochs, task.unit, validation ? 'validation' : 'test');
  let last: Measured | undefined;
  let interrupted = false;
  try {
    const { signal } = interrupt;
    const epochs = trainer.fit(job.train.batches, {
      epochs: options.epochs,
      validation: (validation ?? test).batches,
      signal,
      onStep: shown.step,
      resume: options.resume,
    });
    for await (const epoch of epochs) {
      last = epoch;
      shown.epoch(epoch);
      if (trainer.best?.epoch === epoch.epoch) await saveModel(out, model, description);
    }
  } catch (error) {
    output.clear();
    if (error !== interrupt.signal.reason) throw error;
    interrupted = true;
  }
  const { best } = trainer;
  // The best epoch's weights are in the file, or where the training has ended in the model.
  if (!interrupted || !best) await saveModel(out, model, description);
  for (const name of stops) process.off(name, onSignal);

  if (interrupted) {
    const epoch = shown.running();
    output.line(`interrupted in epoch ${epoch}; the model as of ${best ? `epoch ${best.epoch}` : 'the last finished step'} is in ${out}`);
    if (options.checkpointDir) output.line('to go on: the same command with --resume');
    output.event({ event: 'interrupted', epoch, out });
    process.exitCode = exitCode;
    return;
  }
  if (last && last.epoch < options.epochs) {
    output.line(`no better after ${options.patience} epochs: ended with epoch ${last.epoch} of ${options.epochs}`);
  }
  const scores = await measure(model, test);
  output.line(
    `test accuracy ${emphasis(percent(scores.accuracy))}, macro F1 ${percent(scores.f1)}, loss ${scores.loss.toFixed(4)} ` +
      `on ${count(test.size)} ${task.unit}${best ? `, of epoch ${best.epoch}, the best by validation` : ''}`,
  );
  for (const line of drawClasses(scores, description.labels)) output.line(line);
  output.line(`saved ${out}\n`);
  const seconds = (performance.now() - began) / 1000;
  const event = { event: 'done', ...scoresByLabel(scores, description.labels), [task.unit]: test.size };
  output.event({ ...event, epoch: best?.epoch ?? options.epochs, seconds, out });
  if (!output.json && job.show) output.line(await job.show(model));
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
  let running = 1;
  let before = -1; // steps of the whole run that were taken before this process, once they are known
  return {
    /** The epoch under way. */
    running: () => running,
    step({ epoch, step, steps = 1, images, loss }: Step<object>) {
      const now = performance.now();
      running = epoch;
      if (before < 0) {
        before = (epoch - 1) * steps + step - 1;
        if (before > 0) {
          output.line(`goes on with epoch ${epoch}, step ${step} of ${steps}`);
          output.event({ event: 'resumed', epoch, step });
        }
      }
      if (now - drawn < 100 && step < steps) return;
      drawn = now;
      const done = (epoch - 1) * steps + step;
      const left = ((now - began) / 1000 / (done - before)) * (epochs * steps - done);
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
      running = epoch.epoch + 1;
    },
  };
}

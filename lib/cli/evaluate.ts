import type { Command } from 'commander';
import { crossEntropy } from '../losses';
import { setNumThreads } from '../runtime';
import { evaluate, metrics } from '../train';
import { positiveInteger } from './arguments';
import { openModel } from './model-file';
import { count, createOutput, emphasis, percent } from './output';
import { tasks } from './tasks';
import type { EvaluateOptions } from './tasks/task';

export function addEvaluate(program: Command): void {
  const command = program
    .command('evaluate')
    .description('measure a saved network on data it has not seen')
    .argument('<model>', 'a file that "receptive train" saved')
    .option('--data <path>', 'as for "receptive train" of its task')
    .option('--batch-size <n>', 'samples at a time', positiveInteger, 500)
    .option('--threads <n>', 'threads for the kernels (default: the CPUs this process may use)', positiveInteger)
    .option('--json', 'one JSON object', false);
  for (const task of Object.values(tasks)) task.addOptions?.(command, 'evaluate');
  command.action(async (path: string, options: EvaluateOptions) => {
    const output = createOutput(options.json);
    if (options.threads) setNumThreads(options.threads);
    const { saved, task } = await openModel(path);
    const { batches, size } = await task.open(saved, options);
    const { model, description } = saved;
    const began = performance.now();
    const { loss, accuracy } = await evaluate(model, batches, { loss: crossEntropy, metrics: { accuracy: metrics.accuracy } });
    const seconds = (performance.now() - began) / 1000;
    output.line(
      `${description.architecture}: accuracy ${emphasis(percent(accuracy))}, loss ${loss.toFixed(4)} ` +
        `on ${count(size)} ${task.unit} (${count(size / seconds)} ${task.unit}/s)`,
    );
    output.event({ model: path, accuracy, loss, [task.unit]: size, seconds });
  });
}

import type { Command } from 'commander';
import { setNumThreads } from '../runtime';
import { positiveInteger } from './arguments';
import { openModel } from './model-file';
import { count, createOutput, emphasis, percent } from './output';
import { drawClasses, measure, scoresByLabel } from './scores';
import { addTaskOptions } from './tasks';
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
  const checkOptions = addTaskOptions(command, 'evaluate');
  command.action(async (path: string, options: EvaluateOptions) => {
    const output = createOutput(options.json);
    if (options.threads) setNumThreads(options.threads);
    const { saved, task } = await openModel(path);
    checkOptions(saved.description);
    const part = await task.open(saved, options);
    const { architecture, labels } = saved.description;
    const began = performance.now();
    const scores = await measure(saved.model, part);
    const seconds = (performance.now() - began) / 1000;
    output.line(
      `${architecture}: accuracy ${emphasis(percent(scores.accuracy))}, macro F1 ${percent(scores.f1)}, loss ${scores.loss.toFixed(4)} ` +
        `on ${count(part.size)} ${task.unit} (${count(part.size / seconds)} ${task.unit}/s)`,
    );
    for (const line of drawClasses(scores, labels)) output.line(line);
    output.event({ model: path, ...scoresByLabel(scores, labels), [task.unit]: part.size, seconds });
  });
}

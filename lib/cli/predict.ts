import type { Command } from 'commander';
import { openModel } from './model-file';
import { createOutput } from './output';
import { addTaskOptions, tasks } from './tasks';
import type { PredictOptions } from './tasks/task';

export function addPredict(program: Command): void {
  const command = program
    .command('predict')
    .description('show what a saved network makes of inputs')
    .argument('<model>', 'a file that "receptive train" saved')
    .argument(
      '[inputs...]',
      Object.entries(tasks)
        .map(([name, { inputs }]) => `${name}: ${inputs}`)
        .join('; '),
    )
    .option('--json', 'one JSON object an input', false);
  const checkOptions = addTaskOptions(command, 'predict');
  command.action(async (path: string, inputs: string[], options: PredictOptions) => {
    const { saved, task } = await openModel(path);
    checkOptions(saved.description);
    await task.predict(saved, inputs, options, createOutput(options.json));
  });
}

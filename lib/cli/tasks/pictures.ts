import { basename } from 'node:path';
import { noGrad } from '../../autograd';
import * as data from '../../data';
import { imageShape, imagesOf, inputOf } from '../../formats/modelFile';
import { softmax } from '../../ops';
import type { Tensor } from '../../tensor';
import { tidy } from '../../tidy';
import { drawImage, gallery } from '../draw';
import { type Output, percent } from '../output';
import type { Description, Part, SavedModel } from './task';

// What the tasks that recognise images have in common.

/** What a model file says of a network for images. */
export interface ImageDescription extends Description {
  /** How image files become what it takes. */
  readonly images: data.ReadImageOptions & { readonly normalization: data.Normalization };
}

/** One image as the network takes it. */
export function oneImage({ images }: ImageDescription): { shape: number[]; dtype: 'float32' } {
  return { shape: [1, ...imageShape(images)], dtype: 'float32' };
}

/** How a network for images is served: image files become its input as those of `predict` do. */
export function servingImages({ path, description }: SavedModel<ImageDescription>) {
  const images = imagesOf(path, description.images);
  return { input: inputOf({ ...description, images }), images };
}

/** What a network makes of an image, and the image as it sees it. */
interface Recognised {
  readonly predicted: string;
  /** By label, the most likely first. */
  readonly probabilities: readonly (readonly [label: string, probability: number])[];
  /** 0 to 255, [H,W,C]. */
  readonly pixels: Float32Array;
  readonly shape: readonly [height: number, width: number, channels: number];
}

/** What a network makes of a batch, whose tensor is freed. */
async function recognise({ path, model, description }: SavedModel<ImageDescription>, x: Tensor): Promise<Recognised[]> {
  const { labels } = description;
  const { normalization } = imagesOf(path, description.images);
  model.eval();
  const scores = noGrad(() => tidy(() => softmax(model.forward(x))));
  const [values, shares] = await Promise.all([x.data(), scores.data()]);
  for (const tensor of [x, scores]) tensor.dispose();
  const [n, ...shape] = x.shape as [number, number, number, number];
  const size = shape.reduce((a, b) => a * b);
  return Array.from({ length: n }, (_, i) => {
    const probabilities = labels.map((label, k) => [label, shares[i * labels.length + k]!] as const).sort(([, a], [, b]) => b - a);
    const numbers = values.subarray(i * size, (i + 1) * size);
    return { predicted: probabilities[0]![0], probabilities, pixels: pixelsOf(numbers, shape[2]!, normalization), shape };
  });
}

/** Numbers that were made of pixels, turned back. */
function pixelsOf(numbers: ArrayLike<number>, channels: number, { mean, std }: data.Normalization): Float32Array {
  const of = (value: number | readonly number[], c: number) => (typeof value === 'number' ? value : value[c]!);
  return Float32Array.from(numbers, (v, k) => Math.min(Math.max(255 * (v * of(std, k % channels) + of(mean, k % channels)), 0), 255));
}

/** The images side by side, each over its captions. */
function drawRecognised(images: readonly (Recognised & { captions: readonly string[] })[]): string {
  const colour = process.stdout.isTTY && process.stdout.getColorDepth() >= 8;
  const pictures = images.map(({ pixels, shape, captions }) => ({ ...drawImage(pixels, shape, colour), captions }));
  return gallery(pictures, process.stdout.columns ?? 120);
}

/** Files that are read at the same time. */
const together = 16;

/** Shows what a network makes of image files. */
export async function showFiles(saved: SavedModel<ImageDescription>, files: readonly string[], output: Output): Promise<void> {
  const format = imagesOf(saved.path, saved.description.images);
  for (let first = 0; first < files.length; first += together) {
    const some = files.slice(first, first + together);
    const seen = await recognise(saved, await data.readImages(some, format));
    for (const [i, { predicted, ...image }] of seen.entries()) {
      const probabilities = image.probabilities.map(([label, probability]) => ({ label, probability }));
      output.event({ file: some[i], predicted, probabilities });
    }
    output.line(
      drawRecognised(
        seen.map((image, i) => ({
          ...image,
          captions: [basename(some[i]!), ...image.probabilities.slice(0, 3).map(([label, share]) => `${percent(share, 1)} ${label}`)],
        })),
      ),
    );
  }
}

/** Shows what a network makes of images whose labels are known. */
export async function showLabelled(
  saved: SavedModel<ImageDescription>,
  set: data.PixelDataset,
  indices: readonly number[],
): Promise<{ drawing: string; predictions: { index: number; label: string; predicted: string; confidence: number }[] }> {
  const { x, y } = await set.batch(Int32Array.from(indices));
  y.dispose();
  const seen = await recognise(saved, x);
  const predictions = seen.map(({ predicted, probabilities }, i) => {
    return { index: indices[i]!, label: set.classes[set.labels[indices[i]!]!]!, predicted, confidence: probabilities[0]![1] };
  });
  const drawing = drawRecognised(
    seen.map((image, i) => {
      const { index, label, predicted, confidence } = predictions[i]!;
      return { ...image, captions: [`#${index}: ${predicted} (${percent(confidence, 1)})${predicted === label ? '' : `, is ${label}`}`] };
    }),
  );
  return { drawing, predictions };
}

/** The first of so many samples. */
export const firstFew = ({ length }: data.Dataset, most = 8): number[] => Array.from({ length: Math.min(most, length) }, (_, i) => i);

/** A set to be measured on. */
export const inOrder = (dataset: data.Dataset, batchSize: number): Part => ({
  batches: new data.DataLoader(dataset, { batchSize }),
  size: dataset.length,
});

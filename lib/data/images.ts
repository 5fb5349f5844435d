import { tensor } from '../create';
import { dtypeError, rangeError, shapeError, typeError } from '../errors';
import { checkShapeOf } from '../op';
import { augment } from '../ops/augment';
import { gather } from '../ops/gather';
import { checkOptions, type OptionNames } from '../options';
import { scope } from '../scope';
import { showShape } from '../shape';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import type { Dataset, Samples } from './dataset';

export interface Normalization {
  /** Mean of the pixels, where black is 0 and white 1; one number, or one a channel. */
  readonly mean: number | readonly number[];
  /** Their standard deviation. */
  readonly std: number | readonly number[];
}

const normalizationNames: OptionNames<Normalization> = { mean: true, std: true };

/** What images have in common wherever they lie: names of classes, and numbers to make of pixels. */
export interface ImageOptions {
  /** Names of the classes; a label is a place in this list. */
  classes: readonly string[];
  /** A batch holds (pixel / 255 - mean) / std. */
  normalization: Normalization;
}

/** Images of one size with a class each, which give their pixels: those can be augmented before they become numbers. */
export abstract class PixelDataset implements Dataset {
  abstract readonly length: number;
  readonly classes: readonly string[];
  readonly normalization: { readonly mean: readonly number[]; readonly std: readonly number[] };
  /** @internal What pixels from 0 to 1 are multiplied by and what is added then: float32 [C]. */
  readonly scale: Tensor;
  /** @internal */
  readonly shift: Tensor;

  /** @param operation What errors begin with. */
  protected constructor(operation: string, channels: number, { classes, normalization }: ImageOptions) {
    if (!Array.isArray(classes) || !classes.every((name) => typeof name === 'string')) {
      throw typeError(operation, 'classes', classes, 'a list of names');
    }
    checkOptions(operation, normalization, normalizationNames);
    const each = (what: 'mean' | 'std'): readonly number[] => {
      const value = normalization[what];
      const list = typeof value === 'number' ? new Array<number>(channels).fill(value) : value;
      const expected = `a ${what === 'std' ? 'positive' : 'finite'} number, or ${channels} of them, one a channel`;
      if (!Array.isArray(list)) throw typeError(operation, what, value, expected);
      if (list.length !== channels || !list.every((n) => Number.isFinite(n) && (what === 'mean' || n > 0))) {
        throw rangeError(operation, what, value, expected);
      }
      return list;
    };
    const [mean, std] = [each('mean'), each('std')];
    this.classes = classes;
    this.normalization = { mean, std };
    [this.scale, this.shift] = scope.outside(() => [tensor(std.map((s) => 1 / s)), tensor(mean.map((m, c) => -m / std[c]!))]);
  }

  /** New tensors of the images of these indices, uint8 [n,H,W,C], and their labels, int32 [n]. */
  abstract pixels(indices: Int32Array): Samples | Promise<Samples>;

  /** New tensors of the images of these indices as numbers, float32 [n,H,W,C], and their labels, int32 [n]. */
  batch(indices: Int32Array): Samples | Promise<Samples> {
    const pixels = this.pixels(indices);
    return pixels instanceof Promise ? pixels.then((samples) => this.normalized(samples)) : this.normalized(pixels);
  }

  /** Makes numbers of pixels, whose tensor it frees. */
  protected normalized({ x, y }: Samples): Samples {
    const { scale, shift } = this;
    const numbers = augment(x, null, { scale, shift });
    x.dispose();
    return { x: numbers, y };
  }

  dispose(): void {
    this.scale.dispose();
    this.shift.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Images with a class each, kept as bytes in native memory, that of the tensor it is made from. Batches are put together on the native
 * thread.
 *
 * ```ts
 * new data.ImageDataset(tensor(pixels, [100, 32, 32, 3]), labels, { classes: ['cat', 'dog'], normalization: { mean: 0.5, std: 0.25 } });
 * ```
 */
export class ImageDataset extends PixelDataset {
  /** uint8 [N,H,W,C]. */
  readonly images: Tensor;
  /** int32 [N]. */
  readonly labels: Tensor;
  readonly length: number;

  constructor(images: Tensor, labels: Int32Array, options: ImageOptions) {
    checkShapeOf('ImageDataset', 'images', images, 'N,H,W,C');
    if (images.dtype !== 'uint8') throw dtypeError('ImageDataset', `images are ${images.dtype}, expected uint8`);
    checkOptions('ImageDataset', options, { classes: true, normalization: true } satisfies OptionNames<ImageOptions>);
    super('ImageDataset', images.shape[3]!, options);
    checkLabels(labels, images, options.classes);
    this.length = labels.length;
    this.images = images.share();
    this.labels = scope.outside(() => tensor(labels));
  }

  override pixels(indices: Int32Array): Samples {
    return tidy(() => {
      const index = tensor(indices);
      return { x: gather(this.images, index), y: gather(this.labels, index) };
    });
  }

  override batch(indices: Int32Array): Samples {
    return this.normalized(this.pixels(indices));
  }

  override dispose(): void {
    super.dispose();
    this.images.dispose();
    this.labels.dispose();
  }
}

function checkLabels(labels: Int32Array, images: Tensor, { length }: readonly string[]): void {
  if (Object.prototype.toString.call(labels) !== '[object Int32Array]') {
    throw typeError('ImageDataset', 'labels', labels, 'an Int32Array');
  }
  if (labels.length !== images.shape[0]) {
    throw shapeError('ImageDataset', `${labels.length} labels for images of shape ${showShape(images.shape)}`);
  }
  const wrong = labels.findIndex((label) => label < 0 || label >= length);
  if (wrong >= 0) throw rangeError('ImageDataset', `label ${wrong}`, labels[wrong], `a class from 0 to ${length - 1}`);
}

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
import { divide } from './divide';
import { checkClasses } from './textDataset';

/** How channels are scaled: (x - mean) / std. */
export interface Normalization {
  /** Mean of the pixels, where black is 0 and white 1; one number, or one a channel. */
  readonly mean: number | readonly number[];
  /** Their standard deviation. */
  readonly std: number | readonly number[];
}

const normalizationNames: OptionNames<Normalization> = { mean: true, std: true };

/** What images have in common wherever they lie. */
export interface ImageOptions {
  /** Names of the classes; a label is a place in this list. */
  classes: readonly string[];
  /** A batch holds (pixel / 255 - mean) / std. */
  normalization: Normalization;
}

const optionNames: OptionNames<ImageOptions> = { classes: true, normalization: true };

/** Images of one size with a class each, which give their pixels: those can be augmented before they become numbers. */
export abstract class PixelDataset implements Dataset {
  /** The place in `classes` of each image's class. */
  readonly labels: Int32Array;
  readonly classes: readonly string[];
  readonly normalization: { readonly mean: readonly number[]; readonly std: readonly number[] };
  /** @internal What pixels from 0 to 1 are multiplied by and what is added then: float32 [C]. */
  readonly scale: Tensor;
  /** @internal */
  readonly shift: Tensor;

  /** @param operation What errors begin with. */
  protected constructor(operation: string, labels: Int32Array, channels: number, { classes, normalization }: ImageOptions) {
    this.classes = checkClasses(operation, classes);
    this.labels = checkLabels(operation, labels, classes.length);
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
    this.normalization = { mean, std };
    [this.scale, this.shift] = scope.outside(() => [tensor(std.map((s) => 1 / s)), tensor(mean.map((m, c) => -m / std[c]!))]);
  }

  /** How many there are. */
  get length(): number {
    return this.labels.length;
  }

  /** New tensors of the images of these indices, uint8 [n,H,W,C], and their labels, int32 [n]. */
  abstract pixels(indices: Int32Array): Samples | Promise<Samples>;

  /** New tensors of the images of these indices as numbers, float32 [n,H,W,C], and their labels, int32 [n]. */
  batch(indices: Int32Array): Samples | Promise<Samples> {
    const pixels = this.pixels(indices);
    return pixels instanceof Promise ? pixels.then((samples) => this.normalized(samples)) : this.normalized(pixels);
  }

  /** The images of these indices, in this order, under the same classes. Images stay where they are. */
  subset(indices: ArrayLike<number>): PixelDataset {
    return new Subset(this, indices);
  }

  /**
   * Two parts, at random: `test` holds this fraction of each class, rounded down, `train` the rest; both keep the order of the whole.
   * @param seed 0 to 2^53 - 1. The same one splits the same images the same way.
   */
  split(fraction: number, seed: number): { train: PixelDataset; test: PixelDataset } {
    const { train, test } = divide(this, fraction, seed);
    return { train: this.subset(train), test: this.subset(test) };
  }

  /** Makes numbers of pixels, whose tensor it frees. */
  protected normalized({ x, y }: Samples): Samples {
    const { scale, shift } = this;
    const numbers = augment(x, null, { scale, shift });
    x.dispose();
    return { x: numbers, y };
  }

  /** The labels of these indices. */
  protected labelsOf(indices: Int32Array): Tensor {
    const labels = new Int32Array(indices.length);
    for (let k = 0; k < indices.length; k++) {
      const label = this.labels[indices[k]!];
      if (label === undefined) throw rangeError('pixels', 'an index', indices[k], `an integer from 0 to ${this.length - 1}`);
      labels[k] = label;
    }
    return tensor(labels);
  }

  /** Frees its memory. */
  dispose(): void {
    this.scale.dispose();
    this.shift.dispose();
  }

  /** Frees its memory at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Some of the images of another dataset, whose memory it does not own. */
class Subset extends PixelDataset {
  readonly #indices: Int32Array;

  constructor(
    private readonly whole: PixelDataset,
    indices: ArrayLike<number>,
  ) {
    const chosen = Int32Array.from(indices, (i) => {
      if (!(i in whole.labels)) throw rangeError('subset', 'an index', i, `an integer from 0 to ${whole.length - 1}`);
      return i;
    });
    super(
      'subset',
      chosen.map((i) => whole.labels[i]!),
      whole.normalization.mean.length,
      whole,
    );
    this.#indices = chosen;
  }

  override pixels(indices: Int32Array): Samples | Promise<Samples> {
    return this.whole.pixels(this.#chosen(indices));
  }

  override batch(indices: Int32Array): Samples | Promise<Samples> {
    return this.whole.batch(this.#chosen(indices));
  }

  #chosen(indices: Int32Array): Int32Array {
    return indices.map((i) => this.#indices[i] ?? -1);
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

  /** @param images uint8 [N,H,W,C] */
  constructor(images: Tensor, labels: Int32Array, options: ImageOptions) {
    checkShapeOf('ImageDataset', 'images', images, 'N,H,W,C');
    if (images.dtype !== 'uint8') throw dtypeError('ImageDataset', `images are ${images.dtype}, expected uint8`);
    checkOptions('ImageDataset', options, optionNames);
    super('ImageDataset', labels, images.shape[3]!, options);
    if (labels.length !== images.shape[0]) {
      throw shapeError('ImageDataset', `${labels.length} labels for images of shape ${showShape(images.shape)}`);
    }
    this.images = images.share();
  }

  override pixels(indices: Int32Array): Samples {
    return tidy(() => ({ x: gather(this.images, tensor(indices)), y: this.labelsOf(indices) }));
  }

  /** In one pass, without a copy of the pixels between. */
  override batch(indices: Int32Array): Samples {
    if (this.pixels !== ImageDataset.prototype.pixels || this.normalized !== ImageDataset.prototype.normalized) {
      return this.normalized(this.pixels(indices)); // a subclass makes them otherwise
    }
    const { images, scale, shift } = this;
    return tidy(() => ({ x: augment(images, null, { scale, shift, index: tensor(indices) }), y: this.labelsOf(indices) }));
  }

  override dispose(): void {
    super.dispose();
    this.images.dispose();
  }
}

function checkLabels(operation: string, labels: Int32Array, classes: number): Int32Array {
  if (Object.prototype.toString.call(labels) !== '[object Int32Array]') throw typeError(operation, 'labels', labels, 'an Int32Array');
  const wrong = labels.findIndex((label) => label < 0 || label >= classes);
  if (wrong >= 0) throw rangeError(operation, `label ${wrong}`, labels[wrong], `a class from 0 to ${classes - 1}`);
  return labels;
}

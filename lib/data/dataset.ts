import { tensor } from '../create';
import { rangeError, shapeError } from '../errors';
import { native } from '../native';
import { gather } from '../ops/gather';
import { checkOptions, type OptionNames } from '../options';
import { scope } from '../scope';
import { type Shape, showShape, sizeOf } from '../shape';
import { Tensor } from '../tensor';
import { tidy } from '../tidy';

/** Samples and their targets, the first axis counting both. */
export interface Samples {
  readonly x: Tensor;
  readonly y: Tensor;
}

/** Anything that has a number of samples and can make a batch of some of them. */
export interface Dataset {
  readonly length: number;
  /** The length of each sample, where they differ in it. */
  readonly lengths?: ArrayLike<number>;
  /** New tensors of the samples of these indices, in this order. */
  batch(indices: Int32Array): Samples | Promise<Samples>;
}

export interface Normalization {
  /** Mean of the pixels, where black is 0 and white 1. */
  readonly mean: number;
  /** Their standard deviation. */
  readonly std: number;
}

const names: OptionNames<Normalization> = { mean: true, std: true };

/**
 * Images with a class each, kept as bytes in native memory. A batch is x float32 [N,H,W,C], (pixel / 255 - mean) / std, and y int32 [N];
 * it is put together on the native thread.
 */
export class ImageDataset implements Dataset {
  /** uint8 [N,H,W,C]. */
  readonly images: Tensor;
  /** int32 [N]. */
  readonly labels: Tensor;
  readonly length: number;
  readonly #normalization: Normalization;

  /** @param shape [N,H,W,C] */
  constructor(pixels: Uint8Array, shape: Shape, labels: Int32Array, normalization: Normalization) {
    if (shape.length !== 4) throw shapeError('ImageDataset', `shape is ${showShape(shape)}, expected [N,H,W,C]`);
    if (sizeOf(shape) !== pixels.length || labels.length !== shape[0]) {
      throw shapeError(
        'ImageDataset',
        `${pixels.length} pixels and ${labels.length} labels do not fill images of shape ${showShape(shape)}`,
      );
    }
    checkOptions('ImageDataset', normalization, names);
    const { mean, std } = normalization;
    if (!Number.isFinite(mean)) throw rangeError('ImageDataset', 'mean', mean, 'a finite number');
    if (!Number.isFinite(std) || std <= 0) throw rangeError('ImageDataset', 'std', std, 'a positive number');
    this.length = labels.length;
    this.#normalization = normalization;
    [this.images, this.labels] = scope.outside(() => [tensor(pixels, shape), tensor(labels)]);
  }

  batch(indices: Int32Array): Samples {
    return tidy(() => {
      const index = tensor(indices);
      return { x: this.#normalized(gather(this.images, index)), y: gather(this.labels, index) };
    });
  }

  #normalized(pixels: Tensor): Tensor {
    const { mean, std } = this.#normalization;
    const x = Tensor.empty(pixels.shape, 'float32');
    native.ops.cast(pixels.id, x.id, 1 / (255 * std), -mean / std);
    return x;
  }

  dispose(): void {
    this.images.dispose();
    this.labels.dispose();
  }
}

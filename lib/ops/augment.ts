import { dtypeError, shapeError } from '../errors';
import { native } from '../native';
import { apply, checkShapeOf, type Op } from '../op';
import { type Shape, showShape } from '../shape';
import type { Tensor } from '../tensor';

/** What lies around an image: black, its nearest pixel, or the image mirrored at its outermost pixels. */
export type Border = 'zeros' | 'replicate' | 'reflect';

const borders: Readonly<Record<Border, number>> = { zeros: 0, replicate: 1, reflect: 2 };

export const isBorder = (value: unknown): value is Border => typeof value === 'string' && Object.hasOwn(borders, value);

/**
 * What is done to one image, as the kernel reads it: pixel (i, j) of the output is taken at row r0 + ri·i + rj·j and column
 * c0 + ci·i + cj·j of the input; factors of brightness, contrast and saturation; top, left, bottom and right of what is cut out.
 */
export type Change = readonly [
  ...row: [number, number, number],
  ...column: [number, number, number],
  ...colours: [number, number, number],
  ...cut: [number, number, number, number],
];

interface Attrs {
  /** Height and width of the output; those of the input where nothing is changed. */
  readonly size: readonly [number, number];
  readonly border: Border;
}

const changeNumbers = 13;

/** What `augment` takes besides images and their changes. */
interface AugmentedAs {
  readonly scale?: Tensor | null;
  readonly shift?: Tensor | null;
  readonly index?: Tensor | null;
  /** Of the output. Default: the images'. */
  readonly size?: Shape;
  readonly border?: Border;
}

type Optional = Tensor | null;

const op: Op<[x: Tensor, changes: Optional, scale: Optional, shift: Optional, index: Optional], Attrs> = {
  name: 'augment',
  infer([x, changes, scale, shift, index], { size }) {
    const dtype = x.dtype === 'uint8' ? 'float32' : x.dtype;
    if (dtype === 'int32') throw dtypeError('augment', 'images are int32, expected uint8, float32 or float64');
    checkShapeOf('augment', 'images', x, 'N,H,W,C');
    const [images, height, width, channels] = x.shape as [number, number, number, number];
    if (index && (index.dtype !== 'int32' || index.rank !== 1)) {
      throw dtypeError('augment', `index is ${index.dtype} ${showShape(index.shape)}, expected int32 [N]`);
    }
    const n = index ? index.size : images;
    if (height === 0 || width === 0) throw shapeError('augment', `images of shape ${showShape(x.shape)} have no pixels`);
    if (changes) checkShapeOf('augment', 'changes', changes, [n, changeNumbers]);
    if (scale) checkShapeOf('augment', 'scale', scale, [channels]);
    if (shift) checkShapeOf('augment', 'shift', shift, [channels]);
    return { shape: [n, ...size, channels], dtype };
  },
  forward({ inputs: [x, changes, scale, shift, index], attrs: { border }, output }) {
    native.ops.augment(x.id, changes?.id ?? 0, scale?.id ?? 0, shift?.id ?? 0, output.id, index?.id ?? 0, borders[border]);
  },
};

/**
 * Images made into numbers in one pass: moved, coloured, normalised, cut out, in this order (see `Change`). Between pixels it is
 * bilinear; movements by whole pixels are exact. Colours are clamped to 0 to 1 after each change, as torchvision's ColorJitter does.
 *
 * x [N,H,W,C] uint8, where 255 counts as 1, or floating point; changes [N,13]; y = scale[c]·v + shift[c]. Gives [N,…size,C]. No gradient.
 *
 * With an index, int32 [N], image n is made of x[index[n]], of any number of images. A number that is not one of an image is an error when
 * the result is read.
 */
export function augment(
  x: Tensor,
  changes: Tensor | null,
  { scale = null, shift = null, index = null, size, border = 'zeros' }: AugmentedAs,
): Tensor {
  const [height, width] = size ?? x.shape.slice(1, 3);
  return apply(op, [x, changes, scale, shift, index], { size: [height!, width!], border });
}

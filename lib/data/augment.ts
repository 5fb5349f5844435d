import { arange, tensor } from '../create';
import { rangeError, shapeError, typeError } from '../errors';
import { checkShapeOf, checkTensor } from '../op';
import { augment, type Border, type Change, isBorder } from '../ops/augment';
import { add, equal, mul } from '../ops/binary';
import { cast } from '../ops/cast';
import { gather } from '../ops/gather';
import { reshape } from '../ops/reshape';
import { type Pair, perAxis } from '../ops/window';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { checkSamples, type Dataset, type Samples } from './dataset';
import { fraction, generator, wordsOf } from './generator';
import { PixelDataset } from './images';
import { shuffled } from './permutation';

/** What happens to each image of a batch, by chance and in this order. */
export interface AugmentOptions {
  /** A piece of the image at a random place. */
  crop?: {
    /** Pixels added on every side before, or [above and below, left and right]. Default 0. */
    padding?: Pair;
    /** Height and width of the piece. Default: those of the image. */
    size?: Pair;
  };
  /** Mirrored half of the time: `true` left to right, or upside down, or each half of the time. */
  flip?: boolean | 'horizontal' | 'vertical' | 'both';
  /** Turned about the middle by an angle of at most so many degrees, up to 180, either way. */
  rotate?: number;
  /** What is seen beyond the image's edge. Default zeros, which is black. */
  border?: Border;
  /** Each of these is changed by a factor from 1 - v, but at least 0, to 1 + v. */
  colour?: { brightness?: number; contrast?: number; saturation?: number };
  /** Side in pixels of a square that is set to the mean of the pixels, its middle anywhere (DeVries and Taylor 2017). */
  cutout?: number;
  /**
   * Blends each image, and its label, with another one of the batch, by a share drawn from Beta(v, v) for the batch (Zhang et al. 2018).
   * Labels become probabilities [N,C], which `losses.crossEntropy` takes.
   */
  mixup?: number;
}

const names: OptionNames<AugmentOptions> = {
  crop: true,
  flip: true,
  rotate: true,
  border: true,
  colour: true,
  cutout: true,
  mixup: true,
};
const cropNames: OptionNames<NonNullable<AugmentOptions['crop']>> = { padding: true, size: true };
const colourNames: OptionNames<NonNullable<AugmentOptions['colour']>> = { brightness: true, contrast: true, saturation: true };
const flips = { horizontal: [1, 0], vertical: [0, 1], both: [1, 1] } as const;

/** Where in a run a batch stands: with the seed, all that its random numbers depend on. */
export interface Place {
  readonly epoch: number;
  /** The first sample's place in the epoch's order. */
  readonly first: number;
}

/**
 * Makes augmented batches. What happens to a sample is drawn from the seed, the epoch and its place in the epoch's order alone, so that a
 * run goes on from any place as if it had never stopped; the pixels are made on the native thread.
 */
export class Augmentation {
  readonly #padding: readonly [number, number];
  readonly #size: readonly [number, number] | null;
  readonly #flip: readonly [horizontal: number, vertical: number];
  readonly #angle: number;
  readonly #border: Border;
  readonly #colours: readonly [brightness: number, contrast: number, saturation: number];
  readonly #cutout: number;
  readonly #mixup: number;

  constructor(
    options: AugmentOptions,
    private readonly seed: number,
    private readonly dataset: Dataset,
  ) {
    checkOptions('augment', options, names);
    const { crop = {}, flip = false, rotate = 0, border = 'zeros', colour = {}, cutout = 0, mixup = 0 } = options;
    checkOptions('augment', crop, cropNames);
    checkOptions('augment', colour, colourNames);
    this.#padding = pair('crop.padding', crop.padding ?? 0, 0);
    this.#size = crop.size === undefined ? null : pair('crop.size', crop.size, 1);
    if (typeof flip !== 'boolean' && !Object.hasOwn(flips, flip)) {
      throw rangeError('augment', 'flip', flip, `a boolean, 'horizontal', 'vertical' or 'both'`);
    }
    this.#flip = typeof flip === 'string' ? flips[flip] : [Number(flip), 0];
    this.#angle = (within('rotate', rotate, 180) * Math.PI) / 180;
    if (!isBorder(border)) throw rangeError('augment', 'border', border, `'zeros', 'replicate' or 'reflect'`);
    this.#border = border;
    const { brightness = 0, contrast = 0, saturation = 0 } = colour;
    this.#colours = [within('brightness', brightness), within('contrast', contrast), within('saturation', saturation)];
    if (!Number.isSafeInteger(cutout) || cutout < 0) throw rangeError('augment', 'cutout', cutout, 'a whole number of pixels');
    this.#cutout = cutout;
    this.#mixup = within('mixup', mixup);
    if (this.#mixup > 0 && !Array.isArray(dataset.classes)) {
      throw typeError('augment', "the dataset's classes", dataset.classes, 'the list of their names, since mixup is set');
    }
  }

  /** The samples of these indices, augmented. */
  async batch(indices: Int32Array, place: Place): Promise<Samples> {
    const { dataset } = this;
    const before = await (dataset instanceof PixelDataset ? dataset.pixels(indices) : dataset.batch(indices));
    checkSamples(dataset, before, indices.length);
    const after = tidy(() => {
      const changed = this.#change(before.x, place);
      return this.#mixup > 0 ? this.#mix(changed, before.y, place) : { x: changed, y: null };
    });
    before.x.dispose();
    if (!after.y) return { x: after.x, y: before.y };
    before.y.dispose();
    return after;
  }

  #change(x: Tensor, { epoch, first }: Place): Tensor {
    checkShapeOf('augment', 'a batch of images', x, 'N,H,W,C');
    const [n, height, width] = x.shape as [number, number, number];
    const size = this.#size ?? [height, width];
    const room = [height + 2 * this.#padding[0] - size[0], width + 2 * this.#padding[1] - size[1]] as const;
    if (room[0] < 0 || room[1] < 0) {
      throw shapeError('augment', `crop.size is [${size}], the images have ${height}x${width} pixels and padding [${this.#padding}]`);
    }
    const changes = Float32Array.from(
      Array.from({ length: n }, (_, i) => this.#draw(generator([...wordsOf(this.seed), epoch, first + i]), size, room)).flat(),
    );
    const { scale = null, shift = null } = this.dataset instanceof PixelDataset ? this.dataset : {};
    return augment(x, tensor(changes, [n, 13], { dtype: x.dtype === 'float64' ? 'float64' : 'float32' }), {
      scale,
      shift,
      size,
      border: this.#border,
    });
  }

  /** One image's change. Every number is drawn, wanted or not, so that an option's chances do not hang on the others. */
  #draw(random: () => number, [height, width]: readonly [number, number], room: readonly [number, number]): Change {
    const draw = () => fraction(random);
    const upTo = (n: number) => Math.floor(draw() * (n + 1));
    const around = (v: number) => Math.max(0, 1 - v) + draw() * (1 + v - Math.max(0, 1 - v));

    const [top, left] = [upTo(room[0]) - this.#padding[0], upTo(room[1]) - this.#padding[1]];
    const [across, down] = [draw() < this.#flip[0] / 2 ? -1 : 1, draw() < this.#flip[1] / 2 ? -1 : 1];
    const angle = (2 * draw() - 1) * this.#angle;
    const colours = this.#colours.map(around) as [number, number, number];
    const middle = [upTo(height - 1), upTo(width - 1)] as const;

    // About the middle of the piece: a pixel of the output is mirrored, turned, and found in the image.
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const [row, column] = [(height - 1) / 2, (width - 1) / 2];
    const [ri, rj, ci, cj] = [down * cos, across * sin, -down * sin, across * cos];
    const half = this.#cutout / 2;
    const corner = [Math.ceil(middle[0] - half), Math.ceil(middle[1] - half)] as const;
    return [
      top + row - ri * row - rj * column,
      ri,
      rj,
      left + column - ci * row - cj * column,
      ci,
      cj,
      ...colours,
      ...corner,
      corner[0] + this.#cutout,
      corner[1] + this.#cutout,
    ];
  }

  #mix(x: Tensor, labels: Tensor, { epoch, first }: Place): Samples {
    // a stream of its own: no sample's place is negative
    const random = generator([...wordsOf(this.seed), epoch, -1 - first]);
    const share = beta(this.#mixup, random);
    const other = tensor(shuffled(x.shape[0]!, random));
    const blend = (own: Tensor) => add(mul(own, share), mul(gather(own, other), 1 - share));
    return { x: blend(x), y: blend(oneHot(labels, this.dataset.classes!.length, x)) };
  }
}

const pair = (what: string, value: Pair, least: number): [number, number] => perAxis('augment', what, value, 2, least) as [number, number];

function within(what: string, value: number, most = Number.MAX_VALUE): number {
  const expected = `a number from 0${most < Number.MAX_VALUE ? ` to ${most}` : ''}`;
  if (typeof value !== 'number') throw typeError('augment', what, value, expected);
  if (!(value >= 0 && value <= most)) throw rangeError('augment', what, value, expected);
  return value;
}

/** 1 in the column of each label, else 0; labels that are probabilities stay. */
function oneHot(labels: Tensor, classes: number, { dtype }: Tensor): Tensor {
  checkTensor('augment', 'labels', labels);
  if (labels.dtype !== 'int32') return labels;
  const columns = reshape(arange(0, classes, 1, { dtype: 'int32' }), [1, classes]);
  return cast(equal(reshape(labels, [labels.size, 1]), columns), dtype);
}

/** A number of the distribution Beta(a, a): of two of Gamma(a, 1) the first's share. */
function beta(a: number, random: () => number): number {
  const [x, y] = [logGamma(a, random), logGamma(a, random)];
  return 1 / (1 + Math.exp(y - x));
}

/**
 * The logarithm of a number of the distribution Gamma(a, 1), by Marsaglia and Tsang (2000); for small a, whose numbers are too small for
 * floating point, that of Gamma(a + 1, 1) times a uniform number's power of 1/a.
 */
function logGamma(a: number, random: () => number): number {
  const uniform = () => 1 - fraction(random);
  const d = a + 2 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    const v = (1 + c * normal) ** 3;
    if (v > 0 && Math.log(uniform()) < normal ** 2 / 2 + d - d * v + d * Math.log(v)) return Math.log(d * v) + Math.log(uniform()) / a;
  }
}

import { readdir } from 'node:fs/promises';
import { availableParallelism, freemem } from 'node:os';
import { basename, extname, join } from 'node:path';
import { tensor } from '../create';
import { dtypeOf } from '../dtype';
import { ReceptiveError, rangeError, typeError } from '../errors';
import { asFileError, fileError } from '../formats/file';
import { decodeImage, type Fit, type Frame, fits, loadDecoder } from '../formats/image';
import { copyBlock } from '../ops/block';
import { gather } from '../ops/gather';
import { slice } from '../ops/slice';
import { type Pair, perAxis } from '../ops/window';
import { checkOptions, type OptionNames } from '../options';
import { scope } from '../scope';
import { Tensor } from '../tensor';
import { tidy } from '../tidy';
import type { Samples } from './dataset';
import { namesIn } from './folder';
import { type Normalization, PixelDataset } from './images';
import { checkPath } from './labelled';
import { checkClasses } from './textDataset';

/** What image files are brought to. */
export interface ReadImageOptions {
  /** Height and width every image is brought to. */
  size: Pair;
  /** 1 for grey, 3 for colour, 4 for colour and transparency. Default 3. */
  channels?: 1 | 3 | 4;
  /** How an image of another shape fills the size: `cover` cuts its middle out, `contain` shows it whole, `fill` stretches it. Default cover. */
  fit?: Fit;
  /** Red, green and blue, 0 to 255, behind transparent pixels and around images that are contained. Default black. */
  background?: readonly [red: number, green: number, blue: number];
  /** Default: that of ImageNet's photographs, which networks for photographs are used to; transparency stays from 0 to 1. */
  normalization?: Normalization;
}

export interface ImageFolderOptions extends ReadImageOptions {
  /** The folder that holds a folder for each class. */
  dir: string;
  /** The names of the classes, in the order of a network's outputs; other folders are passed over. Default: all folders, sorted. */
  classes?: readonly string[];
  /** Whether all images are decoded when the folder is opened and kept as bytes in memory. Default false: each time they are used. */
  cache?: boolean;
  /** Whether a file that cannot be decoded is an error, or left out and listed in `skipped`; to know them, all are decoded at the start. */
  onError?: 'throw' | 'skip';
}

const readNames: OptionNames<ReadImageOptions> = { size: true, channels: true, fit: true, background: true, normalization: true };
const names: OptionNames<ImageFolderOptions> = { ...readNames, dir: true, classes: true, cache: true, onError: true };

/** @internal ImageNet's, by number of channels; that of grey by the weights of the colours. */
export const photographs: Readonly<Record<number, Normalization>> = {
  1: { mean: 0.459, std: 0.226 },
  3: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  4: { mean: [0.485, 0.456, 0.406, 0], std: [0.229, 0.224, 0.225, 1] },
};

const extensions: ReadonlySet<string> = new Set(['.png', '.jpg', '.jpeg', '.webp', '.gif', '.avif', '.tif', '.tiff']);

/** A file that was left out. */
export interface SkippedFile {
  readonly file: string;
  readonly reason: string;
}

/** Images in files, decoded when they are asked for, or once and for all. See `data.imageFolder`. */
export class ImageFolder extends PixelDataset {
  readonly files: readonly string[];
  /** Files that were left out because they cannot be decoded. */
  readonly skipped: readonly SkippedFile[];
  readonly #sources: readonly (string | Uint8Array)[];
  readonly #frame: Frame;
  readonly #cached: Tensor | null;

  /** @internal */
  constructor(
    frame: Frame,
    { files, labels, skipped, cached, sources = files }: Opened,
    classes: readonly string[],
    normalization: Normalization,
  ) {
    super('imageFolder', Int32Array.from(labels), frame.channels, { classes, normalization });
    this.files = files;
    this.skipped = skipped;
    this.#sources = sources;
    this.#frame = frame;
    this.#cached = cached;
  }

  override pixels(indices: Int32Array): Samples | Promise<Samples> {
    const cached = this.#cached;
    return cached ? tidy(() => ({ x: gather(cached, tensor(indices)), y: this.labelsOf(indices) })) : this.#decode(indices);
  }

  async #decode(indices: Int32Array): Promise<Samples> {
    const y = this.labelsOf(indices);
    const { height, width, channels } = this.#frame;
    const bytes = new Uint8Array(indices.length * height * width * channels);
    await concurrently(indices, async (index, i) => {
      bytes.set(await decodeImage(this.#sources[index]!, this.#frame), i * height * width * channels);
    });
    return { x: tensor(bytes, [indices.length, height, width, channels]), y };
  }

  /** Frees its memory. */
  override dispose(): void {
    super.dispose();
    this.#cached?.dispose();
  }
}

/**
 * Images from a folder of folders: each is a class under its name, and every PNG, JPEG, WebP, GIF, AVIF or TIFF file in it, at any depth,
 * an image. They are turned upright by their EXIF data, brought to 8 bits, to grey or colour, and to one size. The order is that of the
 * names; hidden files are passed over. Files are decoded by the package `sharp`, off the main thread, several at a time.
 *
 * ```ts
 * const pets = await data.imageFolder({ dir: 'pets', size: 64 }); // pets/cat/1.png, pets/dog/2.jpg, …
 * const { train, test } = pets.split(0.2, 1);
 * ```
 * @throws ReceptiveError `ERR_UNSUPPORTED` where sharp is not installed; `ERR_FILE`, which names the folder that holds no images, or, when
 * its batch is made or all are decoded, the file that is damaged.
 */
export async function imageFolder(options: ImageFolderOptions): Promise<ImageFolder> {
  checkOptions('imageFolder', options, names);
  const { dir, cache = false, onError = 'throw' } = options;
  checkPath('imageFolder', 'dir', dir);
  const frame = frameOf('imageFolder', options);
  const { normalization = photographs[frame.channels]! } = options;
  if (typeof cache !== 'boolean') throw typeError('imageFolder', 'cache', cache, 'true or false');
  if (onError !== 'throw' && onError !== 'skip') throw rangeError('imageFolder', 'onError', onError, "'throw' or 'skip'");
  loadDecoder();

  const classes = options.classes ? checkClasses('imageFolder', options.classes) : await foldersIn(dir);
  const found: Found = { files: [], labels: [] };
  for (const [label, name] of classes.entries()) {
    for (const file of await imagesIn(join(dir, name))) {
      found.files.push(file);
      found.labels.push(label);
    }
  }
  const opened = cache || onError === 'skip' ? await decodeAll(dir, found, frame, cache, onError) : { ...found, skipped: [], cached: null };
  return new ImageFolder(frame, opened, classes, normalization);
}

/**
 * Image files, by their paths or as bytes, as a batch of `data.imageFolder` would hold them, float32 [n,H,W,C]: what a network that learnt
 * from such batches takes.
 *
 * ```ts
 * const x = await data.readImages(['cat.jpg', 'dog.png'], { size: 64 }); // [2, 64, 64, 3]
 * ```
 * @throws ReceptiveError `ERR_UNSUPPORTED` where sharp is not installed; `ERR_FILE`, which names the file that is missing or damaged.
 */
export async function readImages(files: readonly (string | Uint8Array)[], options: ReadImageOptions): Promise<Tensor> {
  const isFile = (file: unknown) => typeof file === 'string' || dtypeOf(file) === 'uint8';
  if (!Array.isArray(files) || !files.every(isFile)) throw typeError('readImages', 'files', files, 'a list of paths, or of bytes');
  checkOptions('readImages', options, readNames);
  const frame = frameOf('readImages', options);
  const { normalization = photographs[frame.channels]! } = options;
  const shown = files.map((file, i) => (typeof file === 'string' ? file : `image ${i}`));
  const found: Opened = { files: shown, labels: files.map(() => 0), skipped: [], cached: null, sources: files };
  const images = new ImageFolder(frame, found, ['image'], normalization);
  try {
    const { x, y } = await images.batch(Int32Array.from(files.keys()));
    y.dispose();
    return x;
  } finally {
    images.dispose();
  }
}

function frameOf(operation: string, { size, channels = 3, fit = 'cover', background = [0, 0, 0] }: ReadImageOptions): Frame {
  const [height, width] = perAxis(operation, 'size', size, 2) as [number, number];
  if (channels !== 1 && channels !== 3 && channels !== 4) throw rangeError(operation, 'channels', channels, '1, 3 or 4');
  if (!fits.includes(fit)) throw rangeError(operation, 'fit', fit, fits.map((one) => `'${one}'`).join(', '));
  if (!Array.isArray(background) || background.length !== 3 || !background.every((v) => Number.isInteger(v) && v >= 0 && v <= 255)) {
    throw rangeError(operation, 'background', background, 'red, green and blue, each from 0 to 255');
  }
  return { height, width, channels, fit, background };
}

interface Found {
  readonly files: string[];
  readonly labels: number[];
}

interface Opened extends Found {
  /** What is decoded, where that is not the files. */
  readonly sources?: readonly (string | Uint8Array)[];
  readonly skipped: readonly SkippedFile[];
  /** The images, uint8 [N,H,W,C], where they are kept. */
  readonly cached: Tensor | null;
}

async function foldersIn(dir: string): Promise<string[]> {
  const folders = (await namesIn(dir, (entry) => entry.isDirectory())).filter((name) => !name.startsWith('.'));
  if (folders.length === 0) throw fileError(dir, 'holds no folders, expected one for each class');
  return folders;
}

/** The paths of the images in a folder and those inside it, in order. */
async function imagesIn(folder: string): Promise<string[]> {
  const images = (await filesIn(folder)).filter((path) => extensions.has(extname(path).toLowerCase()) && !basename(path).startsWith('.'));
  if (images.length === 0) throw fileError(folder, `holds no images (${[...extensions].join(', ')})`);
  return images.sort();
}

/** The paths of all files in a folder and those inside it; a link to a folder is none, so that no way leads round in circles. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause) => {
    throw asFileError(folder, cause);
  });
  const files: string[][] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    files.push(entry.isDirectory() ? await filesIn(path) : [path]);
  }
  return files.flat();
}

/** Images decoded before they go into the cache together. */
const together = 64;

/** Decodes every image once, to find the damaged ones and to keep the others. */
async function decodeAll(dir: string, found: Found, frame: Frame, keep: boolean, onError: 'throw' | 'skip'): Promise<Opened> {
  const { height, width, channels } = frame;
  const bytes = height * width * channels;
  const count = found.files.length;
  if (keep && count * bytes > freemem()) {
    const size = (n: number) => `${Math.ceil(n / 2 ** 20).toLocaleString('en')} MiB`;
    throw new ReceptiveError(
      'ERR_OUT_OF_MEMORY',
      `imageFolder: ${count} images of ${height}x${width}x${channels} take ${size(count * bytes)}, there are ${size(freemem())}: leave cache out`,
    );
  }
  const good: Found = { files: [], labels: [] };
  const skipped: SkippedFile[] = [];
  const images = keep ? scope.outside(() => Tensor.empty([count, height, width, channels], 'uint8')) : null;
  try {
    for (let first = 0; first < count; first += together) {
      const decoded = await concurrently(found.files.slice(first, first + together), async (file) => {
        try {
          return await decodeImage(file, frame);
        } catch (error) {
          if (onError === 'throw' || !(error instanceof ReceptiveError && error.code === 'ERR_FILE')) throw error;
          return error.message.slice(file.length + 2);
        }
      });
      const kept: Uint8Array[] = [];
      const before = good.files.length;
      for (const [i, one] of decoded.entries()) {
        const file = found.files[first + i]!;
        if (typeof one === 'string') {
          skipped.push({ file, reason: one });
          continue;
        }
        kept.push(one);
        good.files.push(file);
        good.labels.push(found.labels[first + i]!);
      }
      if (images && kept.length > 0) {
        const shape = [kept.length, height, width, channels];
        tidy(() => copyBlock(shape, tensor(Buffer.concat(kept), shape), [0, 0, 0, 0], images, [before, 0, 0, 0]));
      }
    }
    if (good.files.length === 0) throw fileError(dir, `none of its ${count} images can be decoded`);
    const all = good.files.length === count;
    const cached = images && (all ? images.share() : scope.outside(() => slice(images, [0], [good.files.length])));
    return { ...good, skipped, cached };
  } finally {
    images?.dispose();
  }
}

/** Calls fn on each item, on as many at a time as there are processors; begins no more once one has failed. */
async function concurrently<T, R>(items: ArrayLike<T>, fn: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      try {
        results[index] = await fn(items[index]!, index);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return results;
}

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { rangeError, typeError } from '../errors';
import { asFileError, fileError } from '../formats/file';
import { readIdx } from '../formats/idx';
import { checkOptions, type OptionNames } from '../options';
import { ImageDataset } from './dataset';

export type MnistSplit = 'train' | 'test';

export interface MnistOptions {
  /** The folder the files are in. */
  dir: string;
  /** Which half to read. Default: both. */
  split?: MnistSplit;
}

const names: OptionNames<MnistOptions> = { dir: true, split: true };

const prefixes: Readonly<Record<MnistSplit, string>> = { train: 'train', test: 't10k' };

/** Of the training images' pixels. */
const normalization = { mean: 0.1307, std: 0.3081 };

/**
 * The MNIST digits (LeCun, Cortes and Burges), or a set in the same files, from a folder that holds them plain or gzipped, under either
 * of their names (`train-images-idx3-ubyte`, `train-images.idx3-ubyte`). Images are [28,28,1], normalised to mean 0 and deviation 1.
 *
 * ```ts
 * const { train, test } = await data.mnist({ dir: 'mnist' });
 * ```
 * @throws ReceptiveError `ERR_FILE`, which names the file and what is wrong with it.
 */
export async function mnist(options: MnistOptions & { split?: undefined }): Promise<Record<MnistSplit, ImageDataset>>;
export async function mnist(options: MnistOptions & { split: MnistSplit }): Promise<ImageDataset>;
export async function mnist(options: MnistOptions): Promise<Record<MnistSplit, ImageDataset> | ImageDataset> {
  checkOptions('mnist', options, names);
  const { dir, split } = options;
  if (typeof dir !== 'string') throw typeError('mnist', 'dir', dir, 'the path of a folder');
  if (split !== undefined && !Object.hasOwn(prefixes, split)) throw rangeError('mnist', 'split', split, 'train or test');
  const files = await readdir(dir).catch((cause) => {
    throw asFileError(dir, cause);
  });
  const read = (one: MnistSplit) => readSplit(dir, files, prefixes[one]);
  if (split) return read(split);
  const [train, test] = await Promise.all([read('train'), read('test')]);
  return { train, test };
}

async function readSplit(dir: string, files: readonly string[], prefix: string): Promise<ImageDataset> {
  const imagesPath = join(dir, find(dir, files, `${prefix}-images`, 'idx3-ubyte'));
  const labelsPath = join(dir, find(dir, files, `${prefix}-labels`, 'idx1-ubyte'));
  const [images, labels] = await Promise.all([readIdx(imagesPath, 3), readIdx(labelsPath, 1)]);
  const [count, height, width] = images.shape as [number, number, number];
  if (images.data.length === 0) throw fileError(imagesPath, `holds no images (shape [${images.shape.join(',')}])`);
  if (labels.data.length !== count) {
    throw fileError(labelsPath, `holds ${labels.data.length} labels, ${imagesPath} holds ${count} images`);
  }
  const wrong = labels.data.findIndex((label) => label > 9);
  if (wrong >= 0) throw fileError(labelsPath, `label ${wrong} is ${labels.data[wrong]}, expected 0 to 9`);
  return new ImageDataset(images.data, [count, height, width, 1], Int32Array.from(labels.data), normalization);
}

function find(dir: string, files: readonly string[], stem: string, suffix: string): string {
  const names = [`${stem}-${suffix}`, `${stem}.${suffix}`].flatMap((name) => [name, `${name}.gz`]);
  const found = names.find((name) => files.includes(name));
  if (!found) throw fileError(dir, `holds none of ${names.join(', ')}`);
  return found;
}

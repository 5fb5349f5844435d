import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { tensor } from '../create';
import { asFileError, fileError } from '../formats/file';
import { readIdx } from '../formats/idx';
import { tidy } from '../tidy';
import { ImageDataset, type ImageOptions } from './images';
import { reader, type Split, type SplitOptions, splitOptionNames } from './splits';

const prefixes: Readonly<Record<Split, string>> = { train: 'train', test: 't10k' };

/** A reader of a set in MNIST's files; its images are normalised by mean and deviation of the training pixels. */
function define(name: string, set: ImageOptions) {
  return reader<SplitOptions>(name, splitOptionNames, async (split, { dir }) => {
    const files = await readdir(dir).catch((cause) => {
      throw asFileError(dir, cause);
    });
    return readSplit(dir, files, prefixes[split], set);
  });
}

/**
 * The MNIST digits (LeCun, Cortes and Burges), or a set in the same files, from a folder that holds them plain or gzipped, under either
 * of their names (`train-images-idx3-ubyte`, `train-images.idx3-ubyte`). Images are [28,28,1], normalised to mean 0 and deviation 1.
 *
 * ```ts
 * const { train, test } = await data.mnist({ dir: 'mnist' });
 * ```
 * @throws ReceptiveError `ERR_FILE`, which names the file and what is wrong with it.
 */
export const mnist = define('mnist', { classes: Array.from('0123456789'), normalization: { mean: 0.1307, std: 0.3081 } });

/**
 * Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): pictures of ten kinds of clothes in the files and sizes of MNIST, read as `mnist` reads
 * those. Debian's package `dataset-fashion-mnist` puts them in `/usr/share/datasets/fashion-mnist`.
 *
 * ```ts
 * const { train, test } = await data.fashionMnist({ dir: '/usr/share/datasets/fashion-mnist' });
 * ```
 * @throws ReceptiveError `ERR_FILE`, which names the file and what is wrong with it.
 */
export const fashionMnist = define('fashionMnist', {
  classes: ['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'],
  normalization: { mean: 0.286, std: 0.353 },
});

async function readSplit(dir: string, files: readonly string[], prefix: string, set: ImageOptions): Promise<ImageDataset> {
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
  return tidy(() => new ImageDataset(tensor(images.data, [count, height, width, 1]), Int32Array.from(labels.data), set));
}

function find(dir: string, files: readonly string[], stem: string, suffix: string): string {
  const names = [`${stem}-${suffix}`, `${stem}.${suffix}`].flatMap((name) => [name, `${name}.gz`]);
  const found = names.find((name) => files.includes(name));
  if (!found) throw fileError(dir, `holds none of ${names.join(', ')}`);
  return found;
}

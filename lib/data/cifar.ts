import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tensor } from '../create';
import { rangeError } from '../errors';
import { asFileError, fileError, readFully } from '../formats/file';
import { concat } from '../ops/concat';
import { reshape } from '../ops/reshape';
import { slice } from '../ops/slice';
import { transpose } from '../ops/transpose';
import type { OptionNames } from '../options';
import { scope } from '../scope';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { ImageDataset, type Normalization } from './images';
import { reader, type SplitOptions, splitOptionNames } from './splits';

// The binary version of the CIFAR sets (Krizhevsky 2009): records of one label byte, two in CIFAR-100, and the red, green and blue plane
// of an image of 32x32 pixels, without a header. A file's size is all it says of itself, so each must have just its number of records.

const plane = 32 * 32;

/** A file of records: how many, and how many labels each begins with. */
interface Layout {
  readonly records: number;
  readonly labels: number;
}

/**
 * CIFAR-10: small photographs of ten kinds of things, 50,000 to train on and 10,000 to test with, from the folder of the set's binary
 * version (`data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin`). Images are [32,32,3], normalised to mean 0 and deviation 1.
 *
 * ```ts
 * const { train, test } = await data.cifar10({ dir: 'cifar-10-batches-bin' });
 * ```
 * @throws ReceptiveError `ERR_FILE`, which names the file and what is wrong with it.
 */
export const cifar10 = reader<SplitOptions>('cifar10', splitOptionNames, (split, { dir }) => {
  const files = split === 'test' ? ['test_batch.bin'] : [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`);
  return read(
    files.map((file) => join(dir, file)),
    { records: 10_000, labels: 1 },
    0,
    ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'],
    { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] },
  );
});

/** Options of `cifar100`. */
export interface Cifar100Options extends SplitOptions {
  /** Whether labels are the 100 classes or the 20 superclasses. Default fine. */
  labels?: 'fine' | 'coarse';
}

/**
 * CIFAR-100: as CIFAR-10, of 100 classes in 20 superclasses, from the folder of the set's binary version (`train.bin`, `test.bin`, and
 * `fine_label_names.txt` and `coarse_label_names.txt` for the names of the classes).
 *
 * ```ts
 * const { train, test } = await data.cifar100({ dir: 'cifar-100-binary' });
 * ```
 * @throws ReceptiveError `ERR_FILE`, which names the file and what is wrong with it.
 */
export const cifar100 = reader<Cifar100Options>(
  'cifar100',
  { ...splitOptionNames, labels: true } satisfies OptionNames<Cifar100Options>,
  async (split, { dir, labels = 'fine' }) => {
    if (labels !== 'fine' && labels !== 'coarse') throw rangeError('cifar100', 'labels', labels, 'fine or coarse');
    const classes = await readNames(join(dir, `${labels}_label_names.txt`), labels === 'fine' ? 100 : 20);
    return read(
      [join(dir, `${split}.bin`)],
      { records: split === 'train' ? 50_000 : 10_000, labels: 2 },
      labels === 'coarse' ? 0 : 1,
      classes,
      { mean: [0.5071, 0.4865, 0.4409], std: [0.2673, 0.2564, 0.2762] },
    );
  },
);

/** Names of classes, one a line. */
async function readNames(path: string, count: number): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw asFileError(path, cause);
  });
  const found = text.split('\n').flatMap((line) => line.trim() || []);
  if (found.length !== count) throw fileError(path, `holds ${found.length} names, expected ${count}`);
  return found;
}

/** One dataset of the records of some files, labelled by the byte at `label` of each record. */
async function read(
  paths: readonly string[],
  layout: Layout,
  label: number,
  classes: readonly string[],
  normalization: Normalization,
): Promise<ImageDataset> {
  const stride = layout.labels + 3 * plane;
  const labels = new Int32Array(paths.length * layout.records);
  const parts: Tensor[] = [];
  try {
    for (const [i, path] of paths.entries()) {
      const bytes = await readRecords(path, layout.records, stride);
      for (let record = 0; record < layout.records; record++) {
        const value = bytes[record * stride + label]!;
        if (value >= classes.length) throw fileError(path, `label ${record} is ${value}, expected 0 to ${classes.length - 1}`);
        labels[i * layout.records + record] = value;
      }
      parts.push(scope.outside(() => pixelsLast(bytes, layout)));
    }
    return tidy(() => new ImageDataset(concat(parts), labels, { classes, normalization }));
  } finally {
    for (const part of parts) part.dispose();
  }
}

async function readRecords(path: string, records: number, stride: number): Promise<Uint8Array> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size !== records * stride) {
        throw new Error(`has ${size} bytes, expected ${records * stride} (${records} records of ${stride} bytes)`);
      }
      const bytes = new Uint8Array(size);
      await readFully(file, bytes, 0);
      return bytes;
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw asFileError(path, cause);
  }
}

/** The records' images with the colours of a pixel beside each other, [records,32,32,3]; turned round on the native thread. */
function pixelsLast(bytes: Uint8Array, { records, labels }: Layout): Tensor {
  return tidy(() => {
    const planes = slice(tensor(bytes, [records, labels + 3 * plane]), [0, labels]);
    return transpose(reshape(planes, [records, 3, 32, 32]), [0, 2, 3, 1]);
  });
}

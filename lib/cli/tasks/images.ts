import { type Command, Option } from 'commander';
import * as data from '../../data';
import { ReceptiveError, rangeError } from '../../errors';
import { imagesOf } from '../../formats/modelFile';
import { oneOf, positiveInteger, someOf } from '../arguments';
import { addPartOptions, type DividedDescription, divideData, heldOutOf, type PartOptions } from './parts';
import { firstFew, type ImageDescription, inOrder, oneImage, servingImages, showFiles, showLabelled } from './pictures';
import type { EvaluateOptions, Task, TrainOptions } from './task';

/** What a model file says of a network for the images of some folder. */
type FolderDescription = ImageDescription & DividedDescription;

interface ReadOptions {
  data?: string;
  cache: boolean;
  skipDamaged: boolean;
}

interface ImageTrainOptions extends TrainOptions, ReadOptions, PartOptions {
  data?: string;
  seed: number;
  size: number;
  channels: '1' | '3';
  fit: data.ImageFit;
  augment: string[];
}

/** What may happen to images of a size by chance, by the names `--augment` takes. */
const augmentations: Readonly<Record<string, (size: number) => data.AugmentOptions>> = {
  crop: (size) => ({ crop: { padding: Math.max(1, Math.round(size / 8)) } }),
  flip: () => ({ flip: true }),
  rotate: () => ({ rotate: 10 }),
  colour: () => ({ colour: { brightness: 0.2, contrast: 0.2, saturation: 0.2 } }),
  cutout: (size) => ({ cutout: Math.round(size / 4) }),
  mixup: () => ({ mixup: 0.2 }),
};

/** Options of each network for images of a size. */
const networks: Readonly<Record<string, (size: number) => Readonly<Record<string, unknown>>>> = {
  smallVgg: () => ({}),
  resnet18: (size) => ({ stem: size <= 64 ? 'cifar' : 'imagenet' }),
  resnet34: (size) => ({ stem: size <= 64 ? 'cifar' : 'imagenet' }),
  resnet50: (size) => ({ stem: size <= 64 ? 'cifar' : 'imagenet' }),
  mobilenetV2: () => ({}),
  vgg11: (size) => ({ size, batchNorm: true, hidden: 512 }),
  vgg13: (size) => ({ size, batchNorm: true, hidden: 512 }),
  vgg16: (size) => ({ size, batchNorm: true, hidden: 512 }),
  lenet5: (size) => ({ size }),
};

/** Images in a folder for each class. */
export const images: Task<FolderDescription> = {
  summary: 'tell apart images by a folder of each kind',
  unit: 'images',
  architectures: Object.keys(networks) as [string, ...string[]],
  data: 'folder that holds a folder of images (PNG, JPEG, WebP, …) for each class',
  inputs: 'image files',
  defaults: { epochs: 20, batchSize: 64, optimizer: 'sgd', lr: 0.1 },

  addOptions(command, on) {
    if (on === 'predict') return;
    const of = on === 'train' ? '' : 'images: '; // evaluate has the options of all tasks
    command
      .option('--no-cache', `${of}decode them each time they are used, not once and for all into memory`)
      .option('--skip-damaged', `${of}leave out files that cannot be decoded, and say which`, false);
    addPartOptions(command, on);
    if (on === 'train') addTrainOptions(command);
  },

  async prepare(options) {
    const { arch, batchSize, seed, size, channels, fit, augment, out } = options as ImageTrainOptions;
    const format = { size, channels: Number(channels) as 1 | 3, fit };
    const whole = await readFolder(options as ImageTrainOptions, format);
    const { classes, normalization } = whole;
    const { train, validation, test, heldOut } = await divideData<data.PixelDataset>(
      whole,
      options as ImageTrainOptions,
      'images',
      (path) => readFolder({ ...(options as ImageTrainOptions), data: path }, format, classes),
    );
    const description: FolderDescription = {
      task: 'images',
      architecture: arch,
      options: { classes: classes.length, channels: format.channels, ...networks[arch]!(size) },
      labels: classes,
      images: { ...format, normalization },
      heldOut,
    };
    const chances = Object.assign({}, ...augment.map((name) => augmentations[name]!(size)));
    return {
      train: { batches: new data.DataLoader(train, { batchSize, shuffle: true, seed, augment: chances }), size: train.length },
      validation: validation && inOrder(validation, batchSize),
      test: inOrder(test, batchSize),
      description,
      show: async (model) => (await showLabelled({ path: out, model, description }, test, someOfEach(test))).drawing,
    };
  },

  input: oneImage,
  serving: servingImages,

  async open(saved, options) {
    const { batchSize, heldOut: only } = options as EvaluateOptions & { heldOut: boolean };
    const format = imagesOf(saved.path, saved.description.images);
    const whole = await readFolder(options as EvaluateOptions & ReadOptions, format, saved.description.labels);
    return inOrder(only ? heldOutOf<data.PixelDataset>(saved, whole) : whole, batchSize);
  },

  async predict(saved, inputs, _, output) {
    if (inputs.length === 0) throw rangeError('predict', 'what follows the model', inputs, 'image files');
    await showFiles(saved, inputs, output);
  },
};

function addTrainOptions(command: Command): void {
  command
    .option('--size <n>', 'height and width the images are brought to', positiveInteger, 64)
    .addOption(new Option('--channels <n>', '1 for grey, 3 for colour').choices(['1', '3']).default('3'))
    .addOption(new Option('--fit <how>', 'how they fill that size').argParser(oneOf(['cover', 'contain', 'fill'])).default('cover'))
    .addOption(
      new Option('--augment <list>', `what happens to them by chance: none, or some of ${Object.keys(augmentations).join(', ')}`)
        .argParser(someOf(Object.keys(augmentations)))
        .default(['crop', 'flip'], 'crop,flip'),
    );
}

async function readFolder(
  { data: dir, cache, skipDamaged }: ReadOptions,
  format: data.ReadImageOptions,
  classes?: readonly string[],
): Promise<data.ImageFolder> {
  if (dir === undefined)
    throw new ReceptiveError('ERR_FILE', 'no images: give the folder that holds a folder for each class with --data DIR');
  const folder = await data.imageFolder({ ...format, dir, classes, cache, onError: skipDamaged ? 'skip' : 'throw' });
  for (const { file, reason } of folder.skipped) process.stderr.write(`left out ${file}: ${reason}\n`);
  return folder;
}

/** Some images of a set, of as many classes as there are. */
function someOfEach(set: data.PixelDataset): number[] {
  const first = set.classes.map((_, label) => set.labels.indexOf(label)).filter((index) => index >= 0);
  return first.length >= 8 ? first.slice(0, 8) : [...new Set([...first, ...firstFew(set)])].slice(0, 8);
}

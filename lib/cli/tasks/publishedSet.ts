import { Option } from 'commander';
import * as data from '../../data';
import { rangeError } from '../../errors';
import { addShared, positiveInteger, wholeNumber } from '../arguments';
import { firstFew, type ImageDescription, inOrder, oneImage, servingImages, showFiles, showLabelled } from './pictures';
import type { PredictOptions, Task, TrainOptions } from './task';

/** A set of images that comes in files of its own, one part to train on and one to test with. */
export interface PublishedSet extends Pick<Task, 'summary' | 'data' | 'defaults'> {
  /** The task's name. */
  readonly name: string;
  /** Functions of `models` to choose from, the default first, with their options. */
  readonly networks: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** What happens to the training images by chance. */
  readonly augment?: data.AugmentOptions;
  /** Reads the files, from where they are installed if no directory is given. */
  read(dir: string | undefined): Promise<Record<data.Split, data.ImageDataset>>;
}

/** The task of recognising the images of such a set. */
export function publishedSet({ name, networks, augment, read, ...rest }: PublishedSet): Task<ImageDescription> {
  return {
    ...rest,
    unit: 'images',
    architectures: Object.keys(networks) as [string, ...string[]],
    inputs: 'image files, or nothing for test images',

    addOptions(command, on) {
      if (on === 'train' && augment) command.option('--no-augment', 'train on the images as they are');
      if (on !== 'predict') return;
      addShared(command, new Option('--data <path>', 'where its test images are, as for "receptive train" of its task'));
      addShared(command, new Option('--start <n>', 'the first test image, counted from 0').argParser(wholeNumber).default(0));
      addShared(command, new Option('--count <n>', 'how many test images').argParser(positiveInteger).default(8));
    },

    async prepare(options) {
      const { data: dir, arch, batchSize, seed } = options;
      const { train, test } = await read(dir);
      const chance = (options as TrainOptions & { augment?: boolean }).augment ? augment : undefined;
      const [, height, width, channels] = train.images.shape as [number, number, number, 1 | 3];
      const description: ImageDescription = {
        task: name,
        architecture: arch,
        options: networks[arch]!,
        labels: train.classes,
        images: { size: [height, width], channels, fit: 'contain', background: [0, 0, 0], normalization: train.normalization },
      };
      return {
        train: { batches: new data.DataLoader(train, { batchSize, shuffle: true, seed, augment: chance }), size: train.length },
        test: inOrder(test, 500),
        description,
        show: async (model) => (await showLabelled({ path: options.out, model, description }, test, firstFew(test))).drawing,
      };
    },

    input: oneImage,
    serving: servingImages,

    async open(_, { data: dir, batchSize }) {
      return inOrder((await read(dir)).test, batchSize);
    },

    async predict(saved, inputs, options, output) {
      if (inputs.length > 0) return showFiles(saved, inputs, output);
      const { data: dir, start, count } = options as PredictOptions & { data?: string; start: number; count: number };
      const { test } = await read(dir);
      if (start >= test.length) throw rangeError('predict', '--start', start, `an image from 0 to ${test.length - 1}`);
      const indices = Array.from({ length: Math.min(count, test.length - start) }, (_, i) => start + i);
      const { drawing, predictions } = await showLabelled(saved, test, indices);
      output.line(drawing);
      for (const prediction of predictions) output.event({ ...prediction });
    },
  };
}

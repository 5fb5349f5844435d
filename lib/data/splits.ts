import { rangeError, typeError } from '../errors';
import { checkOptions, type OptionNames } from '../options';
import type { ImageDataset } from './images';

/** The halves published sets come in. */
export type Split = 'train' | 'test';

/** Options of `split`. */
export interface SplitOptions {
  /** The folder the files are in. */
  dir: string;
  /** Which half to read. Default: both. */
  split?: Split;
}

export const splitOptionNames: OptionNames<SplitOptions> = { dir: true, split: true };

/** Reads the half that is asked for, or both. */
export interface Reader<O extends SplitOptions> {
  (options: O & { split?: undefined }): Promise<Record<Split, ImageDataset>>;
  (options: O & { split: Split }): Promise<ImageDataset>;
  (options: O): Promise<Record<Split, ImageDataset> | ImageDataset>;
}

/** A reader of a set of this name, made from one of either half. */
export function reader<O extends SplitOptions>(
  name: string,
  names: OptionNames<O>,
  read: (split: Split, options: O) => Promise<ImageDataset>,
): Reader<O> {
  const readSet = async (options: O): Promise<Record<Split, ImageDataset> | ImageDataset> => {
    checkOptions(name, options, names);
    const { dir, split } = options;
    if (typeof dir !== 'string') throw typeError(name, 'dir', dir, 'the path of a folder');
    if (split !== undefined && split !== 'train' && split !== 'test') throw rangeError(name, 'split', split, 'train or test');
    if (split) return read(split, options);
    const [train, test] = await Promise.all([read('train', options), read('test', options)]);
    return { train, test };
  };
  return readSet as Reader<O>;
}

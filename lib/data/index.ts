export type { Fit as ImageFit } from '../formats/image';
export type { TextEncoding } from '../formats/text';
export type { AugmentOptions } from './augment';
export { type Cifar100Options, cifar10, cifar100 } from './cifar';
export { type Column, type CsvOptions, csv } from './csv';
export type { Dataset, Samples } from './dataset';
export {
  type ImageFolder,
  type ImageFolderOptions,
  imageFolder,
  type ReadImageOptions,
  readImages,
  type SkippedFile,
} from './imageFolder';
export { ImageDataset, type ImageOptions, type Normalization, PixelDataset } from './images';
export { type JsonlOptions, jsonl } from './jsonl';
export type { TextFileOptions } from './labelled';
export { type Batch, DataLoader, type DataLoaderOptions, type LoaderState } from './loader';
export { fashionMnist, mnist } from './mnist';
export type { Split, SplitOptions } from './splits';
export { TextDataset, type TextDatasetOptions } from './textDataset';
export { type TextFolderOptions, textFolder } from './textFolder';
export { TokenDataset } from './tokenDataset';
export { Tokenizer, type TokenizerOptions, type TokenizerRules, type TokenizerState, type TokenKind } from './tokenizer';

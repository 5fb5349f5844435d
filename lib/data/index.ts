export { type Dataset, ImageDataset, type Normalization, type Samples } from './dataset';
export { type Batch, DataLoader, type DataLoaderOptions } from './loader';
export { type MnistOptions, type MnistSplit, mnist } from './mnist';

export {
  ELU,
  GELU,
  HardSigmoid,
  HardSwish,
  Hardtanh,
  LeakyReLU,
  LogSoftmax,
  ReLU,
  ReLU6,
  Sigmoid,
  SiLU,
  Softmax,
  Softplus,
  Tanh,
} from './activation';
export { AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d } from './adaptivePool';
export { BatchNorm1d, BatchNorm2d, BatchNorm3d, type BatchNormOptions } from './batchNorm';
export { Conv1d, type Conv1dOptions, Conv2d, type Conv2dOptions, Conv3d, type Conv3dOptions, type PaddingMode } from './conv';
export { ConvTranspose1d, type ConvTranspose1dOptions, ConvTranspose2d, type ConvTranspose2dOptions } from './convTranspose';
export { Dropout, Dropout1d, Dropout2d } from './dropout';
export { Embedding, type EmbeddingOptions } from './embedding';
export { Flatten } from './flatten';
export { GlobalAvgPool1d, GlobalAvgPool2d, GlobalMaxPool1d, GlobalMaxPool2d } from './globalPool';
export { Identity } from './identity';
/** Initialisers of weights. */
export * as init from './init';
export { Linear, type LinearOptions } from './linear';
export { LocallyConnected2d, type LocallyConnected2dOptions } from './locallyConnected2d';
export { type LoadOptions, Module, type Part, type StateDict } from './module';
export {
  GroupNorm,
  type GroupNormOptions,
  InstanceNorm2d,
  type InstanceNormOptions,
  LayerNorm,
  type LayerNormOptions,
} from './norm';
export { Buffer, Parameter } from './parameter';
export {
  AvgPool1d,
  type AvgPool1dOptions,
  AvgPool2d,
  type AvgPool2dOptions,
  AvgPool3d,
  type AvgPool3dOptions,
  MaxPool1d,
  type MaxPool1dOptions,
  MaxPool2d,
  type MaxPool2dOptions,
  MaxPool3d,
  type MaxPool3dOptions,
  MaxUnpool2d,
  type MaxUnpool2dOptions,
} from './pool';
export { PReLU, type PReLUOptions } from './prelu';
export { Residual } from './residual';
export { Sequential } from './sequential';
export { PixelShuffle, PixelUnshuffle, Upsample } from './upsample';

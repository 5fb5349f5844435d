export {
  elu,
  type GeluOptions,
  gelu,
  hardSigmoid,
  hardSwish,
  hardtanh,
  leakyRelu,
  relu,
  relu6,
  sigmoid,
  silu,
  softplus,
  tanh,
} from './activation';
export {
  type AdaptivePair,
  type AdaptiveSize,
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
} from './adaptivePool';
export { type ArgmaxOptions, argmax } from './argmax';
export * from './avgPool1d';
export { type AvgPool2dOptions, avgPool2d } from './avgPool2d';
export * from './avgPool3d';
export * from './batchNorm';
export * from './binary';
export * from './cast';
export * from './concat';
export * from './conv1d';
export { type Conv2dOptions, type ConvAlgorithm, conv2d } from './conv2d';
export * from './conv3d';
export * from './convTranspose1d';
export { type ConvTranspose2dOptions, convTranspose2d } from './convTranspose2d';
export { type DropoutOptions, dropout, dropout1d, dropout2d } from './dropout';
export { type EmbeddingOptions, embedding } from './embedding';
export * from './expand';
export { gather } from './gather';
export * from './globalPool';
export {
  type GroupNormOptions,
  groupNorm,
  instanceNorm,
  type LayerNormOptions,
  layerNorm,
  type NormOptions,
} from './groupNorm';
export * from './linear';
export * from './locallyConnected2d';
export { type MatmulOptions, matmul } from './matmul';
export * from './maxPool1d';
export { type MaxPool2dOptions, maxPool2d, maxPool2dWithIndices, type PooledWithIndices } from './maxPool2d';
export * from './maxPool3d';
export * from './maxUnpool2d';
export * from './pad';
export { pixelShuffle, pixelUnshuffle } from './pixelShuffle';
export * from './prelu';
export { max, mean, min, type ReduceOptions, sum } from './reduce';
export * from './reshape';
export * from './slice';
export * from './softmax';
export { type Top, type TopkOptions, topk } from './topk';
export { transpose } from './transpose';
export {
  abs,
  ceil,
  clamp,
  cos,
  erf,
  exp,
  floor,
  log,
  neg,
  reciprocal,
  round,
  rsqrt,
  sign,
  sin,
  sqrt,
  square,
} from './unary';
export { type UpsampleMode, type UpsampleOptions, upsample } from './upsample';
export * from './where';
export type {
  Padding,
  Padding1d,
  Padding3d,
  Pair,
  Triple,
  Window1dOptions,
  Window3dOptions,
  WindowOptions,
} from './window';

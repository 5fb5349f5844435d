/// <reference types="node" preserve="true" />
// The declarations use types of Node, which a program need not have made global.
export { type DetectAnomalyOptions, detectAnomaly } from './anomaly';
export { noGrad } from './autograd';
export * from './create';
/** Data sets, their readers, and the loader that makes batches of them. */
export * as data from './data';
export type { Dtype, TypedArray } from './dtype';
export { type CodedError, type ErrorCode, ReceptiveError } from './errors';
export { type Description as ModelDescription, type LoadedModel, loadModel } from './formats/modelFile';
export * from './formats/onnx';
export { type LoadFileOptions, load, readSafetensors, type SafetensorsFile, type SaveOptions, save } from './formats/safetensors';
export * from './graph';
/** What networks are made of and see: summaries, receptive fields, activations. */
export * as inspect from './inspect';
/** Losses, each a function that gives a scalar to call `backward()` on. */
export * as losses from './losses';
/** Models that are ready to be trained. */
export * as models from './models';
export type { MemoryUse } from './native';
/** Layers, and what modules are made of. */
export * as nn from './nn';
/** Operations on tensors, with their gradients. */
export * as ops from './ops';
/** Optimisers and schedules of the learning rate. */
export * as optim from './optim';
export { manualSeed, type RandomState, randomState, setRandomState } from './random';
export { lowerThreadPriority, memory, type RuntimeInfo, runtime, setNumThreads } from './runtime';
export * from './serve';
export type { Shape } from './shape';
/** Convolution and correlation of signals. */
export * as signal from './signal';
export { type NestedNumbers, Tensor } from './tensor';
export { tidy } from './tidy';
export * from './train';

export * from './bceWithLogits';
export * from './crossEntropy';
export * from './klDiv';
export * from './nll';
export type { Reduction } from './reduction';
export { type HuberOptions, huber, type LossOptions, l1, mse, type SmoothL1Options, smoothL1 } from './regression';

export * from './bceWithLogits';
export * from './crossEntropy';
export type { Reduction } from './reduction';
export { type LossOptions, l1, mse } from './regression';

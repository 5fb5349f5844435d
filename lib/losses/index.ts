export * from './bceWithLogits';
export * from './crossEntropy';
export * from './regression';
export type { Reduction } from './reduction';

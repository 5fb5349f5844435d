export * from './bceWithLogits';
export * from './crossEntropy';
export type { Reduction } from './reduction';
export * from './regression';

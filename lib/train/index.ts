export { type EvaluateOptions, evaluate, type Objective, type Scores } from './evaluate';
export type { Metric } from './metrics';
export * as metrics from './metrics';
export type { Batches, SizedSamples } from './pipeline';
export { type Epoch, type FitOptions, type Step, Trainer, type TrainerOptions } from './trainer';

export { type EvaluateOptions, evaluate } from './evaluate';
export type { BatchScores, Objective, Scores } from './measures';
export type { BatchMetric, Metric, Tally } from './metric';
export * as metrics from './metrics';
export type { Batches, SizedSamples } from './pipeline';
export { type Epoch, type FitOptions, type Step, Trainer, type TrainerOptions } from './trainer';

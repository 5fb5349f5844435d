export type { CheckpointOptions } from './checkpoints';
export type { Best, EarlyStoppingOptions } from './earlyStopping';
export { type EvaluateOptions, evaluate } from './evaluate';
export type { BatchScores, Objective, Scores } from './measures';
export type { BatchMetric, Metric, Tally } from './metric';
/** Metrics for `Trainer` and `evaluate`. */
export * as metrics from './metrics';
export type { Batches, SizedSamples } from './pipeline';
export type { WatchedPlateauOptions } from './plateau';
export type { Epoch, FitOptions, Step } from './run';
export { Trainer, type TrainerOptions } from './trainer';

export * as metrics from './metrics';
export { type Batches, type Epoch, type FitOptions, type Scores, type Step, Trainer, type TrainerOptions } from './trainer';

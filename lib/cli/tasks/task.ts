import type { Command } from 'commander';
import type { Dtype } from '../../dtype';
import type { Description } from '../../formats/modelFile';
import type { CompileOptions } from '../../graph/session';
import type { Module } from '../../nn';
import type { Served } from '../../serve';
import type { Shape } from '../../shape';
import type { Batches } from '../../train';
import type { Output } from '../output';
import type { TrainingDefaults, TrainingOptions } from '../training';

export type { Description };

/** A network from a model file, and what the file says about it. */
export interface SavedModel<D extends Description = Description> {
  readonly path: string;
  readonly model: Module;
  readonly description: D;
}

/** Options of `train` that every task has. */
export interface TrainOptions extends TrainingOptions {
  data?: string;
  arch: string;
  epochs: number;
  batchSize: number;
  seed: number;
  threads?: number;
  out: string;
  json: boolean;
}

/** Options of `evaluate` that every task has. */
export interface EvaluateOptions {
  data?: string;
  batchSize: number;
  threads?: number;
  json: boolean;
}

/** Options of `predict` that every task has. */
export interface PredictOptions {
  json: boolean;
}

/** Batches, and the number of samples in them. */
export interface Part {
  readonly batches: Batches;
  readonly size: number;
}

/** What a task has ready for a training: the data, and the network to be built for it. */
export interface Job<D extends Description = Description> {
  readonly train: Part;
  /** Measured after each epoch, to keep the network of the best one. Without it the last one's is kept, and `test` is measured each time. */
  readonly validation?: Part;
  readonly test: Part;
  readonly description: D;
  /** Something for people to look at when the training has ended. */
  show?(model: Module): Promise<string>;
}

/**
 * Something the command line can learn: a row of the table of tasks. The commands do what is common to all: build, train, measure, save
 * and load a classifier. A task brings the data and shows predictions.
 */
export interface Task<D extends Description = Description> {
  readonly summary: string;
  /** What a sample is, as messages count them: 'images'. */
  readonly unit: string;
  /** Functions of `models` to choose from, the default first. */
  readonly architectures: readonly [string, ...string[]];
  /** What `--data` takes. */
  readonly data: string;
  /** What may follow the model's name in `predict`. */
  readonly inputs: string;
  readonly defaults: Readonly<Pick<TrainOptions, 'epochs' | 'batchSize'>> & TrainingDefaults;
  /** Adds the task's own options. `evaluate` and `predict` have those of all tasks, and refuse those of others. */
  addOptions?(command: Command, name: 'train' | 'evaluate' | 'predict'): void;
  prepare(options: TrainOptions): Promise<Job<D>>;
  /** An input of one sample as the network takes it, for `inspect`; absent where that has no size of its own. */
  input?(description: D): { readonly shape: Shape; readonly dtype: Dtype };
  /** How a network is compiled to be served, and how requests become its input. */
  serving(saved: SavedModel<D>): CompileOptions & Pick<Served, 'images' | 'tokenizer'>;
  /** The samples to measure a network on. */
  open(saved: SavedModel<D>, options: EvaluateOptions): Promise<Part>;
  /** Shows what a network makes of the inputs that follow the model's name, or of samples. */
  predict(saved: SavedModel<D>, inputs: readonly string[], options: PredictOptions, output: Output): Promise<void>;
}

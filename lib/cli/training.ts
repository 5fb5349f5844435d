import { type Command, Option } from 'commander';
import { rangeError } from '../errors';
import { crossEntropy } from '../losses';
import type { Module } from '../nn';
import { Adam, AdamW, cosine, multiStep, type Optimizer, oneCycle, RMSprop, type Schedule, SGD, warmUp } from '../optim';
import { type Batches, metrics, Trainer } from '../train';
import { nonNegative, positiveInteger } from './arguments';

// How networks are trained: the options of `train` that say so, and the Trainer they make.

/** What `--optimizer` takes: the update rule, and the learning rate where none is asked for. */
const optimizers = {
  sgd: { lr: 0.05, make: (parameters, lr) => new SGD(parameters, { lr, momentum: 0.9, weightDecay: 5e-4 }) },
  adam: { lr: 0.001, make: (parameters, lr) => new Adam(parameters, { lr }) },
  adamw: { lr: 0.001, make: (parameters, lr) => new AdamW(parameters, { lr }) },
  rmsprop: { lr: 0.001, make: (parameters, lr) => new RMSprop(parameters, { lr, momentum: 0.9 }) },
} satisfies Record<string, { lr: number; make: (parameters: ReturnType<Module['parameters']>, lr: number) => Optimizer }>;

/** What `--schedule` takes: the rate over a run, and what to say of it. */
const schedules = {
  cosine: { summary: 'falls to 0', make: (lr) => cosine(lr) },
  constant: { summary: 'stays', make: (lr) => () => lr },
  step: {
    summary: 'falls to a tenth after half of the run and again after three quarters',
    make: (lr) => (step, steps) => multiStep(lr, { milestones: [steps / 2, (3 * steps) / 4] })(step, steps),
  },
  'one-cycle': { summary: 'rises to --lr, then falls to 0', make: (lr) => oneCycle(lr) },
} satisfies Record<string, { summary: string; make: (lr: number) => Schedule }>;

export interface TrainingOptions {
  optimizer: keyof typeof optimizers;
  lr?: number;
  schedule: keyof typeof schedules;
  /** Epochs in which the rate rises to what the schedule begins with. */
  warmUp?: number;
  clipNorm?: number;
  patience?: number;
  checkpointDir?: string;
  checkpointEvery?: number;
  resume: boolean;
  detectAnomaly: boolean;
}

/** A task's own optimiser, the rate that goes with it, and its schedule, cosine where it says none. */
export type TrainingDefaults = Readonly<Pick<TrainingOptions, 'optimizer' | 'lr'> & Partial<Pick<TrainingOptions, 'schedule'>>>;

/** The learning rate where none is asked for: the task's own for its own optimiser. */
export function rateOf({ optimizer, lr }: TrainingDefaults, wanted: TrainingOptions['optimizer']): number {
  return (wanted === optimizer ? lr : undefined) ?? optimizers[wanted].lr;
}

export function addTrainingOptions(command: Command, defaults: TrainingDefaults): void {
  const names = Object.keys(optimizers) as (keyof typeof optimizers)[];
  const rates = names.map((name) => `${name} ${rateOf(defaults, name)}`).join(', ');
  const falls = Object.entries(schedules).map(([name, { summary }]) => `${name} ${summary}`);
  command
    .addOption(new Option('--optimizer <name>', 'update rule').choices(names).default(defaults.optimizer))
    .option('--lr <rate>', `learning rate (default: ${rates})`, nonNegative)
    .addOption(
      new Option('--schedule <name>', `how it goes on: ${falls.join('; ')}`)
        .choices(Object.keys(schedules))
        .default(defaults.schedule ?? 'cosine'),
    )
    .option('--warm-up <epochs>', 'epochs in which it rises from a third', nonNegative)
    .option('--clip-norm <norm>', 'the most the norm of all gradients may be', nonNegative)
    .option('--patience <epochs>', 'ends the training after so many without a better validation accuracy', positiveInteger)
    .option('--checkpoint-dir <dir>', 'where to save what is needed to go on after a crash')
    .option('--checkpoint-every <steps>', 'how often, beside the end of each epoch', positiveInteger)
    .option('--resume', 'go on from the newest checkpoint, if there is one', false)
    .option('--detect-anomaly', 'name the operation that gives the first NaN or infinity; slower', false);
}

/** What a task has for the training. */
interface Prepared {
  readonly train: Batches;
  /** Whether there are samples to find the best epoch by. */
  readonly validated: boolean;
  readonly epochs: number;
}

export function makeTrainer(model: Module, options: TrainingOptions & { lr: number }, { train, validated, epochs }: Prepared) {
  const { lr, clipNorm, patience, checkpointDir, checkpointEvery, resume, detectAnomaly } = options;
  const without = (name: string) => `left out, since there is no --${name}`;
  if (!checkpointDir && resume) throw rangeError('train', '--resume', resume, without('checkpoint-dir'));
  if (!checkpointDir && checkpointEvery) throw rangeError('train', '--checkpoint-every', checkpointEvery, without('checkpoint-dir'));
  if (!validated && patience) {
    throw rangeError('train', '--patience', patience, 'left out: this task keeps no samples to find the best epoch by');
  }
  let schedule: Schedule = schedules[options.schedule].make(lr);
  if (options.warmUp) schedule = warmUp(schedule, { steps: Math.round(options.warmUp * (train.length ?? 0)) });
  return new Trainer(model, {
    optimizer: optimizers[options.optimizer].make(model.parameters(), lr),
    loss: crossEntropy,
    metrics: { accuracy: metrics.accuracy },
    schedule,
    clipNorm,
    earlyStopping: validated ? { metric: 'accuracy', patience: patience ?? epochs } : undefined,
    checkpoint: checkpointDir ? { dir: checkpointDir, every: checkpointEvery } : undefined,
    detectAnomaly,
  });
}

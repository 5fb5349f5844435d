import { rangeError, typeError } from '../errors';
import { checkMode, type Mode } from '../optim/best';

/** The score that a rule goes by. */
export interface WatchOptions {
  /** The loss or a metric, of the validation where there is one, else of the training. Default 'loss'. */
  metric?: string;
  /** Whether low or high scores are good. Default: 'min' for the loss, 'max' for a metric. */
  mode?: Mode;
}

/** A score that was checked to be one there will be, but for being a number. */
export class Watch {
  readonly metric: string;
  readonly mode: Mode;

  constructor(
    private readonly operation: string,
    { metric = 'loss', mode = metric === 'loss' ? 'min' : 'max' }: WatchOptions,
    metrics: readonly string[],
  ) {
    if (!metrics.includes(metric)) throw rangeError(operation, 'metric', metric, `one of ${metrics.join(', ')}`);
    checkMode(operation, mode);
    this.metric = metric;
    this.mode = mode;
  }

  /** The score in an epoch's. */
  of(epoch: object): number {
    const scores = ((epoch as { validation?: object }).validation ?? epoch) as Record<string, unknown>;
    const score = scores[this.metric];
    if (typeof score !== 'number') throw typeError(this.operation, `the ${this.metric} of the epoch`, score, 'a number');
    return score;
  }
}

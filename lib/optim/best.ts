import { rangeError } from '../errors';

/** Whether a score is good when it is low or when it is high. */
export type Mode = 'min' | 'max';

export function checkMode(operation: string, mode: unknown): asserts mode is Mode {
  if (mode !== 'min' && mode !== 'max') throw rangeError(operation, 'mode', mode, "'min' or 'max'");
}

/** Whether a score is better than the best so far, by more than a margin. NaN never is; anything else is better than none. */
export function isBetter(score: number, best: number | null, mode: Mode, margin: number): boolean {
  if (best === null) return !Number.isNaN(score);
  return mode === 'min' ? score < best - margin : score > best + margin;
}

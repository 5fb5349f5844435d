import { Ambient } from './ambient';
import { ReceptiveError, rangeError } from './errors';

// Random numbers are counter-based (Philox4x32-10, Salmon et al. 2011): a seed and a position give the same numbers on every machine,
// instruction set and number of threads. One counter for the environment; every use takes the numbers it needs.

/** A place in the sequence of random numbers that a seed gives. */
export interface RandomState {
  seed: number;
  /** Blocks of four 32-bit numbers taken so far. */
  position: number;
}

const state: RandomState = { seed: Math.floor(Math.random() * 2 ** 53), position: 0 };

/** Makes every random result from here on repeatable: initial weights, dropout, `randn`, `uniform`. @param seed 0 to 2^53 - 1 */
export function manualSeed(seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0) throw rangeError('manualSeed', 'seed', seed, 'an integer from 0 to 2^53 - 1');
  state.seed = seed;
  state.position = 0;
}

/** The generator's state, to be saved with a checkpoint; `setRandomState` continues from it. */
export const randomState = (): Readonly<RandomState> => ({ ...state });

/** Goes on from a state that `randomState` gave. */
export function setRandomState({ seed, position }: Readonly<RandomState>): void {
  if (!Number.isSafeInteger(position) || position < 0)
    throw rangeError('setRandomState', 'position', position, 'an integer from 0 to 2^53 - 1');
  manualSeed(seed);
  state.position = position;
}

const refusing = new Ambient<string | null>(null);

/** @internal Runs fn, in which taking random numbers is an error of this operation: it keeps what fn does, and would keep the numbers. */
export function refuseRandom<R>(operation: string, fn: () => R): R {
  return refusing.during(operation, fn);
}

/**
 * @internal Takes n numbers: [seed low, seed high, position low, position high], as the addon wants them.
 * @param what The function that takes them.
 */
export function takeRandom(n: number, what = 'an initialiser'): readonly [number, number, number, number] {
  if (refusing.value) {
    const why = 'every run would have the same: make them outside, and give them to forward as an input';
    throw new ReceptiveError('ERR_UNSUPPORTED', `${refusing.value}: ${what} makes random numbers inside of forward, of which ${why}`);
  }
  const { seed, position } = state;
  state.position += Math.ceil(n / 4);
  return [seed >>> 0, Math.floor(seed / 2 ** 32), position >>> 0, Math.floor(position / 2 ** 32)];
}

import { join } from 'node:path';
import { native } from '../../lib/native';

export { native };

/** The compiled addon, for processes and threads that load it by themselves. */
export const addonPath: string = (require('node-gyp-build') as { path(root: string): string }).path(join(__dirname, '..', '..'));

export const float32 = 0;
export const float64 = 1;
export const int32 = 2;
export const uint8 = 3;

/** A tensor as the addon knows it: an id that lives as long as its owner, this. */
export class Handle {
  readonly id: number;

  constructor(dtype: number, ...shape: number[]) {
    this.id = native.create(this, dtype, ...shape);
  }

  static of(values: readonly number[], ...shape: number[]): Handle {
    const handle = new Handle(float32, ...(shape.length > 0 ? shape : [values.length]));
    native.upload(handle.id, Float32Array.from(values));
    return handle;
  }

  async values(): Promise<number[]> {
    return [...new Float32Array(await native.read(this.id))];
  }

  valuesSync(): number[] {
    return [...new Float32Array(native.readSync(this.id))];
  }
}

export const unary = { neg: 0, square: 5, relu: 6 } as const;

/** What a call throws; fails where it throws nothing. */
export function thrown(call: () => unknown): Error & { code?: string } {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

/** Numbers in [0, 1) that are the same each run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

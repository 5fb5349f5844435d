import { rangeError } from './errors';
import { type MemoryUse, native, version } from './native';

/** What `runtime.info()` gives. */
export interface RuntimeInfo {
  readonly version: string;
  /** The instruction set of the kernels in use: avx512, avx2, sse2 or neon. */
  readonly isa: string;
  /** Threads a kernel is spread over. */
  readonly threads: number;
  /** The Node-API version the addon was built for. */
  readonly napi: number;
}

/** What is running. */
export const runtime = {
  /** Version, instruction set and number of threads. */
  info: (): RuntimeInfo => ({ version, ...native.info() }),
};

/** Sets how many threads kernels use, in the whole process. Results are the same bits for any number. @param threads 1 to 256 */
export function setNumThreads(threads: number): void {
  if (!Number.isInteger(threads) || threads < 1 || threads > 256)
    throw rangeError('setNumThreads', 'threads', threads, 'an integer from 1 to 256');
  native.setNumThreads(threads);
}

/** Live tensors of this environment, the bytes they hold, and the most they ever held. */
export const memory = (): MemoryUse => native.memory();

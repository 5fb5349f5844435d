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

/**
 * From now on the threads that run kernels, of the whole process, let others go first, so that the event loop is late less often where there are
 * no CPUs to spare. `serve` calls it. Threads that run JavaScript stay as they are, and there is no way back.
 *
 * - Linux: SCHED_BATCH, and slices of time of 20 ms, which Linux heeds from 6.12 on. Their share of the CPUs is as before.
 * - Windows: THREAD_PRIORITY_BELOW_NORMAL.
 * - macOS: nothing, for what has a lower priority there runs on slow cores.
 *
 * Where the system refuses, all stays as it is.
 * @example
 * lowerThreadPriority(); // in a service, before it listens
 */
export function lowerThreadPriority(): void {
  native.lowerThreadPriority();
}

/** Live tensors of this environment, the bytes they hold, and the most they ever held. */
export const memory = (): MemoryUse => native.memory();

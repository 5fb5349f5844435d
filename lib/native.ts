import { join } from 'node:path';
import { ReceptiveError } from './errors';

/** What the addon exports. This is the only file that knows. Tensors are ids here: numbers the addon checks on every use. */
interface Native {
  /** One function an op: tensor ids (0 for one left out), then numeric attributes. Checks them and queues the kernel. */
  readonly ops: Readonly<Record<OpName, (...args: number[]) => void>>;
  /** Uninitialised memory that is freed with `free`, or when `owner` is collected. */
  create(owner: object, dtype: number, ...shape: number[]): number;
  /** The same memory under another shape of the same size. */
  view(owner: object, id: number, ...shape: number[]): number;
  /** A piece of a tensor's memory from a byte on, under another shape and type. It can be computed with, not uploaded to or read. */
  piece(owner: object, id: number, offset: number, dtype: number, ...shape: number[]): number;
  free(id: number): void;
  /** Copies now; the bytes must fill the tensor exactly. */
  upload(id: number, bytes: ArrayBufferView): void;
  read(id: number): Promise<ArrayBuffer>;
  readSync(id: number): ArrayBuffer;
  /** Resolves when everything queued so far has run; rejects with what failed on the way to the tensor. */
  settled(id: number): Promise<void>;
  /** From here on calls of ops are captured instead of queued. */
  capture(): void;
  /**
   * What was captured, as a plan with these tensors as inputs, so many, and outputs; it is freed with `freePlan`, or when `owner` is
   * collected. Without arguments it is dropped.
   */
  endCapture(owner?: object, inputs?: number, ...tensors: number[]): number;
  /** Queues a run of a plan: its inputs are read from these tensors, its outputs written to those that follow. What `cancel` takes. */
  run(plan: number, ...tensors: number[]): number;
  /** A run that has not ended stops before its next command, also that of a plan that was freed meanwhile. */
  cancel(plan: number, ticket: number): void;
  freePlan(plan: number): void;
  planInfo(plan: number): { readonly commands: number; readonly keptBytes: number };
  /** Resolves when everything queued so far has run. */
  sync(): Promise<void>;
  syncSync(): void;
  memory(): MemoryUse;
  /**
   * Frees the memory of bytes that nobody uses any more, where they are all of their ArrayBuffer, now and not when V8 collects: until then it
   * counts as pressure on the heap, which is marked for that some milliseconds at a time.
   */
  detach(bytes: Uint8Array): void;
  /** Gives memory that lies idle back to the system, once everything queued so far has run. By itself that takes ten seconds of rest. */
  trim(): void;
  info(): { isa: string; threads: number; napi: number };
  setNumThreads(threads: number): void;
  /** From now on the threads that run kernels, of the whole process, let others go first. There is no way back. */
  lowerThreadPriority(): void;
  /** The multiply-adds of this machine, as FLOP/s on as many threads as kernels use, measured now. What benchmarks quote kernels against. */
  peak(): number;
}

export type OpName =
  | 'unary'
  | 'unary_backward'
  | 'binary'
  | 'where'
  | 'cast'
  | 'reduce'
  | 'argmax'
  | 'topk'
  | 'label_rank'
  | 'confusion'
  | 'copy'
  | 'accumulate'
  | 'fill'
  | 'random'
  | 'dropout'
  | 'augment'
  | 'softmax'
  | 'softmax_backward'
  | 'cross_entropy'
  | 'cross_entropy_backward'
  | 'nll'
  | 'nll_backward'
  | 'conv2d'
  | 'conv2d_chain'
  | 'conv2d_backward_input'
  | 'conv2d_backward_weight'
  | 'locally_connected2d'
  | 'locally_connected2d_backward_input'
  | 'locally_connected2d_backward_weight'
  | 'convolve'
  | 'matmul'
  | 'max_pool2d'
  | 'max_pool2d_backward'
  | 'max_unpool2d_backward'
  | 'avg_pool2d'
  | 'avg_pool2d_backward'
  | 'adaptive_max_pool2d'
  | 'adaptive_max_pool2d_backward'
  | 'adaptive_avg_pool2d'
  | 'adaptive_avg_pool2d_backward'
  | 'batch_norm_train'
  | 'batch_norm_infer'
  | 'batch_norm_backward'
  | 'upsample'
  | 'upsample_backward'
  | 'group_norm'
  | 'group_norm_backward'
  | 'prelu'
  | 'prelu_backward'
  | 'sgd'
  | 'adam'
  | 'rmsprop'
  | 'squared_norm'
  | 'clip_norm'
  | 'find_nonfinite'
  | 'gather'
  | 'embedding'
  | 'scatter_add';

/** What `memory()` gives. */
export interface MemoryUse {
  /** Live tensors. */
  readonly tensors: number;
  /** Bytes they hold. */
  readonly bytes: number;
  /** The most they held at any time. */
  readonly peakBytes: number;
  /** Bytes of weights as kernels want them, kept by sessions and between calls. */
  readonly kept: number;
  /** Bytes taken from the system, all of the above and caches included. */
  readonly reserved: number;
}

const root = join(__dirname, '..');

/** Throws where the environment asks for a number of threads that is none. */
function checkThreads(asked = process.env.RECEPTIVE_NUM_THREADS): void {
  if (asked === undefined || asked === '' || (/^\d+$/.test(asked) && Number(asked) >= 1 && Number(asked) <= 256)) return;
  throw new ReceptiveError('ERR_INVALID_VALUE', `RECEPTIVE_NUM_THREADS is ${JSON.stringify(asked)}, expected an integer from 1 to 256`);
}

/** This machine as prebuilt binaries are named: "linux-x64 (musl)". */
function platform(): string {
  const here = `${process.platform}-${process.arch}`;
  if (process.platform !== 'linux') return here;
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return `${here} (${header.glibcVersionRuntime ? `glibc ${header.glibcVersionRuntime}` : 'musl'})`;
}

const advice: Readonly<Record<string, string>> = {
  ERR_DLOPEN_DISABLED: 'This process may not load native addons: start Node with --allow-addons.',
  ERR_ACCESS_DENIED: 'This process may not read it: start Node with --allow-fs-read for the folder of the package.',
};

function load(): Native {
  checkThreads();
  try {
    return require('node-gyp-build')(root) as Native;
  } catch (cause) {
    const { code, message } = cause as Error & { code?: unknown };
    if (code === 'ERR_RECEPTIVE') throw new ReceptiveError('ERR_UNSUPPORTED', message, { cause }); // the addon is there, and refuses
    const todo = advice[String(code)] ?? 'Run "npm rebuild receptive" where a C++17 compiler, make and Python are installed.';
    throw new ReceptiveError(
      'ERR_UNSUPPORTED',
      `receptive: no native addon could be loaded for ${platform()}, Node ${process.versions.node}. ${todo} ${message}`,
      { cause },
    );
  }
}

export const native: Native = load();

/** The version in package.json. */
export const version: string = (require('../package.json') as { version: string }).version;

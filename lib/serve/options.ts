import { rangeError, typeError } from '../errors';
import { checkOptions, type OptionNames } from '../options';

// What may be said of a service, and of the batches it makes, with the defaults and the checks.

/** How requests are run together. */
export interface BatcherOptions {
  /** The most rows that run together. Default 16. */
  maxBatch?: number;
  /** How long the first of them waits for others, in milliseconds; 0 takes what came in the same turn of the event loop. Default 2. */
  maxWait?: number;
  /** The most requests that may wait; more are refused with ERR_BUSY. Default 256. */
  maxQueue?: number;
}

/** Options of `serve`. */
export interface ServeOptions extends BatcherOptions {
  /** The address to listen on. Default '127.0.0.1': programs of this machine only. */
  host?: string;
  /** 0 takes a free one. Default 8080. */
  port?: number;
  /** The most bytes of a request's body. Default 16 MiB. */
  maxBody?: number;
  /** How long a request may take from its headers to its answer, in milliseconds. Default 30,000. */
  timeout?: number;
  /** How long `stop` goes on accepting connections, while `/readyz` says no, in milliseconds. Default 0. */
  drain?: number;
  /** How long `stop` waits for what was accepted before it cuts connections off, in milliseconds. Default 30,000. */
  stopTimeout?: number;
  /** A file that is looked at each second: when it has changed, and stays the same for a second, the model is opened again. */
  watch?: string;
  /** Told what happens. What it throws is a warning of the process, and changes nothing. */
  onEvent?: (event: ServiceEvent) => void;
}

/** Something that happened to a service. */
export type ServiceEvent =
  | { readonly event: 'reloaded'; readonly model: string; readonly seconds: number }
  | { readonly event: 'reloadFailed'; readonly error: Error }
  /** A request that was answered with 500, or with 503 for want of memory: what went wrong inside, which the answer does not tell. */
  | { readonly event: 'failed'; readonly error: Error };

export type Limits = Required<BatcherOptions>;
export type ServiceSettings = Required<Omit<ServeOptions, 'watch' | 'onEvent'>> & Pick<ServeOptions, 'watch' | 'onEvent'>;

const batcherNames: OptionNames<BatcherOptions> = { maxBatch: true, maxWait: true, maxQueue: true };
const serveNames: OptionNames<ServeOptions> = {
  ...batcherNames,
  host: true,
  port: true,
  maxBody: true,
  timeout: true,
  drain: true,
  stopTimeout: true,
  watch: true,
  onEvent: true,
};

/** The longest delay a timer of Node takes. */
const longest = 2 ** 31 - 1;

function checkCount(operation: string, what: string, value: unknown): void {
  if (!Number.isSafeInteger(value) || (value as number) < 1) throw rangeError(operation, what, value, 'a positive integer');
}

function checkTime(operation: string, what: string, value: unknown, least = 0): void {
  if (!(typeof value === 'number' && value >= least && value <= longest))
    throw rangeError(operation, what, value, `milliseconds, from ${least} to ${longest}`);
}

function limitsOf(operation: string, { maxBatch = 16, maxWait = 2, maxQueue = 256 }: BatcherOptions): Limits {
  checkCount(operation, 'maxBatch', maxBatch);
  checkTime(operation, 'maxWait', maxWait);
  checkCount(operation, 'maxQueue', maxQueue);
  return { maxBatch, maxWait, maxQueue };
}

export function checkBatcherOptions(options: BatcherOptions): Limits {
  checkOptions('Batcher', options, batcherNames);
  return limitsOf('Batcher', options);
}

export function checkServeOptions(options: ServeOptions): ServiceSettings {
  checkOptions('serve', options, serveNames);
  const limits = limitsOf('serve', options);
  const { host = '127.0.0.1', port = 8080, maxBody = 2 ** 24, timeout = 30_000, drain = 0, stopTimeout = 30_000, watch, onEvent } = options;
  if (typeof host !== 'string' || host === '') throw typeError('serve', 'host', host, 'an address');
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw rangeError('serve', 'port', port, 'an integer from 0 to 65535');
  checkCount('serve', 'maxBody', maxBody);
  checkTime('serve', 'timeout', timeout, 1);
  checkTime('serve', 'drain', drain);
  checkTime('serve', 'stopTimeout', stopTimeout);
  if (watch !== undefined && typeof watch !== 'string') throw typeError('serve', 'watch', watch, 'the path of a file');
  if (onEvent !== undefined && typeof onEvent !== 'function') throw typeError('serve', 'onEvent', onEvent, 'a function');
  return { ...limits, host, port, maxBody, timeout, drain, stopTimeout, watch, onEvent: onEvent && guarded(onEvent) };
}

/** The same, where what it throws ends no request and no process: it is a warning. */
function guarded(onEvent: (event: ServiceEvent) => unknown): (event: ServiceEvent) => void {
  const warn = (error: unknown) =>
    process.emitWarning(`onEvent threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`, 'ReceptiveWarning');
  return (event) => {
    try {
      const told = onEvent(event);
      if (told instanceof Promise) told.catch(warn);
    } catch (error) {
      warn(error);
    }
  };
}

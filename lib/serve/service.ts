import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { ReceptiveError, typeError } from '../errors';
import type { Session } from '../graph/session';
import { lowerThreadPriority } from '../runtime';
import { Handler } from './handler';
import { Measures } from './measures';
import { asServed, Model, type Served } from './model';
import { checkServeOptions, type ServeOptions, type ServiceSettings } from './options';
import { versionOf, watchFile } from './watch';

/** How long connections without a request stay open once the service stops: a request may be on its way. In milliseconds. */
const idleAtEnd = 500;

/** A running HTTP service of one model. Made by `serve`. */
export class Service implements AsyncDisposable {
  readonly #settings: ServiceSettings;
  readonly #open: (() => Promise<Session | Served>) | null;
  readonly #server: Server;
  readonly #handler: Handler;
  readonly #measures: Measures;
  #model: Model;
  #loaded = new Date();
  #stopping: Promise<void> | null = null;
  #reloading: Promise<void> | null = null;
  #unwatch = () => {};
  /** Seconds a row took of late. */
  #pace = 0;

  private constructor(settings: ServiceSettings, open: (() => Promise<Session | Served>) | null, first: Served) {
    this.#settings = settings;
    this.#open = open;
    this.#model = this.#modelOf(first);
    this.#measures = new Measures(() => ({
      pending: this.#handler.pending,
      waiting: this.#model.batcher.waiting,
      running: this.#model.batcher.running,
      ready: !this.#stopping,
      model: this.#model.name,
      loaded: this.#loaded,
    }));
    this.#handler = new Handler({
      settings,
      measures: this.#measures,
      model: () => this.#model,
      stopping: () => this.#stopping !== null,
      wait: () => this.#handler.pending * this.#pace,
    });
    const limits = { headersTimeout: Math.min(10_000, settings.timeout), requestTimeout: settings.timeout, keepAliveTimeout: 65_000 };
    const handle = (request: IncomingMessage, response: ServerResponse) => this.#handler.handle(request, response);
    this.#server = createServer({ ...limits, connectionsCheckingInterval: 1000, maxHeaderSize: 16_384 }, handle);
    this.#server.on('checkContinue', handle);
  }

  /** @internal */
  static async start(source: Session | Served | (() => Promise<Session | Served>), options: ServeOptions): Promise<Service> {
    const settings = checkServeOptions(options);
    const open = typeof source === 'function' ? source : null;
    if (!open && settings.watch !== undefined) throw typeError('serve', 'model', source, 'a function that opens it, to watch its file');
    const { watch } = settings;
    const version = watch === undefined ? null : await versionOf(watch); // of the file that is opened, or of one before
    const served = asServed(open ? await open() : source);
    let service: Service;
    try {
      service = new Service(settings, open, served);
    } catch (error) {
      if (open) served.session.dispose();
      throw error;
    }
    try {
      await service.#model.prepare();
      await new Promise<void>((resolve, reject) => {
        service.#server.once('error', reject).listen(settings.port, settings.host, resolve);
      });
    } catch (error) {
      service.#measures.stop();
      if (open) await service.#model.retire();
      throw error;
    }
    lowerThreadPriority(); // not before: it cannot be undone where nothing is served
    service.#server.on('error', (error) => settings.onEvent?.({ event: 'failed', error }));
    if (watch !== undefined) {
      service.#unwatch = watchFile(watch, version, () => {
        service.reload().catch(() => {}); // onEvent was told
      });
    }
    return service;
  }

  /** The port it listens on; 0 once it has stopped. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  /** Where it is reached. */
  get url(): string {
    const { host } = this.#settings;
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.port}`;
  }

  /** Predictions that were accepted and not answered. */
  get pending(): number {
    return this.#handler.pending;
  }

  #modelOf(served: Served): Model {
    const { maxBatch, maxWait, maxQueue } = this.#settings;
    return new Model(served, { maxBatch, maxWait, maxQueue }, ({ rows, seconds }) => {
      this.#measures.rows.observe(rows);
      this.#measures.run.observe(seconds);
      this.#pace = this.#pace === 0 ? seconds / rows : 0.9 * this.#pace + (0.1 * seconds) / rows;
    });
  }

  /**
   * Opens the model again and puts it in the place of the one that runs, which finishes what it was given. Where that fails, the one that
   * runs stays.
   * @throws ERR_UNSUPPORTED where the service was given a model and no function that opens one; what opening it throws.
   */
  reload(): Promise<void> {
    const open = this.#open;
    if (!open)
      return Promise.reject(new ReceptiveError('ERR_UNSUPPORTED', 'reload: the service was given a model, not a function that opens it'));
    // One at a time: a change that comes while a file is read is not in what was read.
    const before = this.#reloading ?? Promise.resolve();
    const reloading = before.catch(() => {}).then(() => this.#replace(open));
    this.#reloading = reloading;
    return reloading;
  }

  async #replace(open: () => Promise<Session | Served>): Promise<void> {
    const began = performance.now();
    let served: Served | null = null;
    try {
      if (this.#stopping) throw new ReceptiveError('ERR_DISPOSED', 'reload: the service is stopping');
      const opened = asServed(await open());
      if (opened.session === this.#model.session) throw new ReceptiveError('ERR_INVALID_VALUE', 'reload: the session is the one that runs');
      served = opened;
      const model = this.#modelOf(served);
      await model.prepare();
      if (this.#stopping) throw new ReceptiveError('ERR_DISPOSED', 'reload: the service is stopping');
      const old = this.#model;
      this.#model = model;
      this.#loaded = new Date();
      this.#measures.reloads.add({ result: 'ok' });
      this.#settings.onEvent?.({ event: 'reloaded', model: model.name, seconds: (performance.now() - began) / 1000 });
      void old.retire();
    } catch (cause) {
      served?.session.dispose();
      const error = cause instanceof Error ? cause : new Error(String(cause));
      this.#measures.reloads.add({ result: 'failed' });
      this.#settings.onEvent?.({ event: 'reloadFailed', error });
      throw error;
    }
  }

  /**
   * Accepts no more connections, answers every request that has come, closes, and disposes of the session. Calling it again gives the same
   * promise.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const { drain, stopTimeout } = this.#settings;
    this.#unwatch();
    if (drain > 0) await pause(drain);
    const limit = performance.now() + stopTimeout;
    // Not http's own close, which cuts off idle connections at once, whatever is on its way on them.
    const closed = new Promise<void>((resolve) => {
      NetServer.prototype.close.call(this.#server, () => resolve());
    });
    const idle = performance.now() + idleAtEnd;
    let open = true;
    void closed.then(() => {
      open = false;
    });
    while (open && performance.now() < limit) {
      if (performance.now() >= idle) this.#server.closeIdleConnections();
      await Promise.race([closed, pause(50)]);
    }
    this.#server.closeAllConnections();
    await closed;
    this.#server.close(); // now that nothing is cut off: ends what looks at connections each second
    // A model that is still being opened is freed once it is: it finds the service stopping.
    const waited = new AbortController();
    const late = pause(Math.max(0, limit - performance.now()), undefined, { signal: waited.signal }).catch(() => {});
    await Promise.race([this.#reloading?.catch(() => {}), late]);
    waited.abort();
    this.#measures.stop();
    await this.#model.retire();
  }

  /** Stops, at the end of an `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/**
 * Serves a model over HTTP: POST /predict, and pages about the service. Requests that come at the same time run together.
 * @param source A session; that with what makes inputs of images or texts and labels of outputs; or a function that opens such a model,
 * which `reload` calls again. The service disposes of the session.
 * @returns The service, when it takes requests.
 * @throws TypeError, RangeError for options; what the model throws when it is tried; the system's error where the address cannot be had.
 * @example
 * const service = await serve(() => loadOnnx('model.onnx'), { port: 8080, watch: 'model.onnx' });
 * process.once('SIGTERM', () => service.stop());
 */
export const serve = (source: Session | Served | (() => Promise<Session | Served>), options: ServeOptions = {}): Promise<Service> =>
  Service.start(source, options);

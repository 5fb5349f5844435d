import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Answer, answerOf } from './answer';
import { Bodies } from './body';
import type { HostArray } from './feeds';
import { mediaTypes, readInputs, shapeHeader } from './inputs';
import type { Measures } from './measures';
import { metricsType } from './metrics';
import type { Model } from './model';
import { openapi } from './openapi';
import type { ServiceSettings } from './options';
import { Problem, problemOf } from './problem';

/** A body of a refused request that is read to its end, in bytes: the connection then stays. */
const passedOver = 2 ** 16;

/** How long a client may still send of a larger one, so that it gets to read the answer. In milliseconds. */
const refusedBody = 1000;

/** What the handler is told by the service it belongs to. */
export interface Surroundings {
  readonly settings: ServiceSettings;
  readonly measures: Measures;
  readonly model: () => Model;
  readonly stopping: () => boolean;
  /** About how many seconds what waits will take. */
  readonly wait: () => number;
}

/** Ends a request whose client went away; nobody reads it. */
const gone = new Problem(499, 'ERR_GONE', 'the client went away');

const json = (value: unknown): Answer => ({ headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) });

/** Answers requests. */
export class Handler {
  readonly #bodies: Bodies;
  #pending = 0;

  constructor(private readonly around: Surroundings) {
    this.#bodies = new Bodies(around.settings.maxBody);
  }

  /** Predictions that were accepted and not answered. */
  get pending(): number {
    return this.#pending;
  }

  /** The pages that are only read. */
  readonly #pages: ReadonlyMap<string, () => { status?: number } & Answer> = new Map([
    ['/healthz', () => json({ status: 'ok' })],
    ['/readyz', () => (this.around.stopping() ? { status: 503, ...json({ status: 'stopping' }) } : json({ status: 'ready' }))],
    ['/metrics', () => ({ headers: { 'Content-Type': metricsType }, body: this.around.measures.text() })],
    ['/openapi.json', () => json(openapi(this.around.model(), this.around.settings))],
    ['/model', () => json(descriptionOf(this.around.model()))],
  ]);

  handle(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url ?? '/';
    const at = url.indexOf('?');
    const path = at < 0 ? url : url.slice(0, at);
    if (path === '/predict' && request.method === 'POST') {
      void this.#predict(request, response, at < 0 ? '' : url.slice(at + 1));
      return;
    }
    const page = this.#pages.get(path);
    const route = page || path === '/predict' ? path : 'other';
    try {
      if (route === 'other') {
        throw new Problem(404, 'ERR_NOT_FOUND', `there is no such page, but ${['/predict', ...this.#pages.keys()].join(', ')}`);
      }
      const allowed = page ? ['GET', 'HEAD'] : ['POST'];
      if (!page || !allowed.includes(request.method!)) {
        throw new Problem(405, 'ERR_METHOD', `the method is ${request.method}, expected ${allowed.join(' or ')}`, {
          Allow: allowed.join(', '),
        });
      }
      const { status = 200, ...answer } = page();
      request.resume();
      this.#send(response, status, answer, route);
    } catch (error) {
      this.#refuse(request, response, error, route);
    }
  }

  async #predict(request: IncomingMessage, response: ServerResponse, query: string): Promise<void> {
    const { settings, measures } = this.around;
    const began = performance.now();
    if (this.#pending >= settings.maxQueue) {
      const seconds = Math.min(60, Math.max(1, Math.ceil(this.around.wait())));
      const busy = new Problem(503, 'ERR_BUSY', `${this.#pending} requests are being answered already`, { 'Retry-After': String(seconds) });
      this.#refuse(request, response, busy, '/predict');
      return;
    }
    this.#pending++;
    const model = this.around.model().hold(); // to the end of this request, whatever takes its place meanwhile
    let ended: Problem | null = null;
    let stop: (reason: Error) => void = () => {};
    const end = (reason: Problem) => {
      ended ??= reason;
      stop(ended);
    };
    const late = () => end(new Problem(504, 'ERR_TIMEOUT', `there was no answer within ${settings.timeout} ms`));
    const timer = setTimeout(late, settings.timeout);
    response.once('close', () => {
      if (!response.writableFinished) end(gone);
    });
    let body: Buffer | null = null;
    let claimed = 0;
    const claim = (bytes: number) => {
      this.#bodies.claim(bytes, claimed);
      claimed += bytes;
    };
    try {
      body = await this.#bodies.read(request, response, (own) => {
        stop = own;
      });
      stop = () => {};
      const { headers } = request;
      const asked = new URLSearchParams(query);
      const type = (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
      const shape = asked.get('shape') ?? (headers[shapeHeader] as string | undefined) ?? null;
      const feeds = await readInputs(model, type, shape, body, settings.maxBody, claim);
      const outputs = await this.#run(model, feeds, ended, (own) => {
        stop = own;
      });
      stop = () => {};
      if (ended) throw ended;
      const raw = headers.accept?.trim() === 'application/octet-stream';
      const answer = answerOf(model, outputs, { raw, top: asked.get('top') });
      this.#send(response, 200, answer, '/predict');
      measures.latency.observe((performance.now() - began) / 1000);
    } catch (error) {
      this.#refuse(request, response, ended ?? error, '/predict');
    } finally {
      clearTimeout(timer);
      this.#bodies.unclaim(claimed);
      if (body) this.#bodies.free(body, response.statusCode === 200 && !ended);
      this.#pending--;
      model.release();
    }
  }

  #run(
    { batcher }: Model,
    feeds: Record<string, HostArray>,
    ended: Problem | null,
    onStop: (stop: (reason: Error) => void) => void,
  ): Promise<Record<string, HostArray>> {
    if (ended) throw ended;
    const ticket = batcher.submit(feeds);
    onStop((reason) => batcher.cancel(ticket, reason));
    return ticket.promise;
  }

  #send(response: ServerResponse, status: number, { headers, body }: Answer, route: string): void {
    this.around.measures.requests.add({ route, status: String(status) });
    response.writeHead(status, {
      ...headers,
      'Content-Length': Buffer.byteLength(body),
      'X-Content-Type-Options': 'nosniff',
      ...(this.around.stopping() && { Connection: 'close' }),
    });
    response.end(body);
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown, route: string): void {
    const problem = problemOf(error);
    const { status, code, message, headers } = problem;
    if (status >= 500 && problem !== error) this.around.settings.onEvent?.({ event: 'failed', error: error as Error });
    if (problem === gone || response.headersSent || response.destroyed) {
      this.around.measures.requests.add({ route, status: String(gone.status) });
      response.destroy();
      return;
    }
    const { 'content-length': length = '0', 'transfer-encoding': coding, expect } = request.headers;
    const unread = !request.complete && (length !== '0' || coding !== undefined);
    const { headers: type, body } = json({ error: { code, message } });
    const send = () => this.#send(response, status, { headers: { ...type, ...headers }, body }, route);
    if (!unread) {
      send();
      return;
    }
    if (coding === undefined && expect === undefined && Number(length) <= passedOver) {
      request.once('end', send).resume();
      return;
    }
    // The connection cannot be used again. It is closed when the client has sent all, or after a while: closing it before would take the
    // answer away from a client that reads only when it has written.
    this.around.measures.requests.add({ route, status: String(status) });
    response.writeHead(status, { ...type, ...headers, 'Content-Length': Buffer.byteLength(body), Connection: 'close' });
    response.write(body);
    const finish = () => {
      clearTimeout(timer);
      response.end();
    };
    const timer = setTimeout(finish, expect === undefined ? refusedBody : 0);
    request.once('end', finish).once('close', finish).resume();
  }
}

/** What a model is, for those who ask. */
function descriptionOf(model: Model): unknown {
  const { name, session, labels, batcher, normalization } = model;
  const { inputs, outputs } = session;
  return { name, inputs, outputs, labels, normalization, accepts: mediaTypes(model), batches: batcher.sizes };
}

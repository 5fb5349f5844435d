import { setImmediate as nextTurn } from 'node:timers/promises';
import { tensor } from '../create';
import { type Dtype, dtypes, type TypedArray } from '../dtype';
import { ReceptiveError, typeError } from '../errors';
import type { Feed } from '../graph/feeds';
import { type RunOptions, Session } from '../graph/session';
import { copyBlock } from '../ops/block';
import { scope } from '../scope';
import { sizeOf } from '../shape';
import { Tensor } from '../tensor';
import { arrayOf, checkFeeds, type HostArray, hasRows, varies } from './feeds';
import { type BatcherOptions, checkBatcherOptions, type Limits } from './options';
import { isOutOfMemory } from './problem';

// Rows of requests wait in a queue for each shape; batches are cut from its head. A batch has 1, 2, 4, 8, … rows, or as many as are
// allowed: so few shapes are ever run that the session keeps a plan for each, and no row is padding. What is left over goes with the next
// batch; a request of which some rows have run lets all others go first, so that one of very many rows keeps nobody waiting for all of
// them. Two batches are under way at most: while one runs, the stream has the next one ready.

/** Batches that are under way at the same time. */
const depth = 2;

/** Bytes that are copied in one go: more of them hold the event loop for longer than a fraction of a millisecond. */
const mostAtOnce = 2 ** 19;

/** A request: its rows wait, run, in one batch or in several, and come back. */
export interface Ticket {
  readonly arrays: readonly HostArray[];
  readonly rows: number;
  readonly queue: Queue;
  /** When it came, in milliseconds. */
  readonly since: number;
  /** Rows that have been put into batches, and rows that have come back. */
  taken: number;
  /** Its place in the order in which rows are taken: another one behind all others after each batch that it is left over from. */
  turn: number;
  returned: number;
  outputs: HostArray[] | null;
  /** Whether it was answered, failed or was taken back. */
  settled: boolean;
  readonly promise: Promise<Record<string, HostArray>>;
  readonly resolve: (outputs: Record<string, HostArray>) => void;
  readonly reject: (reason: unknown) => void;
}

/** Requests of one shape. */
interface Queue {
  /** In the order of their turns. */
  readonly tickets: Ticket[];
  /** Their rows that wait. */
  rows: number;
  /** Those of them that are left over from a batch: they wait for nobody. */
  begun: number;
}

/** Some rows of a request that are in a batch. */
interface Part {
  readonly ticket: Ticket;
  readonly from: number;
  readonly count: number;
}

/** What a batch came to. */
export interface BatchReport {
  readonly rows: number;
  readonly seconds: number;
}

/**
 * Runs requests that come one by one together: rows that wait at the same time are one run of the session, and each request gets its
 * own back. A session whose inputs or outputs have no batch axis that varies runs them one after the other.
 *
 * ```ts
 * const batcher = new Batcher(session, { maxBatch: 32, maxWait: 2 });
 * const { output } = await batcher.run({ input: { data: pixels, shape: [1, 28, 28, 1] } }); // { data: Float32Array, shape: [1, 10] }
 * ```
 */
export class Batcher {
  readonly session: Session;
  /** Whether rows of several requests can run together. */
  readonly together: boolean;
  /** The numbers of rows that batches have. */
  readonly sizes: readonly number[];
  readonly #limits: Limits;
  readonly #onBatch: (report: BatchReport) => void;
  readonly #queues = new Map<string, Queue>();
  /** Parts that run by themselves, before all others. */
  readonly #alone: Part[] = [];
  /** What batches that run are stopped by. */
  readonly #stops = new Set<() => void>();
  /** For each input the memory its batches are put together in, which the session copies from when a run is recorded. */
  readonly #scratch: (TypedArray | undefined)[] = [];
  #turns = 0;
  #waiting = 0;
  #running = 0;
  #timer: NodeJS.Timeout | null = null;
  /** Without a time to wait: the end of the turn of the event loop, up to which what comes runs together. */
  #turnEnds: NodeJS.Immediate | null = null;
  #closing: { readonly promise: Promise<void>; readonly resolve: () => void } | null = null;

  /** @param onBatch Told of each batch that ran. */
  constructor(session: Session, options: BatcherOptions = {}, onBatch: (report: BatchReport) => void = () => {}) {
    if (!(session instanceof Session)) throw typeError('Batcher', 'session', session, 'a Session');
    this.session = session;
    this.#limits = checkBatcherOptions(options);
    this.#onBatch = onBatch;
    this.together = hasRows(session);
    this.sizes = this.together ? sizesUpTo(this.#limits.maxBatch) : [1];
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Batches that run. */
  get running(): number {
    return this.#running;
  }

  /**
   * Runs a request, with others that wait.
   * @param feeds Each input by its name: numbers of exactly its type, with their shape; any number of rows. They must not change before
   * the promise settles.
   * @param options Its `signal` takes the request back; the promise then rejects with its reason. Others of its batch go on.
   * @returns The outputs by name, of as many rows.
   * @throws TypeError, RangeError for inputs the session does not take; ReceptiveError: ERR_BUSY where too many requests wait,
   * ERR_DISPOSED after `close`, ERR_KERNEL for data that only the kernels could find to be bad.
   */
  async run(feeds: Readonly<Record<string, HostArray>>, { signal }: RunOptions = {}): Promise<Record<string, HostArray>> {
    signal?.throwIfAborted();
    const ticket = this.submit(feeds);
    if (!signal) return ticket.promise;
    const stop = () => this.cancel(ticket, signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    return ticket.promise.finally(() => signal.removeEventListener('abort', stop));
  }

  /** @internal The same, with something to take the request back by. */
  submit(feeds: Readonly<Record<string, HostArray>>): Ticket {
    if (this.#closing) throw new ReceptiveError('ERR_DISPOSED', 'run: the batcher was closed');
    const { arrays, rows } = checkFeeds(this.session, feeds);
    const { maxQueue } = this.#limits;
    if (this.#waiting >= maxQueue) throw new ReceptiveError('ERR_BUSY', `run: ${maxQueue} requests wait already`);
    const key = this.together ? arrays.map(({ shape }) => shape.slice(1).join()).join(';') : '';
    const queue = this.#queues.get(key) ?? { tickets: [], rows: 0, begun: 0 };
    this.#queues.set(key, queue);
    const ticket = makeTicket(arrays, rows, queue, this.#turns++);
    if (rows === 0) {
      this.#alone.push({ ticket, from: 0, count: 0 }); // what its outputs look like is for the session to say
    } else {
      queue.tickets.push(ticket);
      queue.rows += rows;
      this.#waiting++;
      if (this.#limits.maxWait === 0) {
        this.#turnEnds ??= setImmediate(() => {
          this.#turnEnds = null;
          this.#dispatch();
        });
      }
    }
    this.#dispatch();
    return ticket;
  }

  /** @internal Takes a request back: it leaves the queue, and a batch of which nobody waits for anything is stopped. */
  cancel(ticket: Ticket, reason: unknown): void {
    if (ticket.settled) return;
    this.#settle(ticket);
    ticket.reject(reason);
    for (const stop of this.#stops) stop();
    this.#dispatch();
  }

  /** @internal Runs zeros in batches of every size, at each of these lengths of other axes that vary, so that no request waits for a plan. */
  async warm(lengths: readonly number[] = []): Promise<void> {
    const { inputs } = this.session;
    const free = inputs.some(({ shape }) => shape.some((n, axis) => axis > 0 && varies(n)));
    if (free && lengths.length === 0) return;
    for (const length of free ? lengths : [1]) {
      for (const size of this.sizes) {
        const feeds = inputs.map(({ name, dtype, shape }) => {
          const whole = shape.map((n, axis) => (!varies(n) ? (n as number) : axis === 0 ? size : length));
          return [name, { data: arrayOf(dtype, sizeOf(whole)), shape: whole }] as const;
        });
        const outputs = await this.session.run(Object.fromEntries(feeds));
        for (const output of Object.values(outputs)) output.dispose();
        await nextTurn();
      }
    }
  }

  /** Accepts nothing more; resolves when all that was accepted has been answered. The session stays. */
  close(): Promise<void> {
    if (!this.#closing) {
      let resolve = () => {};
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      this.#closing = { promise, resolve };
      this.#dispatch();
    }
    return this.#closing.promise;
  }

  /** Starts as many batches as may run now, and sees to it that the others are started in time. */
  #dispatch(): void {
    while (this.#running < depth) {
      const parts = this.#next();
      if (!parts) break;
      this.#running++;
      void this.#run(parts).finally(() => {
        this.#running--;
        this.#dispatch();
      });
    }
    if (this.#waiting > 0) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#running === 0) this.#closing?.resolve();
  }

  /** The parts of the batch that is to run now, if there is one. */
  #next(): readonly Part[] | null {
    const alone = this.#alone.shift();
    if (alone) return alone.ticket.settled ? this.#next() : [alone];
    const now = performance.now();
    let next: Queue | null = null;
    let soonest = Infinity;
    for (const [key, queue] of this.#queues) {
      const [first] = queue.tickets;
      if (!first) {
        this.#queues.delete(key);
        continue;
      }
      const left = this.#turnEnds ? Infinity : first.since + this.#limits.maxWait - now;
      const ready = left <= 0 || queue.begun > 0 || queue.rows >= this.sizes.at(-1)! || this.#closing;
      if (!ready) soonest = Math.min(soonest, left);
      else if (!next || first.turn < next.tickets[0]!.turn) next = queue;
    }
    if (next) return this.#cut(next);
    if (soonest === Infinity) return null;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#dispatch();
    }, Math.ceil(soonest));
    return null;
  }

  /** The rows of the next batch, taken from the head of a queue. */
  #cut(queue: Queue): Part[] {
    const parts: Part[] = [];
    let left = this.sizes.findLast((size) => size <= queue.rows)!;
    queue.rows -= left;
    while (left > 0) {
      const ticket = queue.tickets[0]!;
      const count = Math.min(left, ticket.rows - ticket.taken);
      const begun = ticket.taken > 0;
      parts.push({ ticket, from: ticket.taken, count });
      ticket.taken += count;
      left -= count;
      queue.tickets.shift();
      if (ticket.taken === ticket.rows) {
        this.#waiting--;
        if (begun) queue.begun--;
        continue;
      }
      if (!begun) queue.begun++;
      ticket.turn = this.#turns++;
      queue.tickets.push(ticket);
    }
    return parts;
  }

  async #run(parts: readonly Part[]): Promise<void> {
    const controller = new AbortController();
    const stop = () => {
      if (parts.every(({ ticket }) => ticket.settled)) controller.abort();
    };
    this.#stops.add(stop);
    try {
      const rows = parts.reduce((sum, { count }) => sum + count, 0);
      const began = performance.now();
      const gathered = this.#feeds(parts, rows);
      const feeds = gathered instanceof Promise ? await gathered : gathered;
      const running = this.session.run(feeds, { signal: controller.signal });
      for (const feed of Object.values(feeds)) if (feed instanceof Tensor) feed.dispose();
      const outputs = await running;
      try {
        const tensors = this.session.outputs.map(({ name }) => outputs[name]!);
        const values = await Promise.all(tensors.map((tensor) => tensor.data()));
        this.#onBatch({ rows, seconds: (performance.now() - began) / 1000 });
        this.#deliver(
          parts,
          rows,
          tensors.map(({ shape }, i) => ({ data: values[i]!, shape })),
        );
      } finally {
        for (const output of Object.values(outputs)) output.dispose();
      }
    } catch (error) {
      this.#failed(parts, error);
    } finally {
      this.#stops.delete(stop);
    }
  }

  /**
   * What a batch of these parts is run on: a request's own numbers where it is one whole, else a copy of all of them, of much data in
   * tensors. No promise where nothing is waited for: the next batch uses the same memory.
   */
  #feeds(parts: readonly Part[], rows: number): Record<string, Feed> | Promise<Record<string, Feed>> {
    const [{ ticket, count }] = parts as [Part];
    const { inputs } = this.session;
    const bytes = ticket.arrays.reduce((sum, { data }) => sum + (data.byteLength / ticket.rows) * rows, 0);
    if (this.together && bytes > mostAtOnce) return this.#gathered(parts, rows);
    const whole = parts.length === 1 && count === ticket.rows;
    const feeds = inputs.map(({ name, dtype }, i) => [name, whole ? ticket.arrays[i]! : this.#copied(parts, rows, i, dtype)] as const);
    return Object.fromEntries(feeds);
  }

  /** An input's numbers of parts behind each other. */
  #copied(parts: readonly Part[], rows: number, input: number, dtype: Dtype): HostArray {
    const [{ ticket }] = parts as [Part];
    const { data: first, shape } = ticket.arrays[input]!;
    const size = (first.length / ticket.rows) * rows;
    if ((this.#scratch[input]?.length ?? 0) < size) this.#scratch[input] = arrayOf(dtype, size);
    const data = this.#scratch[input]!.subarray(0, size);
    let at = 0;
    for (const part of parts) {
      const own = rowsOf(part.ticket.arrays[input]!, part.from, part.count).data;
      data.set(own, at);
      at += own.length;
    }
    return { data, shape: [rows, ...shape.slice(1)] };
  }

  /** The inputs of parts in tensors: uploaded a few rows at a time, between which the event loop runs, and put together by the stream. */
  async #gathered(parts: readonly Part[], rows: number): Promise<Record<string, Feed>> {
    const made: Tensor[] = [];
    try {
      for (const [i, { dtype }] of this.session.inputs.entries()) {
        const [, ...rest] = parts[0]!.ticket.arrays[i]!.shape;
        const batch = scope.outside(() => Tensor.empty([rows, ...rest], dtype));
        made.push(batch);
        const together = Math.max(1, Math.floor(mostAtOnce / (batch.size / rows) / dtypes[dtype].bytes));
        let row = 0;
        for (const { ticket, from, count } of parts) {
          for (let first = from; first < from + count; first += together) {
            const { data, shape } = rowsOf(ticket.arrays[i]!, first, Math.min(together, from + count - first));
            const origin = rest.map(() => 0);
            scope.outside(() => {
              const own = tensor(data, shape);
              copyBlock(shape, own, [0, ...origin], batch, [row, ...origin]);
              own.dispose();
            });
            row += shape[0]!;
            await nextTurn();
          }
        }
      }
      return Object.fromEntries(this.session.inputs.map(({ name }, i) => [name, made[i]!]));
    } catch (error) {
      for (const batch of made) batch.dispose();
      throw error;
    }
  }

  /** Gives each request its rows of a batch's outputs. */
  #deliver(parts: readonly Part[], rows: number, batch: readonly HostArray[]): void {
    const names = this.session.outputs.map(({ name }) => name);
    const odd = this.together ? batch.findIndex(({ shape }) => shape[0] !== rows) : -1;
    if (odd >= 0) {
      const message = `run: output ${JSON.stringify(names[odd])} has ${batch[odd]!.shape[0]} rows for ${rows} of the input`;
      throw new ReceptiveError('ERR_UNSUPPORTED', message);
    }
    let first = 0;
    for (const { ticket, from, count } of parts) {
      const mine = count === rows ? batch : batch.map((array) => rowsOf(array, first, count));
      first += count;
      if (ticket.settled) continue;
      if (!this.together || count === ticket.rows) {
        ticket.outputs = [...mine];
      } else {
        ticket.outputs ??= mine.map(({ data, shape }) => {
          const whole = [ticket.rows, ...shape.slice(1)];
          return { data: new (data.constructor as new (length: number) => TypedArray)(sizeOf(whole)), shape: whole };
        });
        for (const [i, { data }] of mine.entries()) ticket.outputs[i]!.data.set(data, (data.length / count) * from);
      }
      ticket.returned += count;
      if (ticket.returned < ticket.rows) continue;
      ticket.settled = true;
      ticket.resolve(Object.fromEntries(names.map((name, i) => [name, ticket.outputs![i]!])));
    }
  }

  /** A batch that one request's data spoiled is run again in pieces, so that it fails for that request alone. */
  #failed(parts: readonly Part[], error: unknown): void {
    const live = parts.filter(({ ticket }) => !ticket.settled);
    if (parts.length > 1 && (error as { code?: unknown }).code === 'ERR_KERNEL' && !isOutOfMemory(error)) {
      this.#alone.push(...live);
      return;
    }
    for (const { ticket } of live) {
      this.#settle(ticket);
      ticket.reject(error);
    }
  }

  /** Marks a request as done with before its end; rows of it that wait leave the queue. */
  #settle(ticket: Ticket): void {
    ticket.settled = true;
    if (ticket.taken === ticket.rows) return;
    const { queue } = ticket;
    queue.tickets.splice(queue.tickets.indexOf(ticket), 1);
    queue.rows -= ticket.rows - ticket.taken;
    if (ticket.taken > 0) queue.begun--;
    this.#waiting--;
  }
}

/** 1, 2, 4, 8, … and the largest. */
function sizesUpTo(most: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < most; size *= 2) sizes.push(size);
  return [...sizes, most];
}

function rowsOf({ data, shape }: HostArray, first: number, count: number): HostArray {
  const rowSize = data.length / shape[0]!;
  return { data: data.subarray(first * rowSize, (first + count) * rowSize), shape: [count, ...shape.slice(1)] };
}

function makeTicket(arrays: readonly HostArray[], rows: number, queue: Queue, turn: number): Ticket {
  let resolve!: Ticket['resolve'];
  let reject!: Ticket['reject'];
  const promise = new Promise<Record<string, HostArray>>((...settle) => {
    [resolve, reject] = settle;
  });
  promise.catch(() => {}); // one who takes a request back may not look at it again
  const begin = { since: performance.now(), taken: 0, turn, returned: 0, outputs: null, settled: false };
  return { arrays, rows, queue, ...begin, promise, resolve, reject };
}

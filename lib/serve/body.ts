import type { IncomingMessage, ServerResponse } from 'node:http';
import { native } from '../native';
import { Problem } from './problem';

// Bodies of requests, which come from strangers: no more is read than is allowed, and all together hold no more than a budget.

/**
 * A body of a larger size is put where it ends up as it comes, piece by piece, and not when all of it is there; each piece is freed at once,
 * for V8 collects when so many megabytes came and went. It gets so much memory
 * first, and twice as much whenever that is full: a client that says it will send much and does not holds little.
 */
const large = 2 ** 16;

/** The most bytes of bodies in memory at a time, where a single one may not be larger. */
const mostTogether = 2 ** 28;

/** The most bytes of large bodies that are over, kept for the next ones: thousands of them would each be garbage to collect. */
const mostSpare = 2 ** 26;

export class Bodies {
  #held = 0;
  #claimed = 0;
  #spare: Buffer[] = [];

  /** @param most Bytes of one body. */
  constructor(private readonly most: number) {}

  /** Bytes of memory of bodies that are being read, or in use. */
  get held(): number {
    return this.#held;
  }

  get #budget(): number {
    return Math.max(mostTogether, this.most);
  }

  /**
   * The whole body. What it holds counts until `free` is called with it.
   * @param onStop Is given what ends the reading.
   * @throws Problem 413, 503, or 400 where the client stops in the middle.
   */
  read(request: IncomingMessage, response: ServerResponse, onStop: (stop: (reason: Error) => void) => void): Promise<Buffer> {
    const { 'content-length': announced, 'content-encoding': encoding = 'identity', expect } = request.headers;
    const length = announced === undefined ? null : Number(announced);
    if (encoding !== 'identity') throw new Problem(415, 'ERR_MEDIA_TYPE', `the body is encoded as ${encoding}, expected it as it is`);
    if (length !== null && length > this.most) throw this.#tooLarge();
    if (this.#held + (length ?? 0) > this.#budget) throw this.#noRoom();
    if (expect !== undefined) response.writeContinue();
    const chunks: Buffer[] = [];
    const whole = length !== null && length > large ? length : 0;
    let memory: Buffer | null = null;
    let size = 0;
    let counted = 0;
    let over = false;
    const count = (bytes: number) => {
      this.#held += bytes - counted;
      counted = bytes;
    };
    /** Whether there is room for so many bytes of a large body. */
    const grow = (wanted: number): boolean => {
      const before: Buffer | null = memory;
      const spare = before === null ? this.#takeSpare(whole) : null;
      let capacity = spare?.byteLength ?? before?.byteLength ?? large;
      while (capacity < wanted) capacity = Math.min(2 * capacity, whole);
      if (this.#held - counted + capacity > this.#budget) return false;
      count(capacity);
      memory = spare ?? Buffer.allocUnsafeSlow(capacity);
      before?.copy(memory, 0, 0, size);
      return true;
    };
    return new Promise((resolve, reject) => {
      let resume: NodeJS.Immediate | undefined;
      const end = (error: Error | null) => {
        if (over) return; // the client may go away after what it sent was refused
        over = true;
        clearImmediate(resume);
        request.off('data', onData).off('end', onEnd).off('error', onError);
        if (!error) return resolve(memory ?? (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)));
        count(0);
        reject(error);
      };
      const onData = (chunk: Buffer) => {
        const next = size + chunk.byteLength; // no more than was announced: the parser ends the body there
        if (next > this.most) return end(this.#tooLarge());
        if (whole === 0) {
          chunks.push(chunk);
          count(next);
          if (this.#held > this.#budget) return end(this.#noRoom());
        } else {
          if (next > (memory?.byteLength ?? 0) && !grow(next)) return end(this.#noRoom());
          chunk.copy(memory!, size);
          native.detach(chunk);
        }
        size = next;
        if (size < whole) {
          // One piece a turn of the event loop: many large bodies that arrive together would else be read in a single one.
          request.pause();
          resume = setImmediate(() => request.resume());
        }
      };
      const onEnd = () => end(null);
      const onError = () => end(new Problem(400, 'ERR_BODY', 'the body ends before its length'));
      request.on('data', onData).on('end', onEnd).on('error', onError);
      onStop(end);
    });
  }

  /** @param over Whether nothing reads from it any more. */
  free(body: Buffer, over: boolean): void {
    this.#held -= body.byteLength;
    const spare = this.#spare.reduce((sum, { byteLength }) => sum + byteLength, body.byteLength);
    if (over && body.byteLength > large && spare <= mostSpare) this.#spare.push(body);
    if (this.#held === 0) this.#spare = [];
  }

  /**
   * Counts numbers that are made of a body and lie beside it, padding included: a few bytes of short texts become thousands of
   * tokens. Those of all requests together have a budget of the same size; a request that is the only one gets what it needs.
   * @param own Bytes that the same request claimed before.
   * @throws Problem 503.
   */
  claim(bytes: number, own: number): void {
    if (this.#claimed > own && this.#claimed + bytes > this.#budget) throw this.#noRoom();
    this.#claimed += bytes;
  }

  /** So many bytes that were claimed are not in use any more. */
  unclaim(bytes: number): void {
    this.#claimed -= bytes;
  }

  /** Memory of exactly this size that is there already, if there is. */
  #takeSpare(bytes: number): Buffer | null {
    const i = this.#spare.findIndex(({ byteLength }) => byteLength === bytes);
    return i < 0 ? null : this.#spare.splice(i, 1)[0]!;
  }

  #tooLarge(): Problem {
    return new Problem(413, 'ERR_BODY_TOO_LARGE', `the body is larger than ${this.most} bytes`);
  }

  #noRoom(): Problem {
    return new Problem(503, 'ERR_BUSY', 'too many bytes of other requests are in memory', { 'Retry-After': '1' });
  }
}

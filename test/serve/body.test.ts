import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Bodies } from '../../lib/serve/body';
import { readInputs } from '../../lib/serve/inputs';
import type { Model } from '../../lib/serve/model';

/** Reads a body that the test writes. */
function reading(bodies: Bodies, headers: Record<string, string> = {}) {
  const request = Object.assign(new PassThrough({ highWaterMark: 2 ** 24 }), { headers });
  let stop!: (reason: Error) => void;
  const body = bodies.read(request as unknown as IncomingMessage, {} as ServerResponse, (own) => {
    stop = own;
  });
  body.catch(() => {});
  return { request, body, stop: (reason: Error) => stop(reason) };
}

test('a body is given back once, also where the client goes away after it was refused', async () => {
  const bodies = new Bodies(1000);
  const kept = reading(bodies);
  kept.request.end(Buffer.alloc(600));
  await kept.body;
  const { request, body, stop } = reading(bodies);
  request.write(Buffer.alloc(1001));
  await expect(body).rejects.toMatchObject({ status: 413 });
  expect(bodies.held).toBe(600);
  stop(new Error('gone'));
  expect(bodies.held).toBe(600);
  bodies.free(await kept.body, true);
  expect(bodies.held).toBe(0);
});

test('what is left of a body that is cut off is given back', async () => {
  const bodies = new Bodies(1000);
  const { request, body, stop } = reading(bodies, { 'content-length': '900' });
  request.write(Buffer.alloc(500));
  await nextTurn();
  expect(bodies.held).toBe(500);
  stop(new Error('late'));
  await expect(body).rejects.toThrow('late');
  expect(bodies.held).toBe(0);
});

test('small bodies that are too much together are refused, announced or not', async () => {
  const bodies = new Bodies(2 ** 28);
  const large = reading(bodies, { 'content-length': String(2 ** 28) });
  large.request.write(Buffer.alloc(2 ** 28 - 100));
  while (large.request.readableLength > 0) await nextTurn();
  await nextTurn();
  const room = 2 ** 28 - bodies.held;
  expect(() => bodies.read({ headers: { 'content-length': String(room + 1) } } as never, {} as never, () => {})).toThrow(
    expect.objectContaining({ status: 503 }),
  );
  const { request, body } = reading(bodies);
  request.write(Buffer.alloc(room + 1));
  await expect(body).rejects.toMatchObject({ status: 503 });
  large.stop(new Error('over'));
  expect(bodies.held).toBe(0);
});

describe('a large body', () => {
  const most = 2 ** 28; // as much as all together
  /** Waits until so many bytes have been read. */
  const written = async (request: PassThrough) => {
    while (request.readableLength > 0) await nextTurn();
    await nextTurn();
  };

  test('takes memory as it comes, not as it is announced', async () => {
    const bodies = new Bodies(most);
    const { request, body, stop } = reading(bodies, { 'content-length': String(most) });
    expect(bodies.held).toBe(0);
    for (const [more, held] of [
      [1, 2 ** 16],
      [2 ** 16 - 1, 2 ** 16],
      [1, 2 ** 17],
      [2 ** 18, 2 ** 19],
    ]) {
      request.write(Buffer.alloc(more));
      await written(request);
      expect(bodies.held).toBe(held);
    }
    stop(new Error('gone'));
    await expect(body).rejects.toThrow('gone');
    expect(bodies.held).toBe(0);
  });

  test('is whole, in memory of its size, whatever pieces it comes in', async () => {
    const bodies = new Bodies(most);
    const bytes = Buffer.from(Uint8Array.from({ length: 1_000_003 }, (_, i) => i % 251));
    const { request, body } = reading(bodies, { 'content-length': String(bytes.byteLength) });
    for (let at = 0; at < bytes.byteLength; at += 77_777) request.write(bytes.subarray(at, at + 77_777));
    request.end();
    const got = await body;
    expect(got.equals(bytes)).toBe(true);
    expect(got.buffer.byteLength).toBe(bytes.byteLength);
    expect(bodies.held).toBe(bytes.byteLength);
  });

  test('gets the memory of one that is over, all at once', async () => {
    const bodies = new Bodies(most);
    const kept = reading(bodies);
    kept.request.end('x');
    await kept.body;
    const length = { 'content-length': '300000' };
    const first = reading(bodies, length);
    first.request.end(Buffer.alloc(300_000));
    const memory = await first.body;
    bodies.free(memory, true);
    const second = reading(bodies, length);
    second.request.write(Buffer.alloc(10));
    await written(second.request);
    expect(bodies.held).toBe(1 + 300_000);
    second.request.end(Buffer.alloc(299_990, 7));
    expect(await second.body).toBe(memory);
  });

  test('that does not fit beside others is refused once they have come', async () => {
    const bodies = new Bodies(most);
    const length = { 'content-length': String(most - 1000) };
    const [first, second] = [reading(bodies, length), reading(bodies, length)];
    second.request.write(Buffer.alloc(10));
    await written(second.request);
    first.request.end(Buffer.alloc(most - 1000));
    await expect(first.body).rejects.toMatchObject({ status: 503 });
    expect(bodies.held).toBe(2 ** 16);
    second.stop(new Error('gone'));
    expect(bodies.held).toBe(0);
  });
});

test('numbers made of bodies have a budget too, but for a request that is the only one', () => {
  const bodies = new Bodies(1000);
  bodies.claim(2 ** 29, 0);
  expect(() => bodies.claim(1, 2 ** 29)).not.toThrow(); // the same request
  bodies.unclaim(1);
  expect(() => bodies.claim(1, 0)).toThrow(expect.objectContaining({ status: 503, code: 'ERR_BUSY' }));
  bodies.unclaim(2 ** 29);
  for (let i = 0; i < 4; i++) bodies.claim(2 ** 26, 0);
  expect(() => bodies.claim(1, 0)).toThrow('too many bytes of other requests are in memory');
  bodies.unclaim(2 ** 26);
  bodies.claim(1, 0);
});

test.each<[string, string, string, number]>([
  ['short texts, padded beside a long one', 'application/json', JSON.stringify({ texts: ['a', 'b', 'c'.repeat(20)] }), 3 * 64 * 4],
  ['one text', 'text/plain', 'abc', 16 * 4],
  ['numbers', 'application/json', JSON.stringify({ inputs: [[1, 2, 3]] }), 3 * 4],
  ['numbers as they are', 'application/octet-stream', 'abcd', 0],
])('what is claimed for %s', async (_name, type, body, expected) => {
  const model = {
    session: { inputs: [{ name: 'x', dtype: 'int32', shape: ['N', 'L'] }] },
    tokenizer: { encode: (text: string) => new Int32Array(text.length) },
    batcher: { together: true },
    lengths: [16, 64],
  } as unknown as Model;
  let claimed = 0;
  const claim = (bytes: number) => {
    claimed += bytes;
  };
  await readInputs(model, type, '1,1', Buffer.from(body), 1000, claim);
  expect(claimed).toBe(expected);
});

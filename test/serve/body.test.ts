import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Bodies } from '../../lib/serve/body';

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

import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work between two turns of the event loop. */
const turn = 10;

/** The items, with a turn of the event loop every now and then, so that long work on them holds up nothing else. */
export async function* unhurried<T>(items: Iterable<T>): AsyncGenerator<T, void, void> {
  let began = performance.now();
  for (const item of items) {
    yield item;
    if (performance.now() - began < turn) continue;
    await setImmediate();
    began = performance.now();
  }
}

import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Collects tensors that nobody holds any more, so that a test may count its own. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await setImmediate();
  }
}

import { nodeCount, reachable, synchronous } from './autograd';
import { type Scoped, scope } from './scope';
import { Tensor } from './tensor';

/**
 * Runs fn and frees every tensor made inside it, but for those in its result (a tensor, or arrays and plain objects of them) and for
 * gradients left on leaves. Instances of classes, Maps and Sets in the result are not searched: what they hold is freed. Parameters and
 * buffers belong to their module, which may be made inside. `Trainer` and `evaluate` run each step inside a tidy of its own.
 * @throws TypeError where fn returns a promise: its work would run after the end.
 * @example
 * const y = tidy(() => ops.mul(ops.exp(x), 2)); // e^x is freed, y is not
 */
export function tidy<R>(fn: () => R): R {
  const since = nodeCount();
  return scope.run(
    () => synchronous('tidy', fn()),
    (result) => {
      const kept = new Set<Scoped>();
      collect(result, since, kept, new Set());
      return kept;
    },
  );
}

function collect(value: unknown, since: number, kept: Set<Scoped>, seen: Set<unknown>): void {
  if (value === null || typeof value !== 'object' || seen.has(value)) return;
  seen.add(value);
  if (value instanceof Tensor) {
    kept.add(value);
    for (const node of reachable(value.history, since)) kept.add(node);
    if (value.grad) kept.add(value.grad);
  } else if (
    Array.isArray(value) ||
    Object.getPrototypeOf(value) === null ||
    Object.getPrototypeOf(Object.getPrototypeOf(value)) === null
  ) {
    for (const item of Object.values(value)) collect(item, since, kept, seen);
  }
}

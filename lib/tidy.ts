import { nodeCount, reachable, synchronous } from './autograd';
import { type Scoped, scope } from './scope';
import { Tensor } from './tensor';

/**
 * Runs fn and frees every tensor made inside it, but for those in its result (a tensor, or arrays and plain objects of them) and for
 * gradients left on leaves.
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

import { noGrad } from '../autograd';
import { observe } from '../op';
import { scope } from '../scope';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';

/**
 * The constants of a session's graphs: each is computed once, however many shapes there are graphs for, and lives as long as this.
 */
export class Constants implements Disposable {
  readonly #known = new Map<string, readonly Tensor[]>();
  readonly #names = new WeakMap<object, number>();
  #count = 0;

  /** What `make` gives, or gave when it was asked before with these parts. */
  of<T extends readonly Tensor[]>(parts: readonly unknown[], make: () => T): T {
    const key = parts.map((part) => this.#name(part)).join(' ');
    let known = this.#known.get(key) as T | undefined;
    if (!known) {
      known = scope.outside(() => noGrad(() => observe(null, () => tidy(make))));
      this.#known.set(key, known);
    }
    return known;
  }

  /** A copy of a tensor as it is now. */
  copy(tensor: Tensor): Tensor {
    return this.of([tensor.storage, tensor.shape.join()], () => [tensor.copy()] as const)[0];
  }

  /** Frees those that are not among these: for a session that makes no more graphs. */
  keepOnly(used: ReadonlySet<Tensor>): void {
    const all = [...this.#known.values()].flat();
    for (const tensor of all) if (!used.has(tensor)) tensor.dispose();
    this.#known.clear();
    this.#known.set(
      '',
      all.filter((tensor) => used.has(tensor)),
    );
  }

  #name(part: unknown): string {
    if ((typeof part !== 'object' && typeof part !== 'function') || part === null) return String(part);
    let name = this.#names.get(part);
    if (name === undefined) {
      name = ++this.#count;
      this.#names.set(part, name);
    }
    return `#${name}`;
  }

  dispose(): void {
    for (const tensors of this.#known.values()) for (const tensor of tensors) tensor.dispose();
    this.#known.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

import { Ambient } from './ambient';

/** What a scope frees when it ends: tensors, and the tape's nodes. */
export interface Scoped {
  dispose(): void;
}

/** What was made in the scope that is open; null where none is. */
const current = new Ambient<Scoped[] | null>(null);

/** The scopes of `tidy`: everything made inside one is freed at its end, but for what it returns. */
export const scope = {
  add(item: Scoped): void {
    current.value?.push(item);
  },

  /** Runs fn in a scope of its own. At its end what fn made is disposed of, but for what `kept` finds in its result: that goes to the scope around. */
  run<R>(fn: () => R, kept: (result: R) => ReadonlySet<Scoped>): R {
    const outer = current.value;
    const made: Scoped[] = [];
    try {
      const result = current.during(made, fn);
      const keep = kept(result);
      for (const item of made) {
        if (!keep.has(item)) item.dispose();
        else outer?.push(item);
      }
      return result;
    } catch (error) {
      for (const item of made) item.dispose();
      throw error;
    }
  },

  /** Runs fn with no scope: what it makes outlives every `tidy` around. */
  outside<R>(fn: () => R): R {
    return current.during(null, fn);
  },
};

const nothing: ReadonlySet<Scoped> = new Set();

/** For a scope none of whose items outlive it. */
export const keepNothing = (): ReadonlySet<Scoped> => nothing;

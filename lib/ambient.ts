/** A value that code further down asks for without being given it, and that is another one while some function runs. */
export class Ambient<T> {
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  /** Runs fn, for which the value is this one; it is what it was again however fn ends, an async one at its first await. */
  during<R>(value: T, fn: () => R): R {
    const before = this.#value;
    this.#value = value;
    try {
      return fn();
    } finally {
      this.#value = before;
    }
  }
}

import { typeError } from '../errors';
import type { Finish } from '../ops/rectifier';
import type { Tensor } from '../tensor';
import { Module, type Part } from './module';
import { finish, finishes, rectifier, takesMaxima } from './passes';

/** Modules one after the other: each is given what the one before returned. Its parts are named 0, 1, 2, … */
export class Sequential extends Module implements Iterable<Module> {
  readonly #modules: Module[] = [];

  constructor(...modules: Module[]) {
    super();
    for (const module of modules) this.append(module);
  }

  /** Adds a module at the end. */
  append(module: Module): this {
    if (!(module instanceof Module)) throw typeError('Sequential', `module ${this.length}`, module, 'a Module');
    this.#modules.push(module);
    return this;
  }

  /** How many there are. */
  get length(): number {
    return this.#modules.length;
  }

  /** The module at an index; a negative one counts from the end. */
  at(index: number): Module | undefined {
    return this.#modules.at(index);
  }

  /** Its modules, in order. */
  [Symbol.iterator](): Iterator<Module> {
    return this.#modules.values();
  }

  override *namedParts(): Generator<[name: string, part: Part]> {
    yield* super.namedParts();
    for (const [i, module] of this.#modules.entries()) yield [String(i), module];
  }

  forward(x: Tensor): Tensor {
    return this[finish](x, {});
  }

  /** @internal */
  override get [finishes](): boolean {
    return this.forward === Sequential.prototype.forward && (this.at(-1)?.[finishes] ?? false);
  }

  /**
   * @internal A rectifier behind a module that can take it along is part of that module's last pass; one before a maximum is part of that,
   * where there are fewer values.
   */
  override [finish](x: Tensor, after: Finish): Tensor {
    const last = this.length - 1;
    const movesOn = (i: number) =>
      this.#modules[i]![rectifier] && this.#modules[i + 1]?.[takesMaxima] && (i + 1 < last || !(after.add || after.activation));
    let y = x;
    for (let i = 0; i <= last; i++) {
      const [module, next] = [this.#modules[i]!, this.#modules[i + 1]];
      if (movesOn(i)) {
        y = next![finish](y, { activation: module[rectifier] });
        i++;
      } else if (module[finishes] && next?.[rectifier] && !movesOn(i + 1)) {
        y = module[finish](y, { activation: next[rectifier] });
        i++;
      } else {
        y = i === last && module[finishes] ? module[finish](y, after) : module.forward(y);
      }
    }
    return y;
  }
}

import { types } from 'node:util';
import { ReceptiveError, typeError } from '../errors';
import type { Finish, Rectifier } from '../ops/rectifier';
import { checkOptions, type OptionNames } from '../options';
import { sameShape, showShape } from '../shape';
import { Tensor } from '../tensor';
import { Buffer, Parameter } from './parameter';
import { finish, finishes, rectifier, takesMaxima } from './passes';

/** Tensors by name, as `stateDict` gives them and safetensors files hold them. */
export type StateDict = Record<string, Tensor>;

/** Options of `load` and `loadStateDict`. */
export interface LoadOptions {
  /** Whether names missing on either side are errors. Default true. */
  strict?: boolean;
}

/** @internal */
export const loadOptionNames: OptionNames<LoadOptions> = { strict: 'boolean' };

/** What a module is made of. */
export type Part = Module | Parameter | Buffer;

const isPart = (value: unknown): value is Part => value instanceof Module || value instanceof Parameter || value instanceof Buffer;

/**
 * A layer or a network of layers.
 *
 * A subclass makes its layers, `Parameter`s and `Buffer`s as properties, or in arrays, plain objects and Maps by strings or numbers, of any depth,
 * and says in `forward` how they work together. Everything else (parameters, state, modes) is found from those properties, in the order
 * they were declared, and named by the way there (`branches.left.0.weight`); a part that appears twice counts once, under its first name.
 * What is in Sets, in Maps by other keys, in instances of other classes and in `#private` fields is not seen: not trained, not saved, and in
 * training mode for good. TypeScript's `private` is. Large tables that hold no parts, such as a vocabulary, belong in a `#private` field: they
 * are not gone through in search of parts.
 *
 * ```ts
 * class Net extends nn.Module {
 *   conv = new nn.Conv2d(1, 6, 5, { padding: 'same' });
 *   fc = new nn.Linear(6 * 28 * 28, 10);
 *   forward(x: Tensor) { return this.fc.forward(ops.flatten(ops.relu(this.conv.forward(x)))); }
 * }
 * ```
 */
export abstract class Module {
  /** Whether layers that differ between training and inference (batch norm, dropout) train. Set by `train()` and `eval()`. */
  training = true;

  /** What the module computes. A subclass says so, of as many tensors as it needs. */
  abstract forward(...inputs: Tensor[]): Tensor;

  /** @internal Whether `finish` may be called in the place of `forward`: not where that was overridden, or is watched. */
  get [finishes](): boolean {
    return false;
  }

  /** @internal What `forward` gives, and what follows it, in one pass. */
  [finish](_x: Tensor, _after: Finish): Tensor {
    throw new ReceptiveError('ERR_UNSUPPORTED', `${this.constructor.name}: nothing can follow in its last pass`);
  }

  /** @internal The rectifier this module is, for a pass it can be part of. */
  get [rectifier](): Rectifier | null {
    return null;
  }

  /** @internal Whether it gives the largest of some of its inputs and can rectify them in that pass: before it or behind is the same. */
  get [takesMaxima](): boolean {
    return false;
  }

  /** The modules, parameters and buffers directly inside, with their names. */
  *namedParts(): Generator<[name: string, part: Part]> {
    const seen = new Set<object>();
    for (const name of Object.keys(this)) {
      const value: unknown = this[name as keyof this];
      if (isPart(value)) yield [name, value];
      else if (typeof value === 'object' && value !== null) yield* partsIn(name, value, seen);
    }
  }

  /** This module, named '', and all inside it, outermost first. */
  *namedModules(): Generator<[name: string, module: Module]> {
    for (const [part, name] of everyPart(this)) if (part instanceof Module) yield [name, part];
  }

  /** The parameters at any depth, each once, with their dotted names: `['conv.weight', …]`. */
  *namedParameters(): Generator<[name: string, parameter: Parameter]> {
    for (const [part, name] of everyPart(this)) if (part instanceof Parameter) yield [name, part];
  }

  /** The buffers at any depth, each once, with their dotted names. */
  *namedBuffers(): Generator<[name: string, buffer: Buffer]> {
    for (const [part, name] of everyPart(this)) if (part instanceof Buffer) yield [name, part];
  }

  /** The parameters at any depth, each once: what an optimiser is given. */
  parameters(): Parameter[] {
    return Array.from(this.namedParameters(), ([, parameter]) => parameter);
  }

  /** The buffers at any depth, each once. */
  buffers(): Buffer[] {
    return Array.from(this.namedBuffers(), ([, buffer]) => buffer);
  }

  /** The parameters and buffers by name: the tensors themselves, not copies, so training goes on changing them. */
  stateDict(): StateDict {
    const state = Object.create(null) as StateDict;
    for (const [part, name] of everyPart(this)) {
      if (!(part instanceof Tensor)) continue;
      if (name in state) throw new ReceptiveError('ERR_INVALID_VALUE', `stateDict: two tensors of the model are called ${name}`);
      state[name] = part;
    }
    return state;
  }

  /**
   * Copies values into the parameters and buffers of the same names. Nothing is written unless everything fits.
   * @returns The names this module has and the state lacks, and those it does not have; both empty where strict.
   */
  loadStateDict(state: StateDict, options: LoadOptions = {}): { missing: string[]; unexpected: string[] } {
    if (typeof state !== 'object' || state === null) throw typeError('loadStateDict', 'state', state, 'an object of tensors by name');
    checkOptions('loadStateDict', options, loadOptionNames);
    const { strict = true } = options;
    const own = this.stateDict();
    const missing = Object.keys(own).filter((name) => !Object.hasOwn(state, name));
    const unexpected = Object.keys(state).filter((name) => !Object.hasOwn(own, name));
    const shared = Object.keys(own).filter((name) => Object.hasOwn(state, name));
    const faults = shared.flatMap((name) => misfit(name, own[name]!, state[name]));
    if (strict) faults.push(...missing.map((name) => `${name} is missing`), ...unexpected.map((name) => `${name} is not in the model`));
    if (faults.length > 0) {
      throw new ReceptiveError('ERR_INVALID_VALUE', `loadStateDict: the state does not fit the model: ${faults.join('; ')}`);
    }
    for (const name of shared) own[name]!.assign(state[name]!);
    return { missing, unexpected };
  }

  /**
   * Sets training mode, here and in all modules inside, by their own `train`: a module that overrides it says what the mode means for what
   * is inside it. It may be called at any step of a training or an evaluation, so what it does may depend on its argument only. Of a model to
   * be trained, what is put in inference mode afterwards stays so; see `Trainer`.
   */
  train(training = true): this {
    if (!beingSet.has(this)) setMode(this, training, new Set());
    return this;
  }

  /** Sets inference mode: running statistics are used, nothing is dropped out. */
  eval(): this {
    return this.train(false);
  }

  /** Frees all parameters and buffers, and their gradients. */
  dispose(): void {
    for (const part of everyPart(this).keys()) {
      if (!(part instanceof Tensor)) continue;
      part.grad?.dispose();
      part.dispose();
    }
  }

  /** Frees its memory at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The constructor's arguments, as `toString` shows them. */
  protected describe(): string {
    return '';
  }

  /** The module and those inside it, a line each; one that contains the place it is found at is shown as `Name(…)`. */
  toString(): string {
    const { name } = this.constructor;
    if (beingShown.has(this)) return `${name}(…)`;
    beingShown.add(this);
    try {
      const lines: string[] = [];
      for (const [at, part] of this.namedParts()) {
        if (part instanceof Module) lines.push(`  (${at}): ${part.toString().replaceAll('\n', '\n  ')}\n`);
      }
      return `${name}(${this.describe()}${lines.length > 0 ? `\n${lines.join('')}` : ''})`;
    } finally {
      beingShown.delete(this);
    }
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** The modules whose `toString` is running. */
const beingShown = new Set<Module>();

/** The modules whose mode is being set: one may be inside itself. */
const beingSet = new Set<Module>();

/** Sets the mode of a module, and once of each of those inside: not again for every way there. */
function setMode(module: Module, training: boolean, seen: Set<Module>): void {
  seen.add(module);
  beingSet.add(module);
  try {
    module.training = training;
    for (const [, part] of module.namedParts()) {
      if (!(part instanceof Module) || seen.has(part) || beingSet.has(part)) continue;
      seen.add(part);
      if (part.train === Module.prototype.train) setMode(part, training, seen);
      else part.train(training);
    }
  } finally {
    beingSet.delete(module);
  }
}

/**
 * The parts in an array, a plain object or a Map, with their names. In other objects there are none, nor in those seen before. Evaluations ask
 * for each batch and a model may hold large tables, so nothing is made for an item that can hold no part.
 */
function partsIn(name: string, value: object, seen: Set<object>, found: [name: string, part: Part][] = []): [name: string, part: Part][] {
  if (seen.has(value)) return found;
  const visit = (key: string | number, item: unknown) => {
    if (typeof item !== 'object' || item === null) return;
    if (isPart(item)) found.push([`${name}.${key}`, item]);
    else partsIn(`${name}.${key}`, item, seen, found);
  };
  if (Array.isArray(value)) {
    seen.add(value);
    for (let i = 0; i < value.length; i++) visit(i, value[i]);
  } else if (types.isMap(value)) {
    seen.add(value);
    for (const [key, item] of value) if (typeof key === 'string' || typeof key === 'number') visit(key, item);
  } else if (isPlain(value)) {
    seen.add(value);
    for (const key of Object.keys(value)) visit(key, (value as Record<string, unknown>)[key]);
  }
  return found;
}

/** Whether its prototype is null or Object.prototype, which is another one in another context of `node:vm`. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The module, named '', and all parts at any depth, each once, with their dotted names; a module comes before what it holds. */
function everyPart(module: Module, prefix = '', found = new Map<Part, string>([[module, '']])): ReadonlyMap<Part, string> {
  for (const [name, part] of module.namedParts()) {
    if (found.has(part)) continue;
    found.set(part, prefix + name);
    if (part instanceof Module) everyPart(part, `${prefix}${name}.`, found);
  }
  return found;
}

function misfit(name: string, own: Tensor, given: unknown): string[] {
  if (!(given instanceof Tensor)) return [`${name} is not a Tensor`];
  if (given.disposed || own.disposed) return [`${name} was disposed of`];
  const faults: string[] = [];
  if (!sameShape(given.shape, own.shape)) faults.push(`${name} has shape ${showShape(given.shape)}, expected ${showShape(own.shape)}`);
  if (given.dtype !== own.dtype) faults.push(`${name} is ${given.dtype}, expected ${own.dtype}`);
  return faults;
}

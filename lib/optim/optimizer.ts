import { Leaf } from '../autograd';
import { isFloat } from '../dtype';
import { dtypeError, ReceptiveError, rangeError, shapeError, show, typeError } from '../errors';
import { checkTensor } from '../op';
import { scope } from '../scope';
import { sameShape, showShape } from '../shape';
import { Tensor } from '../tensor';

/** Parameters with options of their own; those left out are the optimiser's. */
export type ParameterGroup<Options> = Partial<Options> & { readonly params: Iterable<Tensor> };

/** What an optimiser updates: tensors, or groups of them. */
export type Updated<Options> = Iterable<Tensor> | Iterable<ParameterGroup<Options>>;

/** Parameters that are updated by the same options. */
export interface Group<Options = object> {
  readonly parameters: readonly Tensor[];
  /** The options, defaults filled in; `lr` is the one it began with. */
  readonly options: Required<Options>;
  /** Its learning rate now. */
  readonly lr: number;
}

interface Rated {
  lr?: number;
}

/** @internal What an optimiser knows about one parameter besides its gradient. */
export interface Slot {
  /** Updates made. */
  steps: number;
  /** Running tensors of the parameter's shape, by name. */
  readonly tensors: Record<string, Tensor>;
}

/** What an optimiser has come to; the constructor's other options are not part of it. `tensors` is fit for `save`. */
export interface OptimizerState {
  readonly lr: number;
  /** Updates made to each parameter. */
  readonly steps: readonly number[];
  /** Running tensors, named by kind and index of parameter: `velocity.0`. The tensors themselves, not copies. */
  readonly tensors: Record<string, Tensor>;
}

/**
 * What the optimisers of this package have in common: they change parameters by their gradients. Parameters are given as a list, or in
 * groups with options of their own. Not made to be subclassed elsewhere.
 *
 * ```ts
 * new optim.SGD([{ params: features.parameters(), lr: 0.01 }, { params: head.parameters() }], { lr: 0.1, momentum: 0.9 });
 * ```
 */
export abstract class Optimizer<Options extends Rated = Rated> {
  /** What is updated, group after group. */
  readonly parameters: readonly Tensor[];
  readonly groups: readonly Group<Options>[];
  /** Of each parameter. */
  readonly #groupOf: readonly Group<Options>[];
  readonly #slots: Slot[];
  readonly #initialLr: number;
  #lr: number;

  /** @internal @param complete Checks options, and fills in those left out. */
  constructor(
    private readonly operation: string,
    params: Updated<Options>,
    options: Options,
    complete: (operation: string, options: Options) => Required<Options>,
  ) {
    this.#lr = this.#initialLr = (complete(operation, options) as Required<Rated>).lr;
    this.groups = listGroups(operation, params, options).map(({ operation, parameters, options }) => {
      const completed = complete(operation, options);
      const { lr } = completed as Required<Rated>;
      if (this.#initialLr === 0 && lr !== 0) throw rangeError(this.operation, 'lr', 0, 'a positive number, since a group has one');
      const rate = () => this.#rate(lr);
      return {
        parameters,
        options: completed,
        get lr() {
          return rate();
        },
      };
    });
    this.#groupOf = this.groups.flatMap((group) => group.parameters.map(() => group));
    this.parameters = this.groups.flatMap(({ parameters }) => parameters);
    checkParameters(operation, this.parameters);
    this.#slots = this.parameters.map(() => ({ steps: 0, tensors: {} }));
  }

  /** The learning rate; settable between steps. A group that began with another one keeps its ratio to this. */
  get lr(): number {
    return this.#lr;
  }
  set lr(value: number) {
    this.#lr = atLeastZero(this.operation, 'lr', value);
  }

  /** The rate now of a group that began with this one. */
  #rate(initial: number): number {
    return initial === this.#initialLr ? this.#lr : initial * (this.#lr / this.#initialLr);
  }

  /** @internal Names of the running tensors that a parameter has once it was updated. */
  protected abstract kept(options: Required<Options>): readonly string[];

  /** @internal Updates one parameter in place. `slot.steps` counts this update. */
  protected abstract update(parameter: Tensor, grad: Tensor, slot: Slot, group: Group<Options>): void;

  /**
   * Updates every parameter that has a gradient. An update by a gradient that bad data led to is left out.
   *
   * A step that throws is half done: the parameters before the one it threw at are updated, that one and those behind it are not. Do not call it
   * again with the same gradients; call `zeroGrad()` and go on with the next batch.
   * @throws Error `ERR_KERNEL` where an update of an earlier step was left out, and nobody has read what came of those data since;
   * `ERR_DISPOSED` where a parameter or its gradient was disposed of.
   */
  step(): void {
    scope.outside(() => {
      for (const [i, parameter] of this.parameters.entries()) {
        const { grad } = parameter;
        if (!grad) continue;
        parameter.use(this.operation, `parameter ${i}`);
        grad.use(this.operation, `the gradient of parameter ${i}`);
        const slot = this.#slots[i]!;
        slot.steps++;
        try {
          this.update(parameter, grad, slot, this.#groupOf[i]!);
        } catch (error) {
          slot.steps--;
          throw error;
        }
        parameter.written();
      }
    });
  }

  /** Frees the gradients. */
  zeroGrad(): void {
    for (const parameter of this.parameters) {
      parameter.grad?.dispose();
      parameter.grad = null;
    }
  }

  /** What is needed to go on later as if nothing had happened: its tensors are the optimiser's own, and change with its next step. */
  stateDict(): OptimizerState {
    const tensors: Record<string, Tensor> = {};
    for (const [i, slot] of this.#slots.entries()) {
      for (const [name, tensor] of Object.entries(slot.tensors)) tensors[`${name}.${i}`] = tensor;
    }
    return { lr: this.lr, steps: this.#slots.map(({ steps }) => steps), tensors };
  }

  /** Takes on a state that `stateDict` gave, copying its tensors. Nothing is changed unless all of it fits. */
  loadStateDict(state: OptimizerState): void {
    const operation = `${this.operation}.loadStateDict`;
    if (typeof state !== 'object' || state === null) throw typeError(operation, 'state', state, 'what stateDict() gave');
    const { lr, steps, tensors } = state;
    atLeastZero(operation, 'lr', lr);
    if (!Array.isArray(steps) || steps.length !== this.parameters.length || !steps.every((n) => Number.isSafeInteger(n) && n >= 0)) {
      throw rangeError(operation, 'steps', steps, `${this.parameters.length} counts, one a parameter`);
    }
    if (typeof tensors !== 'object' || tensors === null) throw typeError(operation, 'tensors', tensors, 'an object of tensors by name');
    const found = Object.entries(tensors).map(([key, tensor]) => ({ ...this.#place(operation, key), key, tensor }));
    for (const { key, tensor, parameter } of found) {
      checkTensor(operation, key, tensor);
      tensor.use(operation, key);
      if (!sameShape(tensor.shape, parameter.shape) || tensor.dtype !== parameter.dtype) {
        const expected = `${parameter.dtype} ${showShape(parameter.shape)}`;
        throw shapeError(operation, `${key} is ${tensor.dtype} ${showShape(tensor.shape)}, expected ${expected}`);
      }
    }
    for (const [index, updates] of steps.entries()) {
      const given = found.filter((one) => one.index === index).map(({ key }) => key);
      const expected = updates > 0 ? this.#kept(index).map((name) => `${name}.${index}`) : [];
      if (given.length !== expected.length || !expected.every((key) => given.includes(key))) {
        throw rangeError(operation, `the list of tensors of parameter ${index}, after ${updates} updates,`, given, show(expected));
      }
    }
    const loaded = steps.map((n): Slot => ({ steps: n, tensors: {} }));
    scope.outside(() => {
      for (const { index, name, tensor } of found) loaded[index]!.tensors[name] = tensor.copy();
    });
    this.dispose();
    this.#slots.splice(0, this.#slots.length, ...loaded);
    this.lr = lr;
  }

  #place(operation: string, key: string): { index: number; name: string; parameter: Tensor } {
    const [, name = '', digits] = /^(\w+)\.(\d+)$/.exec(key) ?? [];
    const index = Number(digits);
    const parameter = this.parameters[index];
    if (!parameter || !this.#kept(index).includes(name)) {
      const names = [...new Set(this.groups.flatMap(({ options }) => this.kept(options)))];
      const expected = names.length === 0 ? 'none' : `${names.join(' or ')}, a dot, and 0 to ${this.parameters.length - 1}`;
      throw rangeError(operation, 'a tensor name', key, expected);
    }
    return { index, name, parameter };
  }

  #kept(index: number): readonly string[] {
    return this.kept(this.#groupOf[index]!.options);
  }

  /** Frees the running tensors; the parameters stay. */
  dispose(): void {
    for (const slot of this.#slots) {
      for (const [name, tensor] of Object.entries(slot.tensors)) {
        tensor.dispose();
        delete slot.tensors[name];
      }
      slot.steps = 0;
    }
  }
}

interface Listed<Options> {
  /** What errors call it. */
  readonly operation: string;
  readonly parameters: readonly Tensor[];
  readonly options: Options;
}

/** The groups that were given, their options over those of the optimiser. */
function listGroups<Options>(operation: string, params: Updated<Options>, options: Options): Listed<Options>[] {
  const expected = 'a list of tensors, such as model.parameters(), or of groups { params, … }';
  if (!isIterable(params)) throw typeError(operation, 'parameters', params, expected);
  const list: unknown[] = [...params];
  if (list.length === 0 || list.some((item) => item instanceof Tensor || !isGroup(item))) {
    return [{ operation, parameters: list as Tensor[], options }];
  }
  return (list as ParameterGroup<Options>[]).map(({ params: parameters, ...own }, i) => {
    const name = `${operation}, group ${i}`;
    if (!isIterable(parameters)) throw typeError(name, 'params', parameters, 'a list of tensors');
    const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
    return { operation: name, parameters: [...parameters], options: { ...options, ...given } };
  });
}

const isIterable = (value: unknown): value is Iterable<unknown> =>
  typeof (value as { [Symbol.iterator]?: unknown } | null)?.[Symbol.iterator] === 'function';

const isGroup = (value: unknown): boolean => typeof value === 'object' && value !== null && 'params' in value;

function checkParameters(operation: string, parameters: readonly Tensor[]): void {
  if (parameters.length === 0) throw rangeError(operation, 'parameters', parameters, 'at least one tensor');
  for (const [i, parameter] of parameters.entries()) {
    if (!(parameter instanceof Tensor)) throw typeError(operation, `parameter ${i}`, parameter, 'a Tensor');
    if (!isFloat(parameter.dtype)) throw dtypeError(operation, `parameter ${i} is ${parameter.dtype}, expected float32 or float64`);
    if (parameter.requiresGrad && !(parameter.history instanceof Leaf)) {
      throw new ReceptiveError('ERR_AUTOGRAD', `${operation}: parameter ${i} was computed by an operation; only leaves can be updated`);
    }
  }
  if (new Set(parameters).size !== parameters.length) throw rangeError(operation, 'parameters', parameters, 'each tensor once');
}

export function atLeastZero(operation: string, what: string, value: number): number {
  if (!Number.isFinite(value) || value < 0) throw rangeError(operation, what, value, 'a finite number of at least 0');
  return value;
}

/** A number from 0 up to, not including, 1. */
export function fraction(operation: string, what: string, value: number): number {
  if (!(value >= 0 && value < 1)) throw rangeError(operation, what, value, 'a number from 0 up to, not including, 1');
  return value;
}

import { Leaf } from '../autograd';
import { ReceptiveError, rangeError, shapeError, show, typeError } from '../errors';
import { checkTensor } from '../op';
import { scope } from '../scope';
import { sameShape, showShape } from '../shape';
import { Tensor } from '../tensor';

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

/** What the optimisers of this package have in common: they change parameters by their gradients. Not made to be subclassed elsewhere. */
export abstract class Optimizer {
  /** What is updated. */
  readonly parameters: readonly Tensor[];
  readonly #slots: Slot[];
  #lr = 0;

  /** @internal @param kept Names of the running tensors that a parameter has once it was updated. */
  constructor(
    private readonly operation: string,
    parameters: Iterable<Tensor>,
    lr: number,
    private readonly kept: readonly string[],
  ) {
    if (typeof (parameters as unknown as { [Symbol.iterator]?: unknown } | null)?.[Symbol.iterator] !== 'function') {
      throw typeError(operation, 'parameters', parameters, 'a list of tensors, such as model.parameters()');
    }
    this.parameters = [...parameters];
    if (this.parameters.length === 0) throw rangeError(operation, 'parameters', this.parameters, 'at least one tensor');
    for (const [i, parameter] of this.parameters.entries()) {
      if (!(parameter instanceof Tensor)) throw typeError(operation, `parameter ${i}`, parameter, 'a Tensor');
      if (parameter.requiresGrad && !(parameter.history instanceof Leaf)) {
        throw new ReceptiveError('ERR_AUTOGRAD', `${operation}: parameter ${i} was computed by an operation; only leaves can be updated`);
      }
    }
    if (new Set(this.parameters).size !== this.parameters.length) {
      throw rangeError(operation, 'parameters', this.parameters, 'each tensor once');
    }
    this.#slots = this.parameters.map(() => ({ steps: 0, tensors: {} }));
    this.lr = lr;
  }

  /** The learning rate; settable between steps. */
  get lr(): number {
    return this.#lr;
  }
  set lr(value: number) {
    this.#lr = atLeastZero(this.operation, 'lr', value);
  }

  /** @internal Updates one parameter in place. `slot.steps` counts this update. */
  protected abstract update(parameter: Tensor, grad: Tensor, slot: Slot): void;

  /** Updates every parameter that has a gradient. */
  step(): void {
    scope.outside(() => {
      for (const [i, parameter] of this.parameters.entries()) {
        const { grad } = parameter;
        if (!grad) continue;
        parameter.use(this.operation, `parameter ${i}`);
        grad.use(this.operation, `the gradient of parameter ${i}`);
        const slot = this.#slots[i]!;
        slot.steps++;
        this.update(parameter, grad, slot);
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
      const expected = updates > 0 ? this.kept.map((name) => `${name}.${index}`) : [];
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
    if (!this.kept.includes(name) || !parameter) {
      const expected = this.kept.length === 0 ? 'none' : `${this.kept.join(' or ')}, a dot, and 0 to ${this.parameters.length - 1}`;
      throw rangeError(operation, 'a tensor name', key, expected);
    }
    return { index, name, parameter };
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

export function atLeastZero(operation: string, what: string, value: number): number {
  if (!Number.isFinite(value) || value < 0) throw rangeError(operation, what, value, 'a finite number of at least 0');
  return value;
}

/** A number from 0 up to, not including, 1. */
export function fraction(operation: string, what: string, value: number): number {
  if (!(value >= 0 && value < 1)) throw rangeError(operation, what, value, 'a number from 0 up to, not including, 1');
  return value;
}

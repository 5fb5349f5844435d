import { dtypeError, ReceptiveError, shapeError } from './errors';
import { type Scoped, scope } from './scope';
import { type Shape, sameShape, showShape } from './shape';
import type { Tensor } from './tensor';

// The tape. Every tensor that needs a gradient has a history: the Leaf it is, or the Node of the operation that made it. A node holds
// the histories of its inputs and the tensors its gradient rule needs (views of their own, so that disposing of a tensor never takes
// them away). Nodes are numbered as they are made, so descending numbers are a reverse topological order.

export type History = Leaf | Node;

/** A tensor the user made and wants a gradient for. */
export class Leaf {
  constructor(readonly tensor: Tensor) {}
}

/** A tensor kept for the gradient, and the number of writes its memory had seen then. */
interface Saved {
  readonly tensor: Tensor;
  readonly version: number;
}

/** What a gradient rule may use: the operation's attributes, its inputs' shapes, the tensors it saved, and which gradients are wanted. */
export interface BackwardContext<A> {
  readonly attrs: A;
  /** Shape of each input; an empty list for one left out. */
  readonly shapes: readonly Shape[];
  /** Whether the gradient of each input is wanted. */
  readonly needs: readonly boolean[];
  readonly saved: readonly Tensor[];
}

/** Gradients of the inputs, in order; null where not wanted. The incoming gradient itself may be returned. */
export type BackwardRule<A> = (grad: Tensor, context: BackwardContext<A>) => readonly (Tensor | null)[];

let count = 0;

/** One operation on the tape. */
export class Node implements Scoped {
  readonly order = ++count;
  readonly #saved: Saved[] = [];
  #released = false;

  constructor(
    readonly operation: string,
    readonly inputs: readonly (History | null)[],
    private readonly rule: BackwardRule<unknown>,
    private readonly attrs: unknown,
    private readonly shapes: readonly Shape[],
    saved: readonly Tensor[],
  ) {
    for (const tensor of saved) this.#saved.push({ tensor: tensor.save(), version: tensor.storage.version });
    scope.add(this);
  }

  /** Throws unless the gradient can still be computed. */
  check(): void {
    if (this.#released) {
      throw new ReceptiveError(
        'ERR_AUTOGRAD',
        `backward: what ${this.operation} saved was freed by an earlier backward(); run the forward pass again, or add the losses and call backward() once`,
      );
    }
    for (const { tensor, version } of this.#saved) {
      if (tensor.storage.version !== version) {
        throw new ReceptiveError(
          'ERR_AUTOGRAD',
          `backward: a tensor of shape ${showShape(tensor.shape)} that ${this.operation} needs for its gradient was written to afterwards ` +
            `(${tensor.storage.version - version} writes since, by an optimiser step or an assignment); call backward() before that`,
        );
      }
    }
  }

  run(grad: Tensor): readonly (Tensor | null)[] {
    return this.rule(grad, {
      attrs: this.attrs,
      shapes: this.shapes,
      needs: this.inputs.map((input) => input !== null),
      saved: this.#saved.map(({ tensor }) => tensor),
    });
  }

  /** Frees what was saved. */
  dispose(): void {
    this.#released = true;
    for (const { tensor } of this.#saved) tensor.dispose();
    this.#saved.length = 0;
  }
}

let gradEnabled = true;

export const isGradEnabled = (): boolean => gradEnabled;

/** Runs fn without recording anything on the tape: for evaluation, and for updating parameters. */
export function noGrad<R>(fn: () => R): R {
  const before = gradEnabled;
  gradEnabled = false;
  try {
    return synchronous('noGrad', fn());
  } finally {
    gradEnabled = before;
  }
}

/** The result, unless it is a promise: its work would run after the mode or the scope has ended. */
export function synchronous<R>(operation: string, result: R): R {
  if (typeof (result as { then?: unknown } | null)?.then === 'function') {
    (result as unknown as Promise<unknown>).then(undefined, () => {});
    throw new TypeError(`${operation}: the function is asynchronous, expected a synchronous one (await outside of it)`);
  }
  return result;
}

/** The nodes a tensor's gradient runs through, itself first. */
export function reachable(from: History | null): Set<Node> {
  const found = new Set<Node>();
  const pending: Node[] = [];
  const visit = (history: History | null) => {
    if (history instanceof Node && !found.has(history)) {
      found.add(history);
      pending.push(history);
    }
  };
  visit(from);
  for (let node = pending.pop(); node; node = pending.pop()) for (const input of node.inputs) visit(input);
  return found;
}

/**
 * Gradients on their way, and how many places hold each: the same tensor may be the gradient of several inputs. One that nobody holds
 * is freed at once, so that memory stays at what the widest cut through the graph needs.
 */
class Gradients {
  readonly #pending = new Map<Node, Tensor>();
  readonly #holders = new Map<Tensor, number>();

  hold(tensor: Tensor): void {
    this.#holders.set(tensor, (this.#holders.get(tensor) ?? 0) + 1);
  }

  drop(tensor: Tensor): void {
    const left = (this.#holders.get(tensor) ?? 0) - 1;
    if (left > 0) {
      this.#holders.set(tensor, left);
    } else {
      this.#holders.delete(tensor);
      tensor.dispose();
    }
  }

  take(node: Node): Tensor | undefined {
    const grad = this.#pending.get(node);
    this.#pending.delete(node);
    return grad;
  }

  /** Adds grad, of which the caller holds a share, to what history's tensor has been given so far. */
  give(history: History, grad: Tensor): void {
    if (history instanceof Leaf) return this.#giveLeaf(history.tensor, grad);
    const before = this.#pending.get(history);
    if (!before) {
      this.hold(grad);
      this.#pending.set(history, grad);
    } else if (this.#holders.get(before) === 1 && before !== grad) {
      before.accumulate(grad);
    } else {
      const sum = before.plus(grad);
      this.drop(before);
      this.hold(sum);
      this.#pending.set(history, sum);
    }
  }

  #giveLeaf(leaf: Tensor, grad: Tensor): void {
    if (leaf.grad && !leaf.grad.disposed) {
      leaf.grad.accumulate(grad);
    } else if (this.#holders.get(grad) === 1) {
      this.hold(grad); // for good: the leaf owns it now
      leaf.grad = grad;
    } else {
      leaf.grad = grad.copy();
    }
  }

  /** After a failure: nothing on its way may stay. */
  clear(): void {
    for (const grad of new Set(this.#pending.values())) this.drop(grad);
    this.#pending.clear();
  }
}

/** See Tensor.backward. Everything that can be checked is checked before the first gradient is computed. */
export function backward(root: Tensor, gradient: Tensor | null): void {
  root.use('backward');
  const history = root.history;
  if (!history) {
    throw new ReceptiveError(
      'ERR_AUTOGRAD',
      `backward: this tensor of shape ${showShape(root.shape)} does not require a gradient (no input of its computation did, or it was made inside noGrad)`,
    );
  }
  if (gradient) {
    gradient.use('backward', 'gradient');
    if (!sameShape(gradient.shape, root.shape)) {
      throw shapeError(
        'backward',
        `gradient has shape ${showShape(gradient.shape)}, expected that of the tensor, ${showShape(root.shape)}`,
      );
    }
    if (gradient.dtype !== root.dtype) throw dtypeError('backward', `gradient is ${gradient.dtype}, expected ${root.dtype}`);
  } else if (root.size !== 1) {
    throw new ReceptiveError(
      'ERR_AUTOGRAD',
      `backward: a tensor of shape ${showShape(root.shape)} is not a scalar; give the gradient of the loss with respect to it, or reduce it (ops.mean, ops.sum)`,
    );
  }
  const nodes = [...reachable(history)].sort((a, b) => b.order - a.order);
  for (const node of nodes) node.check();

  scope.outside(() => noGrad(() => propagate(nodes, history, gradient ?? root.onesLike(), gradient !== null)));
}

function propagate(nodes: readonly Node[], history: History, seed: Tensor, borrowed: boolean): void {
  const gradients = new Gradients();
  if (borrowed) gradients.hold(seed); // the caller's share: never freed here
  gradients.hold(seed);
  try {
    gradients.give(history, seed);
    gradients.drop(seed);
    for (const node of nodes) {
      const grad = gradients.take(node);
      if (grad) {
        const given = scope.run(
          () => node.run(grad),
          (results) => new Set(results.filter((result) => result !== null)),
        );
        const shares = given.filter((result) => result !== null);
        for (const result of shares) gradients.hold(result);
        for (let i = 0; i < given.length; i++) {
          const input = node.inputs[i];
          if (input && given[i]) gradients.give(input, given[i]!);
        }
        for (const result of shares) gradients.drop(result);
        gradients.drop(grad);
      }
      node.dispose();
    }
  } catch (error) {
    gradients.clear();
    throw error;
  }
}

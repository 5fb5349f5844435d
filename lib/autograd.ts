import { Ambient } from './ambient';
import { dtypeError, ReceptiveError, shapeError, typeError } from './errors';
import { keepNothing, type Scoped, scope } from './scope';
import { type Shape, sameShape, showShape } from './shape';
import type { Tensor } from './tensor';

// The tape. Every tensor that needs a gradient has a history: the Leaf it is, or the Node of the operation that made it. A node holds
// the histories of its inputs and the tensors its gradient rule needs (shares of its own, so that disposing of a tensor never takes
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
  /** What forward saved; null where it did not. */
  readonly saved: readonly (Tensor | null)[];
}

/** An operation as the tape knows it. */
export interface Differentiable {
  readonly name: string;
  /** The gradients of the inputs, in order; null where not wanted. The incoming gradient itself may be returned. */
  backward?(grad: Tensor, context: BackwardContext<unknown>): readonly (Tensor | null)[];
}

/** What goes back through an operation, given what comes to its output. */
export type Rule = (operation: Differentiable, grad: Tensor, context: BackwardContext<unknown>) => readonly (Tensor | null)[];

const gradientRule: Rule = (operation, grad, context) => operation.backward!(grad, context);

/** How a pass goes back over the tape. */
interface Course {
  readonly rule: Rule;
  /** Whether anything is to come to this history. */
  wants(history: History): boolean;
  /** Takes what comes to a leaf, which it is given away to. */
  arrive(leaf: Leaf, grad: Tensor): void;
}

let count = 0;

/** One operation on the tape. */
export class Node implements Scoped {
  readonly order = ++count;
  #saved: readonly (Saved | null)[];
  #released = false;

  constructor(
    private readonly operation: Differentiable,
    readonly inputs: readonly (History | null)[],
    private readonly attrs: unknown,
    private readonly shapes: readonly Shape[],
    saved: readonly (Tensor | null)[],
  ) {
    this.#saved = saved.map((tensor) => tensor && { tensor: tensor.share(), version: tensor.storage.version });
  }

  get name(): string {
    return this.operation.name;
  }

  /** Throws unless the gradient can still be computed. */
  check(): void {
    if (this.#released) {
      throw new ReceptiveError(
        'ERR_AUTOGRAD',
        `backward: what ${this.operation.name} saved was freed by an earlier backward(); run the forward pass again, or add the losses and call backward() once`,
      );
    }
    for (const saved of this.#saved) {
      if (saved && saved.tensor.storage.version !== saved.version) {
        const { tensor, version } = saved;
        throw new ReceptiveError(
          'ERR_AUTOGRAD',
          `backward: a tensor of shape ${showShape(tensor.shape)} that ${this.operation.name} needs for its gradient was written to afterwards ` +
            `(${tensor.storage.version - version} writes since, by an optimiser step or an assignment); call backward() before that`,
        );
      }
    }
  }

  run(grad: Tensor, { rule, wants }: Course): readonly (Tensor | null)[] {
    return rule(this.operation, grad, {
      attrs: this.attrs,
      shapes: this.shapes,
      needs: this.inputs.map((input) => input !== null && wants(input)),
      saved: this.#saved.map((saved) => saved?.tensor ?? null),
    });
  }

  /** Frees what was saved. */
  dispose(): void {
    this.#released = true;
    for (const saved of this.#saved) saved?.tensor.dispose();
    this.#saved = [];
  }
}

const gradEnabled = new Ambient(true);

export const isGradEnabled = (): boolean => gradEnabled.value;

/**
 * Runs fn without recording anything on the tape, for inference: what it makes requires no gradient, and nothing is kept for one.
 * @throws TypeError where fn returns a promise: its work would be recorded again.
 * @example
 * const scores = noGrad(() => model.forward(x));
 */
export function noGrad<R>(fn: () => R): R {
  return synchronous('noGrad', gradEnabled.during(false, fn));
}

/** The result, unless it is a promise: its work would run after the mode or the scope has ended. */
export function synchronous<R>(operation: string, result: R): R {
  if (typeof (result as { then?: unknown } | null)?.then === 'function') {
    (result as unknown as Promise<unknown>).then(undefined, () => {});
    throw typeError(operation, 'what the function returns', result, 'no promise: await outside of it');
  }
  return result;
}

/** The nodes a tensor's gradient runs through, itself first; of a graph that reaches far back, those made after node number `since`. */
export function reachable(from: History | null, since = 0): Set<Node> {
  const found = new Set<Node>();
  const pending: Node[] = [];
  const visit = (history: History | null) => {
    if (history instanceof Node && history.order > since && !found.has(history)) {
      found.add(history);
      pending.push(history);
    }
  };
  visit(from);
  for (let node = pending.pop(); node; node = pending.pop()) for (const input of node.inputs) visit(input);
  return found;
}

/** How many nodes were made so far: the number of the latest. */
export const nodeCount = (): number => count;

/** Gradients on their way to nodes. Each is freed as soon as it has been used, so memory stays at what the widest cut through the graph needs. */
class Gradients {
  readonly #pending = new Map<Node, Tensor>();

  constructor(private readonly course: Course) {}

  take(node: Node): Tensor | undefined {
    const grad = this.#pending.get(node);
    this.#pending.delete(node);
    return grad;
  }

  /** Adds grad, which the caller gives away, to what history's tensor has been given so far. Memory that others hold is not written to. */
  give(history: History, grad: Tensor): void {
    if (history instanceof Leaf) {
      this.course.arrive(history, grad);
      return;
    }
    const before = this.#pending.get(history);
    if (!before) {
      this.#pending.set(history, grad);
    } else if (before.storage.holders === 1) {
      before.accumulate(grad);
      grad.dispose();
    } else {
      this.#pending.set(history, before.plus(grad));
      before.dispose();
      grad.dispose();
    }
  }

  /** After a failure: nothing on its way may stay. */
  clear(): void {
    for (const grad of this.#pending.values()) grad.dispose();
    this.#pending.clear();
  }
}

function giveLeaf({ tensor: leaf }: Leaf, grad: Tensor): void {
  if (leaf.grad && !leaf.grad.disposed) leaf.grad.accumulate(grad);
  else if (grad.storage.holders === 1) leaf.grad = grad;
  else leaf.grad = grad.copy();
  if (leaf.grad !== grad) grad.dispose();
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
  const course: Course = { rule: gradientRule, wants: () => true, arrive: giveLeaf };
  const nodes = ready(history);
  scope.outside(() => noGrad(() => propagate(nodes, history, gradient ? gradient.share() : root.onesLike(), course)));
}

/**
 * What comes to a leaf when `seed` is sent back from where `from` stands: its gradient, or what a rule other than the gradient's makes of
 * it. No other leaf is given anything. null where no path leads there.
 */
export function sendBack(from: History, seed: Tensor, leaf: Leaf, rule: Rule = gradientRule): Tensor | null {
  const nodes = ready(from);
  const leading = new Set<History>([leaf]);
  for (const node of nodes.toReversed()) if (node.inputs.some((input) => input !== null && leading.has(input))) leading.add(node);
  if (!leading.has(from)) return null;
  let total: Tensor | null = null;
  const arrive = (_leaf: Leaf, grad: Tensor) => {
    if (total) {
      const sum = total.plus(grad);
      total.dispose();
      grad.dispose();
      total = sum;
    } else {
      total = grad;
    }
  };
  const course: Course = { rule, wants: (history) => leading.has(history), arrive };
  scope.outside(() => noGrad(() => propagate(nodes, from, seed.share(), course)));
  if (total) scope.add(total);
  return total;
}

/** The nodes behind a history, the latest first, each of which can still be run. */
function ready(from: History): Node[] {
  const nodes = [...reachable(from)].sort((a, b) => b.order - a.order);
  for (const node of nodes) node.check();
  return nodes;
}

function propagate(nodes: readonly Node[], root: History, seed: Tensor, course: Course): void {
  const gradients = new Gradients(course);
  try {
    gradients.give(root, seed);
    for (const node of nodes) {
      const grad = gradients.take(node);
      if (grad) pass(node, grad, gradients, course);
      node.dispose();
    }
  } catch (error) {
    gradients.clear();
    throw error;
  }
}

/** What is done around each node's rule: `rule` runs it, on the gradient that came to the node's output. */
export type AroundRule = (node: Node, grad: Tensor, rule: () => readonly (Tensor | null)[]) => readonly (Tensor | null)[];

const aroundRule = new Ambient<AroundRule>((_node, _grad, rule) => rule());

/** Runs fn, during which every gradient rule goes through `around`. */
export function aroundRules<R>(around: AroundRule, fn: () => R): R {
  return aroundRule.during(around, fn);
}

/** Runs one node's rule. What it made is freed, so that of each gradient only the shares given on are left. */
function pass(node: Node, grad: Tensor, gradients: Gradients, course: Course): void {
  let shares: (Tensor | null)[] = [];
  try {
    const results = () => aroundRule.value(node, grad, () => node.run(grad, course));
    shares = scope.run(() => results().map((result) => result?.share() ?? null), keepNothing);
    grad.dispose();
    for (let i = 0; i < shares.length; i++) {
      const [history, share] = [node.inputs[i], shares[i]];
      if (!history || !share || !course.wants(history)) continue;
      gradients.give(history, share);
      shares[i] = null;
    }
  } finally {
    grad.dispose();
    for (const share of shares) share?.dispose();
  }
}

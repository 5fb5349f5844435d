import { native } from '../native';
import { type Inputs, type Op, observe } from '../op';
import { keepNothing, scope } from '../scope';
import { Tensor } from '../tensor';
import { type Arena, arenaOf } from './arena';
import type { Graph, GraphNode, GraphValue } from './graph';

/** The same values in memory of its own. */
const copy: Op<Inputs, unknown> = {
  name: 'copy',
  infer: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  forward: ({ inputs: [x], output }) => native.ops.cast(x!.id, output.id, 1, 0),
};

/** Gives outputs that no command fills, and those that are the same, memory that a copy fills. */
function withFilledOutputs(graph: Graph): Graph {
  const makers = new Map(graph.nodes.map((node) => [node.output, node]));
  const isFilled = (value: GraphValue): boolean => {
    const maker = makers.get(value);
    return maker !== undefined && (maker.op.forward !== undefined || isFilled(maker.inputs[0]!));
  };
  const copies: GraphNode[] = [];
  const outputs = graph.outputs.map((value, i) => {
    if (isFilled(value) && graph.outputs.indexOf(value) === i) return value;
    const output: GraphValue = { shape: value.shape, dtype: value.dtype, constant: null };
    copies.push({ op: copy, inputs: [value], attrs: undefined, output });
    return output;
  });
  return { ...graph, nodes: [...graph.nodes, ...copies], outputs };
}

/** Memory that plans use in turn, whose runs follow each other: as much as the largest needs. */
export class Workspace implements Disposable {
  #memory: Tensor | null = null;

  /** At least so many bytes; those there were go once no plan points there. */
  atLeast(bytes: number): Tensor {
    return this.#memory && this.#memory.size >= bytes ? this.#memory : this.#move(bytes);
  }

  /** No more than twice as many bytes as are needed. */
  fit(bytes: number): void {
    if (this.#memory && this.#memory.size > 2 * bytes) this.#move(bytes);
  }

  /** Where there is no memory for it, all stays as it was. */
  #move(bytes: number): Tensor {
    const memory = scope.outside(() => Tensor.empty([bytes], 'uint8'));
    this.#memory?.dispose();
    this.#memory = memory;
    return memory;
  }

  dispose(): void {
    this.#memory?.dispose();
    this.#memory = null;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A graph as commands of the addon, which one call runs. */
export class Plan implements Disposable {
  readonly graph: Graph;
  readonly arena: Arena;
  readonly #workspace: Workspace;
  readonly #held: readonly Tensor[];
  #memory: Tensor;
  #id: number;

  /** @param held Constants of the graph that are its own. */
  constructor(graph: Graph, workspace: Workspace, held: readonly Tensor[] = []) {
    this.#held = held;
    this.graph = withFilledOutputs(graph);
    this.arena = arenaOf(this.graph);
    this.#workspace = workspace;
    this.#memory = workspace.atLeast(this.arena.bytes);
    this.#id = this.#captured();
  }

  /** Moves to where the workspace is now, if other plans needed more of it, or less. */
  settle(): void {
    const [memory, id] = [this.#memory, this.#id];
    const now = this.#workspace.atLeast(this.arena.bytes);
    if (id === 0 || now === memory) return;
    this.#memory = now;
    try {
      this.#id = this.#captured(); // before the old one goes, whose packed weights it takes over
    } catch (error) {
      this.#memory = memory;
      throw error;
    }
    native.freePlan(id);
  }

  #captured(): number {
    return observe(null, () => scope.run(() => this.#capture(), keepNothing));
  }

  #capture(): number {
    const { inputs, nodes, outputs } = this.graph;
    const tensors = new Map<GraphValue, Tensor>();
    const arena = this.#memory;
    const tensor = (value: GraphValue): Tensor => {
      const made = value.constant ?? tensors.get(value) ?? Tensor.piece(arena, this.arena.offsets.get(value)!, value.shape, value.dtype);
      if (!value.constant) tensors.set(value, made);
      return made;
    };
    native.capture();
    try {
      for (const { op, inputs: given, attrs, output } of nodes) {
        const from = given.map((input) => input && tensor(input));
        if (op.forward) op.forward({ inputs: from, attrs, output: tensor(output), recording: false, needs: [], save: () => {} });
        else tensors.set(output, from[0]!.view(output.shape));
      }
      return native.endCapture(this, inputs.length, ...[...inputs, ...outputs].map((value) => tensor(value).id));
    } catch (error) {
      native.endCapture();
      throw error;
    }
  }

  /** Queues a run on these tensors. @returns What stops it before its next command, if it has not ended. */
  run(inputs: readonly Tensor[], outputs: readonly Tensor[]): () => void {
    const id = this.#id;
    const ticket = native.run(id, ...[...inputs, ...outputs].map((tensor) => tensor.use('run')));
    return () => native.cancel(id, ticket);
  }

  /** Commands, and bytes of packed weights, those included that other plans share. */
  get info(): { readonly commands: number; readonly keptBytes: number } {
    return native.planInfo(this.#id);
  }

  dispose(): void {
    if (this.#id === 0) return;
    native.freePlan(this.#id);
    this.#id = 0;
    for (const tensor of this.#held) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

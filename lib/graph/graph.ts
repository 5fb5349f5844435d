import type { Dtype } from '../dtype';
import type { Inputs, Op } from '../op';
import { type Shape, showShape } from '../shape';
import type { Tensor } from '../tensor';
import type { Origin, Trace, Value as Traced } from '../trace';

// A model as the operations it comes to, in order, of inputs whose shapes are known. Passes rewrite it; `lib/graph/plan.ts` runs it.

/** A tensor of a graph: an input, a constant, or what a node makes. */
export interface GraphValue {
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** Where it is the same in every run. */
  readonly constant: Tensor | null;
}

export interface GraphNode {
  readonly op: Op<Inputs, unknown>;
  readonly inputs: readonly (GraphValue | null)[];
  readonly attrs: unknown;
  readonly output: GraphValue;
}

/** Nodes in an order in which each comes behind those it needs. */
export interface Graph {
  readonly inputs: readonly GraphValue[];
  readonly nodes: readonly GraphNode[];
  readonly outputs: readonly GraphValue[];
}

/** Makes a graph of a trace, whose parameters, buffers and constants become constants of it. */
export function graphOf(trace: Trace, constant: (tensor: Tensor, origin: Origin) => Tensor): Graph {
  const values = new Map<Traced, GraphValue>();
  const value = (traced: Traced): GraphValue => {
    let known = values.get(traced);
    if (!known) {
      const { shape, dtype, origin, tensor } = traced;
      known = { shape, dtype, constant: origin === 'input' || origin === 'operation' ? null : constant(tensor, origin) };
      values.set(traced, known);
    }
    return known;
  };
  return {
    inputs: trace.inputs.map(value),
    nodes: trace.nodes.map(({ op, inputs, attrs, output }) => ({
      op,
      inputs: inputs.map((input) => input && value(input)),
      attrs,
      output: value(output),
    })),
    outputs: trace.results.map(value),
  };
}

/** The constants that nodes use, or that are outputs. */
export function constantsOf({ nodes, outputs }: Graph): Set<Tensor> {
  const values = [...nodes.flatMap(({ inputs }) => inputs), ...outputs];
  return new Set(values.flatMap((value) => value?.constant ?? []));
}

/** How often each value is used by a node or as an output. */
export function uses({ nodes, outputs }: Graph): ReadonlyMap<GraphValue, number> {
  const counts = new Map<GraphValue, number>();
  const count = (value: GraphValue | null): void => {
    if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
  };
  for (const { inputs } of nodes) inputs.forEach(count);
  outputs.forEach(count);
  return counts;
}

/** The same graph with other values in the place of some. */
export function replaced({ inputs, nodes, outputs }: Graph, by: ReadonlyMap<GraphValue, GraphValue>): Graph {
  const find = (value: GraphValue): GraphValue => {
    let found = value;
    for (let next = by.get(found); next; next = by.get(found)) found = next;
    return found;
  };
  return {
    inputs,
    nodes: nodes.map((node) => ({ ...node, inputs: node.inputs.map((input) => input && find(input)) })),
    outputs: outputs.map(find),
  };
}

/** Text that is the same for equal attributes, and tells apart the numbers that JSON does not. */
export const keyOf = (attrs: unknown): string => JSON.stringify(attrs, (_, item) => (typeof item === 'number' ? String(item) : item));

/** A line a node: `%3 [1,14,14,6] = maxPool2d(%2)`, constants being `c` and their shapes. */
export function showGraph({ inputs, nodes, outputs }: Graph): string {
  const names = new Map<GraphValue, string>(inputs.map((input, i) => [input, `input${i}`]));
  for (const [i, { output }] of nodes.entries()) names.set(output, `%${i}`);
  const show = (value: GraphValue | null) => (value ? (names.get(value) ?? `c${showShape(value.shape)}`) : 'none');
  const lines = nodes.map(({ op, inputs: given, output }) => {
    const used = given.slice(0, given.findLastIndex((input) => input !== null) + 1);
    return `${show(output)} ${showShape(output.shape)} = ${op.name}(${used.map(show).join(', ')})`;
  });
  return [...lines, `-> ${outputs.map(show).join(', ')}`].join('\n');
}

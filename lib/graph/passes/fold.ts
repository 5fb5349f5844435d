import { apply } from '../../op';
import { sameShape } from '../../shape';
import type { Constants } from '../constants';
import { type Graph, type GraphNode, type GraphValue, keyOf, replaced } from '../graph';

/** Runs nodes all of whose inputs are constants, once and for all. */
export function foldConstants(graph: Graph, constants: Constants): Graph {
  const by = new Map<GraphValue, GraphValue>();
  const known = (value: GraphValue | null) => value && (by.get(value) ?? value).constant;
  const nodes = graph.nodes.filter(({ op, inputs, attrs, output }) => {
    if (!inputs.some((input) => input) || !inputs.every((input) => !input || known(input))) return true;
    const tensors = inputs.map(known);
    const [constant] = constants.of([op, keyOf(attrs), ...tensors], () => [apply(op, tensors, attrs)] as const);
    by.set(output, { ...output, constant });
    return false;
  });
  return replaced({ ...graph, nodes }, by);
}

/** Drops nodes that give what they were given. */
export function dropIdentities(graph: Graph): Graph {
  const by = new Map<GraphValue, GraphValue>();
  const nodes = graph.nodes.filter(({ op, inputs: [input], output }) => {
    if (op.forward || !input || !sameShape(input.shape, output.shape)) return true;
    by.set(output, input);
    return false;
  });
  return replaced({ ...graph, nodes }, by);
}

/** Of nodes that compute the same of the same, keeps the first. */
export function shareCommon(graph: Graph): Graph {
  const by = new Map<GraphValue, GraphValue>();
  const numbers = new Map<GraphValue, number>();
  const number = (given: GraphValue): number => {
    const value = by.get(given) ?? given;
    const known = numbers.get(value) ?? numbers.size;
    numbers.set(value, known);
    return known;
  };
  const seen = new Map<Graph['nodes'][number]['op'], Map<string, GraphNode>>();
  const nodes = graph.nodes.filter((node) => {
    const { op, inputs, attrs, output } = node;
    const key = keyOf([inputs.map((input) => input && number(input)), attrs]);
    const same = seen.get(op) ?? new Map<string, GraphNode>();
    seen.set(op, same);
    const first = same.get(key);
    if (first) by.set(output, first.output);
    else same.set(key, node);
    return !first;
  });
  return replaced({ ...graph, nodes }, by);
}

/** Drops nodes whose results nobody uses. */
export function dropDead(graph: Graph): Graph {
  const wanted = new Set(graph.outputs);
  const nodes = graph.nodes.toReversed().filter(({ inputs, output }) => {
    if (!wanted.has(output)) return false;
    for (const input of inputs) if (input) wanted.add(input);
    return true;
  });
  return { ...graph, nodes: nodes.reverse() };
}

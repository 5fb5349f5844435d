import type { Cells } from '../../op';
import { sizeOf } from '../../shape';
import type { Graph, GraphNode, GraphValue } from '../graph';

// Cells of 0 around an image need not be written where what reads them can pad by itself. Other programs pad in an operation of its own,
// often because their convolutions know no padding that differs from side to side. What pads and what can be padded operations say
// themselves (`Op.surrounds`, `Op.padded`).

/** Cells in the order of other axes. */
const turned = ({ before, after }: Cells, permutation: readonly number[]): Cells => ({
  before: permutation.map((axis) => before[axis]!),
  after: permutation.map((axis) => after[axis]!),
});

/**
 * Lets operations pad by themselves what was padded for them, also where an image is turned in between: then it is turned before. What
 * nobody reads any more is left to `dropDead`.
 */
export function foldPadding(graph: Graph): Graph {
  const makers = new Map<GraphValue, GraphNode>();
  const nodes: GraphNode[] = [];
  const add = (node: GraphNode): void => {
    nodes.push(node);
    makers.set(node.output, node);
  };
  for (const node of graph.nodes) {
    let current = node;
    for (let found = unpadded(current, makers); found; found = unpadded(current, makers)) {
      if (found.turn) add(found.turn);
      current = found.node;
    }
    add(current);
  }
  return { ...graph, nodes };
}

/** The node without the padding before it, and the node that turns what was not padded, where it was turned; null where there is none. */
function unpadded(node: GraphNode, makers: ReadonlyMap<GraphValue, GraphNode>): { node: GraphNode; turn: GraphNode | null } | null {
  const maker = node.op.padded ? makers.get(node.inputs[0]!) : undefined;
  const isTurn = maker?.op.name === 'transpose';
  const pad = isTurn ? makers.get(maker.inputs[0]!) : maker;
  const cells = pad?.op.surrounds?.(pad.attrs);
  const from = pad?.inputs[0];
  if (!maker || !cells || !from || sizeOf(from.shape) === 0) return null;
  const permutation = isTurn ? (maker.attrs as readonly number[]) : null;
  const attrs = node.op.padded!(node.attrs, permutation ? turned(cells, permutation) : cells);
  if (attrs === null) return null;
  const turn: GraphNode | null = permutation && {
    ...maker,
    inputs: [from],
    output: { shape: permutation.map((axis) => from.shape[axis]!), dtype: from.dtype, constant: null },
  };
  return { node: { ...node, inputs: [turn ? turn.output : from, ...node.inputs.slice(1)], attrs }, turn };
}

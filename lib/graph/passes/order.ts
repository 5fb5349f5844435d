import { reshape } from '../../ops/reshape';
import { transpose } from '../../ops/transpose';
import type { Constants } from '../constants';
import { type Graph, type GraphNode, type GraphValue, uses } from '../graph';

// An image that is turned to [N,C,H,W] only to be flattened for a fully connected layer need not be: the layer's weights are turned instead,
// once and for all. Models of other programs end so.

/**
 * Where a layer with constant weights [out,in] reads what a node before it turned and the next flattened, sample by sample, the layer that
 * reads it as it lay.
 */
function unturned(
  layer: GraphNode,
  made: (value: GraphValue | null | undefined) => GraphNode | null,
  constants: Constants,
): GraphNode[] | null {
  const weight = layer.inputs[1]?.constant;
  const flat = layer.op.name === 'linear' && weight ? made(layer.inputs[0]) : null;
  const turn = flat?.op.name === 'reshape' && flat.output.shape.length === 2 ? made(flat.inputs[0]) : null;
  if (!weight || !flat || turn?.op.name !== 'transpose') return null;
  const [permutation, turned, x] = [turn.attrs as readonly number[], turn.output.shape, turn.inputs[0]!];
  if (permutation[0] !== 0 || turned[0] !== flat.output.shape[0]) return null;
  // axis i of what is turned is axis permutation[i] of x: the columns of the weights go back the other way
  const back = permutation.map((_, axis) => permutation.indexOf(axis));
  const [columns] = constants.of(['unturned', weight, back.join(), turned.slice(1).join()], () => {
    const [rows, width] = weight.shape as [number, number];
    return [reshape(transpose(reshape(weight, [rows, ...turned.slice(1)]), back), [rows, width])] as const;
  });
  const output: GraphValue = { ...flat.output };
  const [, , ...others] = layer.inputs;
  const value: GraphValue = { shape: columns.shape, dtype: columns.dtype, constant: columns };
  return [
    { ...flat, inputs: [x], output },
    { ...layer, inputs: [output, value, ...others] },
  ];
}

/** Turns weights in the place of images. */
export function turnWeights(graph: Graph, constants: Constants): Graph {
  const used = uses(graph);
  const makers = new Map(graph.nodes.map((node) => [node.output, node]));
  const made = (value: GraphValue | null | undefined): GraphNode | null => (value && used.get(value) === 1 && makers.get(value)) || null;
  const nodes = graph.nodes.flatMap((node) => unturned(node, made, constants) ?? [node]);
  return { ...graph, nodes };
}

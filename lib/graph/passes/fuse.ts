import type { Rectifier } from '../../op';
import { sameShape } from '../../shape';
import type { Tensor } from '../../tensor';
import type { Constants } from '../constants';
import { type Graph, type GraphNode, type GraphValue, keyOf, uses } from '../graph';

// Operations take over those that follow them: a normalisation becomes part of a convolution's weights; a sum and a rectifier are done
// before it stores its results. What an operation can take over, it says itself (`Op.absorbs`); this knows no operation by name, but for
// the one below that is a sum.

/** The elementwise sum of two tensors. */
const isSum = ({ op, inputs: [a, b] }: GraphNode): boolean => op.name === 'add' && sameShape(a!.shape, b!.shape);

/** A node that does what another and the one before it did, and that one; null where there is none. */
type Rule = (
  node: GraphNode,
  made: (value: GraphValue | null | undefined) => GraphNode | null,
  constants: Constants,
) => { readonly fused: GraphNode; readonly before: GraphNode } | null;

const constantOf = (value: GraphValue | null | undefined): Tensor | null => value?.constant ?? null;
const asValue = (constant: Tensor): GraphValue => ({ shape: constant.shape, dtype: constant.dtype, constant });

/** Whether a node adds a tensor to its results, or rectifies them, already. */
function hasFollower({ op, inputs, attrs }: GraphNode): boolean {
  const { summand, rectified } = op.absorbs!;
  return (summand !== undefined && !!inputs[summand]) || (rectified !== undefined && !rectified(attrs, 'relu'));
}

/** A scale and shift of each channel, as of a normalisation, behind an operation whose weights can take them. */
const foldAffine: Rule = (node, made, constants) => {
  const { op, inputs, attrs, output } = node;
  const before = made(inputs[0]);
  const absorb = before?.op.absorbs?.affine;
  if (!before || !absorb || !op.affine) return null;
  const [x, weight, bias = null] = before.inputs;
  if (!weight?.constant || (bias && !bias.constant)) return null;
  const { summand, rectified } = before.op.absorbs!;
  if (hasFollower(before)) return null;
  const own = op.absorbs?.summand;
  const parameters = inputs.slice(1, own);
  if (parameters.some((value) => value && !value.constant)) return null;
  const tensors = parameters.map(constantOf);
  const given = [weight.constant, constantOf(bias)];
  const weights = constants.of([op, 'affine', keyOf(attrs), before.op, ...given, ...tensors], () => {
    const affine = op.affine!([given[0]!, ...tensors], attrs);
    if (!affine) return [];
    // The first input is not looked at; the weight stands in for it.
    const absorbed = absorb([given[0]!, ...given], affine.scale, affine.shift);
    return [absorbed[1]!, absorbed[2]!];
  });
  if (weights.length === 0) return null;
  let fused: GraphNode = { ...before, inputs: [x!, asValue(weights[0]!), asValue(weights[1]!)], output };
  const added = own === undefined ? null : inputs[own];
  if (added) {
    if (summand === undefined) return null;
    fused = withInput(fused, summand, added);
  }
  const activation = rectifierAtTheEnd(node);
  if (activation) {
    const finished = rectified?.(fused.attrs, activation);
    if (!finished) return null;
    fused = { ...fused, attrs: finished };
  }
  return { fused, before };
};

/** What a normalisation ends with. */
function rectifierAtTheEnd({ attrs }: GraphNode): Rectifier | null {
  return (attrs as { activation?: Rectifier | null } | null)?.activation ?? null;
}

function withInput(node: GraphNode, index: number, value: GraphValue): GraphNode {
  const inputs = [...node.inputs];
  while (inputs.length <= index) inputs.push(null);
  inputs[index] = value;
  return { ...node, inputs };
}

/** A sum of which one operand was made by an operation that can add the other. */
const fuseSum: Rule = (node, made) => {
  if (!isSum(node)) return null;
  const [a, b] = node.inputs;
  for (const [own, other] of [
    [b, a],
    [a, b],
  ]) {
    const before = own === other ? null : made(own);
    const summand = before?.op.absorbs?.summand;
    if (!before || summand === undefined || hasFollower(before)) continue;
    return { fused: { ...withInput(before, summand, other!), output: node.output }, before };
  }
  return null;
};

/** A rectifier behind an operation that can end with one. */
const fuseRectifier: Rule = (node, made) => {
  const activation = node.op.rectifier?.(node.attrs);
  const before = activation ? made(node.inputs[0]) : null;
  const attrs = before?.op.absorbs?.rectified?.(before.attrs, activation!);
  return before && attrs ? { fused: { ...before, attrs, output: node.output }, before } : null;
};

const rules: readonly Rule[] = [foldAffine, fuseSum, fuseRectifier];

/** Lets operations take over what follows them, as long as any can. */
export function fuse(graph: Graph, constants: Constants): Graph {
  const used = uses(graph);
  const nodes: (GraphNode | null)[] = [];
  const makers = new Map<GraphValue, number>();
  // The node that made a value, if nobody else uses it.
  const made = (value: GraphValue | null | undefined): GraphNode | null =>
    (value && used.get(value) === 1 && nodes[makers.get(value) ?? -1]) || null;
  for (const node of graph.nodes) {
    let current = node;
    for (const rule of rules) {
      const found = rule(current, made, constants);
      if (!found) continue;
      nodes[makers.get(found.before.output)!] = null;
      current = found.fused;
    }
    makers.set(current.output, nodes.length);
    nodes.push(current);
  }
  return { ...graph, nodes: nodes.filter((node) => node !== null) };
}

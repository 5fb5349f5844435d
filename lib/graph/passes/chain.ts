import type { Inputs, Op } from '../../op';
import { type ChainAttrs, type ChainedConv, conv2dChain } from '../../ops/conv2dChain';
import { sizeOf } from '../../shape';
import { type Graph, type GraphNode, type GraphValue, uses } from '../graph';

// Depthwise convolutions and the 1x1 convolutions around them, as blocks of MobileNets have them, run together where what is between them
// is too large for a core's cache.

/** Values between two convolutions, from which on it pays. */
const worth = 1 << 18;
const most = 3;

interface Convolution {
  readonly node: GraphNode;
  readonly attrs: ChainedConv;
  readonly kind: 'pointwise' | 'depthwise';
}

/** A convolution that a chain can have. */
function convolution(node: GraphNode): Convolution | null {
  if (node.op.name !== 'conv2d' || node.output.dtype !== 'float32') return null;
  const [x, weight, bias] = node.inputs;
  if (!weight?.constant || (bias && !bias.constant)) return null;
  const attrs = node.attrs as ChainedConv;
  const { kernel, stride, dilation, padding } = attrs.window;
  const even = [...stride, ...dilation].every((n) => n === 1) && padding.every((n) => n === 0);
  if (kernel.every((n) => n === 1) && attrs.groups === 1 && even) return { node, attrs, kind: 'pointwise' };
  const channels = x!.shape.at(-1)!;
  const depthwise = attrs.groups === channels && node.output.shape.at(-1) === channels;
  // Each row of the output sees rows of the input, not padding only.
  const [rows, above] = [dilation[0] * (kernel[0] - 1), padding[0]];
  const sees = above <= rows && (node.output.shape[1]! - 1) * stride[0] - above < x!.shape[1]!;
  return depthwise && sees ? { node, attrs, kind: 'depthwise' } : null;
}

/** Whether the second can follow the first: what the first makes is seen by nothing else, and is what it makes, nothing added. */
function follows(first: Convolution, second: Convolution, used: ReadonlyMap<GraphValue, number>): boolean {
  const between = first.node.output;
  return (
    second.node.inputs[0] === between &&
    used.get(between) === 1 &&
    !first.node.inputs[3] &&
    first.kind !== second.kind &&
    sizeOf(between.shape) >= worth
  );
}

function chained(links: readonly Convolution[]): GraphNode {
  const { node } = links.at(-1)!;
  const parameters = Array.from({ length: most }, (_, i) => [links[i]?.node.inputs[1] ?? null, links[i]?.node.inputs[2] ?? null]);
  const attrs: ChainAttrs = { convolutions: links.map((link) => link.attrs), shape: node.output.shape, dtype: node.output.dtype };
  return {
    op: conv2dChain as Op<Inputs, unknown>,
    inputs: [links[0]!.node.inputs[0]!, ...parameters.flat(), node.inputs[3] ?? null],
    attrs,
    output: node.output,
  };
}

/** Puts convolutions that run better together into one node. */
export function chain(graph: Graph): Graph {
  const used = uses(graph);
  const ends = new Map<GraphValue, Convolution[]>(); // by what the last of the links makes
  for (const node of graph.nodes) {
    const link = convolution(node);
    if (!link) continue;
    const before = ends.get(node.inputs[0]!);
    const joins = before !== undefined && before.length < most && follows(before.at(-1)!, link, used);
    ends.set(node.output, joins ? [...before, link] : [link]);
    if (joins) ends.delete(node.inputs[0]!);
  }
  const links = [...ends.values()].filter(({ length }) => length > 1);
  const dropped = new Set(links.flatMap((all) => all.slice(0, -1).map(({ node }) => node)));
  const made = new Map(links.map((all) => [all.at(-1)!.node, chained(all)]));
  return { ...graph, nodes: graph.nodes.filter((node) => !dropped.has(node)).map((node) => made.get(node) ?? node) };
}

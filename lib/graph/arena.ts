import { dtypes } from '../dtype';
import { sizeOf } from '../shape';
import type { Graph, GraphValue } from './graph';

/** Blocks of memory are aligned to cache lines. */
const alignment = 64;

/** Where the values of a graph lie in one piece of memory. */
export interface Arena {
  /** The byte at which a value begins; values under another shape lie where what they were made of does. */
  readonly offsets: ReadonlyMap<GraphValue, number>;
  readonly bytes: number;
  /** What all values would take beside each other. */
  readonly sum: number;
}

interface Block {
  readonly value: GraphValue;
  readonly bytes: number;
  /** The first and last node at which it is in use. */
  readonly first: number;
  last: number;
}

/** Lays values that are never in use together into the same memory: the largest first, each as low as it fits. */
export function arenaOf({ inputs, nodes, outputs }: Graph): Arena {
  const blocks = new Map<GraphValue, Block>();
  const place = (value: GraphValue, first: number): void => {
    const bytes = Math.ceil((sizeOf(value.shape) * dtypes[value.dtype].bytes) / alignment) * alignment;
    blocks.set(value, { value, bytes: Math.max(bytes, alignment), first, last: first });
  };
  const use = (value: GraphValue, at: number): void => {
    const block = blocks.get(value);
    if (block) block.last = Math.max(block.last, at);
  };
  for (const input of inputs) place(input, -1);
  for (const [at, { op, inputs: given, output }] of nodes.entries()) {
    for (const input of given) if (input) use(input, at);
    if (op.forward) place(output, at);
    else blocks.set(output, blocks.get(given[0]!)!);
  }
  for (const output of outputs) use(output, nodes.length);

  const own = [...new Set(blocks.values())];
  const placed: { readonly block: Block; readonly offset: number }[] = [];
  for (const block of own.toSorted((a, b) => b.bytes - a.bytes)) {
    const beside = placed.filter((one) => one.block.first <= block.last && block.first <= one.block.last);
    let offset = 0;
    for (const { block: other, offset: at } of beside.sort((a, b) => a.offset - b.offset)) {
      if (offset + block.bytes <= at) break;
      offset = Math.max(offset, at + other.bytes);
    }
    placed.push({ block, offset });
  }
  const offsetOf = new Map(placed.map(({ block, offset }) => [block, offset]));
  return {
    offsets: new Map([...blocks].map(([value, block]) => [value, offsetOf.get(block)!])),
    bytes: Math.max(alignment, ...placed.map(({ block, offset }) => offset + block.bytes)),
    sum: own.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

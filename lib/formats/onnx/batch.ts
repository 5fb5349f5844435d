import { noGrad } from '../../autograd';
import type { Dtype } from '../../dtype';
import { ReceptiveError } from '../../errors';
import type { Module } from '../../nn/module';
import { elementwise, type Reaches } from '../../reach';
import { showShape } from '../../shape';
import { Tensor } from '../../tensor';
import { tidy } from '../../tidy';
import { type TraceNode, trace, type Value } from '../../trace';
import { type HostTensor, int64s, numbersOf } from './host';
import { Attributes } from './operators/operator';
import type { OnnxModel, OnnxNode } from './read';

// Files whose batches have one size, as exporters write them by default, for batches of any: the inputs' first axis is left open, and the
// graph is looked through for what would make of one row something of another.

interface Info {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly (number | string)[] | null;
}

type Graph = Pick<OnnxModel, 'nodes' | 'initializers'>;

/** The place of the input that says the size of batches: the first that a node reads and that has axes; -1 where its first one is open. */
function leading(inputs: readonly Info[], { nodes }: Graph): number {
  const read = new Set(nodes.flatMap((node) => node.inputs));
  const place = inputs.findIndex(({ name, shape }) => read.has(name) && shape !== null && shape.length > 0);
  const length = inputs[place]?.shape?.[0];
  return typeof length === 'number' && length >= 0 ? place : -1;
}

/** The size of batches that the inputs say; null where it is open. */
export const fixedBatch = (inputs: readonly Info[], graph: Graph): number | null =>
  (inputs[leading(inputs, graph)]?.shape?.[0] as number | undefined) ?? null;

/** A way to leave the batch open. */
interface Opening<I extends Info> {
  /** The inputs, some of them with their first axis open. */
  readonly inputs: readonly I[];
  /** Constants that are to be others, by name. */
  readonly shapes: ReadonlyMap<string, HostTensor>;
}

/**
 * The ways to try one after the other. The first axis is open of all inputs that are as long there as the batch, of those that have as many
 * axes as the first, or of that one alone; each time with all constants as they are, then with those of reshapes freed. None where the batch
 * is open already.
 */
export function openings<I extends Info>(inputs: readonly I[], outputs: readonly Info[], graph: Graph): Opening<I>[] {
  const first = inputs[leading(inputs, graph)];
  if (!first) return [];
  const taken = new Set([...inputs, ...outputs].flatMap(({ shape }) => shape ?? []));
  let name = 'N';
  for (let i = 2; taken.has(name); i++) name = `N${i}`;
  const batched = inputs.filter(({ shape }) => shape?.[0] === first.shape![0]);
  const alike = batched.filter(({ shape }) => shape!.length === first.shape!.length);
  const ways = [batched, alike, [first]].filter((way, i, all) => way.length !== all[i - 1]?.length);
  const freed = freeShapes(first.shape![0] as number, inputs, graph);
  const kept: typeof freed = new Map();
  return ways.flatMap((way) => {
    const opened = inputs.map((info) => (way.includes(info) ? { ...info, shape: [name, ...info.shape!.slice(1)] } : info));
    return (freed.size > 0 ? [kept, freed] : [kept]).map((shapes) => ({ inputs: opened, shapes }));
  });
}

/**
 * Constants that give reshapes the batch as their first length, with 0 in its place, which is that of what is reshaped: `x.view(x.size(0), -1)`
 * is exported so for one size. Those that something else reads, too, stay.
 */
function freeShapes(batch: number, inputs: readonly Info[], { nodes, initializers }: Graph): Map<string, HostTensor> {
  const given = new Set(inputs.map(({ name }) => name)); // and what is computed of it
  for (const node of nodes) if (node.inputs.some((name) => given.has(name))) for (const name of node.outputs) given.add(name);
  const shapes = new Map<string, HostTensor>();
  for (const [name, host] of initializers) {
    if (host.type !== 'int64' || host.shape.length !== 1 || Number(host.data[0]) !== batch) continue;
    const reshapes = (node: OnnxNode) =>
      node.operator === 'Reshape' && node.inputs[1] === name && given.has(node.inputs[0]!) && !new Attributes(node).flag('allowzero');
    if (!nodes.every((node) => !node.inputs.includes(name) || reshapes(node))) continue;
    shapes.set(name, int64s([0, ...numbersOf(host).slice(1)]));
  }
  return shapes;
}

interface Opened<I extends Info> extends Graph {
  /** The inputs as the file has them. */
  readonly before: readonly Info[];
  /** The same with their batch open. */
  readonly after: readonly Info[];
  readonly outputs: readonly I[];
}

/** What to say of nodes that give a shape whose first length is a constant, that of the batch. */
function constants(batch: number, nodes: readonly OnnxNode[], initializers: OnnxModel['initializers']): string {
  const named = nodes.flatMap(({ name, operator, inputs }) => {
    const first = operator === 'Reshape' || operator === 'Expand' ? initializers.get(inputs[1] ?? '')?.data[0] : undefined;
    return first !== undefined && Number(first) === batch ? [`${JSON.stringify(name)} (${operator})`] : [];
  });
  if (named.length === 0) return '';
  const list = named.slice(0, 5).join(', ');
  return `; the batch may be a constant in ${list}${named.length > 5 ? ', …' : ''}: export the model again with dynamic axes`;
}

/** A size of a batch that no graph has as a constant, so that one put where the batch belongs shows. */
const rows = 67;

/** A length for other axes that are open. */
const length = 64;

/**
 * Runs a model by shapes alone, and sees what each row of its outputs is made of.
 * @returns The outputs with the axis of their rows open.
 * @throws ReceptiveError (ERR_UNSUPPORTED) where it works for its own batch size only, or makes of one row something of another.
 */
export function checkRows<I extends Info>(
  source: string,
  model: Module,
  { before, after, outputs, nodes, initializers }: Opened<I>,
  run: (inputs: readonly Tensor[]) => readonly Tensor[],
): I[] {
  const place = after.findIndex((info, i) => info !== before[i]);
  const [batch, name] = [before[place]!.shape![0] as number, after[place]!.shape![0]!];
  const refuse = (why: string, cause?: unknown) => {
    const message = `${source}: works for batches of ${batch} only, not with dynamicBatch: ${why}${constants(batch, nodes, initializers)}`;
    return new ReceptiveError('ERR_UNSUPPORTED', message, { cause });
  };
  return noGrad(() =>
    tidy(() => {
      const given = after.map(({ shape, dtype }) =>
        Tensor.hollow(shape?.map((n, axis) => (typeof n === 'number' && n >= 0 ? n : axis === 0 ? rows : length)) ?? [], dtype),
      );
      let results: readonly Tensor[] = [];
      const recorded = () => {
        try {
          return trace(model, given, { hollow: true, run: (inputs) => (results = run(inputs)) });
        } catch (cause) {
          throw refuse((cause as Error).message, cause);
        }
      };
      using record = recorded();
      const opened = record.inputs.filter((_, i) => after[i] !== before[i]);
      const seen = new Map<Value, Rows | TraceNode>(opened.map((value) => [value, own]));
      for (const node of record.nodes) {
        const what = rowsOf(node, seen);
        if (what) seen.set(node.output, what);
      }
      return outputs.map((info, i) => {
        const value = record.of(results[i]!);
        const what = seen.get(value);
        if (!what) return info;
        const where = `output ${JSON.stringify(info.name)} ${showShape(value.shape)} for ${rows} rows`;
        if ('op' in what) throw refuse(`${where} mixes them in ${what.op.name}, which gives ${showShape(what.output.shape)}`);
        const alone = Math.abs(what.step - 1) < tolerance && what.low > tolerance - 1 && what.high < 1 - tolerance;
        if (!alone || value.shape[what.axis] !== rows) throw refuse(`${where} is not made of each by itself`);
        return { ...info, shape: info.shape?.map((n, axis) => (axis === what.axis ? name : n)) ?? null };
      });
    }),
  );
}

/** The element at place o of an axis is made of the rows from o·step + low to o·step + high. */
interface Rows {
  readonly axis: number;
  readonly step: number;
  readonly low: number;
  readonly high: number;
}

const own: Rows = { axis: 0, step: 1, low: 0, high: 0 };

/** Sums of fractions such as thirds are not exact. */
const tolerance = 1e-9;

/** What the output of a node is made of; the node that mixed rows, where one did; null where there are none in it. */
function rowsOf(node: TraceNode, seen: ReadonlyMap<Value, Rows | TraceNode>): Rows | TraceNode | null {
  const { op, inputs, attrs, output } = node;
  const shapes = inputs.map((input) => input?.shape ?? []);
  // A reshape says nothing of what becomes the last axis, such as numbers that are looked up in a table in one list: here it is not the last.
  const said = op.reach?.(shapes, attrs, op.name === 'reshape' ? [...output.shape, 1] : output.shape) ?? null;
  const paths: Rows[] = [];
  for (const [i, input] of inputs.entries()) {
    const before = input && seen.get(input);
    if (!before) continue;
    if ('op' in before) return before;
    const path = through(before, said ? said[i] : elementwise(shapes[i]!, output.shape));
    if (!path) return node;
    paths.push(path);
  }
  if (paths.length === 0) return null;
  const [{ axis, step }] = paths as [Rows];
  if (paths.some((path) => path.axis !== axis || Math.abs(path.step - step) > tolerance)) return node;
  return { axis, step, low: Math.min(...paths.map(({ low }) => low)), high: Math.max(...paths.map(({ high }) => high)) };
}

function through({ axis, step, low, high }: Rows, reaches: Reaches | null | undefined): Rows | null {
  const reach = reaches?.[axis];
  return reach ? { axis: reach.axis, step: step * reach.step, low: low + step * reach.from, high: high + step * reach.to } : null;
}

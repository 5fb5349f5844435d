import { ReceptiveError } from '../../errors';
import { native } from '../../native';
import { Buffer, Parameter } from '../../nn/parameter';
import * as ops from '../../ops';
import { scope } from '../../scope';
import { isFloatType } from './elementType';
import { type HostTensor, owned } from './host';
import type { OnnxModel } from './read';
import type { Step } from './steps';
import { inOrder, upload, Value } from './value';

// What a model holds: initialisers of floating point become parameters or buffers, laid out as the operations that read them want it.

/** One place where a value is read. */
interface Use extends Step {
  readonly input: number;
}

/** What is uploaded in one order and moved into another leaves idle memory behind: it is given back after so many bytes. */
const trimmedAfter = 2 ** 24;

/** Small weights are kept on the host too: some operations read there how to work. */
const mostOnHost = 64;

/** The values a model starts with, by name, and those of them that are its parameters and buffers. */
export function statesOf(
  { source, initializers }: OnnxModel,
  steps: readonly Step[],
): { values: Map<string, Value>; parts: Map<string, Parameter | Buffer> } {
  const uses = usesOf(steps);
  const values = new Map<string, Value>();
  const parts = new Map<string, Parameter | Buffer>();
  let uploaded = 0;
  try {
    for (const [name, host] of initializers) {
      const at = uses.get(name) ?? [];
      if (!isFloatType(host.type) || (at.length > 0 && at.every(({ operator, input }) => operator.host?.includes(input)))) {
        values.set(name, Value.ofHost(owned(host)));
        continue;
      }
      const { part, order } = partOf(host, at);
      parts.set(name, part);
      uploaded += 4 * host.data.length;
      if (uploaded > trimmedAfter) {
        native.trim();
        uploaded = 0;
      }
      const kept = host.data.length <= mostOnHost ? host : null;
      values.set(name, new Value(host.type, host.shape, order, part, kept));
    }
  } catch (cause) {
    for (const part of parts.values()) part.dispose();
    const { message, code } = cause as ReceptiveError;
    throw new ReceptiveError(code ?? 'ERR_FILE', `${source}: ${message}`, { cause });
  }
  return { values, parts };
}

function usesOf(steps: readonly Step[]): Map<string, Use[]> {
  const uses = new Map<string, Use[]>();
  for (const step of steps) {
    for (const [input, name] of step.node.inputs.entries()) {
      const known = uses.get(name);
      if (known) known.push({ ...step, input });
      else uses.set(name, [{ ...step, input }]);
    }
  }
  return uses;
}

/**
 * An initialiser as a parameter or, for statistics and for single numbers that are no weights of a layer, a buffer; in the order that the
 * first operation to read it wants in memory.
 */
function partOf(host: HostTensor, uses: readonly Use[]): { part: Parameter | Buffer; order: readonly number[] } {
  const rank = host.shape.length;
  const order =
    uses.map(({ operator, input, attributes }) => operator.arrange?.(input, rank, attributes)).find((wanted) => wanted) ?? inOrder(rank);
  const learned = uses.some(({ operator, input }) => operator.weights?.includes(input));
  const measured = uses.some(({ operator, input }) => operator.statistics?.includes(input));
  return scope.outside(() => {
    const plain = upload(host);
    const tensor = order.every((axis, i) => axis === i) ? plain : ops.transpose(plain, order);
    const part = !measured && (learned || host.data.length > 1) ? new Parameter(tensor) : new Buffer(tensor);
    if (tensor !== plain) tensor.dispose();
    plain.dispose();
    return { part, order };
  });
}

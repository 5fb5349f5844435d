import { type BackwardContext, isGradEnabled, Node } from './autograd';
import type { Dtype } from './dtype';
import { dtypeError, ReceptiveError, shapeError, typeError } from './errors';
import { keepNothing, scope } from './scope';
import { type Shape, sameShape, showShape } from './shape';
import { Tensor } from './tensor';

export type { BackwardContext };

/** Inputs of an operation; null where an optional one, which is never the first, was left out. */
export type Inputs = readonly (Tensor | null)[];

/** One run of an operation: what its forward function reads and fills. */
export interface Call<I extends Inputs, A> {
  readonly inputs: I;
  readonly attrs: A;
  readonly output: Tensor;
  /** Whether a gradient may be asked for later; where not, nothing needs saving. */
  readonly recording: boolean;
  /** Whether the gradient of each input may be asked for; empty where nothing is recorded. */
  readonly needs: readonly boolean[];
  /** Keeps tensors for the gradient rule, in this order; null for one that no wanted gradient needs. */
  save(...tensors: (Tensor | null)[]): void;
}

/**
 * An operation, defined once for every use: eager calls, the tape, and traced graphs.
 *
 * `infer` checks the inputs and says what comes out; `forward` queues the kernels that fill the output (tensors it makes besides are
 * freed unless saved); `backward` is the gradient rule, absent where there is none.
 */
export interface Op<I extends Inputs, A> {
  readonly name: string;
  infer(inputs: I, attrs: A): { readonly shape: Shape; readonly dtype: Dtype };
  /** Absent where the output is the first input's memory under another shape. */
  forward?(call: Call<I, A>): void;
  backward?(grad: Tensor, context: BackwardContext<A>): readonly (Tensor | null)[];
}

/** Runs an operation: checks, queues its kernels, and puts it on the tape where a gradient is wanted. */
export function apply<I extends Inputs, A>(op: Op<I, A>, inputs: I, attrs: A): Tensor {
  let wanted = false;
  for (let i = 0; i < inputs.length; i++) {
    const input = inputs[i];
    if (input === null && i > 0) continue;
    checkTensor(op.name, `input ${i}`, input);
    input.use(op.name, `input ${i}`);
    wanted ||= input.history !== null;
  }
  const { shape, dtype } = op.infer(inputs, attrs);
  const recording = wanted && op.backward !== undefined && isGradEnabled();
  const output = op.forward ? Tensor.empty(shape, dtype) : inputs[0]!.view(shape);
  if (!op.forward && !recording) return output;
  let node: Node | null;
  try {
    node = scope.run(() => run(op, inputs, attrs, output, recording), keepNothing);
  } catch (error) {
    output.dispose();
    throw error;
  }
  if (node) {
    output.history = node;
    scope.add(node);
  }
  return output;
}

/** Queues an operation's kernels; its node where it is recorded. Tensors made besides the output are freed with the scope around. */
function run<I extends Inputs, A>(op: Op<I, A>, inputs: I, attrs: A, output: Tensor, recording: boolean): Node | null {
  const histories = recording ? inputs.map((input) => input?.history ?? null) : [];
  const needs = histories.map((history) => history !== null);
  const saved: (Tensor | null)[] = [];
  op.forward?.({ inputs, attrs, output, recording, needs, save: (...tensors) => void saved.push(...tensors) });
  if (!recording) return null;
  const shapes = inputs.map((input) => input?.shape ?? []);
  return new Node(op, histories, attrs, shapes, saved);
}

/** Throws unless value is a Tensor, and one of this copy of the package: another copy's tape and scopes know nothing of this one's. */
export function checkTensor(operation: string, what: string, value: unknown): asserts value is Tensor {
  if (!(value instanceof Tensor)) throw typeError(operation, what, value, 'a Tensor of this copy of receptive');
}

/**
 * Throws unless value is a Tensor of this shape. A shape given as names of its axes, 'N,H,W,C', asks for their number only.
 */
export function checkShapeOf(operation: string, what: string, value: unknown, shape: Shape | string): asserts value is Tensor {
  checkTensor(operation, what, value);
  const fits = typeof shape === 'string' ? value.rank === shape.split(',').length : sameShape(value.shape, shape);
  if (fits) return;
  const expected = typeof shape === 'string' ? `[${shape}]` : showShape(shape);
  throw shapeError(operation, `${what} has shape ${showShape(value.shape)}, expected ${expected}`);
}

/** The element type all inputs share; throws where they differ or are not floating point. */
export function commonFloat(operation: string, inputs: Inputs): Dtype {
  let dtype: Dtype | undefined;
  for (const input of inputs) {
    if (!input) continue;
    if (input.dtype !== 'float32' && input.dtype !== 'float64') {
      throw dtypeError(operation, `input is ${input.dtype}, expected float32 or float64`);
    }
    dtype ??= input.dtype;
    if (input.dtype !== dtype) throw dtypeError(operation, `inputs are ${dtype} and ${input.dtype}, expected the same type (see ops.cast)`);
  }
  if (!dtype) throw new ReceptiveError('ERR_INVALID_TYPE', `${operation}: no input`);
  return dtype;
}

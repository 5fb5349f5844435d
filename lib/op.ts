import { type BackwardContext, type BackwardRule, isGradEnabled, Node } from './autograd';
import type { Dtype } from './dtype';
import { dtypeError, ReceptiveError, typeError } from './errors';
import { scope } from './scope';
import type { Shape } from './shape';
import { Tensor } from './tensor';

export type { BackwardContext };

/** Inputs of an operation; null where an optional one was left out. */
export type Inputs = readonly (Tensor | null)[];

/** One run of an operation: what its forward function reads and fills. */
export interface Call<I extends Inputs, A> {
  readonly inputs: I;
  readonly attrs: A;
  readonly output: Tensor;
  /** Whether a gradient may be asked for later; where not, nothing needs saving. */
  readonly recording: boolean;
  /** Keeps tensors for the gradient rule, in this order. */
  save(...tensors: Tensor[]): void;
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
    if (!input) continue;
    if (!(input instanceof Tensor)) throw typeError(op.name, `input ${i}`, input, 'a Tensor');
    input.use(op.name, `input ${i}`);
    wanted ||= input.history !== null;
  }
  const { shape, dtype } = op.infer(inputs, attrs);
  const recording = wanted && op.backward !== undefined && isGradEnabled();
  const output = op.forward ? Tensor.empty(shape, dtype) : inputs[0]!.view(shape);
  if (!op.forward && !recording) return output;
  try {
    scope.run(
      () => {
        const saved: Tensor[] = [];
        op.forward?.({ inputs, attrs, output, recording, save: (...tensors) => void saved.push(...tensors) });
        if (!recording) return;
        const histories = inputs.map((input) => input?.history ?? null);
        const shapes = inputs.map((input) => input?.shape ?? []);
        output.history = scope.outside(
          () => new Node(op.name, histories, op.backward!.bind(op) as BackwardRule<unknown>, attrs, shapes, saved),
        );
      },
      () => nothing,
    );
  } catch (error) {
    output.dispose();
    throw error;
  }
  if (output.history instanceof Node) scope.add(output.history);
  return output;
}

const nothing: ReadonlySet<never> = new Set();

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

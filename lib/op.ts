import { Ambient } from './ambient';
import { type BackwardContext, isGradEnabled, Node } from './autograd';
import type { Dtype } from './dtype';
import { dtypeError, ReceptiveError, shapeError, typeError } from './errors';
import type { Reaches } from './reach';
import { keepNothing, scope } from './scope';
import { type Shape, sameShape, showShape } from './shape';
import { Tensor } from './tensor';

export type { BackwardContext };

/** A rectifier: max(x, 0), or min(max(x, 0), 6). */
export type Rectifier = 'relu' | 'relu6';

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
 * In which inputs an operation is linear, up to a constant, what it keeps for the gradient (the places of maxima) counting as fixed: in all
 * together, as a sum; in any one while the others stay, as a product; in some together while the others stay, such as in [0], as a layer
 * with weights; null where in none.
 */
export type Linearity = 'all' | 'any' | readonly number[] | null;

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
  /**
   * What outputs see of the inputs, in order; inputs it leaves out are seen whole. Absent or null where an output sees what lies at its
   * own place, with broadcasting. A shape is an empty list for an input left out.
   */
  reach?(shapes: readonly Shape[], attrs: A, output: Shape): readonly Reaches[] | null;
  /** In which inputs it is linear, apart from a rectifier it ends with. Its gradient rule is then the transpose. */
  linear?(attrs: A): Linearity;
  /**
   * Whether it lets what is positive through and nothing else, max(x, 0), perhaps with a limit; or, for an operation that may end with such
   * a rectifier, the attributes of the same without it, null where it does not.
   */
  readonly rectifies?: true | ((attrs: A) => A | null);
  /** What it can take over of the operations that follow it. */
  readonly absorbs?: Absorbs<I, A>;
  /** The cells of 0 it puts before and after each axis of its input, where that is all it does; null where it does something else. */
  surrounds?(attrs: A): Cells | null;
  /** The attributes for the same results on its first input without so many cells of 0 around it; null where there are none. */
  padded?(attrs: A, cells: Cells): A | null;
  /** The rectifier that it is, where it is one and nothing else. */
  rectifier?(attrs: A): Rectifier | null;
  /** The scale and shift of each channel, the last axis, that it is where its other inputs are constants; null where it is not. */
  affine?(inputs: I, attrs: A): { readonly scale: Tensor; readonly shift: Tensor } | null;
  /** Multiply-adds that the products of inputs 0 and 1 take; absent where there are none to speak of. */
  macs?(shapes: readonly Shape[], attrs: A, output: Shape): number;
}

/** Cells before and after each axis. */
export interface Cells {
  readonly before: Shape;
  readonly after: Shape;
}

/** What an operation can take over of those that follow it; see `lib/graph/passes/fuse.ts`. */
export interface Absorbs<I extends Inputs, A> {
  /** Its inputs, of which 1 and 2 are constants, for the same results times a scale plus a shift of each channel, the last axis. */
  affine?(inputs: I, scale: Tensor, shift: Tensor): I;
  /** The input that is added to its results before they are rectified. */
  readonly summand?: number;
  /** The attributes of the same with a rectifier behind; null where it ends with one. */
  rectified?(attrs: A, activation: Rectifier): A | null;
}

/** Who is told of the operations that run; see `lib/trace.ts`. */
export interface Observer {
  /**
   * Whether only shapes are computed: no kernel runs, nothing is recorded on the tape, and outputs are hollow: tensors without memory,
   * whose values may not be read.
   */
  readonly hollow: boolean;
  /** An operation ran. Those that it is made of inside are not told of. */
  ran(op: Op<Inputs, unknown>, inputs: Inputs, attrs: unknown, output: Tensor): void;
}

const observer = new Ambient<Observer | null>(null);

/** Runs fn while another observer, or none, is told of operations. */
export function observe<R>(by: Observer | null, fn: () => R): R {
  return observer.during(by, fn);
}

/** Runs an operation: checks, queues its kernels, and puts it on the tape where a gradient is wanted. */
export function apply<I extends Inputs, A>(op: Op<I, A>, inputs: I, attrs: A): Tensor {
  const watching = observer.value;
  if (!watching) return execute(op, inputs, attrs);
  const output = observe(null, () => (watching.hollow ? outline(op, inputs, attrs) : execute(op, inputs, attrs)));
  watching.ran(op as Op<Inputs, unknown>, inputs, attrs, output);
  return output;
}

/** Throws where an input cannot be used. @returns Whether one of them wants a gradient. */
function checkInputs(operation: string, inputs: Inputs): boolean {
  let wanted = false;
  for (let i = 0; i < inputs.length; i++) {
    const input = inputs[i];
    if (input === null && i > 0) continue;
    checkTensor(operation, `input ${i}`, input);
    input.use(operation, `input ${i}`);
    wanted ||= input.history !== null;
  }
  return wanted;
}

/** The output of an operation without its values. */
function outline<I extends Inputs, A>(op: Op<I, A>, inputs: I, attrs: A): Tensor {
  checkInputs(op.name, inputs);
  const { shape, dtype } = op.infer(inputs, attrs);
  return op.forward ? Tensor.hollow(shape, dtype) : inputs[0]!.view(shape);
}

function execute<I extends Inputs, A>(op: Op<I, A>, inputs: I, attrs: A): Tensor {
  const wanted = checkInputs(op.name, inputs);
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
  if (typeof shape === 'string' ? value.rank === axesOf(shape) : sameShape(value.shape, shape)) return;
  const expected = typeof shape === 'string' ? `[${shape}]` : showShape(shape);
  const received = value.shape;
  throw shapeError(operation, `${what} has shape ${showShape(received)}, expected ${expected}`, { argument: what, received, expected });
}

/** How many axes are named in a list. */
function axesOf(names: string): number {
  let axes = 1;
  for (let i = 0; i < names.length; i++) if (names[i] === ',') axes++;
  return axes;
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

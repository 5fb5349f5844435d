import { synchronous } from './autograd';
import type { Dtype } from './dtype';
import { type Around, aroundForward } from './nn/around';
import type { Module } from './nn/module';
import { type Inputs, type Observer, type Op, observe } from './op';
import { type Shape, sameShape, showShape } from './shape';
import { Tensor } from './tensor';

// What a model does with an input, as a list: values, and the operations between them in the order they ran. Functions that are made of
// several operations appear as those.

/** Where a value comes from: given to the model, held by it, made on the way by no operation, or the output of one. */
export type Origin = 'input' | 'parameter' | 'buffer' | 'constant' | 'operation';

/** A tensor of a trace. */
export interface Value {
  /** Counted from 0 in the order values were met. */
  readonly index: number;
  readonly origin: Origin;
  /** The dotted name of a parameter or a buffer; else empty. */
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** The tensor itself; one that an operation made may have been disposed of since. */
  readonly tensor: Tensor;
  /** Whether it is an input of the model, or was computed from one. */
  readonly depends: boolean;
  /** The operation whose output it is. */
  node: TraceNode | null;
}

/** One operation that ran. */
export interface TraceNode {
  readonly op: Op<Inputs, unknown>;
  readonly inputs: readonly (Value | null)[];
  readonly attrs: unknown;
  readonly output: Value;
  /** The innermost module whose forward function it ran in. */
  readonly call: LayerCall;
}

/** One run of a module. */
export interface LayerCall {
  /** The module's dotted name, '' for the model; with #2, #3, … behind it where the module runs again. */
  readonly name: string;
  readonly module: Module;
  /** How many times the module has run by now, this one included. */
  readonly run: number;
  /** The tensors it was given. */
  readonly inputs: readonly Value[];
  /** What it gave; null where that is no tensor. */
  output: Value | null;
  /** `output` as a tensor that lives as long as the trace. */
  result: Tensor | null;
}

/** What a model did with its input. It holds memory, which `dispose()` frees. */
export class Trace implements Disposable {
  readonly values: Value[] = [];
  readonly nodes: TraceNode[] = [];
  /** Runs of modules, in the order they ended: a module comes behind what it holds. */
  readonly calls: LayerCall[] = [];
  /** What the run gave. */
  results: readonly Value[] = [];
  readonly #byTensor = new Map<Tensor, Value>();
  readonly #byStorage = new Map<Tensor['storage'], Value[]>();
  readonly #held: Tensor[] = [];

  constructor(
    readonly model: Module,
    inputs: readonly Tensor[],
  ) {
    for (const tensor of inputs) this.#add('input', '', tensor, true);
    for (const [name, parameter] of model.namedParameters()) this.#add('parameter', name, parameter, false);
    for (const [name, buffer] of model.namedBuffers()) this.#add('buffer', name, buffer, false);
  }

  get inputs(): Value[] {
    return this.values.filter(({ origin }) => origin === 'input');
  }

  /** The run of the whole model. */
  get whole(): LayerCall {
    return this.calls.at(-1)!;
  }

  /** @internal Adds an operation that ran in this module. */
  ran(call: LayerCall, op: Op<Inputs, unknown>, given: Inputs, attrs: unknown, tensor: Tensor): void {
    const inputs = given.map((input) => input && this.of(input));
    const depends = inputs.some((input) => input?.depends);
    const output = this.#add('operation', '', tensor, depends);
    output.node = { op, inputs, attrs, output, call };
    this.nodes.push(output.node);
  }

  /** @internal The value that a tensor is; `detach()` makes another tensor of the same. One never met before is a constant. */
  of(tensor: Tensor): Value {
    const known = this.#byTensor.get(tensor);
    if (known) return known;
    const same = this.#byStorage.get(tensor.storage)?.findLast((value) => sameShape(value.shape, tensor.shape));
    return same ?? this.#add('constant', '', this.hold(tensor), false);
  }

  /** @internal A tensor on the same memory that lives as long as the trace. */
  hold(tensor: Tensor): Tensor {
    const held = tensor.share();
    this.#held.push(held);
    return held;
  }

  #add(origin: Origin, name: string, tensor: Tensor, depends: boolean): Value {
    const { shape, dtype } = tensor;
    const value: Value = { index: this.values.length, origin, name, shape, dtype, tensor, depends, node: null };
    this.values.push(value);
    this.#byTensor.set(tensor, value);
    const others = this.#byStorage.get(tensor.storage);
    if (others) others.push(value);
    else this.#byStorage.set(tensor.storage, [value]);
    return value;
  }

  dispose(): void {
    for (const tensor of this.#held.splice(0)) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** A line an operation: `%7 [1,28,28,6] = conv2d(%0, 0.weight, 0.bias) in 0`. */
  toString(): string {
    const show = (value: Value | null) => (value === null ? 'none' : value.name || `%${value.index}`);
    const lines = this.nodes.map(({ op, inputs, output, call }) => {
      const given = inputs.slice(0, inputs.findLastIndex((input) => input !== null) + 1);
      const place = call.name === '' ? '' : ` in ${call.name}`;
      return `${show(output)} ${showShape(output.shape)} = ${op.name}(${given.map(show).join(', ')})${place}`;
    });
    return lines.join('\n');
  }
}

export interface TraceOptions {
  /** Whether only shapes are computed; see `Observer`. */
  readonly hollow: boolean;
  /** What is run, instead of the model's forward function. */
  readonly run?: (inputs: readonly Tensor[]) => readonly Tensor[];
}

/**
 * Runs a model once on these inputs and gives what it did. What the run makes belongs to the scope around, but for what the trace holds.
 * @throws What the model throws.
 */
export function trace(model: Module, inputs: readonly Tensor[], { hollow, run }: TraceOptions): Trace {
  const record = new Trace(model, inputs);
  const runs = new Map<Module, number>();
  const open: LayerCall[] = run ? [{ name: '', module: model, run: 1, inputs: record.inputs, output: null, result: null }] : [];
  const around: Around = (name, module, given, forward) => {
    const run = (runs.get(module) ?? 0) + 1;
    runs.set(module, run);
    const values = given.filter((input) => input instanceof Tensor).map((input) => record.of(input));
    const call: LayerCall = { name: run === 1 ? name : `${name}#${run}`, module, run, inputs: values, output: null, result: null };
    open.push(call);
    try {
      const result = forward();
      if (result instanceof Tensor) {
        call.output = record.of(result);
        call.result = record.hold(result);
      }
      record.calls.push(call);
      return result;
    } finally {
      open.pop();
    }
  };
  const observer: Observer = {
    hollow,
    ran: (op, given, attrs, output) => record.ran(open.at(-1)!, op, given, attrs, output),
  };
  try {
    const results = aroundForward(model, around, () =>
      observe(observer, () => (run ? run(inputs) : [synchronous('forward', model.forward(...inputs))])),
    );
    record.results = results.filter((result) => result instanceof Tensor).map((result) => record.of(result));
    return record;
  } catch (error) {
    record.dispose();
    throw error;
  }
}

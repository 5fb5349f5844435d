import type { Dtype } from '../../dtype';
import { type ErrorCode, ReceptiveError, rangeError, shapeError, typeError } from '../../errors';
import { Module, type Part } from '../../nn/module';
import { Buffer, Parameter } from '../../nn/parameter';
import * as ops from '../../ops';
import { checkOptions, type OptionNames } from '../../options';
import type { Shape } from '../../shape';
import { Tensor } from '../../tensor';
import { tidy } from '../../tidy';
import { Staging } from '../file';
import { checkRows, fixedBatch, openings } from './batch';
import { dtypeFor, type ElementType } from './elementType';
import type { HostTensor } from './host';
import { settled } from './operators/types';
import type { ValueInfo } from './proto';
import { type OnnxModel, readStaged } from './read';
import { type Step, stepsOf, withLastUses, withoutConstants } from './steps';
import { channelsLast, inOrder, Run, Value } from './value';
import { statesOf } from './weights';

/** Options of `importOnnx`. */
export interface ImportOptions {
  /**
   * Whether inputs and outputs of 4 and 5 axes are images and volumes [N,H,W,C] and [N,D,H,W,C], which then nothing turns around, or
   * [N,C,…] as the file has them. Default 'nchw'.
   */
  layout?: 'nchw' | 'nhwc';
  /**
   * Whether a file whose batches have one size, as exporters write them by default, takes batches of any. The first axis of the first input
   * that has axes, and that a node reads, is the batch; it becomes open there, and in every other input whose first axis is as long. Where
   * the graph does not work so, as with a threshold of shape [1] beside a batch of 1, then in those with as many axes only, or in that
   * input alone. Reshapes that have the size as their first length take that of their input where they have to. A graph that makes of one
   * row something of another, or has the size as a constant elsewhere, is an error. Default false.
   */
  dynamicBatch?: boolean;
}

const optionNames: OptionNames<ImportOptions> = { layout: true, dynamicBatch: 'boolean' };

/** The options with their defaults, once they are found to be such. */
function checkedOptions(operation: string, options: ImportOptions): Required<ImportOptions> {
  checkOptions(operation, options, optionNames);
  const { layout = 'nchw', dynamicBatch = false } = options;
  if (layout !== 'nchw' && layout !== 'nhwc') throw rangeError(operation, 'layout', layout, "'nchw' or 'nhwc'");
  return { layout, dynamicBatch };
}

/** An input or output of an imported model. */
export interface OnnxValueInfo {
  readonly name: string;
  /** The type of the tensor that is given or comes out: 64-bit integers are int32, bool is uint8. */
  readonly dtype: Dtype;
  /** The type the file says. */
  readonly type: ElementType;
  /** Lengths; of axes that vary their names, or -1 where they have none. Null where the file does not say. */
  readonly shape: readonly (number | string)[] | null;
}

/**
 * A model of an ONNX file. Its weights are parameters, under the names they have in the file, and can be trained further; its `forward`
 * runs the graph's nodes by the same operations as every model. Made by `importOnnx`, in inference mode.
 *
 * Kernels of convolutions and weights of Gemm and MatMul lie in memory as `nn`'s layers have them ([kh,kw,C/groups,K], [out,in]).
 */
export class OnnxModule extends Module {
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  readonly layout: 'nchw' | 'nhwc';
  /** @internal The only size of batches that is taken, where `dynamicBatch` may help; else null. */
  readonly fixedBatch: number | null;
  readonly #source: string;
  readonly #opset: number;
  readonly #steps: readonly Step[];
  #states: ReadonlyMap<string, Value>;
  readonly #parts: ReadonlyMap<string, Parameter | Buffer>;
  readonly #lasting: ReadonlySet<HostTensor>;
  readonly #kept = new Map<HostTensor, Tensor>();
  #transposes = 0;

  /** @throws ReceptiveError (ERR_UNSUPPORTED) that lists every operator of the model that is not supported, with its nodes. */
  constructor(model: OnnxModel, options: ImportOptions = {}) {
    super();
    const { layout, dynamicBatch } = checkedOptions('OnnxModule', options);
    this.layout = layout;
    this.#source = model.source;
    this.#opset = model.opset;
    const graph = withoutConstants(model);
    this.#steps = withLastUses(stepsOf(graph), graph);
    const before = model.inputs.map((info) => this.#described('input', info));
    this.inputs = before;
    this.outputs = model.outputs.map((info) => this.#described('output', info));
    const batch = fixedBatch(before, graph);
    this.fixedBatch = dynamicBatch ? null : batch;
    const { values, parts } = statesOf(graph, this.#steps);
    this.#states = values;
    this.#parts = parts;
    this.#lasting = new Set([...values.values()].flatMap(({ host }) => (host ? [host] : [])));
    this.training = false;
    if (!dynamicBatch || batch === null) return;
    const failures: unknown[] = [];
    for (const { inputs: after, shapes } of openings(before, this.outputs, graph)) {
      this.inputs = after;
      this.#states = new Map([...values, ...Array.from(shapes, ([name, host]) => [name, Value.ofHost(host)] as const)]);
      try {
        this.outputs = checkRows(this.#source, this, { ...graph, before, after, outputs: this.outputs }, (inputs) => this.run(inputs));
        return;
      } catch (error) {
        failures.push(error);
      }
    }
    this.dispose();
    throw failures[0];
  }

  /** Transpositions of tensors that the last run could not do without: where the graph itself asks for another order in memory. */
  get transposes(): number {
    return this.#transposes;
  }

  override *namedParts(): Generator<[name: string, part: Part]> {
    yield* this.#parts;
  }

  override dispose(): void {
    super.dispose();
    for (const tensor of this.#kept.values()) tensor.dispose();
    this.#kept.clear();
  }

  protected override describe(): string {
    const show = (list: readonly OnnxValueInfo[]) => list.map(({ name, shape }) => `${name} [${shape ?? '…'}]`).join(', ');
    return `${show(this.inputs)} -> ${show(this.outputs)}`;
  }

  /**
   * The model's first output, of its inputs in the order of `inputs`. See `run` for the others.
   * @throws TypeError, RangeError where an input is not of the type or shape the model takes.
   */
  forward(...inputs: Tensor[]): Tensor {
    return this.run(inputs)[0]!;
  }

  /** All outputs, in the order of `outputs`. What is made on the way is freed, but for what the tape needs. */
  run(inputs: readonly Tensor[]): Tensor[] {
    return this.runValues(inputs).map(({ tensor }) => tensor);
  }

  /** @internal The same of tensors or of values on the host, which are exact: 64-bit integers. Outputs on the host are given as such too. */
  runValues(inputs: readonly (Tensor | HostTensor)[]): { tensor: Tensor; host: HostTensor | null }[] {
    if (inputs.length !== this.inputs.length) {
      throw rangeError(
        'OnnxModule',
        'number of inputs',
        inputs.length,
        `${this.inputs.length}: ${this.inputs.map(({ name }) => name).join(', ')}`,
      );
    }
    const run = new Run(this.training, this.#kept, this.#lasting);
    const outputs = tidy(() => {
      const values = new Map(this.#states);
      for (const [i, info] of this.inputs.entries()) values.set(info.name, this.#given(info, inputs[i]!));
      const shared = new Uses(values.values(), this.#kept);
      for (const step of this.#steps) this.#runStep(run, step, values, shared);
      const others: unknown[] = [...inputs];
      return this.outputs.map(({ name }) => {
        const result = this.#result(run, values.get(name)!, others);
        others.push(result.tensor);
        return result;
      });
    });
    this.#transposes = run.transposes;
    return outputs;
  }

  #described(what: string, { name, type, shape }: ValueInfo): OnnxValueInfo {
    const dtype = type && dtypeFor(type);
    if (!type || !dtype)
      throw new ReceptiveError('ERR_UNSUPPORTED', `${this.#source}: ${what} ${JSON.stringify(name)} is no tensor of numbers`);
    const lengths = shape?.map((n) => (n === '' ? -1 : n)) ?? null;
    return { name, dtype, type, shape: lengths && this.#order(lengths.length).map((axis) => lengths[axis]!) };
  }

  /** The order in memory of an input or output of so many axes. */
  #order(rank: number): number[] {
    return this.layout === 'nhwc' && (rank === 4 || rank === 5) ? channelsLast(rank) : inOrder(rank);
  }

  #given(info: OnnxValueInfo, given: Tensor | HostTensor): Value {
    const what = `input ${JSON.stringify(info.name)}`;
    if (given instanceof Tensor) {
      given.use('OnnxModule', what);
      if (given.dtype !== info.dtype) throw typeError('OnnxModule', `${what}'s type`, given.dtype, info.dtype);
      this.#checkShape(what, info, given.shape);
      return Value.of(info.type, given, this.#order(given.rank));
    }
    if (typeof given !== 'object' || given === null || !('type' in given)) throw typeError('OnnxModule', what, given, 'a Tensor');
    this.#checkShape(what, info, given.shape);
    return Value.ofHost(given);
  }

  #checkShape(what: string, { shape }: OnnxValueInfo, came: Shape): void {
    const fits = shape === null || (shape.length === came.length && shape.every((n, i) => typeof n === 'string' || n < 0 || n === came[i]));
    if (fits) return;
    const alike = shape!.length === came.length && shape!.every((n, i) => i === 0 || typeof n === 'string' || n < 0 || n === came[i]);
    const hint =
      alike && shape![0] === this.fixedBatch ? `: the file is of batches of ${shape![0]}, open it with dynamicBatch: true for others` : '';
    throw shapeError('OnnxModule', `${what} has shape [${came}], expected [${shape}]${hint}`);
  }

  #runStep(run: Run, { node, operator, attributes, last }: Step, values: Map<string, Value>, shared: Uses): void {
    const inputs = node.inputs.map((name) => (name === '' ? null : values.get(name)!));
    try {
      for (const [i, value] of made(() => operator.run({ run, node, opset: this.#opset, attributes, inputs })).entries()) {
        const name = node.outputs[i];
        if (!name) continue;
        values.set(name, value);
        shared.add(value);
      }
      const missing = node.outputs.findIndex((name) => name !== '' && !values.has(name));
      if (missing >= 0) throw new ReceptiveError('ERR_UNSUPPORTED', `output ${missing} is not computed`);
    } catch (cause) {
      const { message, code } = cause as Error & { code?: ErrorCode };
      throw new ReceptiveError(code ?? 'ERR_FILE', `${this.#source}: node ${JSON.stringify(node.name)} (${node.operator}): ${message}`, {
        cause,
      });
    }
    for (const name of last) {
      const value = values.get(name);
      if (value) shared.remove(value);
      values.delete(name);
    }
  }

  /** A value as it leaves: a tensor of its own, even where it is one of others, which were given or leave too, or belongs to the model. */
  #result(run: Run, value: Value, others: readonly unknown[]): { tensor: Tensor; host: HostTensor | null } {
    const tensor = settled(run.arranged(value, this.#order(value.rank)), value.type);
    const owned = others.includes(tensor) || tensor instanceof Parameter || tensor instanceof Buffer || includes(this.#kept, tensor);
    return { tensor: owned ? ops.reshape(tensor, tensor.shape) : tensor, host: value.constant ? value.host : null };
  }
}

/** What an operator gives; what it makes besides is freed. */
function made(run: () => Value | readonly Value[]): readonly Value[] {
  let values: readonly Value[] = [];
  tidy(() => {
    const result = run();
    values = result instanceof Value ? [result] : result;
    return values.map(({ tensor }) => tensor);
  });
  return values;
}

const includes = (kept: ReadonlyMap<HostTensor, Tensor>, tensor: Tensor): boolean => [...kept.values()].includes(tensor);

/** How many values of a run stand on each tensor it made: with the last of them the tensor is freed. */
class Uses {
  readonly #counts = new Map<Tensor, number>();

  /** @param lasting Those whose tensors are not the run's. @param kept Nor are these. */
  constructor(
    lasting: Iterable<Value>,
    readonly kept: ReadonlyMap<HostTensor, Tensor>,
  ) {
    for (const { tensor } of lasting) if (tensor) this.#counts.set(tensor, Infinity);
  }

  add({ tensor }: Value): void {
    if (tensor) this.#counts.set(tensor, (this.#counts.get(tensor) ?? 0) + 1);
  }

  remove({ tensor }: Value): void {
    if (!tensor) return;
    const count = this.#counts.get(tensor)! - 1;
    this.#counts.set(tensor, count);
    if (count === 0 && !includes(this.kept, tensor)) tensor.dispose();
  }
}

/**
 * An ONNX model as a module: an OnnxModule with the file's weights as parameters, in inference mode. It can be run, trained further,
 * compiled and exported as any other; to `inspect` it is one layer.
 * @param source A path, or the bytes of a file.
 * @param options.layout Whether images are given as [N,C,H,W], the default, or 'nhwc'.
 * @param options.dynamicBatch Whether a file of batches of one size takes batches of any. Default false.
 * @throws ReceptiveError (ERR_FILE) for a damaged file, (ERR_UNSUPPORTED) naming every operator that is not supported, or why batches of
 * other sizes cannot be taken.
 * @example
 * const model = await importOnnx('resnet18.onnx', { layout: 'nhwc' });
 * const scores = model.forward(images); // images [N,224,224,3]
 */
export async function importOnnx(source: string | Uint8Array, options: ImportOptions = {}): Promise<OnnxModule> {
  return imported('importOnnx', source, options);
}

/** @internal The same for the function of this name. */
export async function imported(operation: string, source: string | Uint8Array, options: ImportOptions): Promise<OnnxModule> {
  const checked = checkedOptions(operation, options);
  const staging = new Staging();
  try {
    return new OnnxModule(await readStaged(operation, source, staging), checked);
  } finally {
    staging.release();
  }
}

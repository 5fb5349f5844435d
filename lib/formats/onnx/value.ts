import { fromBuffer } from '../../create';
import { ReceptiveError } from '../../errors';
import * as ops from '../../ops';
import { scope } from '../../scope';
import { type Shape, sameShape, showShape, sizeOf } from '../../shape';
import type { Tensor } from '../../tensor';
import { dtypeFor, type ElementType } from './elementType';
import type { HostTensor } from './host';

/**
 * A value while a graph runs: a native tensor, or a small constant on the host, or one on the host that has a tensor too.
 *
 * The tensor's axes may lie in another order than ONNX's: `order[i]` says which of the value's axes is axis i in memory. So images that are
 * [N,C,H,W] to the graph are [N,H,W,C] to the kernels, and a Transpose moves nothing.
 */
export class Value {
  constructor(
    readonly type: ElementType,
    /** The axes as ONNX has them. */
    readonly shape: Shape,
    readonly order: readonly number[],
    readonly tensor: Tensor | null,
    readonly host: HostTensor | null = null,
  ) {}

  /** A tensor whose axes are in ONNX's order, or in this one. */
  static of(type: ElementType, tensor: Tensor, order: readonly number[] = inOrder(tensor.rank)): Value {
    const shape = new Array<number>(order.length);
    for (const [i, axis] of order.entries()) shape[axis] = tensor.shape[i]!;
    return new Value(type, shape, order, tensor);
  }

  static ofHost(host: HostTensor): Value {
    return new Value(host.type, host.shape, inOrder(host.shape.length), null, host);
  }

  get rank(): number {
    return this.shape.length;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  /** Whether it is on the host only, so that what follows of it is computed there. */
  get constant(): boolean {
    return this.tensor === null;
  }

  /** Which axis of the memory an axis is. */
  place(axis: number): number {
    return this.order.indexOf(axis);
  }
}

export const inOrder = (rank: number): number[] => Array.from({ length: rank }, (_, i) => i);

/** The order of [N,C,…] whose memory is [N,…,C]. */
export const channelsLast = (rank: number): number[] => (rank < 3 ? inOrder(rank) : [0, ...inOrder(rank).slice(2), 1]);

/** One run of a graph: how values become the tensors that operations take. It counts what is moved for that. */
export class Run {
  /** Transpositions that the layouts of values forced. */
  transposes = 0;
  /** Tensors made of constants that outlive a run, which the module keeps. */
  readonly #kept: Map<HostTensor, Tensor>;

  constructor(
    /** Whether normalisation and dropout train. */
    readonly training: boolean,
    kept: Map<HostTensor, Tensor>,
    /** Constants that belong to the model, whose tensors are kept. */
    readonly lasting: ReadonlySet<HostTensor>,
  ) {
    this.#kept = kept;
  }

  /** The tensor a value is in memory, axes in `value.order`. */
  tensor(value: Value): Tensor {
    if (value.tensor) return value.tensor;
    const host = value.host!;
    const known = this.#kept.get(host);
    if (known) return known;
    if (!this.lasting.has(host)) return upload(host);
    const made = scope.outside(() => upload(host));
    this.#kept.set(host, made);
    return made;
  }

  /** The tensor with its axes in this order in memory; moved only where it has to be. */
  arranged(value: Value, order: readonly number[]): Tensor {
    const tensor = this.tensor(value);
    const from = order.map((axis) => value.place(axis));
    if (from.every((axis, i) => axis === i)) return tensor;
    const moved = from.filter((axis) => tensor.shape[axis] !== 1);
    if (moved.every((axis, i) => i === 0 || axis > moved[i - 1]!)) {
      return ops.reshape(
        tensor,
        from.map((axis) => tensor.shape[axis]!),
      );
    }
    this.transposes++;
    return ops.transpose(tensor, from);
  }

  /** The tensor with its axes in ONNX's order. */
  plain(value: Value): Tensor {
    return this.arranged(value, inOrder(value.rank));
  }

  /** An image, sequence or volume [N,C,…] as [N,…,C]. */
  channelsLast(value: Value): Tensor {
    return this.arranged(value, channelsLast(value.rank));
  }

  /** The value in its own order, in floating point. */
  float(value: Value): Value {
    if (value.type === 'string') throw new ReceptiveError('ERR_UNSUPPORTED', 'computes with texts');
    const tensor = this.tensor(value);
    if (tensor.dtype === 'float32' || tensor.dtype === 'float64') return this.like(value, tensor);
    return this.like(value, ops.cast(tensor, 'float32'));
  }

  /** A tensor that stands for what a value is, in the same order. */
  like(value: Value, tensor: Tensor, type: ElementType = value.type): Value {
    return Value.of(type, tensor, value.order);
  }

  /** The elements on the host. Those of a tensor are waited for, unless it stands for its shape only, which is an error. */
  host(value: Value): HostTensor {
    if (value.host) return value.host;
    const data = this.plain(value).dataSync();
    return { type: value.type, shape: value.shape, data: value.type === 'int64' ? BigInt64Array.from(data, BigInt) : data };
  }
}

/** A tensor of elements on the host; 64-bit integers become 32-bit ones. */
export function upload({ type, shape, data }: HostTensor): Tensor {
  const dtype = dtypeFor(type);
  if (dtype === null || Array.isArray(data)) throw new ReceptiveError('ERR_UNSUPPORTED', 'computes with texts');
  if (dtype !== 'int32' || type === 'int32') return uploaded(shape, dtype, data);
  const values = new Int32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    if (value !== (value | 0)) {
      throw new ReceptiveError('ERR_UNSUPPORTED', `the value ${data[i]} of a ${type} ${showShape(shape)} does not fit int32`);
    }
    values[i] = value;
  }
  return uploaded(shape, dtype, values);
}

function uploaded(shape: Shape, dtype: NonNullable<ReturnType<typeof dtypeFor>>, data: ArrayBufferView): Tensor {
  return fromBuffer(data, shape, { dtype });
}

/** The tensor under a shape, itself where it has that already. */
export const shaped = (tensor: Tensor, shape: Shape): Tensor => (sameShape(tensor.shape, shape) ? tensor : ops.reshape(tensor, shape));

/** Aligns the shapes of values that are broadcast: their own axes are the last of so many. Free. */
export function widened(run: Run, value: Value, rank: number): Value {
  const missing = rank - value.rank;
  if (missing === 0) return value;
  const order = [...inOrder(missing), ...value.order.map((axis) => axis + missing)];
  const tensor = run.tensor(value);
  return Value.of(value.type, ops.reshape(tensor, [...new Array<number>(missing).fill(1), ...tensor.shape]), order);
}

/**
 * Values that are broadcast together, as tensors whose axes lie in one order: that of the largest, and of those one that is not ONNX's own,
 * so that a channels-last image stays one.
 */
export function together(run: Run, values: readonly Value[]): { tensors: Tensor[]; order: readonly number[] } {
  const rank = Math.max(...values.map((value) => value.rank));
  const weight = (value: Value) => (value.rank === rank ? 2 * value.size + Number(!isInOrder(value.order)) : -1);
  const leader = values.reduce((best, value) => (weight(value) > weight(best) ? value : best));
  const { order } = leader;
  const tensors = values.map((value) => {
    // one in order needs no axes added in front: the kernels align at the last axis themselves
    if (isInOrder(order) && isInOrder(value.order)) return run.tensor(value);
    return value.size === 1 && value.rank <= 1 ? run.tensor(value) : run.arranged(widened(run, value, rank), order);
  });
  return { tensors, order };
}

export const isInOrder = (order: readonly number[]): boolean => order.every((axis, i) => axis === i);

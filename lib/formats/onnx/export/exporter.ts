import type { Dtype } from '../../../dtype';
import { ReceptiveError } from '../../../errors';
import { type Shape, sizeOf, stridesOf } from '../../../shape';
import type { Trace, TraceNode, Value } from '../../../trace';
import { codeOf, type ElementType, type HostData, hostData } from '../elementType';
import { type HostTensor, hostTensor, int64s } from '../host';
import type { OnnxAttribute, OnnxNode } from '../read';
import { inOrder, isInOrder } from '../value';

/** A value of the graph that is written. Its axis i is axis axes[i] of the tensor here: images are [N,C,H,W] there, [N,H,W,C] here. */
export interface Written {
  readonly name: string;
  readonly axes: readonly number[];
}

/** Attributes as rows write them: numbers are ints, { float } and { floats } are floats. */
export type AttributesOf = Readonly<Record<string, number | string | readonly number[] | { float: number }>>;

/** The axes of [N,C,…] in [N,…,C]. */
export const channelsFirst = (rank: number): number[] => (rank < 3 ? inOrder(rank) : [0, rank - 1, ...inOrder(rank - 1).slice(1)]);

export const typeOf = (dtype: Dtype): ElementType => dtype;

/** Builds a graph of the operations that ran. */
export class Exporter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers = new Map<string, HostTensor>();
  readonly #written = new Map<Value, Written>();
  readonly #constants = new Map<string, string>();
  readonly #names = new Set<string>();
  #layer = '';

  /**
   * @param values What parameters, buffers and constants hold.
   * @param other The same run with another batch size; null where the batch stays.
   */
  constructor(
    readonly trace: Trace,
    readonly values: ReadonlyMap<Value, HostData>,
    readonly other: Trace | null,
  ) {}

  /** Whether a dimension changes with the batch. */
  varies(value: Value, axis: number): boolean {
    return this.other !== null && this.other.values[value.index]!.shape[axis] !== value.shape[axis];
  }

  /** Throws unless numbers that an operation works by are the same for every batch. */
  constant(node: TraceNode, values: readonly number[]): readonly number[] {
    const other = this.other?.nodes[this.trace.nodes.indexOf(node)];
    if (other && JSON.stringify(other.attrs) !== JSON.stringify(node.attrs)) {
      throw new ReceptiveError(
        'ERR_UNSUPPORTED',
        `${node.op.name} works otherwise for another batch size: export with dynamicBatch: false`,
      );
    }
    return values;
  }

  enter(layer: string): void {
    this.#layer = layer;
  }

  /** Says what a value is called and in which order its axes are written; by default that which it has here. */
  set(value: Value, name: string, axes: readonly number[] = inOrder(value.shape.length)): Written {
    const written = { name, axes };
    this.#written.set(value, written);
    return written;
  }

  #unique(name: string): string {
    let unique = name;
    for (let i = 1; this.#names.has(unique); i++) unique = `${name}_${i}`;
    this.#names.add(unique);
    return unique;
  }

  /** Keeps a name from being given to something else. */
  reserve(name: string): string {
    return this.#unique(name);
  }

  /** Adds a node; gives the name of its output. */
  emit(operator: string, inputs: readonly string[], attributes: AttributesOf = {}): string {
    const place = this.#layer === '' ? operator : `${this.#layer}.${operator}`;
    const name = this.#unique(place);
    const map = new Map(Object.entries(attributes).map(([key, value]) => [key, attribute(value)]));
    this.nodes.push({ name, operator, domain: '', inputs, outputs: [name], attributes: map });
    return name;
  }

  /** An initialiser of these numbers, the same for the same. */
  numbers(host: HostTensor): string {
    const key = `${host.type} [${host.shape}] ${Array.from(host.data as ArrayLike<number>).join(' ')}`;
    let name = this.#constants.get(key);
    if (name === undefined) {
      name = this.#unique('constant');
      this.#constants.set(key, name);
      this.initializers.set(name, host);
    }
    return name;
  }

  ints(...values: number[]): string {
    return this.numbers(int64s(values));
  }

  /** A number in the type of a value. */
  scalar(value: number, like: Value): string {
    return this.numbers(hostTensor(typeOf(like.dtype), [], [value]));
  }

  /** Numbers of the type of a value. */
  filled(value: number, shape: Shape, like: Value): string {
    return this.numbers(hostTensor(typeOf(like.dtype), shape, new Array<number>(sizeOf(shape)).fill(value)));
  }

  /** How a value is written; what the model holds in its own order. */
  written(value: Value): Written {
    const known = this.#written.get(value);
    if (known) return known;
    const axes = inOrder(value.shape.length);
    return { name: this.#held(value, axes), axes };
  }

  /** The name of a value with its axes in this order; turned where it is not written so. */
  as(value: Value, axes: readonly number[]): string {
    const known = this.#written.get(value);
    if (!known) return this.#held(value, axes);
    if (axes.every((axis, i) => axis === known.axes[i])) return known.name;
    return this.emit('Transpose', [known.name], { perm: axes.map((axis) => known.axes.indexOf(axis)) });
  }

  /** The name of a value in the order it has here. */
  plain(value: Value): string {
    return this.as(value, inOrder(value.shape.length));
  }

  /** An image, sequence or volume as [N,C,…]. */
  channels(value: Value): string {
    return this.as(value, channelsFirst(value.shape.length));
  }

  /** A parameter, buffer or constant under another shape of the same elements, by an initialiser of its own. */
  reshapedWeight(value: Value, shape: Shape): string {
    const data = this.values.get(value);
    if (!data || this.#written.has(value)) return this.emit('Reshape', [this.plain(value), this.ints(...shape)]);
    return this.#initializer(value, `shape ${shape}`, () => ({ type: typeOf(value.dtype), shape, data }));
  }

  #held(value: Value, axes: readonly number[]): string {
    const data = this.values.get(value);
    if (!data) throw new ReceptiveError('ERR_UNSUPPORTED', 'a value that is neither an input, nor held by the model, nor computed');
    return this.#initializer(value, `axes ${axes}`, () => {
      const host: HostTensor = { type: typeOf(value.dtype), shape: value.shape, data };
      return isInOrder(axes) ? host : turned(host, axes);
    });
  }

  #initializer(value: Value, form: string, make: () => HostTensor): string {
    const key = `${value.index} ${form}`;
    let name = this.#constants.get(key);
    if (name === undefined) {
      name = this.#unique(value.name || `constant`);
      this.#constants.set(key, name);
      this.initializers.set(name, make());
    }
    return name;
  }
}

function attribute(value: AttributesOf[string]): OnnxAttribute {
  if (typeof value === 'number') return { kind: 'int', value: BigInt(value) };
  if (typeof value === 'string') return { kind: 'string', value };
  if ('float' in value) return { kind: 'float', value: value.float };
  return { kind: 'ints', value: value.map(BigInt) };
}

/** A weight with its axes in another order. */
function turned({ type, shape, data }: HostTensor, axes: readonly number[]): HostTensor {
  const to = axes.map((axis) => shape[axis]!);
  const strides = axes.map((axis) => stridesOf(shape)[axis]!);
  const moved = hostData(type, data.length) as Float32Array;
  const index = new Array<number>(to.length).fill(0);
  const last = to.length - 1;
  const [run, step] = [to[last] ?? 1, strides[last] ?? 1];
  for (let at = 0, from = 0; at < moved.length; at += run) {
    for (let i = 0; i < run; i++) moved[at + i] = (data as Float32Array)[from + i * step]!;
    // to the next row of the last axis
    for (let axis = last - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < to[axis]!) break;
      from -= strides[axis]! * to[axis]!;
      index[axis] = 0;
    }
  }
  return { type, shape: to, data: moved };
}

export const elementCode = (dtype: Dtype): number => codeOf(typeOf(dtype));

import { backward, type History, Leaf } from './autograd';
import { type Dtype, dtypes, isFloat, type TypedArray } from './dtype';
import { dtypeError, ReceptiveError, rangeError, shapeError, typeError } from './errors';
import { native } from './native';
import { copyBlock } from './ops/block';
import { cornersOf, type PrintOptions, printTensor, shownOf } from './print';
import { scope } from './scope';
import { type Shape, sameShape, showShape, sizeOf } from './shape';

/** The error's message is that this "could not be cloned". */
const uncloneable = Symbol("a Tensor's memory, which is its thread's own: send its data() instead");

/** A piece of native memory. Several tensors may share it: reshapes of each other, saved inputs. */
interface Storage {
  /** Times it was written after it was made. */
  version: number;
  /** Tensors on it that were not disposed of. */
  holders: number;
  /** Whether its tensors stand for their shapes only: no bytes are behind them. */
  readonly hollow: boolean;
}

/** A name the addon gave to memory under one shape, freed with the last tensor that holds it or when all of them are collected. */
interface Handle {
  id: number;
  holders: number;
}

/** Numbers as `tensor` takes and `array` gives them: one, or arrays of them in arrays. */
export type NestedNumbers = number | NestedNumbers[];

/**
 * A row-major array of numbers in native memory.
 *
 * Operations on it are queued and run in order on a native thread; `data`, `item` and `array` wait for them without holding the event
 * loop, their `…Sync` forms hold it. The memory is freed by `dispose()` (or `using`, or `tidy`), else when the object is collected.
 */
export class Tensor implements Disposable {
  /** The length of each axis. */
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** Number of elements. */
  readonly size: number;
  /** @internal What autograd knows; null where no gradient is wanted. */
  history: History | null = null;
  /** @internal Its name to the addon; 0 once disposed of. */
  id: number;
  /** @internal */
  readonly storage: Storage;
  readonly #handle: Handle;
  #grad: Tensor | null = null;
  /** @internal What structuredClone and postMessage refuse to copy, and say: a copy would have no memory behind it. */
  readonly uncloneable = uncloneable;

  /**
   * @param shared Whose memory it is; null for new, uninitialised memory.
   * @param scoped Whether it belongs to the `tidy` it is made in.
   * @param hollow Whether it stands for its shape only.
   * @param make Gives the memory another way.
   */
  protected constructor(
    shape: Shape,
    dtype: Dtype,
    shared: Tensor | null,
    scoped = true,
    hollow = shared?.storage.hollow ?? false,
    make?: (owner: object) => number,
  ) {
    this.shape = Object.isFrozen(shape) ? shape : Object.freeze([...shape]);
    this.dtype = dtype;
    this.size = sizeOf(shape);
    if (shared && sameShape(shape, shared.shape)) {
      this.#handle = shared.#handle;
    } else {
      this.#handle = { id: 0, holders: 0 };
      this.#handle.id = make
        ? make(this.#handle)
        : shared && !hollow
          ? native.view(this.#handle, shared.id, ...shape)
          : native.create(this.#handle, dtypes[dtype].code, ...(hollow ? [0] : shape));
    }
    this.id = this.#handle.id;
    this.storage = shared ? shared.storage : { version: 0, holders: 0, hollow };
    this.#handle.holders++;
    this.storage.holders++;
    if (scoped) scope.add(this);
  }

  /** @internal Uninitialised memory. */
  static empty(shape: Shape, dtype: Dtype): Tensor {
    return new Tensor(shape, dtype, null);
  }

  /** @internal A tensor that stands for its shape only. */
  static hollow(shape: Shape, dtype: Dtype): Tensor {
    return new Tensor(shape, dtype, null, true, true);
  }

  /** @internal A piece of a tensor's memory, from a byte on, for commands of a plan. */
  static piece(arena: Tensor, offset: number, shape: Shape, dtype: Dtype): Tensor {
    return new Tensor(shape, dtype, null, true, false, (owner) => native.piece(owner, arena.id, offset, dtypes[dtype].code, ...shape));
  }

  /** @internal The same memory under another shape of the same size. */
  view(shape: Shape): Tensor {
    return new Tensor(shape, this.dtype, this);
  }

  /** @internal A tensor of its own on the same memory, which belongs to no scope: for whoever keeps it beyond this one's dispose(). */
  share(): Tensor {
    return new Tensor(this.shape, this.dtype, this, false);
  }

  /** @internal The id, for an operation about to use it. */
  use(operation: string, what = 'tensor'): number {
    if (this.id === 0) throw new ReceptiveError('ERR_DISPOSED', `${operation}: ${what} of shape ${showShape(this.shape)} was disposed of`);
    return this.id;
  }

  /** @internal To be called by whoever writes into a tensor that others may have saved. */
  written(): void {
    this.storage.version++;
  }

  /** Number of axes; 0 for a scalar. */
  get rank(): number {
    return this.shape.length;
  }

  /** Whether `dispose()` was called; using the tensor is then an error. */
  get disposed(): boolean {
    return this.id === 0;
  }

  /** Whether `backward()` computes a gradient through this tensor. Settable on tensors that no operation made. */
  get requiresGrad(): boolean {
    return this.history !== null;
  }
  set requiresGrad(wanted: boolean) {
    if (wanted === this.requiresGrad) return;
    if (wanted && !isFloat(this.dtype)) {
      throw dtypeError('requiresGrad', `a ${this.dtype} tensor cannot require a gradient, expected float32 or float64`);
    }
    if (!wanted && !(this.history instanceof Leaf)) {
      throw new ReceptiveError('ERR_AUTOGRAD', 'requiresGrad: this tensor was computed by an operation; use detach() to cut it off');
    }
    this.history = wanted ? new Leaf(this) : null;
  }

  /**
   * The gradient that `backward()` left here, summed over calls until it is disposed of or set to null: a tensor of this shape and type. Can be
   * set to one.
   */
  get grad(): Tensor | null {
    return this.#grad;
  }
  set grad(grad: Tensor | null) {
    if (grad !== null) this.#checkGrad(grad);
    this.#grad = grad;
  }

  #checkGrad(grad: unknown): void {
    if (!(grad instanceof Tensor)) throw typeError('grad', 'the gradient', grad, 'a Tensor or null');
    const { shape, dtype } = this;
    if (!sameShape(grad.shape, shape)) {
      throw shapeError('grad', `the gradient has shape ${showShape(grad.shape)}, expected that of the tensor, ${showShape(shape)}`);
    }
    if (grad.dtype !== dtype) throw dtypeError('grad', `the gradient is ${grad.dtype}, expected the type of the tensor, ${dtype}`);
  }

  /** The elements in row-major order, copied, once what leads to them has run. */
  async data(): Promise<TypedArray> {
    return new dtypes[this.dtype].array(await native.read(this.#filled('data')));
  }

  /** The elements; holds the event loop until they are computed. */
  dataSync(): TypedArray {
    return new dtypes[this.dtype].array(native.readSync(this.#filled('data')));
  }

  /** The only element of a tensor of size 1. */
  async item(): Promise<number> {
    this.#checkItem();
    return (await this.data())[0]!;
  }

  /** The only element; holds the event loop until it is computed. */
  itemSync(): number {
    this.#checkItem();
    return this.dataSync()[0]!;
  }

  /** The elements as nested arrays; a number for a scalar. */
  async array(): Promise<NestedNumbers> {
    return nest(await this.data(), this.shape);
  }

  /**
   * Computes the gradient of this tensor with respect to every leaf that requires one, and adds it to the leaf's `grad`.
   * @param gradient Of this tensor's shape; may be left out for a tensor of one element, where it is 1.
   */
  backward(gradient?: Tensor): void {
    if (gradient !== undefined && !(gradient instanceof Tensor)) throw typeError('backward', 'gradient', gradient, 'a Tensor');
    backward(this, gradient ?? null);
  }

  /** The same memory, cut off from the tape. */
  detach(): Tensor {
    this.use('detach');
    return this.view(this.shape);
  }

  /** Frees the memory, once what is queued has used it. Disposing twice is fine. What autograd saved stays until backward. */
  dispose(): void {
    if (this.id === 0) return;
    this.id = 0;
    this.storage.holders--;
    if (--this.#handle.holders === 0) native.free(this.#handle.id);
  }

  /** Frees its memory at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * What `util.inspect` and `console.log` show: type, shape and values, the middle of large tensors left out. Waits for the values, as
   * `dataSync` does; within more objects than the option `depth` allows they are left out.
   */
  [Symbol.for('nodejs.util.inspect.custom')](depth: number, options: PrintOptions = {}): object {
    const text = this.#print(depth, options);
    // Node moves the lines of what an object in its place gives to where they belong, but not those of a string.
    return { [Symbol.for('nodejs.util.inspect.custom')]: () => text };
  }

  /** Shape and type, as `Tensor([2,3], float32)`; what it holds is in `data()`, and in what `console.log` shows. */
  toString(): string {
    return this.#print(-1, {});
  }

  /** What `JSON.stringify` shows: shape and type. Values are in `array()`; `save` writes files of tensors. */
  toJSON(): { shape: Shape; dtype: Dtype } {
    return { shape: this.shape, dtype: this.dtype };
  }

  #print(depth: number, options: PrintOptions): string {
    const { shape, dtype, requiresGrad, disposed } = this;
    const head = (...more: string[]) =>
      `${this.constructor.name}(${[showShape(shape), dtype, ...(requiresGrad ? ['requiresGrad'] : []), ...more].join(', ')})`;
    if (disposed) return head('disposed');
    if (this.storage.hollow) return head('no values');
    if (depth < 0) return head();
    const shown = shownOf(shape, options);
    let values: TypedArray;
    try {
      values = this.#corners(shown);
    } catch (error) {
      return head(`no values: ${(error as Error).message}`); // what failed on the way to them, which every read says
    }
    return printTensor(head(), values, shown, shape, dtype, options);
  }

  /** The elements, so many of each axis, half from either end where that is less than there is. */
  #corners(lengths: Shape): TypedArray {
    if (sameShape(lengths, this.shape)) return this.dataSync();
    using corners = scope.outside(() => Tensor.empty(lengths, this.dtype));
    for (const { size, from, to } of cornersOf(this.shape, lengths)) copyBlock(size, this, from, corners, to);
    return corners.dataSync();
  }

  // What the tape does with gradients.

  /** @internal this + other, in new memory. */
  plus(other: Tensor): Tensor {
    const sum = Tensor.empty(this.shape, this.dtype);
    native.ops.binary(this.use('backward'), other.use('backward'), sum.id, 0);
    return sum;
  }

  /** @internal this += other. */
  accumulate(other: Tensor): void {
    native.ops.binary(this.use('backward'), other.use('backward'), this.id, 0);
    this.written();
  }

  /** @internal The same elements in new memory. */
  copy(): Tensor {
    const copy = Tensor.empty(this.shape, this.dtype);
    native.ops.cast(this.use('copy'), copy.id, 1, 0);
    return copy;
  }

  /** @internal this = source, of the same shape; converts its type. */
  assign(source: Tensor): void {
    native.ops.cast(source.#filled('assign'), this.use('assign'), 1, 0);
    this.written();
  }

  /** @internal */
  onesLike(): Tensor {
    const ones = Tensor.empty(this.shape, this.dtype);
    native.ops.fill(ones.id, 1);
    return ones;
  }

  /** The id, for whoever needs the values. */
  #filled(operation: string): number {
    if (this.storage.hollow) {
      throw new ReceptiveError(
        'ERR_UNSUPPORTED',
        `${operation}: this tensor of shape ${showShape(this.shape)} has no values, since the model is being inspected by the shape of its input; ` +
          'where its forward function reads values, inspect it with a Tensor',
      );
    }
    return this.use(operation);
  }

  #checkItem(): void {
    if (this.size !== 1) throw rangeError('item', 'shape', [...this.shape], 'one element');
  }
}

/** @internal The elements of a shape as arrays in arrays. */
export function nest(data: TypedArray, shape: Shape): NestedNumbers {
  let at = 0;
  const level = (axis: number): NestedNumbers =>
    axis === shape.length ? data[at++]! : Array.from({ length: shape[axis]! }, () => level(axis + 1));
  return level(0);
}

import { type AvgPool1dOptions as AvgOptions1d, avgPool1d } from '../ops/avgPool1d';
import { type AvgPool2dOptions as AvgOptions2d, avgPool2d } from '../ops/avgPool2d';
import { type AvgPool3dOptions as AvgOptions3d, avgPool3d } from '../ops/avgPool3d';
import { type MaxPool1dOptions as MaxOptions1d, maxPool1d } from '../ops/maxPool1d';
import {
  type FinishedMaxPoolOptions,
  type MaxPool2dOptions as MaxOptions2d,
  maxPool2d,
  maxPool2dWithIndices,
  type PooledWithIndices,
} from '../ops/maxPool2d';
import { type MaxPool3dOptions as MaxOptions3d, maxPool3d } from '../ops/maxPool3d';
import { maxUnpool2d, type MaxUnpool2dOptions as UnpoolOptions } from '../ops/maxUnpool2d';
import type { Finish } from '../ops/rectifier';
import { makeWindow, type Padding, type Padding1d, type Pair, type Triple, windowOptionNames } from '../ops/window';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { after } from './fusion';
import { call } from './layer';
import { Module } from './module';
import { finish, finishes, takesMaxima } from './passes';

/** Options of `MaxPool1d`. */
export type MaxPool1dOptions = Omit<MaxOptions1d, 'kernelSize' | 'activation'>;
/** Options of `MaxPool2d`. */
export type MaxPool2dOptions = Omit<MaxOptions2d, 'kernelSize' | 'activation'>;
/** Options of `MaxPool3d`. */
export type MaxPool3dOptions = Omit<MaxOptions3d, 'kernelSize'>;
/** Options of `MaxUnpool2d`. */
export type MaxUnpool2dOptions = Omit<UnpoolOptions, 'kernelSize' | 'outputSize'>;
/** Options of `AvgPool1d`. */
export type AvgPool1dOptions = Omit<AvgOptions1d, 'kernelSize'>;
/** Options of `AvgPool2d`. */
export type AvgPool2dOptions = Omit<AvgOptions2d, 'kernelSize'>;
/** Options of `AvgPool3d`. */
export type AvgPool3dOptions = Omit<AvgOptions3d, 'kernelSize'>;

const maxNames: OptionNames<MaxPool2dOptions> = { ...windowOptionNames, ceilMode: 'boolean' };
const avgNames: OptionNames<AvgPool2dOptions> = {
  stride: true,
  padding: true,
  dilation: true,
  ceilMode: 'boolean',
  countIncludePad: 'boolean',
};

/** A pool over windows along some axes. */
abstract class Pool<Size, Options extends object> extends Module {
  readonly options: Readonly<Options>;

  constructor(
    axes: number,
    names: OptionNames<Options>,
    readonly kernelSize: Size,
    options: Options,
  ) {
    super();
    const { name } = new.target;
    checkOptions(name, options, names);
    makeWindow(name, new Array<number>(axes).fill(1), kernelSize, options);
    this.options = { ...options };
  }

  protected override describe(): string {
    return call([this.kernelSize], this.options as Record<string, unknown>);
  }
}

/** A pool of maxima by an operation that can rectify them in its own pass. */
abstract class MaxPool<Size, Around> extends Pool<Size, Omit<FinishedMaxPoolOptions<Size, Around>, 'kernelSize' | 'activation'>> {
  readonly #operation: (x: Tensor, options: FinishedMaxPoolOptions<Size, Around>) => Tensor;

  constructor(
    axes: number,
    operation: (x: Tensor, options: FinishedMaxPoolOptions<Size, Around>) => Tensor,
    kernelSize: Size,
    options: MaxPool<Size, Around>['options'],
  ) {
    super(axes, maxNames, kernelSize, options);
    this.#operation = operation;
  }

  /** The result for an input. */
  forward(x: Tensor): Tensor {
    return this.#operation(x, { kernelSize: this.kernelSize, ...this.options });
  }

  /** @internal */
  override get [finishes](): boolean {
    return this.forward === MaxPool.prototype.forward;
  }

  /** @internal A window may see padding alone, whose maximum is -Infinity: a rectifier before a pool leaves it, one behind does not. */
  override get [takesMaxima](): boolean {
    const { dilation, padding } = this.options;
    return this[finishes] && (dilation === undefined || padding === undefined);
  }

  /** @internal */
  override [finish](x: Tensor, { add, activation }: Finish): Tensor {
    if (add) return after(this.#operation.name, this.forward(x), { add, activation });
    return this.#operation(x, { kernelSize: this.kernelSize, ...this.options, activation });
  }
}

/** The largest value of each window: input [N,L,C], output [N,L',C]. See `ops.maxPool1d`. */
export class MaxPool1d extends MaxPool<number, Padding1d> {
  constructor(kernelSize: number, options: MaxPool1dOptions = {}) {
    super(1, maxPool1d, kernelSize, options);
  }
}

/** The largest value of each window: input [N,H,W,C], output [N,H',W',C]. See `ops.maxPool2d`. */
export class MaxPool2d extends MaxPool<Pair, Padding> {
  constructor(kernelSize: Pair, options: MaxPool2dOptions = {}) {
    super(2, maxPool2d, kernelSize, options);
  }

  /** What `forward` gives, and where in its window each maximum lies, for a `MaxUnpool2d`. See `ops.maxPool2dWithIndices`. */
  forwardWithIndices(x: Tensor): PooledWithIndices {
    return maxPool2dWithIndices(x, { kernelSize: this.kernelSize, ...this.options });
  }
}

/**
 * Puts what a `MaxPool2d` of the same arguments gave back to where it came from: input and indices [N,H',W',C], output [N,H,W,C]. See
 * `ops.maxUnpool2d`.
 *
 * ```ts
 * const pool = new nn.MaxPool2d(2), unpool = new nn.MaxUnpool2d(2);
 * const { output, indices } = pool.forwardWithIndices(randn([8, 28, 28, 6]));
 * unpool.forward(output, indices).shape; // [8, 28, 28, 6]
 * ```
 */
export class MaxUnpool2d extends Pool<Pair, MaxUnpool2dOptions> {
  constructor(kernelSize: Pair, options: MaxUnpool2dOptions = {}) {
    super(2, windowOptionNames, kernelSize, options);
  }

  /** The result for what a pool gave and where its maxima lay. */
  override forward(y: Tensor, indices: Tensor): Tensor;
  /**
   * The result for what a pool gave and where its maxima lay.
   * @param outputSize Height and width of the pool's input, where it is not the usual one.
   */
  override forward(y: Tensor, indices: Tensor, outputSize?: Pair): Tensor;
  override forward(y: Tensor, indices: Tensor, outputSize?: Pair): Tensor {
    return maxUnpool2d(y, indices, { kernelSize: this.kernelSize, ...this.options, outputSize });
  }
}

/** The largest value of each window: input [N,D,H,W,C], output [N,D',H',W',C]. See `ops.maxPool3d`. */
export class MaxPool3d extends Pool<Triple, MaxPool3dOptions> {
  constructor(kernelSize: Triple, options: MaxPool3dOptions = {}) {
    super(3, maxNames, kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    return maxPool3d(x, { kernelSize: this.kernelSize, ...this.options });
  }
}

/** The mean of each window: input [N,L,C], output [N,L',C]. See `ops.avgPool1d`. */
export class AvgPool1d extends Pool<number, AvgPool1dOptions> {
  constructor(kernelSize: number, options: AvgPool1dOptions = {}) {
    super(1, avgNames, kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    return avgPool1d(x, { kernelSize: this.kernelSize, ...this.options });
  }
}

/** The mean of each window: input [N,H,W,C], output [N,H',W',C]. See `ops.avgPool2d`. */
export class AvgPool2d extends Pool<Pair, AvgPool2dOptions> {
  constructor(kernelSize: Pair, options: AvgPool2dOptions = {}) {
    super(2, avgNames, kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    return avgPool2d(x, { kernelSize: this.kernelSize, ...this.options });
  }
}

/** The mean of each window: input [N,D,H,W,C], output [N,D',H',W',C]. See `ops.avgPool3d`. */
export class AvgPool3d extends Pool<Triple, AvgPool3dOptions> {
  constructor(kernelSize: Triple, options: AvgPool3dOptions = {}) {
    super(3, avgNames, kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    return avgPool3d(x, { kernelSize: this.kernelSize, ...this.options });
  }
}

import { ones, zeros } from '../create';
import { rangeError, shapeError } from '../errors';
import { checkShapeOf, checkTensor } from '../op';
import { batchNorm } from '../ops/batchNorm';
import type { Finish } from '../ops/rectifier';
import { checkOptions, checkPositive, type OptionNames } from '../options';
import { showShape } from '../shape';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { call, count } from './layer';
import { Module } from './module';
import { Buffer, Parameter } from './parameter';
import { finish, finishes } from './passes';

/** Options of `BatchNorm`. */
export interface BatchNormOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number;
  /** Share of the batch in the updated running statistics. Default 0.1. */
  momentum?: number;
  /** Whether scale and shift are learned. Default true. */
  affine?: boolean;
}

const names: OptionNames<BatchNormOptions> = { eps: true, momentum: true, affine: 'boolean' };

/**
 * Batch normalisation of each channel, the last axis: of volumes [N,D,H,W,C], images [N,H,W,C], sequences [N,L,C] or features [N,C]. See `ops.batchNorm`.
 *
 * Training uses the batch's own mean and variance and moves `runningMean` and `runningVar` towards them; inference uses those.
 */
abstract class BatchNorm extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly runningMean: Buffer;
  readonly runningVar: Buffer;
  readonly eps: number;
  readonly momentum: number;

  constructor(
    readonly channels: number,
    options: BatchNormOptions = {},
  ) {
    super();
    const { name } = new.target;
    count(name, 'channels', channels);
    checkOptions(name, options, names);
    const { eps = 1e-5, momentum = 0.1, affine = true } = options;
    checkPositive(name, 'eps', eps);
    if (!(momentum >= 0 && momentum <= 1)) throw rangeError(name, 'momentum', momentum, 'a number from 0 to 1');
    this.eps = eps;
    this.momentum = momentum;
    [this.weight, this.bias, this.runningMean, this.runningVar] = tidy(() => [
      affine ? new Parameter(ones([channels])) : null,
      affine ? new Parameter(zeros([channels])) : null,
      new Buffer(zeros([channels])),
      new Buffer(ones([channels])),
    ]);
  }

  /** Throws unless x is of the form that the class is for. */
  protected abstract check(x: Tensor): void;

  forward(x: Tensor): Tensor {
    return this[finish](x, {});
  }

  /** @internal */
  override get [finishes](): boolean {
    return this.forward === BatchNorm.prototype.forward;
  }

  /** @internal */
  override [finish](x: Tensor, { add, activation }: Finish): Tensor {
    this.check(x);
    const { weight, bias, runningMean, runningVar, training, momentum, eps } = this;
    return batchNorm(x, { weight, bias, runningMean, runningVar, training, momentum, eps, add, activation });
  }

  protected override describe(): string {
    return call([this.channels], {
      eps: this.eps === 1e-5 ? undefined : this.eps,
      momentum: this.momentum === 0.1 ? undefined : this.momentum,
      affine: this.weight ? undefined : false,
    });
  }
}

/**
 * Batch normalisation of images [N,H,W,C], each channel over the batch and all places. `weight` starts as 1 and `bias` as 0.
 *
 * ```ts
 * new nn.Sequential(new nn.Conv2d(3, 16, 3, { bias: false }), new nn.BatchNorm2d(16), new nn.ReLU());
 * ```
 */
export class BatchNorm2d extends BatchNorm {
  protected check(x: Tensor): void {
    checkShapeOf('BatchNorm2d', 'input', x, 'N,H,W,C');
  }
}

/** Batch normalisation of volumes [N,D,H,W,C], each channel over the batch and all places. See `BatchNorm2d`. */
export class BatchNorm3d extends BatchNorm {
  protected check(x: Tensor): void {
    checkShapeOf('BatchNorm3d', 'input', x, 'N,D,H,W,C');
  }
}

/** Batch normalisation of features [N,C], or of sequences [N,L,C], each channel over all else. */
export class BatchNorm1d extends BatchNorm {
  protected check(x: Tensor): void {
    checkTensor('BatchNorm1d', 'input', x);
    if (x.rank !== 2 && x.rank !== 3) {
      throw shapeError('BatchNorm1d', `input has shape ${showShape(x.shape)}, expected [N,C] or [N,L,C]`);
    }
  }
}

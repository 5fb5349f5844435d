import {
  type AdaptivePair,
  type AdaptiveSize,
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  adaptiveSizes,
} from '../ops/adaptivePool';
import type { Tensor } from '../tensor';
import { call } from './layer';
import { Module } from './module';

/** A pool that is told the size of its output. */
abstract class AdaptivePool<Size> extends Module {
  constructor(
    axes: number,
    readonly outputSize: Size,
  ) {
    super();
    adaptiveSizes(new.target.name, outputSize, axes);
  }

  protected override describe(): string {
    return call([this.outputSize]);
  }
}

/** The mean of each of so many windows: input [N,L,C], output [N,outputSize,C]. See `ops.adaptiveAvgPool1d`. */
export class AdaptiveAvgPool1d extends AdaptivePool<AdaptiveSize> {
  constructor(outputSize: AdaptiveSize) {
    super(1, outputSize);
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool1d(x, this.outputSize);
  }
}

/** The mean of each of so many windows: input [N,H,W,C], output [N,...outputSize,C]. See `ops.adaptiveAvgPool2d`. */
export class AdaptiveAvgPool2d extends AdaptivePool<AdaptivePair> {
  constructor(outputSize: AdaptivePair) {
    super(2, outputSize);
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.outputSize);
  }
}

/** The largest value of each of so many windows: input [N,L,C], output [N,outputSize,C]. See `ops.adaptiveMaxPool1d`. */
export class AdaptiveMaxPool1d extends AdaptivePool<AdaptiveSize> {
  constructor(outputSize: AdaptiveSize) {
    super(1, outputSize);
  }

  forward(x: Tensor): Tensor {
    return adaptiveMaxPool1d(x, this.outputSize);
  }
}

/** The largest value of each of so many windows: input [N,H,W,C], output [N,...outputSize,C]. See `ops.adaptiveMaxPool2d`. */
export class AdaptiveMaxPool2d extends AdaptivePool<AdaptivePair> {
  constructor(outputSize: AdaptivePair) {
    super(2, outputSize);
  }

  forward(x: Tensor): Tensor {
    return adaptiveMaxPool2d(x, this.outputSize);
  }
}

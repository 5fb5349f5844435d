import { type AvgPool2dOptions as AvgOptions, avgPool2d } from '../ops/avgPool2d';
import { type MaxPool2dOptions as MaxOptions, maxPool2d } from '../ops/maxPool2d';
import { makeWindow, type Pair, windowOptionNames } from '../ops/window';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { call } from './layer';
import { Module } from './module';

export type MaxPool2dOptions = Omit<MaxOptions, 'kernelSize'>;
export type AvgPool2dOptions = Omit<AvgOptions, 'kernelSize'>;

const maxNames: OptionNames<MaxPool2dOptions> = { ...windowOptionNames, ceilMode: true };
const avgNames: OptionNames<AvgPool2dOptions> = { stride: true, padding: true, ceilMode: true, countIncludePad: true };

/** The largest value of each window: input [N,H,W,C], output [N,H',W',C]. See `ops.maxPool2d`. */
export class MaxPool2d extends Module {
  readonly options: Readonly<MaxPool2dOptions>;

  constructor(
    readonly kernelSize: Pair,
    options: MaxPool2dOptions = {},
  ) {
    super();
    checkOptions('MaxPool2d', options, maxNames);
    makeWindow('MaxPool2d', [1, 1], kernelSize, options);
    this.options = { ...options };
  }

  forward(x: Tensor): Tensor {
    return maxPool2d(x, { kernelSize: this.kernelSize, ...this.options });
  }

  protected override describe(): string {
    return call([this.kernelSize], this.options);
  }
}

/** The mean of each window: input [N,H,W,C], output [N,H',W',C]. See `ops.avgPool2d`. */
export class AvgPool2d extends Module {
  readonly options: Readonly<AvgPool2dOptions>;

  constructor(
    readonly kernelSize: Pair,
    options: AvgPool2dOptions = {},
  ) {
    super();
    checkOptions('AvgPool2d', options, avgNames);
    makeWindow('AvgPool2d', [1, 1], kernelSize, options);
    this.options = { ...options };
  }

  forward(x: Tensor): Tensor {
    return avgPool2d(x, { kernelSize: this.kernelSize, ...this.options });
  }

  protected override describe(): string {
    return call([this.kernelSize], this.options);
  }
}

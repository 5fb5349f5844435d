import { flatten } from '../ops/reshape';
import type { Tensor } from '../tensor';
import { call } from './layer';
import { Module } from './module';

/** Joins the axes from start (default 1) to end (default the last) into one: [N,H,W,C] becomes [N,H·W·C]. */
export class Flatten extends Module {
  constructor(
    readonly start = 1,
    readonly end = -1,
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return flatten(x, this.start, this.end);
  }

  protected override describe(): string {
    return this.start === 1 && this.end === -1 ? '' : call([this.start, this.end]);
  }
}

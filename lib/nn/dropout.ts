import { rangeError } from '../errors';
import { dropout } from '../ops/dropout';
import type { Tensor } from '../tensor';
import { call } from './layer';
import { Module } from './module';

/** In training sets each element to 0 with probability p (default 0.5) and scales the others up; in inference does nothing. */
export class Dropout extends Module {
  constructor(readonly p = 0.5) {
    super();
    if (!(p >= 0 && p < 1)) throw rangeError('Dropout', 'p', p, 'a number from 0 to, not including, 1');
  }

  forward(x: Tensor): Tensor {
    return dropout(x, this.p, { training: this.training });
  }

  protected override describe(): string {
    return call([this.p]);
  }
}

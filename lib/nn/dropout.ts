import { checkProbability, dropout, dropout1d, dropout2d } from '../ops/dropout';
import type { Tensor } from '../tensor';
import { call } from './layer';
import { Module } from './module';

/** A layer that drops with probability p in training. */
abstract class Dropping extends Module {
  constructor(readonly p = 0.5) {
    super();
    checkProbability(new.target.name, p);
  }

  protected override describe(): string {
    return call([this.p]);
  }
}

/** In training sets each element to 0 with probability p (default 0.5) and scales the others up; in inference does nothing. */
export class Dropout extends Dropping {
  forward(x: Tensor): Tensor {
    return dropout(x, this.p, { training: this.training });
  }
}

/**
 * In training sets whole channels [n,·,c] of sequences [N,L,C] to 0 with probability p (default 0.5) and scales the others up; in inference
 * does nothing. See `ops.dropout1d`.
 */
export class Dropout1d extends Dropping {
  forward(x: Tensor): Tensor {
    return dropout1d(x, this.p, { training: this.training });
  }
}

/**
 * In training sets whole channels [n,·,·,c] of images [N,H,W,C] to 0 with probability p (default 0.5) and scales the others up; in inference
 * does nothing. See `ops.dropout2d`.
 */
export class Dropout2d extends Dropping {
  forward(x: Tensor): Tensor {
    return dropout2d(x, this.p, { training: this.training });
  }
}

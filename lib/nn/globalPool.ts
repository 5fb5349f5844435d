import { globalAvgPool1d, globalAvgPool2d, globalMaxPool1d, globalMaxPool2d } from '../ops/globalPool';
import type { Tensor } from '../tensor';
import { Module } from './module';

/** The mean of each channel over a sequence: input [N,L,C], output [N,C]. See `ops.globalAvgPool1d`. */
export class GlobalAvgPool1d extends Module {
  forward(x: Tensor): Tensor {
    return globalAvgPool1d(x);
  }
}

/** The mean of each channel over an image: input [N,H,W,C], output [N,C]. See `ops.globalAvgPool2d`. */
export class GlobalAvgPool2d extends Module {
  forward(x: Tensor): Tensor {
    return globalAvgPool2d(x);
  }
}

/** The largest value of each channel over a sequence: input [N,L,C], output [N,C]. See `ops.globalMaxPool1d`. */
export class GlobalMaxPool1d extends Module {
  forward(x: Tensor): Tensor {
    return globalMaxPool1d(x);
  }
}

/** The largest value of each channel over an image: input [N,H,W,C], output [N,C]. See `ops.globalMaxPool2d`. */
export class GlobalMaxPool2d extends Module {
  forward(x: Tensor): Tensor {
    return globalMaxPool2d(x);
  }
}

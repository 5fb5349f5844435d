import { logSoftmax, softmax } from '../ops/softmax';
import { relu, relu6, sigmoid, tanh } from '../ops/unary';
import type { Tensor } from '../tensor';
import { call } from './layer';
import { Module } from './module';

/** max(x, 0), the rectified linear unit. */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/** min(max(x, 0), 6). */
export class ReLU6 extends Module {
  forward(x: Tensor): Tensor {
    return relu6(x);
  }
}

/** 1 / (1 + e to the -x). */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

/** The hyperbolic tangent. */
export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return tanh(x);
  }
}

/** e to the x over its sum along an axis, by default the last: positive values that sum to 1. */
export class Softmax extends Module {
  constructor(readonly axis = -1) {
    super();
  }

  forward(x: Tensor): Tensor {
    return softmax(x, { axis: this.axis });
  }

  protected override describe(): string {
    return call([this.axis]);
  }
}

/** The logarithm of `Softmax`, computed without taking the logarithm of small numbers. */
export class LogSoftmax extends Module {
  constructor(readonly axis = -1) {
    super();
  }

  forward(x: Tensor): Tensor {
    return logSoftmax(x, { axis: this.axis });
  }

  protected override describe(): string {
    return call([this.axis]);
  }
}

import {
  checkAlpha,
  checkGelu,
  checkSoftplus,
  elu,
  type GeluOptions,
  gelu,
  hardSigmoid,
  hardSwish,
  hardtanh,
  leakyRelu,
  relu,
  relu6,
  sigmoid,
  silu,
  softplus,
  tanh,
} from '../ops/activation';
import type { Rectifier } from '../ops/rectifier';
import { logSoftmax, softmax } from '../ops/softmax';
import { checkInterval } from '../ops/unary';
import { checkFinite } from '../options';
import type { Tensor } from '../tensor';
import { call } from './layer';
import { Module } from './module';
import { rectifier } from './passes';

/** max(x, 0), the rectified linear unit. */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return relu(x);
  }

  /** @internal */
  override get [rectifier](): Rectifier | null {
    return this.forward === ReLU.prototype.forward ? 'relu' : null;
  }
}

/** min(max(x, 0), 6). */
export class ReLU6 extends Module {
  forward(x: Tensor): Tensor {
    return relu6(x);
  }

  /** @internal */
  override get [rectifier](): Rectifier | null {
    return this.forward === ReLU6.prototype.forward ? 'relu6' : null;
  }
}

/** x where it is above 0, else negativeSlope · x. See `ops.leakyRelu`. */
export class LeakyReLU extends Module {
  /** @param negativeSlope Default 0.01. */
  constructor(readonly negativeSlope = 0.01) {
    super();
    checkFinite('LeakyReLU', 'negativeSlope', negativeSlope);
  }

  forward(x: Tensor): Tensor {
    return leakyRelu(x, this.negativeSlope);
  }

  protected override describe(): string {
    return call([this.negativeSlope]);
  }
}

/** x where it is above 0, else alpha · (e^x - 1). See `ops.elu`. */
export class ELU extends Module {
  /** @param alpha Of at least 0. Default 1. */
  constructor(readonly alpha = 1) {
    super();
    checkAlpha('ELU', alpha);
  }

  forward(x: Tensor): Tensor {
    return elu(x, this.alpha);
  }

  protected override describe(): string {
    return call([this.alpha]);
  }
}

/** x · Φ(x), Φ the normal distribution. See `ops.gelu`. */
export class GELU extends Module {
  readonly approximate: 'none' | 'tanh';

  constructor(options: GeluOptions = {}) {
    super();
    this.approximate = checkGelu('GELU', options);
  }

  forward(x: Tensor): Tensor {
    return gelu(x, { approximate: this.approximate });
  }

  protected override describe(): string {
    return call([], { approximate: this.approximate === 'none' ? undefined : this.approximate });
  }
}

/** x · sigmoid(x), also called swish. */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return silu(x);
  }
}

/** x · min(max(x + 3, 0), 6) / 6. */
export class HardSwish extends Module {
  forward(x: Tensor): Tensor {
    return hardSwish(x);
  }
}

/** min(max(x + 3, 0), 6) / 6. */
export class HardSigmoid extends Module {
  forward(x: Tensor): Tensor {
    return hardSigmoid(x);
  }
}

/** x brought into [min, max]. See `ops.hardtanh`. */
export class Hardtanh extends Module {
  /**
   * @param min Default -1.
   * @param max Default 1.
   */
  constructor(
    readonly min = -1,
    readonly max = 1,
  ) {
    super();
    checkInterval('Hardtanh', min, max);
  }

  forward(x: Tensor): Tensor {
    return hardtanh(x, this.min, this.max);
  }

  protected override describe(): string {
    return call([this.min, this.max]);
  }
}

/** log(1 + e^(beta·x)) / beta, a smooth max(x, 0). See `ops.softplus`. */
export class Softplus extends Module {
  /**
   * @param beta Default 1.
   * @param threshold Where beta·x is above it the result is x itself. Default 20.
   */
  constructor(
    readonly beta = 1,
    readonly threshold = 20,
  ) {
    super();
    checkSoftplus('Softplus', beta, threshold);
  }

  forward(x: Tensor): Tensor {
    return softplus(x, this.beta, this.threshold);
  }

  protected override describe(): string {
    return call([this.beta, this.threshold]);
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

import { shapeError, typeError } from '../errors';
import { add } from '../ops/binary';
import type { Finish } from '../ops/rectifier';
import { sameShape, showShape } from '../shape';
import type { Tensor } from '../tensor';
import { Module } from './module';
import { finish, finishes } from './passes';

function checkModule(what: string, value: unknown): void {
  if (!(value instanceof Module)) throw typeError('Residual', what, value, 'a Module');
}

/**
 * What a body makes of its input, added to the input itself: y = body(x) + x. He et al., Deep residual learning for image recognition
 * (2016).
 *
 * Where the body changes the shape, a shortcut (a 1x1 convolution, say) brings x to the same one: y = body(x) + shortcut(x). The parts
 * are named `body` and `shortcut`.
 * @throws RangeError from `forward` where the two shapes differ: they are never stretched.
 *
 * ```ts
 * const body = new nn.Sequential(new nn.Conv2d(16, 16, 3, { padding: 1, bias: false }), new nn.BatchNorm2d(16), new nn.ReLU());
 * new nn.Residual(body).forward(randn([8, 32, 32, 16])).shape; // [8, 32, 32, 16]
 * ```
 */
export class Residual extends Module {
  constructor(
    readonly body: Module,
    readonly shortcut: Module | null = null,
  ) {
    super();
    checkModule('body', body);
    if (shortcut !== null) checkModule('shortcut', shortcut);
  }

  forward(x: Tensor): Tensor {
    if (this.body[finishes]) return this[finish](x, {});
    const [y, past] = [this.body.forward(x), this.#past(x)];
    if (!sameShape(y.shape, past.shape)) {
      throw shapeError(
        'Residual',
        `body gives ${showShape(y.shape)}, ${this.shortcut ? 'shortcut gives' : 'input has'} ${showShape(past.shape)}, expected the same shape`,
      );
    }
    return add(y, past);
  }

  /** @internal */
  override get [finishes](): boolean {
    return this.forward === Residual.prototype.forward && this.body[finishes];
  }

  /** @internal The sum is part of the body's last pass. */
  override [finish](x: Tensor, { add: summand, activation }: Finish): Tensor {
    const past = this.#past(x);
    return this.body[finish](x, { add: summand ? add(past, summand) : past, activation });
  }

  #past(x: Tensor): Tensor {
    return this.shortcut ? this.shortcut.forward(x) : x;
  }
}

import { checkFactor, pixelShuffle, pixelUnshuffle } from '../ops/pixelShuffle';
import { type UpsampleOptions, upsample, upsampling } from '../ops/upsample';
import type { Tensor } from '../tensor';
import { call } from './layer';
import { Module } from './module';

/**
 * Brings images to another height and width: input [N,H,W,C], output [N,H',W',C]. See `ops.upsample`.
 *
 * ```ts
 * new nn.Upsample({ scale: 2, mode: 'bilinear' }).forward(randn([8, 7, 7, 64])).shape; // [8, 14, 14, 64]
 * ```
 */
export class Upsample extends Module {
  readonly options: Readonly<UpsampleOptions>;

  constructor(options: UpsampleOptions) {
    super();
    upsampling('Upsample', options);
    this.options = { ...options };
  }

  forward(x: Tensor): Tensor {
    return upsample(x, this.options);
  }

  protected override describe(): string {
    return call([], { ...this.options });
  }
}

/** Spreads channels out in space: input [N,H,W,C·factor²], output [N,H·factor,W·factor,C]. See `ops.pixelShuffle`. */
export class PixelShuffle extends Module {
  constructor(readonly factor: number) {
    super();
    checkFactor('PixelShuffle', factor);
  }

  forward(x: Tensor): Tensor {
    return pixelShuffle(x, this.factor);
  }

  protected override describe(): string {
    return call([this.factor]);
  }
}

/** The inverse of `PixelShuffle`: input [N,H·factor,W·factor,C], output [N,H,W,C·factor²]. See `ops.pixelUnshuffle`. */
export class PixelUnshuffle extends Module {
  constructor(readonly factor: number) {
    super();
    checkFactor('PixelUnshuffle', factor);
  }

  forward(x: Tensor): Tensor {
    return pixelUnshuffle(x, this.factor);
  }

  protected override describe(): string {
    return call([this.factor]);
  }
}

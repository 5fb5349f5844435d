import { rangeError } from '../errors';
import { BatchNorm2d, Conv2d, Dropout, GlobalAvgPool2d, Linear, Module, ReLU6, Sequential } from '../nn';
import { plus } from '../nn/fusion';
import { call } from '../nn/layer';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { initialise } from './parts';

/** Options of `models.mobilenetV2`. */
export interface MobilenetV2Options {
  /** Default 1000. */
  classes?: number;
  /** What the numbers of channels are multiplied by, and rounded to multiples of 8. Default 1. */
  width?: number;
  /** Channels of the input images. Default 3. */
  channels?: number;
}

const names: OptionNames<MobilenetV2Options> = { classes: true, width: true, channels: true };

/** Table 2 of the paper: expansion, output channels, blocks, and the stride of the first of them. */
const stages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** The nearest multiple of 8 to a number of channels that takes no more than a tenth of it away. */
function multipleOf8(channels: number): number {
  const rounded = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

const normalized = (from: number, to: number, kernelSize: number, stride = 1, groups = 1): Sequential =>
  new Sequential(
    new Conv2d(from, to, kernelSize, { stride, padding: (kernelSize - 1) / 2, groups, bias: false }),
    new BatchNorm2d(to),
    new ReLU6(),
  );

/**
 * A 1x1 convolution to more channels, a 3x3 one of each by itself, and a 1x1 one to few, without activation; added to the input where it has
 * the same shape. Parts are named as torchvision's.
 */
class InvertedResidual extends Module {
  readonly conv = new Sequential();

  constructor(
    readonly from: number,
    readonly to: number,
    readonly stride: number,
    readonly expansion: number,
  ) {
    super();
    const hidden = from * expansion;
    if (expansion !== 1) this.conv.append(normalized(from, hidden, 1));
    this.conv.append(normalized(hidden, hidden, 3, stride, hidden));
    this.conv.append(new Conv2d(hidden, to, 1, { bias: false })).append(new BatchNorm2d(to));
  }

  forward(x: Tensor): Tensor {
    return plus(this.conv, x, this.stride === 1 && this.from === this.to ? x : null);
  }

  protected override describe(): string {
    return call([this.from, this.to, this.stride, this.expansion]);
  }
}

/** See `models.mobilenetV2`. */
export class MobilenetV2 extends Module {
  readonly features: Sequential;
  readonly avgpool = new GlobalAvgPool2d();
  readonly classifier: Sequential;

  constructor(options: MobilenetV2Options) {
    super();
    checkOptions('mobilenetV2', options, names);
    const { classes = 1000, width = 1, channels = 3 } = options;
    if (!(width > 0 && width < Infinity)) throw rangeError('mobilenetV2', 'width', width, 'a positive number');
    let depth = multipleOf8(32 * width);
    this.features = new Sequential(normalized(channels, depth, 3, 2));
    for (const [expansion, units, blocks, stride] of stages) {
      const to = multipleOf8(units * width);
      for (let block = 0; block < blocks; block++) {
        this.features.append(new InvertedResidual(depth, to, block === 0 ? stride : 1, expansion));
        depth = to;
      }
    }
    const last = multipleOf8(1280 * Math.max(1, width));
    this.features.append(normalized(depth, last, 1));
    this.classifier = new Sequential(new Dropout(0.2), new Linear(last, classes));
    initialise(this, { linear: true });
  }

  forward(x: Tensor): Tensor {
    return this.classifier.forward(this.avgpool.forward(this.features.forward(x)));
  }
}

/**
 * MobileNetV2 (Sandler et al., Inverted residuals and linear bottlenecks, 2018) as torchvision builds it: 3,504,872 parameters. Input
 * [N,H,W,channels], output [N,classes].
 *
 * ```ts
 * models.mobilenetV2({ classes: 10, width: 0.5 }).forward(randn([8, 96, 96, 3])).shape; // [8, 10]
 * ```
 */
export const mobilenetV2 = (options: MobilenetV2Options = {}): MobilenetV2 => new MobilenetV2(options);

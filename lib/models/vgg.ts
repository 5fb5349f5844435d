import { rangeError } from '../errors';
import { AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Dropout, Linear, MaxPool2d, Module, ReLU, Sequential } from '../nn';
import { count } from '../nn/layer';
import { flatten } from '../ops/reshape';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { initialise } from './parts';

/** Options of `models.vgg`. */
export interface VggOptions {
  /** Default 1000. */
  classes?: number;
  /** Whether a batch norm follows each convolution. Default false. */
  batchNorm?: boolean;
  /** Channels of the input images. Default 3. */
  channels?: number;
  /** Height and width of the images it is built for, at least 32. Others work as well: the last features are averaged to as many places. Default 224. */
  size?: number;
  /** Channels of the first convolutions; later ones have 2, 4 and 8 times as many. Default 64. */
  width?: number;
  /** Units of the two hidden fully connected layers. Default 4096. */
  hidden?: number;
}

const names: OptionNames<VggOptions> = { classes: true, batchNorm: 'boolean', channels: true, size: true, width: true, hidden: true };

/** Convolutions of 3x3 and halving pools, then fully connected layers; parts are named as torchvision's. */
export class Vgg extends Module {
  readonly features = new Sequential();
  readonly avgpool: AdaptiveAvgPool2d;
  readonly classifier: Sequential;

  /** @internal @param convolutions In each of the five stages. */
  constructor(operation: string, convolutions: readonly number[], options: VggOptions) {
    super();
    checkOptions(operation, options, names);
    const { classes = 1000, batchNorm = false, channels = 3, size = 224, width = 64, hidden = 4096 } = options;
    if (!Number.isSafeInteger(size) || size < 32) throw rangeError(operation, 'size', size, 'an integer of at least 32');
    count(operation, 'width', width);
    let depth = channels;
    for (const [stage, layers] of convolutions.entries()) {
      const units = width * Math.min(2 ** stage, 8);
      for (let layer = 0; layer < layers; layer++) {
        this.features.append(new Conv2d(depth, units, 3, { padding: 1 }));
        if (batchNorm) this.features.append(new BatchNorm2d(units));
        this.features.append(new ReLU());
        depth = units;
      }
      this.features.append(new MaxPool2d(2));
    }
    const side = Math.floor(size / 32);
    this.avgpool = new AdaptiveAvgPool2d(side);
    this.classifier = new Sequential(
      new Linear(side * side * depth, hidden),
      new ReLU(),
      new Dropout(0.5),
      new Linear(hidden, hidden),
      new ReLU(),
      new Dropout(0.5),
      new Linear(hidden, classes),
    );
    initialise(this, { linear: true });
  }

  forward(x: Tensor): Tensor {
    return this.classifier.forward(flatten(this.avgpool.forward(this.features.forward(x))));
  }
}

/**
 * VGG with 8 convolutions and 3 fully connected layers (Simonyan and Zisserman, Very deep convolutional networks, 2015, configuration A),
 * as torchvision builds it: 132,863,336 parameters. Input [N,H,W,channels], H and W at least 32; output [N,classes].
 *
 * ```ts
 * models.vgg11({ classes: 10, batchNorm: true, size: 32, hidden: 512 }).forward(randn([8, 32, 32, 3])).shape; // [8, 10]
 * ```
 */
export const vgg11 = (options: VggOptions = {}): Vgg => new Vgg('vgg11', [1, 1, 2, 2, 2], options);
/** VGG with 10 convolutions (configuration B): 133,047,848 parameters. See `models.vgg11`. */
export const vgg13 = (options: VggOptions = {}): Vgg => new Vgg('vgg13', [2, 2, 2, 2, 2], options);
/** VGG with 13 convolutions (configuration D): 138,357,544 parameters. See `models.vgg11`. */
export const vgg16 = (options: VggOptions = {}): Vgg => new Vgg('vgg16', [2, 2, 3, 3, 3], options);

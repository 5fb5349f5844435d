import { rangeError } from '../errors';
import { BatchNorm2d, Conv2d, GlobalAvgPool2d, Identity, Linear, MaxPool2d, Module, ReLU, Sequential } from '../nn';
import { rectified } from '../nn/fusion';
import { call, count } from '../nn/layer';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { initialise } from './parts';

/** Options of `models.resnet`. */
export interface ResnetOptions {
  /** Default 1000. */
  classes?: number;
  /**
   * How images enter: `imagenet` by a 7x7 convolution of stride 2 and a pool of stride 2, `cifar`, for small ones, by a 3x3 convolution.
   * Default imagenet.
   */
  stem?: 'imagenet' | 'cifar';
  /** Channels of the input images. Default 3. */
  channels?: number;
  /** Channels of the first stage's convolutions; each later one has twice as many. Default 64. */
  width?: number;
}

const names: OptionNames<ResnetOptions> = { classes: true, stem: true, channels: true, width: true };

/** What a block adds its result to: the input itself, or that brought to another size by a 1x1 convolution. */
function shortcut(from: number, to: number, stride: number): Sequential | null {
  if (from === to && stride === 1) return null;
  return new Sequential(new Conv2d(from, to, 1, { stride, bias: false }), new BatchNorm2d(to));
}

/** Two 3x3 convolutions and what they are added to; parts are named as torchvision's. */
class BasicBlock extends Module {
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly relu1 = new ReLU();
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;
  readonly relu2 = new ReLU();

  constructor(
    readonly from: number,
    readonly width: number,
    readonly stride: number,
  ) {
    super();
    this.conv1 = new Conv2d(from, width, 3, { stride, padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(width);
    this.conv2 = new Conv2d(width, width, 3, { padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(width);
    this.downsample = shortcut(from, width, stride);
  }

  forward(x: Tensor): Tensor {
    const y = rectified(this.bn1, this.relu1, this.conv1.forward(x));
    return rectified(this.bn2, this.relu2, this.conv2.forward(y), this.downsample ? this.downsample.forward(x) : x);
  }

  protected override describe(): string {
    return call([this.from, this.width, this.stride]);
  }
}

/**
 * A 1x1 convolution to fewer channels, a 3x3 one, and a 1x1 one to four times as many; parts are named as torchvision's. The stride is that
 * of the 3x3 convolution, as there, where the paper has it in the first.
 */
class Bottleneck extends Module {
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly relu1 = new ReLU();
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly relu2 = new ReLU();
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Sequential | null;
  readonly relu3 = new ReLU();

  constructor(
    readonly from: number,
    readonly width: number,
    readonly stride: number,
  ) {
    super();
    const to = width * Bottleneck.expansion;
    this.conv1 = new Conv2d(from, width, 1, { bias: false });
    this.bn1 = new BatchNorm2d(width);
    this.conv2 = new Conv2d(width, width, 3, { stride, padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(width);
    this.conv3 = new Conv2d(width, to, 1, { bias: false });
    this.bn3 = new BatchNorm2d(to);
    this.downsample = shortcut(from, to, stride);
  }

  forward(x: Tensor): Tensor {
    let y = rectified(this.bn1, this.relu1, this.conv1.forward(x));
    y = rectified(this.bn2, this.relu2, this.conv2.forward(y));
    return rectified(this.bn3, this.relu3, this.conv3.forward(y), this.downsample ? this.downsample.forward(x) : x);
  }

  protected override describe(): string {
    return call([this.from, this.width, this.stride]);
  }
}

/** Four stages of residual blocks, each but the first halving height and width; parts are named as torchvision's. */
export class Resnet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly relu = new ReLU();
  readonly maxpool: Module;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly avgpool = new GlobalAvgPool2d();
  readonly fc: Linear;

  /** @internal @param blocks In each stage. */
  constructor(operation: string, Block: typeof BasicBlock | typeof Bottleneck, blocks: readonly number[], options: ResnetOptions) {
    super();
    checkOptions(operation, options, names);
    const { classes = 1000, stem = 'imagenet', channels = 3, width = 64 } = options;
    if (stem !== 'imagenet' && stem !== 'cifar') throw rangeError(operation, 'stem', stem, 'imagenet or cifar');
    count(operation, 'width', width);
    const small = stem === 'cifar';
    this.conv1 = new Conv2d(channels, width, small ? 3 : 7, { stride: small ? 1 : 2, padding: small ? 1 : 3, bias: false });
    this.bn1 = new BatchNorm2d(width);
    this.maxpool = small ? new Identity() : new MaxPool2d(3, { stride: 2, padding: 1 });
    let depth = width;
    const stages = blocks.map((number, stage) => {
      const layer = new Sequential();
      for (let block = 0; block < number; block++) {
        layer.append(new Block(depth, width * 2 ** stage, stage > 0 && block === 0 ? 2 : 1));
        depth = width * 2 ** stage * Block.expansion;
      }
      return layer;
    });
    [this.layer1, this.layer2, this.layer3, this.layer4] = stages as [Sequential, Sequential, Sequential, Sequential];
    this.fc = new Linear(depth, classes);
    initialise(this, { linear: false });
  }

  forward(x: Tensor): Tensor {
    const { conv1, bn1, relu, maxpool, layer1, layer2, layer3, layer4, avgpool, fc } = this;
    const y = rectified(bn1, relu, conv1.forward(x));
    return [maxpool, layer1, layer2, layer3, layer4, avgpool, fc].reduce((z, part) => part.forward(z), y);
  }
}

/**
 * ResNet-18 (He et al., Deep residual learning for image recognition, 2016) as torchvision builds it: 11,689,512 parameters. Input
 * [N,H,W,channels], output [N,classes].
 *
 * ```ts
 * models.resnet18({ classes: 10, stem: 'cifar' }).forward(randn([8, 32, 32, 3])).shape; // [8, 10]
 * ```
 */
export const resnet18 = (options: ResnetOptions = {}): Resnet => new Resnet('resnet18', BasicBlock, [2, 2, 2, 2], options);
/** ResNet-34: 21,797,672 parameters. See `models.resnet18`. */
export const resnet34 = (options: ResnetOptions = {}): Resnet => new Resnet('resnet34', BasicBlock, [3, 4, 6, 3], options);
/** ResNet-50, of blocks of 1x1, 3x3 and 1x1 convolutions, the stride in the second: 25,557,032 parameters. See `models.resnet18`. */
export const resnet50 = (options: ResnetOptions = {}): Resnet => new Resnet('resnet50', Bottleneck, [3, 4, 6, 3], options);

import { typeError } from '../errors';
import { BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, MaxPool2d, ReLU, Sequential } from '../nn';
import { checkOptions, type OptionNames } from '../options';
import { initialise } from './parts';

/** Options of `models.smallVgg`. */
export interface SmallVggOptions {
  /** Default 10. */
  classes?: number;
  /** Channels of the input images. Default 3. */
  channels?: number;
  /** Output channels of each 3x3 convolution, stage by stage; between stages a pool halves the image. Default [[32], [64, 64], [128, 128]]. */
  stages?: readonly (readonly number[])[];
}

const names: OptionNames<SmallVggOptions> = { classes: true, channels: true, stages: true };

/**
 * A small network after VGG's pattern, as one trains in minutes: stages of 3x3 convolutions with batch norm and rectifiers, halving pools
 * between them, the mean over all places and one fully connected layer. Input [N,H,W,channels], H and W at least 2 to the number of pools;
 * output [N,classes].
 *
 * ```ts
 * models.smallVgg({ channels: 1 }).forward(randn([8, 28, 28, 1])).shape; // [8, 10]
 * ```
 */
export function smallVgg(options: SmallVggOptions = {}): Sequential {
  checkOptions('smallVgg', options, names);
  const { classes = 10, channels = 3, stages = [[32], [64, 64], [128, 128]] } = options;
  if (!Array.isArray(stages) || stages.length === 0 || !stages.every((stage) => Array.isArray(stage) && stage.length > 0)) {
    throw typeError('smallVgg', 'stages', stages, 'a list of stages, each a list of at least one number of channels');
  }
  const model = new Sequential();
  let depth = channels;
  for (const [i, stage] of stages.entries()) {
    if (i > 0) model.append(new MaxPool2d(2));
    for (const units of stage) {
      model
        .append(new Conv2d(depth, units, 3, { padding: 1, bias: false }))
        .append(new BatchNorm2d(units))
        .append(new ReLU());
      depth = units;
    }
  }
  return initialise(model.append(new GlobalAvgPool2d()).append(new Linear(depth, classes)), { linear: false });
}

import { rangeError } from '../errors';
import { Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential } from '../nn';
import { checkOptions, type OptionNames } from '../options';

/** Options of `models.lenet5`. */
export interface LeNet5Options {
  /** Default 10. */
  classes?: number;
  /** Channels of the input images. Default 1. */
  channels?: number;
  /** Height and width of the input images. Default 28. */
  size?: number;
}

const names: OptionNames<LeNet5Options> = { classes: true, channels: true, size: true };

/**
 * LeNet-5 (LeCun et al. 1998) as it is built today, with rectifiers, maximum pooling and fully connected feature maps: 61,706
 * parameters for digits. Input [N,size,size,channels], output [N,classes].
 */
export function lenet5(options: LeNet5Options = {}): Sequential {
  checkOptions('lenet5', options, names);
  const { classes = 10, channels = 1, size = 28 } = options;
  const side = Math.floor((Math.floor(size / 2) - 4) / 2);
  if (!Number.isInteger(size) || side < 1) throw rangeError('lenet5', 'size', size, 'an integer of at least 12');
  return new Sequential(
    new Conv2d(channels, 6, 5, { padding: 2 }),
    new ReLU(),
    new MaxPool2d(2),
    new Conv2d(6, 16, 5),
    new ReLU(),
    new MaxPool2d(2),
    new Flatten(),
    new Linear(side * side * 16, 120),
    new ReLU(),
    new Linear(120, 84),
    new ReLU(),
    new Linear(84, classes),
  );
}

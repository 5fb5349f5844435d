import { nn, ops, type Tensor } from '../../lib';

// The networks of Araujo, Norris and Sim, Computing receptive fields of convolutional neural networks (Distill, 2019), as TF-slim
// defines them, whose definitions they use. Geometry is what counts: all layers have two channels.

const width = 2;

const conv = (channels: number, kernel: number, options: nn.Conv2dOptions = {}) => new nn.Conv2d(channels, width, kernel, options);

/** AlexNet v2, to pool5 (Krizhevsky 2014). Pools of slim have no padding. */
export const alexnet = () =>
  new nn.Sequential(
    conv(3, 11, { stride: 4 }),
    new nn.MaxPool2d(3, { stride: 2 }),
    conv(width, 5, { padding: 'same' }),
    new nn.MaxPool2d(3, { stride: 2 }),
    conv(width, 3, { padding: 'same' }),
    conv(width, 3, { padding: 'same' }),
    conv(width, 3, { padding: 'same' }),
    new nn.MaxPool2d(3, { stride: 2 }),
  );

/** VGG-16, to pool5 (Simonyan and Zisserman 2015). */
export function vgg16(): nn.Sequential {
  const model = new nn.Sequential();
  let channels = 3;
  for (const convolutions of [2, 2, 3, 3, 3]) {
    for (let i = 0; i < convolutions; i++) {
      model.append(conv(channels, 3, { padding: 'same' })).append(new nn.ReLU());
      channels = width;
    }
    model.append(new nn.MaxPool2d(2));
  }
  return model;
}

/** The bottleneck of a residual network; where the stride is one of its first convolution or of its second. */
export class Bottleneck extends nn.Module {
  readonly body: nn.Sequential;
  readonly shortcut: nn.Module | null;

  constructor(stride: number, at: '1x1' | '3x3', project: boolean) {
    super();
    this.body = new nn.Sequential(
      conv(width, 1, { stride: at === '1x1' ? stride : 1 }),
      new nn.ReLU(),
      conv(width, 3, { stride: at === '3x3' ? stride : 1, padding: 1 }),
      new nn.ReLU(),
      conv(width, 1),
    );
    this.shortcut = project ? conv(width, 1, { stride }) : stride > 1 ? new nn.MaxPool2d(1, { stride }) : null;
  }

  forward(x: Tensor): Tensor {
    return ops.relu(ops.add(this.body.forward(x), this.shortcut ? this.shortcut.forward(x) : x));
  }
}

/** ResNet-50 before its global pool: which unit of a stage strides, and in which convolution. */
export function resnet50(unit: 'first' | 'last', at: '1x1' | '3x3'): nn.Sequential {
  const model = new nn.Sequential(conv(3, 7, { stride: 2, padding: 3 }), new nn.MaxPool2d(3, { stride: 2, padding: 'same' }));
  const units = [3, 4, 6, 3];
  for (const [stage, n] of units.entries()) {
    const strides = unit === 'first' ? stage > 0 : stage < units.length - 1;
    for (let i = 0; i < n; i++) {
      const stride = strides && i === (unit === 'first' ? 0 : n - 1) ? 2 : 1;
      model.append(new Bottleneck(stride, at, i === 0));
    }
  }
  return model;
}

/** MobileNet v1, to its last pointwise convolution (Howard et al. 2017). */
export function mobilenet(): nn.Sequential {
  const model = new nn.Sequential(conv(3, 3, { stride: 2, padding: 'same' }));
  for (const stride of [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]) {
    model.append(conv(width, 3, { stride, padding: 'same', groups: width })).append(conv(width, 1));
  }
  return model;
}

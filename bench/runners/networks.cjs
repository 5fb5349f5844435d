'use strict';
// The networks of ../cases.cjs; networks.py has the same ones for PyTorch. The runners compare their numbers of parameters.
const { models, nn } = require('../..');

/** Radford, Metz and Chintala (2016): 100 numbers to an image of 64x64. */
function dcgan() {
  const generator = new nn.Sequential();
  const channels = [100, 512, 256, 128, 64];
  for (let i = 1; i < channels.length; i++) {
    const placing = i === 1 ? {} : { stride: 2, padding: 1 };
    generator
      .append(new nn.ConvTranspose2d(channels[i - 1], channels[i], 4, { ...placing, bias: false }))
      .append(new nn.BatchNorm2d(channels[i]))
      .append(new nn.ReLU());
  }
  return generator.append(new nn.ConvTranspose2d(64, 3, 4, { stride: 2, padding: 1, bias: false })).append(new nn.Tanh());
}

/** Ten residual convolutions along a sequence, each seeing twice as far as the one before (after WaveNet, van den Oord et al. 2016). */
function dilated() {
  const layer = (_, i) =>
    new nn.Residual(new nn.Sequential(new nn.Conv1d(32, 32, 3, { padding: 2 ** i, dilation: 2 ** i }), new nn.ReLU()));
  return new nn.Sequential(...Array.from({ length: 10 }, layer));
}

module.exports = {
  lenet5: () => models.lenet5(),
  resnet18: () => models.resnet18({ classes: 10, stem: 'cifar' }),
  resnet50: () => models.resnet50(),
  mobilenetV2: () => models.mobilenetV2(),
  vgg16: () => models.vgg16(),
  textCnn: ({ vocabulary, classes }) => models.textCnn({ vocabulary, classes }),
  dcgan,
  dilated,
};

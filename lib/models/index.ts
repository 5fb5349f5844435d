export { type CharCnnOptions, charCnn } from './charCnn';
export { type LeNet5Options, lenet5 } from './lenet5';
export { type MlpOptions, mlp } from './mlp';
export { type MobilenetV2, type MobilenetV2Options, mobilenetV2 } from './mobilenetV2';
export { type Resnet, type ResnetOptions, resnet18, resnet34, resnet50 } from './resnet';
export { type SmallVggOptions, smallVgg } from './smallVgg';
export { type FilterResponse, type TextCnn, type TextCnnOptions, textCnn } from './textCnn';
export { type Vgg, type VggOptions, vgg11, vgg13, vgg16 } from './vgg';

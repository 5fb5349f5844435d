export { type LeNet5Options, lenet5 } from './lenet5';
export { type MlpOptions, mlp } from './mlp';

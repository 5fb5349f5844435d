export { Adam, type AdamOptions, AdamW } from './adam';
export { Optimizer, type OptimizerState } from './optimizer';
export { SGD, type SGDOptions } from './sgd';

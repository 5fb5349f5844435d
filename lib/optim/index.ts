export { Adam, type AdamOptions, AdamW } from './adam';
export { Optimizer, type OptimizerState } from './optimizer';
export { type CosineOptions, cosine, type Schedule } from './schedules';
export { SGD, type SGDOptions } from './sgd';

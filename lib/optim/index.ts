export { Adam, type AdamOptions, AdamW } from './adam';
export { Optimizer, type OptimizerState } from './optimizer';
export { cosine, type Schedule } from './schedules';
export { SGD, type SGDOptions } from './sgd';

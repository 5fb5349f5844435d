export { Adam, type AdamOptions, AdamW } from './adam';
export { clipGradNorm, clipGradValue } from './clip';
export { type Group, Optimizer, type OptimizerState, type ParameterGroup, type Updated } from './optimizer';
export { RMSprop, type RMSpropOptions } from './rmsprop';
export { type CosineOptions, cosine, type Schedule } from './schedules';
export { SGD, type SGDOptions } from './sgd';

export { Adam, type AdamOptions, AdamW } from './adam';
export type { Mode } from './best';
export { clipGradNorm, clipGradValue } from './clip';
export { type Group, Optimizer, type OptimizerState, type ParameterGroup, type Updated } from './optimizer';
export { Plateau, type PlateauOptions, type PlateauState } from './plateau';
export { RMSprop, type RMSpropOptions } from './rmsprop';
export * from './schedules';
export { SGD, type SGDOptions } from './sgd';

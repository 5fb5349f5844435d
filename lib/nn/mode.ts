import type { Module } from './module';

/**
 * Runs fn with the model in a mode, and sets each module's own back. fn does not wait for anything, so whatever else uses the model
 * meanwhile, another evaluation or a training, never sees a mode that is not its own.
 */
export function inMode<R>(model: Module, mode: 'training' | 'inference', fn: () => R): R {
  const modes = Array.from(model.namedModules(), ([, module]) => [module, module.training] as const);
  try {
    model.train(mode === 'training');
    return fn();
  } finally {
    for (const [module, training] of modes) module.training = training;
  }
}

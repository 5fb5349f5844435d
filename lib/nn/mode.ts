import { Module } from './module';

/**
 * Runs fn with the model in a mode, and sets each module's own back. fn does not wait for anything, so whatever else uses the model
 * meanwhile, another evaluation or a training, never sees a mode that is not its own.
 */
export function inMode<R>(model: Module, mode: 'training' | 'inference', fn: () => R): R {
  const modules = Array.from(model.namedModules(), ([, module]) => module);
  const modes = modules.map(({ training }) => training);
  try {
    if (modes.includes(mode !== 'training') || model.train !== Module.prototype.train) model.train(mode === 'training');
    return fn();
  } finally {
    for (const [i, module] of modules.entries()) module.training = modes[i]!;
  }
}

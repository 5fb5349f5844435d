import { Module } from './module';

/**
 * Runs fn with the model in a mode, and sets each module's own back. What is in inference mode inside a model in training mode stays so while
 * it trains. fn does not wait for anything, so whatever else uses the model meanwhile, another evaluation or a training, never sees a mode
 * that is not its own.
 */
export function inMode<R>(model: Module, mode: 'training' | 'inference', fn: () => R): R {
  const training = mode === 'training';
  const modules = Array.from(model.namedModules(), ([, module]) => module);
  const modes = modules.map((module) => module.training);
  const overriding = modules.filter(({ train }) => train !== Module.prototype.train);
  try {
    if (training && model.training) {
      for (const module of overriding) module.train(module.training);
      for (const [i, module] of modules.entries()) module.training &&= modes[i]!;
    } else if (modes.includes(!training) || overriding.length > 0) {
      model.train(training);
    }
    return fn();
  } finally {
    for (const [i, module] of modules.entries()) module.training = modes[i]!;
  }
}

import { Module } from './module';

/** The model and all modules inside, outermost first. */
export const modulesOf = (model: Module): Module[] => Array.from(model.namedModules(), ([, module]) => module);

/**
 * Runs fn with the model in a mode, and sets each module's own back. What is in inference mode inside a model in training mode stays so while
 * it trains. fn does not wait for anything, so whatever else uses the model meanwhile, another evaluation or a training, never sees a mode
 * that is not its own.
 * @param modules What `modulesOf` gives of the model, for those who know it.
 */
export function inMode<R>(model: Module, mode: 'training' | 'inference', fn: () => R, modules: readonly Module[] = modulesOf(model)): R {
  const training = mode === 'training';
  const modes = modules.map((module) => module.training);
  try {
    if (training && model.training) {
      for (const [i, module] of modules.entries()) if (modes[i] && overrides(module)) module.train(module.training); // as one around it said
      put(
        modules,
        modules.map((module, i) => module.training && modes[i]!),
      );
    } else if (modes.includes(!training) || modules.some(overrides)) {
      model.train(training);
    }
    return fn();
  } finally {
    put(modules, modes);
  }
}

const overrides = (module: Module): boolean => module.train !== Module.prototype.train;

/** Puts each module in its mode. Those that override `train` are told so, the outermost first: they may have more to do. */
function put(modules: readonly Module[], modes: readonly boolean[]): void {
  try {
    for (const [i, module] of modules.entries()) if (module.training !== modes[i] && overrides(module)) module.train(modes[i]);
  } finally {
    for (const [i, module] of modules.entries()) module.training = modes[i]!;
  }
}

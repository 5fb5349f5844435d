import type { Tensor } from '../tensor';
import type { Module } from './module';

/** What is done around each run of a module: `run` is the module's own forward function, and gives what that returns. */
export type Around = (name: string, module: Module, inputs: readonly Tensor[], run: () => Tensor) => Tensor;

/**
 * Runs fn, during which every forward function in the model, its own included, goes through `around`. A module is told of under the name
 * that `namedModules` gives it. Afterwards, whatever happened, the modules are as they were.
 */
export function aroundForward<R>(model: Module, around: Around, fn: () => R): R {
  const shadowed: [module: Module, own: PropertyDescriptor | undefined][] = [];
  try {
    for (const [name, module] of model.namedModules()) {
      const { forward } = module;
      const own = Object.getOwnPropertyDescriptor(module, 'forward');
      const value = (...inputs: Tensor[]) => around(name, module, inputs, () => forward.apply(module, inputs));
      Object.defineProperty(module, 'forward', { value, configurable: true, writable: true, enumerable: false });
      shadowed.push([module, own]);
    }
    return fn();
  } finally {
    for (const [module, own] of shadowed) {
      if (own) Object.defineProperty(module, 'forward', own);
      else Reflect.deleteProperty(module, 'forward');
    }
  }
}

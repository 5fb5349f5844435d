import { noGrad } from '../autograd';
import type { Module } from '../nn/module';
import { checkTensor } from '../op';
import type { Tensor } from '../tensor';
import { checkInput, checkModel, traced } from './layers';

/**
 * What every layer gives for an input, by its dotted name, '' being the model itself; with #2, #3, … behind it where it runs again. In
 * the order in which layers end, in inference mode, without gradients.
 *
 * The tensors are the caller's to dispose of, each by itself; a `tidy` around frees them.
 * @param x [N,…,C]
 * @example
 * for (const [name, y] of inspect.activations(model, x)) console.log(name, y.shape);
 */
export function activations(model: Module, x: Tensor): Map<string, Tensor> {
  checkModel('activations', model);
  checkTensor('activations', 'x', x);
  checkInput('activations', x.shape);
  const outputs = noGrad(() =>
    traced(model, x, false, ({ calls }) =>
      calls.flatMap(({ name, result }): [string, Tensor][] => (result ? [[name, result.view(result.shape)]] : [])),
    ),
  );
  return new Map(outputs);
}

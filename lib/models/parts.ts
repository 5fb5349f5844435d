import { Conv2d, init, Linear, type Module } from '../nn';

// What the networks for images have in common.

/**
 * The initial values torchvision gives its networks: convolutions of variance 2 / fan out, normally (He et al. 2015), and biases of 0; with
 * `linear`, fully connected layers of standard deviation 0.01 too. Other parameters stay as their layers made them.
 */
export function initialise<M extends Module>(model: M, { linear }: { linear: boolean }): M {
  for (const [, module] of model.namedModules()) {
    if (module instanceof Conv2d) init.kaimingNormal(module.weight, { mode: 'out', nonlinearity: 'relu' });
    else if (linear && module instanceof Linear) init.normal(module.weight, 0, 0.01);
    else continue;
    if (module.bias) init.zeros(module.bias);
  }
  return model;
}

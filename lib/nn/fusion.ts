import { relu, relu6 } from '../ops/activation';
import { add } from '../ops/binary';
import { checkSummand, type Finish } from '../ops/rectifier';
import type { Tensor } from '../tensor';
import type { Module } from './module';
import { finish, finishes, rectifier } from './passes';

const rectifiers = { relu, relu6 };

/** What follows a module's last pass, of the operation of this name, where that cannot take it along. */
export function after(operation: string, y: Tensor, { add: summand = null, activation }: Finish): Tensor {
  checkSummand(operation, summand, y.shape);
  const sum = summand ? add(y, summand) : y;
  return activation ? rectifiers[activation](sum) : sum;
}

/**
 * A normalisation, a sum and a rectifier: in one pass over memory where the two modules compute what their classes do, one after the other
 * where a forward was overridden, or is watched by a trace.
 */
export function rectified(norm: Module, activation: Module, x: Tensor, summand: Tensor | null = null): Tensor {
  if (norm[finishes] && activation[rectifier]) return norm[finish](x, { add: summand, activation: activation[rectifier] });
  return activation.forward(plus(norm, x, summand));
}

/** What a module makes of x, and a tensor of that shape, summed in its last pass where it can. */
export function plus(module: Module, x: Tensor, summand: Tensor | null): Tensor {
  if (!summand) return module.forward(x);
  return module[finishes] ? module[finish](x, { add: summand }) : add(module.forward(x), summand);
}

import { noGrad, randn, type Tensor, tensor, tidy } from '../../lib';
import { inner } from './data';

export interface GradcheckOptions {
  /** Relative tolerance. */
  tolerance?: number;
  /** Distance of the two points of a difference from the value between them. */
  step?: number;
  /** Inputs, by their place, whose gradient is known to be 0 everywhere. */
  zero?: readonly number[];
}

/**
 * Holds the gradients of backward() against central differences of the function itself, for every element of every input that requires
 * one; those are float64. Throws where nothing was compared, and where a gradient is 0 throughout and was not said to be.
 */
export function gradcheck(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  { tolerance = 1e-6, step = 1e-5, zero = [] }: GradcheckOptions = {},
): void {
  const direction = tidy(() => {
    const output = fn(...inputs);
    const along = randn(output.shape, { dtype: 'float64' });
    output.backward(along);
    return along;
  });
  const weights = direction.dataSync();
  const project = (at: readonly Tensor[]) => inner(fn(...at).dataSync(), weights);

  let compared = 0;
  inputs.forEach((input, place) => {
    if (!input.requiresGrad) return;
    const values = input.dataSync();
    const analytic = input.grad?.dataSync() ?? new Float64Array(values.length);
    const shifted = (i: number, by: number) => {
      const moved = tensor(values.with(i, values[i] + by), input.shape);
      return noGrad(() => tidy(() => project(inputs.map((other, j) => (j === place ? moved : other)))));
    };
    for (let i = 0; i < values.length; i++) {
      const numeric = (shifted(i, step) - shifted(i, -step)) / (2 * step);
      if (!(Math.abs(analytic[i] - numeric) <= tolerance * Math.max(1, Math.abs(numeric)))) {
        throw new Error(`gradient of input ${place}, element ${i}: backward says ${analytic[i]}, differences say ${numeric}`);
      }
      compared++;
    }
    if (zero.includes(place) === analytic.some((g) => g !== 0)) {
      throw new Error(`the gradient of input ${place} is ${zero.includes(place) ? 'not ' : ''}0 everywhere`);
    }
  });
  if (compared === 0) throw new Error('no element was compared');
}

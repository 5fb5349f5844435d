import { ops, type Tensor, tensor, tidy } from '../../lib';
import { randomNumbers } from './data';

/** max|a - b| / max|b|: how far a is from b; 0 where both are the same throughout, infinities and NaN included. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values beside ${b.length}`);
  let [difference, scale] = [0, Number.MIN_VALUE];
  for (let i = 0; i < b.length; i++) {
    if (Number.isFinite(b[i])) scale = Math.max(scale, Math.abs(b[i]));
    if (Object.is(a[i], b[i]) || a[i] === b[i]) continue;
    if (!Number.isFinite(a[i] - b[i])) return Infinity;
    difference = Math.max(difference, Math.abs(a[i] - b[i]));
  }
  return difference / scale;
}

/** The float32 rounding unit. */
export const unit = 2 ** -24;

/** An incoming gradient from -1 to 1. */
const direction = (size: number): Float32Array => {
  const next = randomNumbers(4);
  return Float32Array.from({ length: size }, () => 2 * next() - 1);
};

/**
 * Runs fn, forward and backward, on float64 inputs and on the same numbers in float32, and returns how far the float32 results are from
 * the float64 ones: [output, gradient of each input that requires one].
 */
export function precision(fn: (...inputs: Tensor[]) => Tensor, inputs: readonly Tensor[]): number[] {
  return tidy(() => {
    const single = inputs.map((x) => (x.dtype === 'float64' ? ops.cast(x, 'float32').detach() : x));
    const double = single.map((x) => (x.dtype === 'float32' ? ops.cast(x, 'float64').detach() : x));
    const [y, reference] = [single, double].map((list) => {
      list.forEach((x, i) => {
        x.requiresGrad = inputs[i].requiresGrad;
      });
      const output = fn(...list);
      if (output.requiresGrad) output.backward(tensor(direction(output.size), output.shape, { dtype: output.dtype }));
      return output;
    });
    const distances = [distance(y.dataSync(), reference.dataSync())];
    single.forEach((x, i) => {
      if (x.grad) distances.push(distance(x.grad.dataSync(), double[i].grad!.dataSync()));
    });
    return distances;
  });
}

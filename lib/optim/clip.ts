import { full } from '../create';
import { rangeError, typeError } from '../errors';
import { native } from '../native';
import { checkTensor } from '../op';
import { cast } from '../ops/cast';
import { sqrt } from '../ops/unary';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';

/** The gradients there are, each once. */
function gradientsOf(operation: string, params: Iterable<Tensor>): Tensor[] {
  if (typeof (params as { [Symbol.iterator]?: unknown } | null)?.[Symbol.iterator] !== 'function') {
    throw typeError(operation, 'params', params, 'a list of tensors, such as model.parameters()');
  }
  const grads: Tensor[] = [];
  for (const [i, parameter] of [...new Set(params)].entries()) {
    checkTensor(operation, `parameter ${i}`, parameter);
    if (!parameter.grad) continue;
    parameter.grad.use(operation, `the gradient of parameter ${i}`);
    grads.push(parameter.grad);
  }
  return grads;
}

function checkMost(operation: string, what: string, most: number): void {
  if (!(typeof most === 'number' && most >= 0)) throw rangeError(operation, what, most, 'a number of at least 0');
}

/**
 * Scales the gradients of parameters, in place, so that their norm, taken over all of them together, is at most maxNorm (Pascanu, Mikolov
 * and Bengio 2013). To be called between `backward()` and `step()`. Nothing waits: the norm is computed and used on the native thread.
 * @param maxNorm At least 0; Infinity only measures.
 * @returns The norm before, a scalar in the type of the first gradient; 0 where there are none.
 * @example
 * const norm = optim.clipGradNorm(model.parameters(), 1);
 */
export function clipGradNorm(params: Iterable<Tensor>, maxNorm: number): Tensor {
  checkMost('clipGradNorm', 'maxNorm', maxNorm);
  const grads = gradientsOf('clipGradNorm', params);
  return tidy(() => {
    const total = full([], 0, { dtype: 'float64' });
    for (const grad of grads) native.ops.squared_norm(grad.id, total.id);
    for (const grad of grads) {
      native.ops.clip_norm(grad.id, total.id, maxNorm);
      grad.written();
    }
    return cast(sqrt(total), grads[0]?.dtype ?? 'float32');
  });
}

/**
 * Brings every element of the gradients of parameters, in place, into [-clipValue, clipValue].
 * @param clipValue At least 0.
 * @example
 * optim.clipGradValue(model.parameters(), 0.5);
 */
export function clipGradValue(params: Iterable<Tensor>, clipValue: number): void {
  checkMost('clipGradValue', 'clipValue', clipValue);
  const [maximum, minimum] = [4, 5]; // of native.ops.binary
  tidy(() => {
    for (const grad of gradientsOf('clipGradValue', params)) {
      const [low, high] = [full([], -clipValue, { dtype: grad.dtype }), full([], clipValue, { dtype: grad.dtype })];
      native.ops.binary(grad.id, low.id, grad.id, maximum);
      native.ops.binary(grad.id, high.id, grad.id, minimum);
      grad.written();
    }
  });
}

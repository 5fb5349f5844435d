import { native } from '../native';
import { apply, commonFloat, type Op } from '../op';
import { Tensor } from '../tensor';

/**
 * An elementwise function that the addon knows by number, with its gradient, which it tells from the function's input or output,
 * whichever its derivative is written in; and what it takes besides x.
 */
function define(name: string, kind: number, derivativeFrom: 'input' | 'output', ...parameters: number[]): (x: Tensor) => Tensor {
  const op: Op<[Tensor], void> = {
    name,
    infer: ([x]) => ({ shape: x.shape, dtype: commonFloat(name, [x]) }),
    forward({ inputs: [x], output, save }) {
      native.ops.unary(x.id, output.id, kind, ...parameters);
      save(derivativeFrom === 'input' ? x : output);
    },
    backward(grad, { saved: [known] }) {
      const dx = Tensor.empty(grad.shape, grad.dtype);
      native.ops.unary_backward(known!.id, grad.id, dx.id, kind, ...parameters);
      return [dx];
    },
  };
  return (x) => apply(op, [x], undefined);
}

/** -x. */
export const neg = define('neg', 0, 'input');
/** |x|; its gradient at 0 is 0. */
export const abs = define('abs', 1, 'input');
/** e to the x. */
export const exp = define('exp', 2, 'output');
/** The natural logarithm; -infinity at 0, NaN below. */
export const log = define('log', 3, 'input');
/** The square root; NaN below 0. */
export const sqrt = define('sqrt', 4, 'output');
/** x². */
export const square = define('square', 5, 'input');
/** max(x, 0), the rectified linear unit; its gradient at 0 is 0. */
export const relu = define('relu', 6, 'output');
/**
 * min(max(x, 0), 6); its gradient at both ends is 0. Howard et al., MobileNets (2017).
 * @example
 * ops.relu6(tensor([-1, 3, 8])); // [0, 3, 6]
 */
export const relu6 = define('relu6', 9, 'output', 0, 6);
/** 1 / (1 + e to the -x). */
export const sigmoid = define('sigmoid', 7, 'output');
/** The hyperbolic tangent. */
export const tanh = define('tanh', 8, 'output');

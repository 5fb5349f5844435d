import { native } from '../native';
import { apply, commonFloat, type Op } from '../op';
import { Tensor } from '../tensor';

/** A function of one tensor, element by element. */
export type Elementwise = (x: Tensor) => Tensor;

/** What kind of function it is, where it is one of these. */
type Traits = Pick<Op<[Tensor], readonly number[]>, 'linear' | 'rectifies' | 'rectifier'>;

/**
 * An elementwise function that the addon knows by number and that takes parameters besides x, with its gradient, which it tells from
 * the function's input or output, whichever its derivative is written in; null where it has none.
 */
export function parametric(
  name: string,
  kind: number,
  derivativeFrom: 'input' | 'output' | null,
  traits: Traits = {},
): (x: Tensor, ...parameters: number[]) => Tensor {
  const op: Op<[Tensor], readonly number[]> = {
    name,
    infer: ([x]) => ({ shape: x.shape, dtype: commonFloat(name, [x]) }),
    forward({ inputs: [x], attrs, output, save }) {
      native.ops.unary(x.id, output.id, kind, ...attrs);
      save(derivativeFrom === 'input' ? x : output);
    },
    backward:
      derivativeFrom === null
        ? undefined
        : (grad, { saved: [known], attrs }) => {
            const dx = Tensor.empty(grad.shape, grad.dtype);
            native.ops.unary_backward(known!.id, grad.id, dx.id, kind, ...attrs);
            return [dx];
          },
    ...traits,
  };
  return (x, ...parameters) => apply(op, [x], parameters);
}

/** The same for a function without parameters, and for one whose parameters are these. */
export function elementwise(
  name: string,
  kind: number,
  derivativeFrom: 'input' | 'output' | null,
  parameters: readonly number[] = [],
  traits: Traits = {},
): Elementwise {
  const run = parametric(name, kind, derivativeFrom, traits);
  return (x) => run(x, ...parameters);
}

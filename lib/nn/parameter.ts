import { isFloat } from '../dtype';
import { dtypeError, typeError } from '../errors';
import { Tensor } from '../tensor';

// What a module owns. Both share the memory of the tensor they are made from, and belong to no `tidy`: the module keeps them.

function check(operation: string, values: unknown): Tensor {
  if (!(values instanceof Tensor)) throw typeError(operation, 'values', values, 'a Tensor');
  values.use(operation, 'values');
  return values;
}

/** A tensor that a module learns: it requires a gradient, and is one of the module's `parameters()` and of its `stateDict()`. */
export class Parameter extends Tensor {
  constructor(values: Tensor) {
    const { shape, dtype } = check('Parameter', values);
    if (!isFloat(dtype)) throw dtypeError('Parameter', `values are ${dtype}, expected float32 or float64`);
    super(shape, dtype, values, false);
    this.requiresGrad = true;
  }
}

/** A tensor that a module keeps but does not learn, such as running statistics: part of its `stateDict()` only. */
export class Buffer extends Tensor {
  constructor(values: Tensor) {
    const { shape, dtype } = check('Buffer', values);
    super(shape, dtype, values, false);
  }
}

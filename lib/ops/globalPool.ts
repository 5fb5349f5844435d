import { checkShapeOf, commonFloat } from '../op';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { adaptiveMaxPool1d, adaptiveMaxPool2d, checkCells } from './adaptivePool';
import { mean } from './reduce';
import { reshape } from './reshape';

// Pools over a whole sequence or image. Their output has no axes to speak of: it is [N,C], ready for a linear layer.

function check(operation: string, x: Tensor, axes: string): void {
  checkShapeOf(operation, 'input', x, axes);
  commonFloat(operation, [x]);
  checkCells(operation, x);
}

/**
 * The mean of each channel over a sequence: x [N,L,C] gives [N,C].
 * @throws RangeError where the input has no cells.
 */
export function globalAvgPool1d(x: Tensor): Tensor {
  check('globalAvgPool1d', x, 'N,L,C');
  return mean(x, { axis: 1 });
}

/**
 * The mean of each channel over an image: x [N,H,W,C] gives [N,C]. Lin, Chen and Yan, Network in network (2014).
 * @throws RangeError where the input has no cells.
 * @example
 * ops.globalAvgPool2d(randn([8, 7, 7, 512])).shape; // [8, 512]
 */
export function globalAvgPool2d(x: Tensor): Tensor {
  check('globalAvgPool2d', x, 'N,H,W,C');
  return mean(x, { axis: [1, 2] });
}

/**
 * The largest value of each channel over a sequence, "max over time": x [N,L,C] gives [N,C]. The gradient goes to the first maximum.
 * Collobert et al., Natural language processing (almost) from scratch (2011).
 * @throws RangeError where the input has no cells.
 * @example
 * ops.globalMaxPool1d(randn([8, 62, 100])).shape; // [8, 100]
 */
export function globalMaxPool1d(x: Tensor): Tensor {
  check('globalMaxPool1d', x, 'N,L,C');
  return tidy(() => reshape(adaptiveMaxPool1d(x, 1), [x.shape[0]!, x.shape[2]!]));
}

/**
 * The largest value of each channel over an image: x [N,H,W,C] gives [N,C]. The gradient goes to the first maximum in row-major order.
 * @throws RangeError where the input has no cells.
 */
export function globalMaxPool2d(x: Tensor): Tensor {
  check('globalMaxPool2d', x, 'N,H,W,C');
  return tidy(() => reshape(adaptiveMaxPool2d(x, 1), [x.shape[0]!, x.shape[3]!]));
}

import { argmax } from '../ops/argmax';
import { equal } from '../ops/binary';
import { cast } from '../ops/cast';
import { mean } from '../ops/reduce';
import type { Tensor } from '../tensor';

/** A number that says how good a model's output is: a scalar, the mean over the batch. */
export type Metric = (output: Tensor, target: Tensor) => Tensor;

/** The share of samples whose largest output is that of their class. output [N,C], labels int32 [N]. */
export const accuracy: Metric = (output, labels) => mean(cast(equal(argmax(output), labels), 'float32'));

import { shapeError } from '../errors';
import { checkTensor } from '../op';
import { argmax } from '../ops/argmax';
import { reshape } from '../ops/reshape';
import { sameShape, showShape } from '../shape';
import type { Tensor } from '../tensor';

/** A classifier's scores a row each [N,C], and the rows' classes int32 [N]: its labels, or where those are probabilities the likeliest. */
export function rowsOf(operation: string, output: Tensor, target: Tensor): { scores: Tensor; labels: Tensor } {
  checkTensor(operation, 'output', output);
  checkTensor(operation, 'labels', target);
  const classes = output.shape.at(-1);
  if (classes === undefined) throw shapeError(operation, 'output is a scalar, expected [...,C]');
  const labels = sameShape(target.shape, output.shape) ? argmax(target) : target;
  if (!sameShape(labels.shape, output.shape.slice(0, -1))) {
    throw shapeError(
      operation,
      `labels have shape ${showShape(target.shape)}, expected one for each row of the output, ${showShape(output.shape)}`,
    );
  }
  return { scores: reshape(output, [labels.size, classes]), labels: reshape(labels, [labels.size]) };
}

import { dtypeError, rangeError, shapeError } from '../errors';
import { native } from '../native';
import { apply, checkShapeOf, checkTensor, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { sameShape, showShape, sizeOf } from '../shape';
import { Tensor } from '../tensor';
import { checkReduction, type Reduction, reductions } from './reduction';

/** Options of `nll`. */
export interface NllOptions {
  /** How much each class counts [C]. Default: all the same. */
  weight?: Tensor | null;
  /** A label whose rows do not count. Default -100. */
  ignoreIndex?: number;
  /** Default 'mean': over the rows that count, by the weights of their classes. */
  reduction?: Reduction;
}

const names: OptionNames<NllOptions> = { weight: true, ignoreIndex: true, reduction: true };

interface Attrs {
  readonly reduction: Reduction;
  readonly ignoreIndex: number;
}

const numbers = ({ reduction, ignoreIndex }: Attrs): number[] => [reductions[reduction], ignoreIndex];

const op: Op<[Tensor, Tensor, Tensor | null], Attrs> = {
  name: 'nll',
  infer([input, labels, weight], { reduction }) {
    const dtype = commonFloat('nll', [input, weight]);
    if (labels.dtype !== 'int32') throw dtypeError('nll', `labels are ${labels.dtype}, expected int32 (see ops.cast)`);
    if (input.rank === 0 || !sameShape(labels.shape, input.shape.slice(0, -1))) {
      throw shapeError(
        'nll',
        `labels have shape ${showShape(labels.shape)}, expected that of the input without its last axis, the classes (input ${showShape(input.shape)})`,
      );
    }
    if (input.shape[input.rank - 1] === 0) throw shapeError('nll', `input ${showShape(input.shape)} has no classes`);
    if (weight) checkShapeOf('nll', 'weight', weight, [input.shape[input.rank - 1]!]);
    return { shape: reduction === 'none' ? labels.shape : [], dtype };
  },
  forward({ inputs: [input, labels, weight], attrs, output, save }) {
    const flat = labels.view([labels.size]);
    const table = input.view([labels.size, input.shape[input.rank - 1]!]);
    const losses = attrs.reduction === 'none' ? output.view(flat.shape) : output;
    native.ops.nll(table.id, flat.id, weight?.id ?? 0, losses.id, ...numbers(attrs));
    save(flat, weight);
  },
  backward(grad, { saved: [labels, weight], shapes: [shape], attrs }) {
    const rows = sizeOf(labels!.shape);
    const dx = Tensor.empty([rows, shape![shape!.length - 1]!], grad.dtype);
    const g = attrs.reduction === 'none' ? grad.view([rows]) : grad;
    native.ops.nll_backward(dx.id, labels!.id, weight?.id ?? 0, g.id, ...numbers(attrs));
    return [dx.view(shape!), null, null];
  },
};

/**
 * The negative log-likelihood of the labels, -input[label], of logarithms of class probabilities: after `ops.logSoftmax` what
 * `crossEntropy` is of logits.
 *
 * input [...,C], labels int32 [...] from 0 to C-1 give a scalar, or [...] with reduction 'none'. No gradient reaches the weights.
 * @throws RangeError where the shapes do not agree. A label out of range is an error when the result is read.
 * @example
 * losses.nll(ops.logSoftmax(model.forward(images)), labels).backward();
 */
export function nll(input: Tensor, labels: Tensor, options: NllOptions = {}): Tensor {
  checkOptions('nll', options, names);
  const { weight = null, ignoreIndex = -100, reduction = 'mean' } = options;
  checkReduction('nll', reduction);
  checkTensor('nll', 'input', input);
  checkTensor('nll', 'labels', labels);
  if ((ignoreIndex | 0) !== ignoreIndex) throw rangeError('nll', 'ignoreIndex', ignoreIndex, 'an int32');
  return apply(op, [input, labels, weight], { reduction, ignoreIndex });
}

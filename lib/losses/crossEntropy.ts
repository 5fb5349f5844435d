import { dtypeError, rangeError, shapeError } from '../errors';
import { native } from '../native';
import { apply, checkShapeOf, checkTensor, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { sameShape, showShape } from '../shape';
import { Tensor } from '../tensor';
import { checkReduction, type Reduction, reductions } from './reduction';

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions {
  /** How much each class counts [C]. Default: all the same. */
  weight?: Tensor | null;
  /** Share of the target spread evenly over all classes, from 0 to 1. Default 0. */
  labelSmoothing?: number;
  /** A label whose rows do not count; of no effect on probabilities. Default -100. */
  ignoreIndex?: number;
  /** Default 'mean': over the rows that count, by the weights of their classes; with probabilities, over all rows. */
  reduction?: Reduction;
}

const names: OptionNames<CrossEntropyOptions> = { weight: true, labelSmoothing: true, ignoreIndex: true, reduction: true };

interface Attrs {
  readonly reduction: Reduction;
  readonly labelSmoothing: number;
  readonly ignoreIndex: number;
}

const numbers = ({ reduction, labelSmoothing, ignoreIndex }: Attrs): number[] => [reductions[reduction], labelSmoothing, ignoreIndex];

const op: Op<[Tensor, Tensor, Tensor | null], Attrs> = {
  name: 'crossEntropy',
  infer([logits, labels, weight], { reduction }) {
    const dtype = commonFloat('crossEntropy', [logits, weight]);
    if (labels.dtype !== 'int32' && labels.dtype !== dtype) {
      throw dtypeError('crossEntropy', `labels are ${labels.dtype}, expected int32, or ${dtype} for probabilities (see ops.cast)`);
    }
    const rows = logits.shape.slice(0, -1);
    if (logits.rank === 0 || !sameShape(labels.shape, labels.dtype === 'int32' ? rows : logits.shape)) {
      const expected =
        labels.dtype === 'int32'
          ? 'that of the logits without their last axis, the classes'
          : `that of the logits for probabilities, or int32 ${showShape(rows)}`;
      throw shapeError(
        'crossEntropy',
        `labels have shape ${showShape(labels.shape)}, expected ${expected} (logits ${showShape(logits.shape)})`,
      );
    }
    if (logits.shape[logits.rank - 1] === 0) throw shapeError('crossEntropy', `logits ${showShape(logits.shape)} have no classes`);
    if (weight) checkShapeOf('crossEntropy', 'weight', weight, [logits.shape[logits.rank - 1]!]);
    return { shape: reduction === 'none' ? rows : [], dtype };
  },
  forward({ inputs: [logits, labels, weight], attrs, output, save }) {
    const classes = logits.shape[logits.rank - 1]!;
    const table = [logits.size / classes, classes];
    const probabilities = Tensor.empty(table, logits.dtype);
    const flat = labels.view(labels.dtype === 'int32' ? [labels.size] : table);
    const losses = attrs.reduction === 'none' ? output.view([output.size]) : output;
    native.ops.cross_entropy(logits.view(table).id, flat.id, weight?.id ?? 0, losses.id, probabilities.id, ...numbers(attrs));
    save(probabilities, flat, ...(weight ? [weight] : []));
  },
  backward(grad, { saved: [probabilities, labels, weight], shapes: [shape], attrs }) {
    const dx = Tensor.empty(probabilities!.shape, grad.dtype);
    const g = attrs.reduction === 'none' ? grad.view([grad.size]) : grad;
    native.ops.cross_entropy_backward(probabilities!.id, labels!.id, weight?.id ?? 0, g.id, dx.id, ...numbers(attrs));
    return [dx.view(shape!), null, null];
  },
};

/**
 * The cross-entropy between softmax(logits) and the labels, -log softmax(logits)[label]: what a classifier is trained to make small.
 * Labels may be probabilities t instead, -Σ t log softmax(logits), as mixup and distillation want. Label smoothing is that of Szegedy et
 * al., Rethinking the Inception architecture (2016).
 *
 * logits [...,C], with labels int32 [...] from 0 to C-1 or probabilities [...,C] of the logits' type, give a scalar, or [...] with
 * reduction 'none'. No gradient reaches the labels or the weights.
 * @throws RangeError where the shapes do not agree. A label out of range is an error when the result is read.
 * @example
 * losses.crossEntropy(model.forward(images), labels).backward();
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  checkOptions('crossEntropy', options, names);
  const { weight = null, labelSmoothing = 0, ignoreIndex = -100, reduction = 'mean' } = options;
  checkReduction('crossEntropy', reduction);
  checkTensor('crossEntropy', 'logits', logits);
  checkTensor('crossEntropy', 'labels', labels);
  if (!Number.isFinite(labelSmoothing) || labelSmoothing < 0 || labelSmoothing > 1)
    throw rangeError('crossEntropy', 'labelSmoothing', labelSmoothing, 'a number from 0 to 1');
  if ((ignoreIndex | 0) !== ignoreIndex) throw rangeError('crossEntropy', 'ignoreIndex', ignoreIndex, 'an int32');
  return apply(op, [logits, labels, weight], { reduction, labelSmoothing, ignoreIndex });
}

import { shapeError, typeError } from '../errors';
import { showShape } from '../shape';
import { Tensor } from '../tensor';

/** Samples and their targets, the first axis counting both. */
export interface Samples {
  readonly x: Tensor;
  readonly y: Tensor;
}

/** Anything that has a number of samples and can make a batch of some of them. */
export interface Dataset {
  readonly length: number;
  /** The length of each sample, where they differ in it. */
  readonly lengths?: ArrayLike<number>;
  /** Names of the classes, where labels are places in this list. */
  readonly classes?: readonly string[];
  /** New tensors of the samples of these indices, in this order. */
  batch(indices: Int32Array): Samples | Promise<Samples>;
}

/** Throws unless a data set gave tensors of as many samples as were asked for; those that it gave are disposed of then. */
export function checkSamples(dataset: Dataset, samples: unknown, size: number): asserts samples is Samples {
  try {
    checkGiven(dataset, samples, size);
  } catch (error) {
    for (const part of Object.values(samples ?? {})) if (part instanceof Tensor) part.dispose();
    throw error;
  }
}

function checkGiven(dataset: Dataset, samples: unknown, size: number): void {
  const name = dataset.constructor?.name;
  const called = `what batch() of ${name && name !== 'Object' ? name : 'the dataset'} gives`;
  if (typeof samples !== 'object' || samples === null) throw typeError('DataLoader', called, samples, '{ x, y }, two Tensors');
  for (const part of ['x', 'y'] as const) {
    const tensor = (samples as Partial<Samples>)[part];
    if (!(tensor instanceof Tensor)) throw typeError('DataLoader', `${part} of ${called}`, tensor, 'a Tensor');
    if (tensor.shape[0] === size) continue;
    throw shapeError(
      'DataLoader',
      `${part} of ${called} has shape ${showShape(tensor.shape)}, expected ${size} rows, the samples asked for`,
    );
  }
}

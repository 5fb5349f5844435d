import { rangeError } from '../errors';
import { Flatten, Linear, ReLU, Sequential } from '../nn';
import { checkOptions, type OptionNames } from '../options';

/** Options of `models.mlp`. */
export interface MlpOptions {
  /** Numbers in one sample; samples of any shape are flattened. */
  inputs: number;
  /** Units of each hidden layer. */
  hidden: readonly number[];
  classes: number;
}

const names: OptionNames<MlpOptions> = { inputs: true, hidden: true, classes: true };

/** A multilayer perceptron: fully connected layers with rectifiers between them. Input [N,…], output [N,classes]. */
export function mlp(options: MlpOptions): Sequential {
  checkOptions('mlp', options, names);
  const { inputs, hidden, classes } = options;
  if (!Array.isArray(hidden)) throw rangeError('mlp', 'hidden', hidden, 'a list of layer sizes');
  const model = new Sequential(new Flatten());
  let features = inputs;
  for (const units of hidden) {
    model.append(new Linear(features, units)).append(new ReLU());
    features = units;
  }
  return model.append(new Linear(features, classes));
}

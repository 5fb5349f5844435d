import { ReceptiveError } from '../errors';
import { readSafetensors, save } from '../formats/safetensors';
import * as models from '../models';
import type { Module } from '../nn';

/** What a model file must say, besides its weights, for a command to rebuild the network and feed it. */
export interface Description {
  /** One of `architectures`. */
  readonly architecture: keyof typeof architectures;
  readonly task: 'mnist';
}

/** The networks the command line can build for 28x28 grey images of ten classes. */
export const architectures = {
  lenet5: () => models.lenet5({ classes: 10 }),
  mlp: () => models.mlp({ inputs: 784, hidden: [256], classes: 10 }),
};

const key = 'receptive';

export async function saveModel(path: string, model: Module, description: Description): Promise<void> {
  await save(path, model, { metadata: { [key]: JSON.stringify(description) } });
}

/** Rebuilds the network a file of `saveModel` describes, with its weights. */
export async function openModel(path: string): Promise<{ model: Module; description: Description }> {
  const { tensors, metadata } = await readSafetensors(path);
  const text = metadata[key];
  if (text === undefined) {
    throw new ReceptiveError(
      'ERR_FILE',
      `${path}: holds tensors but not which network they belong to; was it written by "receptive train"?`,
    );
  }
  const description = parse(path, text);
  const model = architectures[description.architecture]();
  model.loadStateDict(tensors);
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return { model, description };
}

function parse(path: string, text: string): Description {
  let value: Partial<Description>;
  try {
    value = JSON.parse(text) as Partial<Description>;
  } catch (cause) {
    throw new ReceptiveError('ERR_FILE', `${path}: the description of the network is not JSON`, { cause });
  }
  const { architecture, task } = value;
  if (typeof architecture !== 'string' || !Object.hasOwn(architectures, architecture)) {
    const known = Object.keys(architectures).join(', ');
    throw new ReceptiveError('ERR_FILE', `${path}: its network is ${JSON.stringify(architecture)}, this version knows ${known}`);
  }
  if (task !== 'mnist') {
    throw new ReceptiveError('ERR_FILE', `${path}: it was trained for ${JSON.stringify(task)}, this version knows mnist`);
  }
  return value as Description;
}

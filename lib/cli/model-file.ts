import { fileError } from '../formats/file';
import { fill, readSafetensors, save } from '../formats/safetensors';
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
  const file = await readSafetensors(path);
  const description = parse(path, file.metadata[key]);
  const model = architectures[description.architecture]();
  fill(model, path, file);
  return { model, description };
}

function parse(path: string, text: string | undefined): Description {
  if (text === undefined) throw fileError(path, 'holds tensors but not which network they belong to; was it written by "receptive train"?');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fileError(path, 'the description of the network is not JSON', cause);
  }
  const { architecture, task } = (value ?? {}) as Partial<Record<keyof Description, unknown>>;
  if (typeof architecture !== 'string' || !Object.hasOwn(architectures, architecture)) {
    throw fileError(path, `its network is ${JSON.stringify(architecture)}, this version knows ${Object.keys(architectures).join(', ')}`);
  }
  if (task !== 'mnist') throw fileError(path, `it was trained for ${JSON.stringify(task)}, this version knows mnist`);
  return value as Description;
}

import { fileError } from '../formats/file';
import { fill, readSafetensors, save } from '../formats/safetensors';
import * as models from '../models';
import type { Module } from '../nn';
import { tasks } from './tasks';
import type { Description, SavedModel, Task } from './tasks/task';

// A model file is complete: beside the weights, its metadata hold the description, which names the task and the network and carries
// whatever the task needs to feed it.

const key = 'receptive';

/** The network a description names, with fresh weights. */
export function buildModel({ architecture, options }: Description): Module {
  return (models as unknown as Record<string, (options: Description['options']) => Module>)[architecture]!(options);
}

export async function saveModel(path: string, model: Module, description: Description): Promise<void> {
  await save(path, model, { metadata: { [key]: JSON.stringify(description) } });
}

/** Builds the network a file of `saveModel` describes, with its weights, and finds its task. */
export async function openModel(path: string): Promise<{ saved: SavedModel; task: Task }> {
  const file = await readSafetensors(path);
  const description = parse(path, file.metadata[key]);
  let model: Module;
  try {
    model = buildModel(description);
  } catch (cause) {
    throw fileError(path, `its network cannot be built: ${(cause as Error).message}`, cause);
  }
  fill(model, path, file);
  return { saved: { path, model, description }, task: tasks[description.task]! };
}

function parse(path: string, text: string | undefined): Description {
  if (text === undefined) throw fileError(path, 'holds tensors but not which network they belong to; was it written by "receptive train"?');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fileError(path, 'the description of the network is not JSON', cause);
  }
  const { task, architecture, options, labels } = (value ?? {}) as Partial<Record<keyof Description, unknown>>;
  if (typeof task !== 'string' || !Object.hasOwn(tasks, task)) {
    throw fileError(path, `it was trained for ${JSON.stringify(task)}, this version knows ${Object.keys(tasks).join(', ')}`);
  }
  const known: readonly unknown[] = tasks[task]!.architectures;
  if (!known.includes(architecture)) {
    throw fileError(path, `its network is ${JSON.stringify(architecture)}, this version knows ${known.join(', ')} for ${task}`);
  }
  if (typeof options !== 'object' || options === null) throw fileError(path, "the network's options are missing");
  if (!Array.isArray(labels) || !labels.every((label) => typeof label === 'string')) {
    throw fileError(path, 'the names of the classes are missing');
  }
  return value as Description;
}

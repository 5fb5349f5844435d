import { fileError } from '../formats/file';
import { descriptionKey, openDescribed } from '../formats/modelFile';
import { save } from '../formats/safetensors';
import type { Module } from '../nn';
import { tasks } from './tasks';
import type { Description, SavedModel, Task } from './tasks/task';

export async function saveModel(path: string, model: Module, description: Description): Promise<void> {
  await save(path, model, { metadata: { [descriptionKey]: JSON.stringify(description) } });
}

/** Builds the network a file of `saveModel` describes, with its weights, and finds its task. */
export async function openModel(path: string): Promise<{ saved: SavedModel; task: Task }> {
  const { model, description } = await openDescribed<Description>(path, ({ task, architecture }) => {
    if (typeof task !== 'string' || !Object.hasOwn(tasks, task)) {
      throw fileError(path, `it was trained for ${JSON.stringify(task)}, this version knows ${Object.keys(tasks).join(', ')}`);
    }
    const known: readonly unknown[] = tasks[task]!.architectures;
    if (!known.includes(architecture)) {
      throw fileError(path, `its network is ${JSON.stringify(architecture)}, this version knows ${known.join(', ')} for ${task}`);
    }
  });
  return { saved: { path, model, description }, task: tasks[description.task]! };
}

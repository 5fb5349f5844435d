import { Command } from 'commander';
import { rangeError } from '../../errors';
import { fashion } from './fashion';
import { images } from './images';
import { mnist } from './mnist';
import type { Description, Task } from './task';
import { text } from './text';

/** What the command line can learn, by the name `train` takes and model files carry. */
export const tasks: Readonly<Record<string, Task>> = { mnist, fashion, images, text };

/**
 * Adds the options of all tasks to a command that learns from a model file which task it is for.
 * @returns What throws where an option was given that other tasks have and this one has not.
 */
export function addTaskOptions(command: Command, name: 'evaluate' | 'predict'): (description: Description) => void {
  const common = new Set(command.options);
  for (const task of Object.values(tasks)) task.addOptions?.(command, name);
  return ({ task }) => {
    const own = new Command();
    tasks[task]!.addOptions?.(own, name);
    for (const option of command.options) {
      const key = option.attributeName();
      const isGiven = command.getOptionValueSource(key) === 'cli';
      if (!isGiven || common.has(option) || own.options.some(({ long }) => long === option.long)) continue;
      const value = option.negate ? true : command.getOptionValue(key);
      throw rangeError(name, option.long!, value, `left out: the model is for the task ${task}, which has no such option`);
    }
  };
}

import { fashion } from './fashion';
import { images } from './images';
import { mnist } from './mnist';
import type { Task } from './task';
import { text } from './text';

/** What the command line can learn, by the name `train` takes and model files carry. */
export const tasks: Readonly<Record<string, Task>> = { mnist, fashion, images, text };

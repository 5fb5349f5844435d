import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ReceptiveError, rangeError, typeError } from '../errors';
import { asFileError, fileError, jsonOf, makeFolder } from '../formats/file';
import { readSafetensors, writeTensors } from '../formats/safetensors';
import type { StateDict } from '../nn/module';
import { disposeAll } from '../nn/stateDict';
import { checkOptions, type OptionNames } from '../options';

/** Where checkpoints go, how often, and how many are kept. */
export interface CheckpointOptions {
  /** The folder they go to, made where it is missing. It belongs to one training. */
  dir: string;
  /** Steps between two of them, beside the one at the end of each epoch. Default: only those. */
  every?: number;
  /** How many of the newest are kept. Default 3. */
  keep?: number;
}

const names: OptionNames<CheckpointOptions> = { dir: true, every: true, keep: true };

export function checkCheckpointOptions(options: CheckpointOptions): Required<CheckpointOptions> {
  checkOptions('checkpoint', options, names);
  const { dir, every = Infinity, keep = 3 } = options;
  if (typeof dir !== 'string' || dir === '') throw typeError('checkpoint', 'dir', dir, 'the path of a folder');
  if (every !== Infinity && !(Number.isSafeInteger(every) && every >= 1))
    throw rangeError('checkpoint', 'every', every, 'a positive integer');
  if (!Number.isSafeInteger(keep) || keep < 1) throw rangeError('checkpoint', 'keep', keep, 'a positive integer');
  return { dir, every, keep };
}

/** A moment of a training: tensors of the checkpoint's own, and everything else as JSON. */
export interface Checkpoint<Progress> {
  /** Updates made so far, which names the file. */
  readonly updates: number;
  readonly tensors: StateDict;
  readonly progress: Progress;
}

const metadataKey = 'receptive.checkpoint';
const fileName = (updates: number): string => `checkpoint-${String(updates).padStart(9, '0')}.safetensors`;
const whole = /^checkpoint-(\d+)\.safetensors$/;
const unfinished = /^checkpoint-\d+\.safetensors\..+\.tmp$/;

/**
 * The checkpoints of one training in a folder. Each is one safetensors file, renamed into place when all of it is on the disk, so that a
 * crash or a full disk leaves the ones before as they are. One is written at a time, while the training goes on.
 */
export class Checkpoints<Progress> {
  #writing: Promise<void> = Promise.resolve();
  /** Updates of the newest that was begun. */
  #newest = -1;

  private constructor(
    private readonly dir: string,
    private readonly keep: number,
  ) {}

  /** Opens a folder, and removes what a killed process had begun to write there. */
  static async open<Progress>({ dir, keep }: Required<CheckpointOptions>): Promise<Checkpoints<Progress>> {
    try {
      await makeFolder(dir);
      for (const name of await readdir(dir)) if (unfinished.test(name)) await unlink(join(dir, name));
    } catch (cause) {
      throw asFileError(dir, cause);
    }
    return new Checkpoints(dir, keep);
  }

  get newest(): number {
    return this.#newest;
  }

  /** Throws where there are checkpoints: those of a new training would be mixed with them. */
  async checkEmpty(): Promise<void> {
    const [found] = await this.#list();
    if (!found) return;
    throw fileError(
      this.dir,
      `holds checkpoints of an earlier training, such as ${found.name}: go on with it by resume, or use another folder`,
    );
  }

  /** What was saved last, or null where nothing was. One that cannot be read, which no write here leaves, is passed over with a warning. */
  async read(): Promise<(Checkpoint<Progress> & { path: string }) | null> {
    const found = await this.#list();
    const faults: string[] = [];
    for (const { name, updates } of found) {
      const path = join(this.dir, name);
      try {
        const { tensors, metadata } = await readSafetensors(path);
        try {
          const progress = parse<Progress>(path, metadata[metadataKey]);
          this.#newest = updates;
          return { path, updates, tensors, progress };
        } catch (error) {
          disposeAll(tensors);
          throw error;
        }
      } catch (error) {
        if (!(error instanceof ReceptiveError && error.code === 'ERR_FILE')) throw error;
        faults.push(error.message);
        process.emitWarning(`${error.message}; going on from an older checkpoint, if there is one`, { code: 'RECEPTIVE_CHECKPOINT' });
      }
    }
    if (faults.length > 0) throw fileError(this.dir, `none of ${faults.length} checkpoints can be read: ${faults.join('; ')}`);
    return null;
  }

  /** Begins to write a checkpoint when the one before it has been, and frees its tensors in the end. */
  async write({ updates, tensors, progress }: Checkpoint<Progress>): Promise<void> {
    try {
      await this.#writing;
    } catch (error) {
      disposeAll(tensors);
      throw error;
    }
    this.#newest = updates;
    this.#writing = this.#replace(updates, tensors, { [metadataKey]: JSON.stringify(progress) }).finally(() => disposeAll(tensors));
    this.#writing.catch(() => {}); // reported where it is awaited
  }

  /** Resolves when nothing is being written. */
  settled(): Promise<void> {
    return this.#writing;
  }

  async #replace(updates: number, tensors: StateDict, metadata: Readonly<Record<string, string>>): Promise<void> {
    await writeTensors(join(this.dir, fileName(updates)), tensors, metadata);
    const old = (await this.#list()).filter((other) => other.updates <= updates).slice(this.keep);
    for (const { name } of old) {
      await unlink(join(this.dir, name)).catch((cause) => {
        throw asFileError(join(this.dir, name), cause);
      });
    }
  }

  /** Newest first. */
  async #list(): Promise<{ name: string; updates: number }[]> {
    const files = await readdir(this.dir).catch((cause) => {
      throw asFileError(this.dir, cause);
    });
    const found = files.flatMap((name) => {
      const [, digits] = whole.exec(name) ?? [];
      return digits ? [{ name, updates: Number(digits) }] : [];
    });
    return found.sort((a, b) => b.updates - a.updates);
  }
}

function parse<Progress>(path: string, text: string | undefined): Progress {
  const value = jsonOf(path, text, 'holds tensors, but is no checkpoint', "the training's progress is not JSON");
  if ((value as { version?: unknown } | null)?.version !== 1) throw fileError(path, 'is a checkpoint of another version of this package');
  return value as Progress;
}

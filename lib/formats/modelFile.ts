import type { Normalization, ReadImageOptions } from '../data';
import { Tokenizer } from '../data/tokenizer';
import type { Dtype } from '../dtype';
import { typeError } from '../errors';
import * as models from '../models';
import type { Module } from '../nn';
import { disposeAll } from '../nn/stateDict';
import { fileError, jsonOf } from './file';
import { fill, readSafetensors } from './safetensors';

// A model file is complete: beside the weights, its metadata hold a description, which names the network and says how it is fed.

/** The name of the description among a file's metadata. */
export const descriptionKey = 'receptive';

/** What a model file says besides its weights: how to build the network again, and what it was trained for. */
export interface Description {
  /** What `receptive train` learns, such as 'images'. */
  readonly task: string;
  /** A function of `models`, and the options it was called with. */
  readonly architecture: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** The names of the classes, in the order of the network's outputs. */
  readonly labels: readonly string[];
}

/** A network of a model file, and what the file says of it: what `loadModel` gives. */
export interface LoadedModel extends Description {
  /**
   * With the file's weights, in inference mode, which `Trainer` leaves to modules inside of another one: call `model.train()` first where it
   * becomes part of a network and is to learn there.
   */
  readonly model: Module;
  /** What it takes, as `compile` wants it: [N,H,W,C] of images, [N,L] of texts. Undefined where the file does not say. */
  readonly input: { readonly shape: readonly (number | string)[]; readonly dtype: Dtype } | undefined;
  /** How image files become its input, for `data.readImages` and `serve`: size, channels, normalisation. Undefined of other networks. */
  readonly images: (ReadImageOptions & { readonly normalization: Normalization }) | undefined;
  /** What makes numbers of texts. Undefined of other networks. */
  readonly tokenizer: Tokenizer | undefined;
  /** All of the file's metadata. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The network a description names, with fresh weights. */
export function buildModel({ architecture, options }: Pick<Description, 'architecture' | 'options'>): Module {
  return (models as unknown as Record<string, (options: Description['options']) => Module>)[architecture]!(options);
}

/** What a file says and holds. `check` sees the description before the network is looked for. */
export async function openDescribed<D extends Description>(
  path: string,
  check: (description: Partial<D>) => void = () => {},
): Promise<{ model: Module; description: D; metadata: Readonly<Record<string, string>> }> {
  const file = await readSafetensors(path);
  let model: Module | undefined;
  try {
    const description = parsed<D>(path, file.metadata[descriptionKey], check);
    try {
      model = buildModel(description);
    } catch (cause) {
      throw fileError(path, `its network cannot be built: ${(cause as Error).message}`, cause);
    }
    fill(model, path, file);
    return { model, description, metadata: file.metadata };
  } catch (error) {
    model?.dispose();
    disposeAll(file.tensors);
    throw error;
  }
}

function parsed<D extends Description>(path: string, text: string | undefined, check: (description: Partial<D>) => void): D {
  const missing = 'holds tensors but not which network they belong to; was it written by "receptive train"?';
  const value = jsonOf(path, text, missing, 'the description of the network is not JSON');
  const description = (typeof value === 'object' && value !== null ? value : {}) as Partial<D>;
  check(description);
  const { architecture, options, labels } = description;
  if (typeof architecture !== 'string' || !Object.hasOwn(models, architecture)) {
    throw fileError(path, `its network is ${JSON.stringify(architecture)}, expected a function of models`);
  }
  if (typeof options !== 'object' || options === null) throw fileError(path, "the network's options are missing");
  if (!Array.isArray(labels) || !labels.every((label) => typeof label === 'string')) {
    throw fileError(path, 'the names of the classes are missing');
  }
  return description as D;
}

/** One image as a network takes it, [H,W,C]; a side that is one number is both height and width. */
export const imageShape = ({ size, channels = 3 }: ReadImageOptions): number[] => [
  ...(typeof size === 'number' ? [size, size] : size),
  channels,
];

/** The tokenizer that a file holds. */
export function tokenizerOf(path: string, state: unknown): Tokenizer {
  try {
    return Tokenizer.fromJSON(state as Parameters<typeof Tokenizer.fromJSON>[0]);
  } catch (cause) {
    throw fileError(path, `its tokenizer cannot be used: ${(cause as Error).message}`, cause);
  }
}

/** How a file says that its images are read. */
export function imagesOf(path: string, images: unknown): NonNullable<LoadedModel['images']> {
  const format = images as Partial<NonNullable<LoadedModel['images']>> | null | undefined;
  if (typeof format?.normalization !== 'object' || format.normalization === null || format.size === undefined) {
    throw fileError(path, 'does not say how its images are read');
  }
  return format as NonNullable<LoadedModel['images']>;
}

/**
 * Opens a file that `receptive train` saved: the network it names, with its weights, and what is needed to feed it and to read what it
 * gives. A file of `save` opens so too where its metadata have a description, JSON under the name `receptive`: `{ task, architecture,
 * options, labels }`, and `images` or `tokenizer`.
 * @throws ReceptiveError (ERR_FILE) where the file is damaged, or does not say which network it holds.
 * @example
 * const { model, input, labels, images } = await loadModel('models/pets.safetensors');
 * const session = await compile(model, { input, owned: true });
 * if (images) {
 *   const { output } = await session.run({ input: await data.readImages(['tom.jpg'], images) });
 *   console.log(labels[(await ops.argmax(output).data())[0]]);
 * }
 */
export async function loadModel(path: string): Promise<LoadedModel> {
  if (typeof path !== 'string') throw typeError('loadModel', 'path', path, 'a string');
  const { model, description, metadata } = await openDescribed<Description & { images?: unknown; tokenizer?: unknown }>(path);
  try {
    const { task, architecture, options, labels } = description;
    const images = description.images === undefined ? undefined : imagesOf(path, description.images);
    const tokenizer = description.tokenizer === undefined ? undefined : tokenizerOf(path, description.tokenizer);
    model.eval();
    return { model, task, architecture, options, labels, input: inputOf({ architecture, images, tokenizer }), images, tokenizer, metadata };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** What a network for images or texts takes, any number of them: the input of `compile`. */
export function inputOf({
  architecture,
  images,
  tokenizer,
}: Pick<LoadedModel, 'architecture'> & Partial<LoadedModel>): LoadedModel['input'] {
  if (images) return { shape: ['N', ...imageShape(images)], dtype: 'float32' };
  // Texts are padded to one of a few lengths; what stands behind one makes no difference to textCnn, and charCnn has one length.
  return tokenizer && { shape: ['N', architecture === 'charCnn' ? tokenizer.maxLength! : 'L'], dtype: 'int32' };
}

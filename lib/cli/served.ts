import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import type { Normalization } from '../data';
import { rangeError } from '../errors';
import { asFileError } from '../formats/file';
import { loadOnnx } from '../formats/onnx';
import { compile } from '../graph';
import type { Served } from '../serve';
import { openModel } from './model-file';

/** What the command line says of an ONNX file, which says it not itself. */
export interface OnnxOptions {
  labels?: string;
  layout?: 'nchw' | 'nhwc';
  images: boolean;
  mean?: number[];
  std?: number[];
  scores?: 'logits' | 'probabilities';
  dynamicBatch?: boolean;
}

/** A model file as something to serve: one that `receptive train` saved, which says all about itself, or an ONNX file. */
export async function openServed(command: 'serve' | 'bench', path: string, options: OnnxOptions): Promise<Served> {
  if (extname(path).toLowerCase() === '.onnx') return openOnnx(path, options);
  const { labels, layout, images, mean, std, scores, dynamicBatch } = options;
  const given = { labels, layout, images: images || undefined, mean, std, scores, 'dynamic-batch': dynamicBatch || undefined };
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) throw rangeError(command, `--${name}`, value, 'left out: a file that "receptive train" saved says it itself');
  }
  const { saved, task } = await openModel(path);
  try {
    const { images: format, tokenizer, ...how } = task.serving(saved);
    const session = await compile(saved.model, { ...how, owned: true });
    return { session, name: basename(path), labels: saved.description.labels, images: format, tokenizer };
  } catch (error) {
    saved.model.dispose();
    throw error;
  }
}

async function openOnnx(path: string, options: OnnxOptions): Promise<Served> {
  const { labels: file, layout, images, mean, std, scores, dynamicBatch } = options;
  if (!images && (mean || std)) throw rangeError('serve', '--mean and --std', mean ?? std, 'left out, since there is no --images');
  if (images && layout === 'nchw') throw rangeError('serve', '--layout', layout, 'nhwc, or left out, beside --images');
  const labels = file === undefined ? undefined : await readLabels(file);
  const session = await loadOnnx(path, { layout: layout ?? (images ? 'nhwc' : 'nchw'), dynamicBatch });
  try {
    return { session, name: basename(path), labels, scores, images: images ? imagesOf(session.inputs[0]!.shape, mean, std) : undefined };
  } catch (error) {
    session.dispose();
    throw error;
  }
}

function imagesOf([, height, width, channels]: readonly (number | string)[], mean?: number[], std?: number[]): Served['images'] {
  const known = [height, width, channels].every((n) => typeof n === 'number' && n > 0);
  if (!known || !(channels === 1 || channels === 3)) {
    throw rangeError('serve', '--images', [height, width, channels], 'a model for grey or colour images of one size');
  }
  const normalization = mean || std ? { mean: mean ?? 0, std: std ?? 1 } : undefined;
  return { size: [height as number, width as number], channels, normalization: normalization as Normalization | undefined };
}

/** The lines of a file. */
async function readLabels(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw asFileError(path, cause);
  });
  return text.trimEnd().split(/\r?\n/);
}

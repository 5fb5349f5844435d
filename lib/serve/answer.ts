import type { TypedArray } from '../dtype';
import { nest } from '../tensor';
import type { HostArray } from './feeds';
import { shapeHeader } from './inputs';
import type { Model } from './model';
import { Problem } from './problem';

/** What is sent back. */
export interface Answer {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** As many classes as an answer names where it is not asked for another number. */
const usualTop = 10;

/**
 * Outputs as an answer: raw numbers where the request accepts those only; of a model with labels its predictions; else all outputs.
 * @param top How many classes of each prediction, the most likely first.
 */
export function answerOf(
  model: Model,
  outputs: Readonly<Record<string, HostArray>>,
  { raw, top }: { raw: boolean; top: string | null },
): Answer {
  const [name] = model.session.outputs.map((output) => output.name) as [string, ...string[]];
  const { data, shape } = outputs[name]!;
  if (raw) {
    const { dtype } = model.session.outputs[0]!;
    const headers = { 'Content-Type': 'application/octet-stream', [shapeHeader]: shape.join(','), 'x-tensor-dtype': dtype };
    return { headers, body: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  }
  const { labels } = model;
  const content = labels
    ? { predictions: predictionsOf(model, labels, data, topOf(top, labels.length)) }
    : { outputs: Object.fromEntries(Object.entries(outputs).map(([key, one]) => [key, nest(one.data, one.shape)])) };
  return { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(content) };
}

function topOf(text: string | null, classes: number): number {
  if (text === null) return Math.min(usualTop, classes);
  const top = Number(text);
  if (!(Number.isInteger(top) && top >= 1)) throw new Problem(400, 'ERR_INVALID_VALUE', 'top is no positive integer');
  return Math.min(top, classes);
}

interface Prediction {
  readonly predicted: string;
  /** The most likely first. No object by label: that would put labels that are numbers in their order, and lose those that are there twice. */
  readonly probabilities: readonly { readonly label: string; readonly probability: number }[];
}

function predictionsOf({ scores }: Model, labels: readonly string[], data: TypedArray, top: number): Prediction[] {
  const classes = labels.length;
  return Array.from({ length: data.length / classes }, (_, row) => {
    const own = data.subarray(row * classes, (row + 1) * classes);
    const shares = scores === 'probabilities' ? [...own] : softmax(own);
    const order = shares.map((_share, k) => k).sort((a, b) => shares[b]! - shares[a]!);
    const probabilities = order.slice(0, top).map((k) => ({ label: labels[k]!, probability: shares[k]! }));
    return { predicted: labels[order[0]!]!, probabilities };
  });
}

function softmax(logits: TypedArray): number[] {
  const values = Array.from(logits);
  const largest = values.reduce((most, v) => Math.max(most, v), -Infinity);
  const powers = values.map((v) => Math.exp(v - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((v) => v / sum);
}

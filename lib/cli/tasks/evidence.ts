import type { FilterResponse, TextCnn } from '../../models';
import type { Tensor } from '../../tensor';

/** A run of words, or of characters, that a filter found, and what it adds to the score of a class. */
export interface Evidence {
  readonly ngram: string;
  /** The first of its tokens, counted from 0. */
  readonly start: number;
  readonly width: number;
  readonly filter: number;
  readonly activation: number;
  /** Of the filter, towards the class. */
  readonly weight: number;
  /** activation · weight. */
  readonly adds: number;
}

/** What speaks for a class in one text: the filters that add most to its score. */
export async function findEvidence(
  model: TextCnn,
  x: Tensor,
  { tokens, separator, classIndex, most }: { tokens: readonly string[]; separator: string; classIndex: number; most: number },
): Promise<Evidence[]> {
  const [responses] = await model.explain(x);
  const toEvidence = ({ width, filter, start, activation, weights }: FilterResponse): Evidence => {
    const weight = weights[classIndex]!;
    return {
      ngram: tokens.slice(start, start + width).join(separator),
      start,
      width,
      filter,
      activation,
      weight,
      adds: activation * weight,
    };
  };
  return responses!
    .map(toEvidence)
    .filter(({ adds }) => adds > 0)
    .sort((a, b) => b.adds - a.adds)
    .slice(0, most);
}

/** A table for people. */
export function drawEvidence(evidence: readonly Evidence[]): string[] {
  const quoted = evidence.map(({ ngram }) => JSON.stringify(ngram));
  const widest = Math.max(0, ...quoted.map(({ length }) => length));
  return evidence.map(({ width, filter, activation, weight, adds }, i) => {
    const name = `filter ${filter} of width ${width}`.padEnd('filter 000 of width 0'.length);
    return `    ${quoted[i]!.padEnd(widest)}  ${name}  ${activation.toFixed(2)} · ${weight.toFixed(3)} = +${adds.toFixed(3)}`;
  });
}

import { zeros } from '../create';
import { copyBlock } from '../ops/block';
import { type EmbeddingOptions, embedding, embeddingOptionNames, paddingRow } from '../ops/embedding';
import { checkOptions } from '../options';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import * as init from './init';
import { call, count } from './layer';
import { Module } from './module';
import { Parameter } from './parameter';

export type { EmbeddingOptions };

/**
 * A learned table of vectors, looked up by number: input int32 of any shape, output [...,embeddingDim]. See `ops.embedding`.
 *
 * `weight` [numEmbeddings,embeddingDim] starts as normal samples of standard deviation 1, as PyTorch's does. The row of `paddingIdx`
 * starts as zeros and gets no gradient.
 *
 * ```ts
 * const words = new nn.Embedding(10_000, 128, { paddingIdx: 0 });
 * words.forward(tensor(Int32Array.of(17, 4, 0, 0), [1, 4])).shape; // [1, 4, 128]
 * ```
 */
export class Embedding extends Module {
  readonly weight: Parameter;
  /** The row that stands for padding; null for none. */
  readonly paddingIdx: number | null;

  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    options: EmbeddingOptions = {},
  ) {
    super();
    checkOptions('Embedding', options, embeddingOptionNames);
    count('Embedding', 'numEmbeddings', numEmbeddings);
    count('Embedding', 'embeddingDim', embeddingDim);
    const padding = paddingRow('Embedding', options.paddingIdx, numEmbeddings);
    this.paddingIdx = padding;
    this.weight = tidy(() => {
      const table = init.normal(zeros([numEmbeddings, embeddingDim]));
      if (padding !== null) copyBlock([1, embeddingDim], zeros([1, embeddingDim]), [0, 0], table, [padding, 0]);
      return new Parameter(table);
    });
  }

  forward(index: Tensor): Tensor {
    return embedding(index, this.weight, { paddingIdx: this.paddingIdx });
  }

  protected override describe(): string {
    return call([this.numEmbeddings, this.embeddingDim], { paddingIdx: this.paddingIdx ?? undefined });
  }
}

import { noGrad } from '../autograd';
import { uniform, zeros } from '../create';
import { typeError } from '../errors';
import { Conv1d, Dropout, Embedding, Linear, Module } from '../nn';
import { count } from '../nn/layer';
import { checkShapeOf } from '../op';
import { add, argmax, cast, concat, equal, globalMaxPool1d, mul, pad, relu, reshape, slice, stack } from '../ops';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';

/** Options of `models.textCnn`. */
export interface TextCnnOptions {
  /** How many numbers tokens may have, padding (0) included: a tokenizer's `size`. */
  vocabulary: number;
  classes: number;
  /** Numbers that represent a token. Default 128. */
  embeddingDim?: number;
  /** How many tokens filters see at a time. Default [3, 4, 5]. */
  widths?: readonly number[];
  /** Filters of each width. Default 100. */
  filters?: number;
  /** Share of the features that are dropped in training. Default 0.5. */
  dropout?: number;
}

const names: OptionNames<TextCnnOptions> = {
  vocabulary: true,
  classes: true,
  embeddingDim: true,
  widths: true,
  filters: true,
  dropout: true,
};

/** What one filter found in a text. */
export interface FilterResponse {
  /** How many tokens the filter sees. */
  readonly width: number;
  /** Its place among the filters of that width. */
  readonly filter: number;
  /** The first token of the window it answers to most. */
  readonly start: number;
  /** Its answer, at least 0. */
  readonly activation: number;
  /** What an activation of 1 adds to the score of each class. */
  readonly weights: Float32Array;
}

/** Added to a filter's answer to padding, so that it is never the largest. */
const never = -1e30;

/** The network that `textCnn` makes. */
export class TextCnn extends Module {
  readonly embedding: Embedding;
  readonly convolutions: readonly Conv1d[];
  readonly dropout: Dropout;
  readonly head: Linear;

  constructor(options: TextCnnOptions) {
    super();
    checkOptions('textCnn', options, names);
    const { vocabulary, classes, embeddingDim = 128, widths = [3, 4, 5], filters = 100, dropout = 0.5 } = options;
    if (!Array.isArray(widths) || widths.length === 0) throw typeError('textCnn', 'widths', widths, 'a list of numbers of tokens');
    for (const width of widths) count('textCnn', 'a width', width);
    for (const [name, value] of Object.entries({ vocabulary, classes, embeddingDim, filters })) count('textCnn', name, value);
    this.embedding = new Embedding(vocabulary, embeddingDim, { paddingIdx: 0 });
    tidy(() => this.embedding.weight.assign(concat([zeros([1, embeddingDim]), uniform([vocabulary - 1, embeddingDim], -0.25, 0.25)])));
    this.convolutions = widths.map((width) => new Conv1d(embeddingDim, filters, width));
    this.dropout = new Dropout(dropout);
    this.head = new Linear(filters * widths.length, classes);
  }

  forward(x: Tensor): Tensor {
    // The rectifier comes after the maximum, which it commutes with: it then has one number a filter to work on.
    const features = this.#answers(x).map((answers) => relu(globalMaxPool1d(answers)));
    return this.head.forward(this.dropout.forward(concat(features, -1)));
  }

  /**
   * Which windows of each text the filters answer to most, and what that does to the classes: the reason for a prediction. The score of
   * class c is the head's bias plus the sum of activation · weights[c] over all filters.
   * @param x int32 [N,L], as for `forward`.
   * @returns For each text the filters, in the order of the features.
   */
  async explain(x: Tensor): Promise<FilterResponse[][]> {
    const { starts, activations } = noGrad(() =>
      tidy(() => {
        const answers = this.#answers(x);
        return {
          starts: stack(
            answers.map((answer) => argmax(answer, 1)),
            1,
          ),
          activations: stack(
            answers.map((answer) => relu(globalMaxPool1d(answer))),
            1,
          ),
        };
      }),
    );
    const [start, activation, head] = await Promise.all([starts.data(), activations.data(), this.head.weight.data()]);
    starts.dispose();
    activations.dispose();
    const { inFeatures, outFeatures } = this.head;
    const filters = this.convolutions.flatMap(({ kernelSize, outChannels }) =>
      Array.from({ length: outChannels }, (_, filter) => ({ width: kernelSize, filter })),
    );
    const weights = filters.map((_, i) => Float32Array.from({ length: outFeatures }, (_, c) => head[c * inFeatures + i]!));
    return Array.from({ length: x.shape[0]! }, (_, n) =>
      filters.map((filter, i) => {
        const at = n * inFeatures + i;
        return { ...filter, start: start[at]!, activation: activation[at]!, weights: weights[i]! };
      }),
    );
  }

  /** For each width what its filters answer to each window, [N,L-width+1,filters], and `never` where the window reaches into padding. */
  #answers(x: Tensor): Tensor[] {
    checkShapeOf('textCnn', 'input', x, 'N,L');
    const missing = Math.max(...this.convolutions.map(({ kernelSize }) => kernelSize)) - x.shape[1]!;
    const tokens =
      missing > 0
        ? pad(x, [
            [0, 0],
            [0, missing],
          ])
        : x;
    const embedded = this.embedding.forward(tokens);
    const isPadding = equal(tokens, 0);
    return this.convolutions.map((convolution) => {
      const answers = convolution.forward(embedded);
      // A window ends in padding where its last token is some; the first window counts in any case, for texts shorter than it.
      const excluded = pad(slice(isPadding, [0, convolution.kernelSize]), [
        [0, 0],
        [1, 0],
      ]);
      return add(answers, reshape(mul(cast(excluded, answers.dtype), never), [...excluded.shape, 1]));
    });
  }
}

/**
 * The convolutional network for sentences of Kim (2014): tokens become learned vectors, filters of several widths slide over them, the
 * largest answer of each filter, rectified, is a feature, and a linear layer with dropout before it scores the classes.
 *
 * Input int32 [N,L], numbers of tokens with padding, 0, behind the shorter texts; output [N,classes]. What a text gets does not depend on
 * how much padding it has: windows that reach into padding do not count, but for a text shorter than a filter, which that filter sees
 * once, with zero vectors for what is missing. Embeddings start evenly spread over ±0.25, as Kim's of unknown words.
 *
 * ```ts
 * const model = models.textCnn({ vocabulary: tokenizer.size, classes: 2 });
 * model.forward(tokenizer.batch(['a fine film', 'not for me'])).shape; // [2, 2]
 * ```
 * @throws RangeError where an option is no positive integer.
 */
export function textCnn(options: TextCnnOptions): TextCnn {
  return new TextCnn(options);
}

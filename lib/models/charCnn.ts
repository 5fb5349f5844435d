import { tensor } from '../create';
import { rangeError } from '../errors';
import { Buffer, Conv1d, Dropout, Embedding, Flatten, init, Linear, MaxPool1d, Module, ReLU, Sequential } from '../nn';
import { count } from '../nn/layer';
import { checkShapeOf } from '../op';
import { gather, pad, slice } from '../ops';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';

/** Options of `models.charCnn`. */
export interface CharCnnOptions {
  /** How many numbers characters may have, padding (0) and unknown ones (1) included: a tokenizer's `size`. */
  vocabulary: number;
  classes: number;
  /** Characters of a text that are read, at least 123; the rest is left out. Default 1014. */
  length?: number;
  /** Channels of each of the six convolutions. Default 256, the paper's small network; its large one has 1024. */
  features?: number;
  /** Units of each of the two hidden layers. Default 1024; the large one has 2048. */
  hidden?: number;
  /** Share of the hidden units that are dropped in training. Default 0.5. */
  dropout?: number;
  /** Learned numbers that represent a character, for large vocabularies. Default null: a one-hot vector, as in the paper. */
  embeddingDim?: number | null;
}

const names: OptionNames<CharCnnOptions> = {
  vocabulary: true,
  classes: true,
  length: true,
  features: true,
  hidden: true,
  dropout: true,
  embeddingDim: true,
};

/** Of each convolution the characters it sees, and of the pool behind it, where there is one. */
const layers = [
  { kernel: 7, pool: 3 },
  { kernel: 7, pool: 3 },
  { kernel: 3 },
  { kernel: 3 },
  { kernel: 3 },
  { kernel: 3, pool: 3 },
] as const;

/** How long the features of a text of this length are. */
const outputLength = (length: number): number =>
  layers.reduce((at, layer) => Math.floor((at - layer.kernel + 1) / ('pool' in layer ? layer.pool : 1)), length);

/** Cuts and fills a text to one length. */
class Length extends Module {
  constructor(readonly length: number) {
    super();
  }

  forward(x: Tensor): Tensor {
    checkShapeOf('charCnn', 'input', x, 'N,L');
    const missing = this.length - x.shape[1]!;
    return missing > 0
      ? pad(x, [
          [0, 0],
          [0, missing],
        ])
      : slice(x, [0, 0], [x.shape[0]!, this.length]);
  }

  protected override describe(): string {
    return String(this.length);
  }
}

/** A one-hot vector for each number, zeros for padding and unknown characters. */
class OneHot extends Module {
  readonly table: Buffer;

  constructor(readonly vocabulary: number) {
    super();
    const channels = vocabulary - 2;
    const rows = new Float32Array(vocabulary * channels);
    for (let i = 0; i < channels; i++) rows[(i + 2) * channels + i] = 1;
    this.table = tidy(() => new Buffer(tensor(rows, [vocabulary, channels])));
  }

  forward(x: Tensor): Tensor {
    return gather(this.table, x);
  }

  protected override describe(): string {
    return String(this.vocabulary);
  }
}

/**
 * The convolutional network over characters of Zhang, Zhao and LeCun (2015), by default their small one: six convolutions, of 7, 7, 3, 3, 3
 * and 3 characters, with pools of 3 behind the first two and the last, and two hidden layers with dropout.
 *
 * Input int32 [N,L], numbers of characters, in reading order; output [N,classes]. Every text is cut or padded with zero vectors to
 * `length`, so that how much padding it comes with makes no difference. Weights start of variance 2 / fan in (He et al. 2015), which for
 * most of the small network's layers is about the paper's 0.05², and holds for any number of features.
 *
 * ```ts
 * const tokenizer = await data.Tokenizer.fit(train.texts, { tokens: 'characters', maxSize: 70, maxLength: 1014 });
 * const model = models.charCnn({ vocabulary: tokenizer.size, classes: 4 });
 * ```
 * @throws RangeError where an option is no positive integer, or length below 123.
 */
export function charCnn(options: CharCnnOptions): Sequential {
  checkOptions('charCnn', options, names);
  const { vocabulary, classes, length = 1014, features = 256, hidden = 1024, dropout = 0.5, embeddingDim = null } = options;
  for (const [name, value] of Object.entries({ classes, features, hidden })) count('charCnn', name, value);
  if (!Number.isSafeInteger(vocabulary) || vocabulary < 3) {
    throw rangeError('charCnn', 'vocabulary', vocabulary, 'an integer of at least 3: padding, unknown, and some character');
  }
  if (!Number.isSafeInteger(length) || outputLength(length) < 1)
    throw rangeError('charCnn', 'length', length, 'an integer of at least 123');
  const model = new Sequential(
    new Length(length),
    embeddingDim === null
      ? new OneHot(vocabulary)
      : new Embedding(vocabulary, count('charCnn', 'embeddingDim', embeddingDim), { paddingIdx: 0 }),
  );
  let channels = embeddingDim ?? vocabulary - 2;
  for (const layer of layers) {
    model.append(new Conv1d(channels, features, layer.kernel)).append(new ReLU());
    if ('pool' in layer) model.append(new MaxPool1d(layer.pool));
    channels = features;
  }
  model.append(new Flatten());
  let units = outputLength(length) * features;
  for (let i = 0; i < 2; i++) {
    model.append(new Linear(units, hidden)).append(new ReLU()).append(new Dropout(dropout));
    units = hidden;
  }
  model.append(new Linear(units, classes));
  for (const layer of model) if (layer instanceof Conv1d || layer instanceof Linear) init.kaimingNormal(layer.weight);
  return model;
}

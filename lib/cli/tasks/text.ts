import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { noGrad } from '../../autograd';
import * as data from '../../data';
import { rangeError } from '../../errors';
import { fileError } from '../../formats/file';
import { inputOf, tokenizerOf } from '../../formats/modelFile';
import { TextCnn } from '../../models/textCnn';
import { softmax } from '../../ops';
import { tidy } from '../../tidy';
import { fraction, oneOf, positiveInteger, positiveIntegers, wholeNumber } from '../arguments';
import { bar, emphasis, type Output, percent } from '../output';
import { drawEvidence, type Evidence, findEvidence } from './evidence';
import { addPartOptions, type DividedDescription, divideData, heldOutOf, type PartOptions } from './parts';
import type { EvaluateOptions, Part, PredictOptions, SavedModel, Task, TrainOptions } from './task';
import { addSourceOptions, readTexts, type SourceOptions, sourceOf, type TextSource } from './textData';

/** What a model file says of a network for texts. */
interface TextDescription extends DividedDescription {
  readonly tokenizer: data.TokenizerState;
  readonly source: TextSource;
}

interface TextTrainOptions extends TrainOptions, SourceOptions, PartOptions {
  data?: string;
  seed: number;
  tokens?: data.TokenKind;
  maxLength?: number;
  minFrequency: number;
  vocabulary: number;
  keepCase: boolean;
  embeddingDim?: number;
  filters?: number;
  widths?: number[];
  dropout?: number;
}

/** Shapes a service keeps ready: eight sizes of a batch at eight lengths of a text. */
const mostPlans = 64;

/** Texts with one label each. */
export const text: Task<TextDescription> = {
  summary: 'tell apart texts by labelled examples',
  unit: 'texts',
  architectures: ['textCnn', 'charCnn'],
  data: 'labelled texts: a .csv, .tsv, .jsonl or .ndjson file, or a folder that holds a folder of .txt files for each label',
  inputs: 'texts, or nothing for the lines of the standard input',
  defaults: { epochs: 5, batchSize: 50, optimizer: 'adam' },

  addOptions(command, name) {
    if (name === 'predict') {
      command.option('--ngrams <n>', 'text: how many n-grams to show that speak for the prediction', wholeNumber, 5);
      return;
    }
    addSourceOptions(command, name);
    addPartOptions(command, name);
    if (name === 'train') addTrainOptions(command);
  },

  async prepare(options) {
    const { data: path, arch, batchSize, seed } = options;
    const source = sourceOf(options as TextTrainOptions);
    const whole = await readTexts(path, source);
    const { train, validation, test, heldOut } = await divideData(whole, options as TextTrainOptions, 'texts', (tests) =>
      readTexts(tests, source, whole.classes),
    );
    const tokenizer = await data.Tokenizer.fit(train.texts, tokenizerOptions(options as TextTrainOptions));
    return {
      train: {
        batches: new data.DataLoader(await train.encode(tokenizer), { batchSize, shuffle: true, byLength: true, seed }),
        size: train.length,
      },
      validation: validation && (await toMeasure(validation, tokenizer, batchSize)),
      test: await toMeasure(test, tokenizer, batchSize),
      description: {
        task: 'text',
        architecture: arch,
        options: networkOptions(options as TextTrainOptions, tokenizer, whole.classes.length),
        labels: whole.classes,
        tokenizer: tokenizer.toJSON(),
        source,
        heldOut,
      },
    };
  },

  input: ({ tokenizer }) => ({ shape: [1, tokenizer?.maxLength ?? 64], dtype: 'int32' }),

  serving(saved) {
    const { tokenizer } = restore(saved);
    return { input: inputOf({ ...saved.description, tokenizer }), plans: mostPlans, tokenizer };
  },

  async open(saved, options) {
    const { data: path, batchSize, heldOut: only } = options as EvaluateOptions & SourceOptions & { heldOut: boolean };
    const { tokenizer, source } = restore(saved);
    const texts = await readTexts(path, sourceOf(options as EvaluateOptions & SourceOptions, source), saved.description.labels);
    return toMeasure(only ? heldOutOf(saved, texts) : texts, tokenizer, batchSize);
  },

  async predict(saved, inputs, options, output) {
    const { ngrams } = options as PredictOptions & { ngrams: number };
    const { tokenizer } = restore(saved);
    const texts = inputs.length > 0 ? inputs : createInterface({ input: process.stdin, terminal: false });
    for await (const one of texts) show(await predictOne(saved, tokenizer, one, ngrams), output);
  },
};

function addTrainOptions(command: Command): void {
  command
    .option('--tokens <kind>', 'words or characters (default: what the network is for)', oneOf(['words', 'characters']))
    .option('--max-length <n>', 'tokens of a text that are read (default: 400 words, 1014 characters)', positiveInteger)
    .option('--min-frequency <n>', 'how often a token must occur to be known', positiveInteger, 2)
    .option('--vocabulary <n>', 'the most tokens to know', positiveInteger, 20_000)
    .option('--keep-case', 'tell capitals from small letters', false)
    .option('--embedding-dim <n>', 'numbers that represent a token (default: textCnn 128, charCnn one a character)', positiveInteger)
    .option('--filters <n>', 'filters of each width, or of each layer (default: textCnn 100, charCnn 256)', positiveInteger)
    .option('--widths <list>', 'how many tokens the filters of textCnn see (default: 3,4,5)', positiveIntegers)
    .option('--dropout <share>', 'of the features, dropped in training (default: 0.5)', fraction);
}

function tokenizerOptions({ arch, tokens, maxLength, minFrequency, vocabulary, keepCase }: TextTrainOptions): data.TokenizerOptions {
  if (arch === 'charCnn' && tokens === 'words') throw rangeError('train', '--tokens', tokens, 'characters, which charCnn reads');
  const kind = tokens ?? (arch === 'charCnn' ? 'characters' : 'words');
  return {
    tokens: kind,
    lowercase: !keepCase,
    maxLength: maxLength ?? (kind === 'words' ? 400 : 1014),
    minFrequency,
    maxSize: vocabulary + 2,
  };
}

function networkOptions(options: TextTrainOptions, { size, maxLength }: data.Tokenizer, classes: number): Record<string, unknown> {
  const { arch, embeddingDim, filters, widths, dropout } = options;
  const common = { vocabulary: size, classes, embeddingDim, dropout };
  if (arch === 'textCnn') return { ...common, widths, filters };
  if (widths) throw rangeError('train', '--widths', widths, 'none, the layers of charCnn have widths of their own');
  return { ...common, length: maxLength, features: filters };
}

async function toMeasure(texts: data.TextDataset, tokenizer: data.Tokenizer, batchSize: number): Promise<Part> {
  return { batches: new data.DataLoader(await texts.encode(tokenizer), { batchSize, byLength: true }), size: texts.length };
}

/** What a model file says besides the network, made usable. */
function restore({ path, description }: SavedModel<TextDescription>) {
  const { tokenizer, source } = description;
  if (typeof source !== 'object' || source === null) throw fileError(path, 'does not say how its texts were read');
  return { tokenizer: tokenizerOf(path, tokenizer), source };
}

interface Prediction {
  readonly text: string;
  readonly predicted: string;
  /** The most likely first. */
  readonly probabilities: readonly { readonly label: string; readonly probability: number }[];
  /** What speaks for what was predicted; undefined where the network's features are not of n-grams. */
  readonly ngrams?: readonly Evidence[];
}

async function predictOne(saved: SavedModel<TextDescription>, tokenizer: data.Tokenizer, one: string, ngrams: number): Promise<Prediction> {
  const { model, description } = saved;
  model.eval();
  const x = tokenizer.batch([one]);
  const scores = noGrad(() => tidy(() => softmax(model.forward(x))));
  const shares = await scores.data();
  const order = [...shares.keys()].sort((a, b) => shares[b]! - shares[a]!);
  const probabilities = order.map((k) => ({ label: description.labels[k]!, probability: shares[k]! }));
  const predicted = probabilities[0]!.label;
  const classIndex = order[0]!;
  const separator = tokenizer.tokens === 'words' ? ' ' : '';
  const evidence =
    model instanceof TextCnn && ngrams > 0
      ? await findEvidence(model, x, { tokens: tokenizer.tokenize(one), separator, classIndex, most: ngrams })
      : undefined;
  for (const tensor of [x, scores]) tensor.dispose();
  return { text: one, predicted, probabilities, ngrams: evidence };
}

/** The most classes that are shown to people. */
const shown = 5;

function show({ text: one, predicted, probabilities, ngrams }: Prediction, output: Output): void {
  output.event({ text: one, predicted, probabilities, ngrams });
  const top = probabilities.slice(0, shown);
  const widest = Math.max(...top.map(({ label }) => label.length));
  output.line(JSON.stringify(one.length > 100 ? `${one.slice(0, 99)}…` : one));
  for (const [i, { label, probability }] of top.entries()) {
    const name = label.padEnd(widest);
    output.line(`  ${i === 0 ? emphasis(name) : name}  ${bar(probability, 1)}  ${percent(probability, 1).padStart(7)}`);
  }
  if (ngrams && ngrams.length > 0) {
    output.line(`  speaks for ${predicted}:`);
    for (const line of drawEvidence(ngrams)) output.line(line);
  }
  output.line();
}

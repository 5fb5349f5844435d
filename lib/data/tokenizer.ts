import { ReceptiveError, rangeError, typeError } from '../errors';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { padded, paddingId } from './tokenDataset';
import { unhurried } from './unhurried';

/** What a text is cut into. */
export type TokenKind = 'words' | 'characters';

/** How texts are cut, whatever the vocabulary. */
export interface TokenizerRules {
  /**
   * 'words': pieces between white space, cut further at the word boundaries of Unicode (UAX #29), so that punctuation stands alone and
   * scripts without spaces are cut by dictionary. 'characters': Unicode code points, white space being one blank. Default 'words'.
   */
  tokens?: TokenKind;
  /** Whether capitals are read as small letters. Default true. */
  lowercase?: boolean;
  /** Tokens of a text that are read; the rest is cut off. Default: all. */
  maxLength?: number | null;
}

export interface TokenizerOptions extends TokenizerRules {
  /** How often a token must occur to be in the vocabulary. Default 1. */
  minFrequency?: number;
  /** The most numbers there may be, the two for padding and unknown tokens included; the most frequent tokens stay. Default: no limit. */
  maxSize?: number | null;
}

/** A tokenizer's whole state, as JSON holds it. */
export interface TokenizerState extends Required<TokenizerRules> {
  /** The tokens of the numbers from 2 on. */
  readonly vocabulary: readonly string[];
}

const ruleNames: OptionNames<TokenizerRules> = { tokens: true, lowercase: 'boolean', maxLength: true };
const names: OptionNames<TokenizerOptions> = { ...ruleNames, minFrequency: true, maxSize: true };
const stateNames: OptionNames<TokenizerState> = { ...ruleNames, vocabulary: true };

const kinds: readonly unknown[] = ['words', 'characters'];
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 1;

function checkRules(operation: string, { tokens = 'words', lowercase = true, maxLength = null }: TokenizerRules): Required<TokenizerRules> {
  if (!kinds.includes(tokens)) throw rangeError(operation, 'tokens', tokens, 'words or characters');
  if (typeof lowercase !== 'boolean') throw typeError(operation, 'lowercase', lowercase, 'true or false');
  if (maxLength !== null && !isCount(maxLength)) throw rangeError(operation, 'maxLength', maxLength, 'a positive integer or null');
  return { tokens, lowercase, maxLength };
}

/** What stands for padding (0) and for a token that is not in the vocabulary (1). */
const special = ['<pad>', '<unk>'] as const;
const unknownId = 1;

/**
 * Texts as numbers: the rules by which they are cut into tokens, and a number for each token of a vocabulary. 0 is padding, 1 any token
 * outside of the vocabulary, and from 2 on come the tokens, the most frequent first. Texts are normalised to NFKC (UAX #15) before.
 *
 * Its state is plain JSON, so that it can be saved with the network that was trained on its numbers.
 *
 * ```ts
 * const tokenizer = await data.Tokenizer.fit(train.texts, { minFrequency: 2, maxLength: 200 });
 * tokenizer.decode(tokenizer.encode('A fine film!')); // 'a fine film !', if these four are known
 * await save('model.safetensors', model, { metadata: { tokenizer: JSON.stringify(tokenizer) } });
 * ```
 */
export class Tokenizer {
  readonly tokens: TokenKind;
  readonly lowercase: boolean;
  readonly maxLength: number | null;
  readonly #vocabulary: readonly string[];
  readonly #numbers: ReadonlyMap<string, number>;

  private constructor({ vocabulary, ...rules }: TokenizerState) {
    this.tokens = rules.tokens;
    this.lowercase = rules.lowercase;
    this.maxLength = rules.maxLength;
    this.#vocabulary = vocabulary;
    this.#numbers = new Map(vocabulary.map((token, i) => [token, i + special.length]));
  }

  /**
   * The tokenizer whose vocabulary is that of these texts, up to `maxLength` tokens of each. Tokens of the same frequency are in the order
   * of their code units. Takes its time in short turns, which leave the event loop free.
   */
  static async fit(texts: Iterable<string>, options: TokenizerOptions = {}): Promise<Tokenizer> {
    const operation = 'Tokenizer.fit';
    if (typeof texts === 'string' || typeof texts?.[Symbol.iterator] !== 'function')
      throw typeError(operation, 'texts', texts, 'a list of strings');
    checkOptions(operation, options, names);
    const { minFrequency = 1, maxSize = null, ...rules } = options;
    if (!isCount(minFrequency)) throw rangeError(operation, 'minFrequency', minFrequency, 'a positive integer');
    if (maxSize !== null && !(isCount(maxSize) && maxSize >= special.length)) {
      throw rangeError(operation, 'maxSize', maxSize, `an integer of at least ${special.length} or null`);
    }
    const checked = checkRules(operation, rules);
    const cutter = new Tokenizer({ ...checked, vocabulary: [] });
    const frequencies = new Map<string, number>();
    for await (const text of unhurried(texts)) {
      for (const token of cutter.tokenize(text)) frequencies.set(token, (frequencies.get(token) ?? 0) + 1);
    }
    const vocabulary = [...frequencies]
      .filter(([, frequency]) => frequency >= minFrequency)
      .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
      .slice(0, maxSize === null ? undefined : maxSize - special.length)
      .map(([token]) => token);
    return new Tokenizer({ ...checked, vocabulary });
  }

  /** The tokenizer of a state that `JSON.stringify(tokenizer)` wrote and `JSON.parse` read. */
  static fromJSON(state: TokenizerState): Tokenizer {
    const operation = 'Tokenizer.fromJSON';
    checkOptions(operation, state, stateNames);
    const { vocabulary } = state;
    if (!Array.isArray(vocabulary) || !vocabulary.every((token) => typeof token === 'string' && token !== '')) {
      throw typeError(operation, 'vocabulary', vocabulary, 'a list of tokens');
    }
    if (new Set(vocabulary).size !== vocabulary.length) throw rangeError(operation, 'vocabulary', vocabulary, 'each token once');
    return new Tokenizer({ ...checkRules(operation, state), vocabulary: [...vocabulary] });
  }

  /** What a tokenizer is made of again. */
  toJSON(): TokenizerState {
    return { tokens: this.tokens, lowercase: this.lowercase, maxLength: this.maxLength, vocabulary: this.#vocabulary };
  }

  /** How many numbers there are, padding and unknown included: the rows of an embedding. */
  get size(): number {
    return special.length + this.#vocabulary.length;
  }

  /** The tokens of a text, known or not; at most `maxLength`. */
  tokenize(text: string): string[] {
    if (typeof text !== 'string') throw typeError('tokenize', 'text', text, 'a string');
    const normal = text.normalize('NFKC');
    const cased = this.lowercase ? normal.toLowerCase() : normal;
    const tokens: string[] = [];
    const most = this.maxLength ?? Infinity;
    for (const token of this.tokens === 'words' ? words(cased) : characters(cased)) {
      if (tokens.length === most) break;
      tokens.push(token);
    }
    return tokens;
  }

  /** The numbers of a text's tokens, without padding. */
  encode(text: string): Int32Array {
    return Int32Array.from(this.tokenize(text), (token) => this.#numbers.get(token) ?? unknownId);
  }

  /** The numbers of several texts, int32 [N,L]: as long as the longest, 0 behind the shorter ones. */
  batch(texts: readonly string[]): Tensor {
    return padded(texts.map((text) => this.encode(text)));
  }

  /** The text of numbers, padding left out: words with a blank between them, characters side by side. */
  decode(numbers: Iterable<number>): string {
    const tokens: string[] = [];
    for (const number of numbers) {
      if (number !== paddingId) tokens.push(this.token(number));
    }
    return tokens.join(this.tokens === 'words' ? ' ' : '');
  }

  /** The token of a number. */
  token(number: number): string {
    const token = special[number] ?? this.#vocabulary[number - special.length];
    if (token === undefined) throw rangeError('token', 'number', number, `an integer from 0 to ${this.size - 1}`);
    return token;
  }
}

function* characters(text: string): Generator<string, void, void> {
  let blank = false;
  for (const character of text) {
    const isBlank = white.test(character);
    if (!(isBlank && blank)) yield isBlank ? ' ' : character;
    blank = isBlank;
  }
}

const white = /^\s$/u;

function* words(text: string): Generator<string, void, void> {
  for (const [piece] of text.matchAll(/\S+/gu)) yield* cut(piece);
}

// Finding word boundaries takes microseconds a word, and short pieces come again and again: so many of them are remembered.
const memory = new Map<string, readonly string[]>();
const [mostRemembered, longestRemembered] = [50_000, 40];

/** The words of a piece without white space. */
function cut(piece: string): Iterable<string> {
  if (piece.length > longestRemembered) return segments(piece);
  let found = memory.get(piece);
  if (!found) {
    found = [...segments(piece)];
    if (memory.size >= mostRemembered) memory.clear();
    memory.set(piece, found);
  }
  return found;
}

let segmenter: Intl.Segmenter | undefined;

function* segments(piece: string): Generator<string, void, void> {
  segmenter ??= makeSegmenter();
  for (const { segment } of segmenter.segment(piece)) yield segment;
}

function makeSegmenter(): Intl.Segmenter {
  if (typeof Intl?.Segmenter !== 'function') {
    throw new ReceptiveError('ERR_UNSUPPORTED', 'Tokenizer: this Node.js was built without Intl.Segmenter, which finds words');
  }
  return new Intl.Segmenter('und', { granularity: 'word' }); // no language's own rules
}

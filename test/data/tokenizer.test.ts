import fc from 'fast-check';
import { data } from '../../lib';

const learn = (texts: readonly string[], options?: data.TokenizerOptions) => data.Tokenizer.fit(texts, options);
const tokens = async (text: string, options?: data.TokenizerOptions) => (await learn([], options)).tokenize(text);

describe('words', () => {
  test.each<[string, string, string[]]>([
    [
      'punctuation stands alone',
      'Buy NOW!!! Only $5,000.00 (or less).',
      ['buy', 'now', '!', '!', '!', 'only', '$', '5,000.00', '(', 'or', 'less', ')', '.'],
    ],
    ['apostrophes and dots inside words', "don't visit example.com", ["don't", 'visit', 'example.com']],
    ['white space of any kind', ' a\u00a0b\t\r\n c\u3000d ', ['a', 'b', 'c', 'd']],
    ['accents, composed or not, are the same word', 'Cafe\u0301 CAFÉ', ['café', 'café']],
    ['compatibility forms', 'ﬁne ｆｕｌｌ Ⅷ', ['fine', 'full', 'viii']],
    ['Greek capitals, the last letter too', 'ΟΔΟΣ', ['οδος']],
    ['Cyrillic and Arabic', 'Привет, мир! مرحبا بالعالم', ['привет', ',', 'мир', '!', 'مرحبا', 'بالعالم']],
    ['an emoji of several code points is one', 'ok 👩‍👩‍👧 👍🏽', ['ok', '👩‍👩‍👧', '👍🏽']],
    ['nothing', ' \n ', []],
  ])('%s', async (_, text, expected) => {
    expect(await tokens(text)).toEqual(expected);
  });

  test('scripts without spaces are cut into more than one word', async () => {
    for (const text of ['今天天气很好', 'ภาษาไทยง่าย', 'これは日本語の文です']) {
      const words = await tokens(text);
      expect(words.length).toBeGreaterThan(1);
      expect(words.join('')).toBe(text.normalize('NFKC'));
    }
  });

  test('capitals stay where they are to', async () => {
    expect(await tokens('A Fine film', { lowercase: false })).toEqual(['A', 'Fine', 'film']);
  });

  test('are those of Intl.Segmenter between white space, whatever the text', () => {
    const tokenizer = data.Tokenizer.fromJSON({ tokens: 'words', lowercase: false, maxLength: null, vocabulary: [] });
    const segmenter = new Intl.Segmenter('und', { granularity: 'word' });
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        const pieces = text.normalize('NFKC').split(/\s+/u).filter(Boolean);
        const expected = pieces.flatMap((piece) => Array.from(segmenter.segment(piece), ({ segment }) => segment));
        expect(tokenizer.tokenize(text)).toEqual(expected);
        expect(tokenizer.tokenize(text)).toEqual(expected); // as it is remembered
      }),
      { numRuns: 500 },
    );
  });

  test('a long piece is not cut further than it is read', async () => {
    const { segment } = Intl.Segmenter.prototype;
    let found = 0;
    const spy = jest.spyOn(Intl.Segmenter.prototype, 'segment').mockImplementation(function (this: Intl.Segmenter, text) {
      const segments = segment.call(this, text);
      return {
        containing: () => undefined,
        *[Symbol.iterator]() {
          for (const one of segments) {
            found++;
            yield one;
          }
        },
      } as unknown as Intl.Segments;
    });
    const tokenizer = await learn([], { maxLength: 3 });
    expect(tokenizer.tokenize('天气'.repeat(10_000))).toEqual(['天气', '天气', '天气']);
    spy.mockRestore();
    expect(found).toBeGreaterThanOrEqual(3);
    expect(found).toBeLessThan(10);
  });
});

describe('characters', () => {
  test.each<[string, string, string[]]>([
    ['code points, not UTF-16 units', 'a👍b', ['a', '👍', 'b']],
    ['small letters', 'Äß', ['ä', 'ß']],
    ['a run of white space is one blank', ' a \n\u00a0b', [' ', 'a', ' ', 'b']],
    ['combining marks stand alone where nothing composes them', 'นี้', ['น', 'ี', '้']],
  ])('%s', async (_, text, expected) => {
    expect(await tokens(text, { tokens: 'characters' })).toEqual(expected);
  });
});

describe('the vocabulary', () => {
  const texts = ['b a c', 'a b', 'a d'];

  test('the most frequent first, equal ones in order; 0 is padding, 1 unknown', async () => {
    const tokenizer = await learn(texts);
    expect(tokenizer.size).toBe(6);
    expect([0, 1, 2, 3, 4, 5].map((n) => tokenizer.token(n))).toEqual(['<pad>', '<unk>', 'a', 'b', 'c', 'd']);
    expect([...tokenizer.encode('d a x')]).toEqual([5, 2, 1]);
    expect(tokenizer.encode('')).toEqual(Int32Array.of());
  });

  test('minFrequency, maxSize and maxLength', async () => {
    const known = async (options: data.TokenizerOptions) => (await learn(texts, options)).toJSON().vocabulary;
    expect(await known({ minFrequency: 2 })).toEqual(['a', 'b']);
    expect(await known({ minFrequency: 4 })).toEqual([]);
    expect(await known({ maxSize: 3 })).toEqual(['a']);
    expect(await known({ maxSize: 2 })).toEqual([]);
    expect(await known({ maxSize: 100 })).toEqual(['a', 'b', 'c', 'd']);
    expect(await known({ maxLength: 1 })).toEqual(['a', 'b']); // of "b", "a", "a"
  });

  test('does not depend on the order of the texts', async () => {
    expect(JSON.stringify(await learn(texts.toReversed()))).toBe(JSON.stringify(await learn(texts)));
  });

  test('names from the prototype chain are words', async () => {
    const tokenizer = await learn(['constructor __proto__ constructor']);
    expect(tokenizer.decode(tokenizer.encode('__proto__ constructor toString'))).toBe('__proto__ constructor <unk>');
  });
});

test('maxLength cuts off the end', async () => {
  const tokenizer = await learn(['a b c d'], { maxLength: 2 });
  expect(tokenizer.tokenize('c d a b')).toEqual(['c', 'd']);
  expect(tokenizer.encode('a b c')).toHaveLength(2);
});

test('batch fills up with padding, which decode leaves out', async () => {
  const tokenizer = await learn(['a b c']);
  const x = tokenizer.batch(['c', 'a b c', '']);
  const rows = (await x.array()) as number[][];
  expect([x.dtype, rows]).toEqual([
    'int32',
    [
      [4, 0, 0],
      [2, 3, 4],
      [0, 0, 0],
    ],
  ]);
  expect(rows.map((row) => tokenizer.decode(row))).toEqual(['c', 'a b c', '']);
});

test('characters come back as they were, if they are known', async () => {
  const tokenizer = await learn(['grüße, мир 👍'], { tokens: 'characters' });
  expect(tokenizer.decode(tokenizer.encode('мир, grüße 👍!'))).toBe('мир, grüße 👍<unk>');
});

test('the state goes through JSON whole', async () => {
  const texts = ['He said: "naïve"\n', 'Ünïcode 👩‍👩‍👧 \\ again'];
  for (const options of [{}, { tokens: 'characters', lowercase: false, maxLength: 7 }] as const) {
    const tokenizer = await learn(texts, options);
    const again = data.Tokenizer.fromJSON(JSON.parse(JSON.stringify(tokenizer)));
    expect(again.toJSON()).toEqual(tokenizer.toJSON());
    for (const text of [...texts, 'something else']) expect(again.encode(text)).toEqual(tokenizer.encode(text));
  }
});

describe('expects', () => {
  test.each<[string, data.TokenizerOptions, string]>([
    ['a kind of token', { tokens: 'bytes' as never }, 'Tokenizer.fit: tokens is "bytes", expected words or characters'],
    ['a flag', { lowercase: 1 as never }, 'Tokenizer.fit: lowercase is 1, expected true or false'],
    ['a length', { maxLength: 0 }, 'Tokenizer.fit: maxLength is 0, expected a positive integer or null'],
    ['a frequency', { minFrequency: 0.5 }, 'Tokenizer.fit: minFrequency is 0.5, expected a positive integer'],
    ['a size', { maxSize: 1 }, 'Tokenizer.fit: maxSize is 1, expected an integer of at least 2 or null'],
    ['a known option', { vocabulary: [] } as never, 'Tokenizer.fit: an option name is "vocabulary", expected one of tokens'],
  ])('%s', async (_, options, message) => {
    await expect(learn(['a'], options)).rejects.toThrow(message);
  });

  test('texts', async () => {
    await expect(learn('text' as never)).rejects.toThrow('Tokenizer.fit: texts is "text", expected a list of strings');
    await expect(learn([1] as never)).rejects.toThrow('tokenize: text is 1, expected a string');
  });

  const state: data.TokenizerState = { tokens: 'words', lowercase: true, maxLength: null, vocabulary: ['a'] };
  test.each<[string, unknown, string]>([
    ['a state', null, 'Tokenizer.fromJSON: options is null'],
    ['a vocabulary', { ...state, vocabulary: undefined }, 'Tokenizer.fromJSON: vocabulary is undefined, expected a list of tokens'],
    ['tokens', { ...state, vocabulary: ['a', ''] }, 'Tokenizer.fromJSON: vocabulary is ["a",""], expected a list of tokens'],
    ['each token once', { ...state, vocabulary: ['a', 'a'] }, 'Tokenizer.fromJSON: vocabulary is ["a","a"], expected each token once'],
    ['rules', { ...state, tokens: 'bytes' }, 'Tokenizer.fromJSON: tokens is "bytes"'],
  ])('of a saved state %s', (_, value, message) => {
    expect(() => data.Tokenizer.fromJSON(value as never)).toThrow(message);
  });

  test('numbers of the vocabulary', async () => {
    const tokenizer = await learn(['a']);
    for (const number of [-1, 3, 0.5])
      expect(() => tokenizer.token(number)).toThrow(`token: number is ${number}, expected an integer from 0 to 2`);
  });
});

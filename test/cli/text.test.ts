import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { data, models, readSafetensors, save } from '../../lib';
import { randomNumbers } from '../support/data';
import { events, receptive } from './support';

// The built commands on 240 sentences, of which those that praise are "good" and those that do not are "bad".

let dir: string;
const at = (name: string) => join(dir, name);

const fillers = ['the film', 'this story', 'an actor', 'her voice', 'that scene', 'its music', 'one song', 'our evening'];
const praise: Record<string, string[]> = {
  good: ['was truly wonderful', 'is a great joy', 'charms us all'],
  bad: ['was truly dreadful', 'is a great bore', 'tires us all'],
};

function sentences(n: number, seed: number): { text: string; label: string }[] {
  const next = randomNumbers(seed);
  const pick = (list: readonly string[]) => list[Math.floor(next() * list.length)];
  return Array.from({ length: n }, (_, i) => {
    const label = i % 2 === 0 ? 'good' : 'bad';
    return { text: `${pick(fillers)} and ${pick(fillers)}, number ${i}, ${pick(praise[label])}, says ${pick(fillers)}`, label };
  });
}

const lines = (list: object[]) => list.map((item) => `${JSON.stringify(item)}\n`).join('');

/** A small network on little text learns in a second. */
const small = ['--embedding-dim', '16', '--filters', '8', '--epochs', '8', '--lr', '0.01', '--batch-size', '16', '--json'];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'receptive-text-'));
  writeFileSync(at('reviews.jsonl'), lines(sentences(240, 1)));
  writeFileSync(at('more.jsonl'), lines(sentences(60, 2)));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('train text, evaluate, predict', () => {
  let trained: ReturnType<typeof events>;
  const model = () => at('reviews.safetensors');

  beforeAll(async () => {
    const result = await receptive(['train', 'text', '--data', at('reviews.jsonl'), '--out', model(), ...small]);
    expect([result.code, result.stderr]).toEqual([0, '']);
    trained = events(result);
  });

  test('holds out a fifth, chooses the epoch by a tenth of the rest, and learns', () => {
    const [start, ...rest] = trained;
    expect(start).toMatchObject({ event: 'start', arch: 'textCnn', texts: { training: 174, validation: 18, test: 48 } });
    expect(rest.slice(0, -1).map(({ event, epoch }) => [event, epoch])).toEqual(Array.from({ length: 8 }, (_, i) => ['epoch', i + 1]));
    expect(rest.at(-1)).toMatchObject({ event: 'done', accuracy: 1, f1: 1, texts: 48, out: model() });
    expect(rest.at(-1).classes).toEqual({
      bad: { precision: 1, recall: 1, f1: 1, samples: 24 },
      good: { precision: 1, recall: 1, f1: 1, samples: 24 },
    });
    const best = rest.findIndex(({ validation }) => validation?.accuracy === 1);
    expect(rest.at(-1).epoch).toBeGreaterThanOrEqual(best + 1);
  });

  test('evaluate measures the same on what was held out, and anything else that is given', async () => {
    const [heldOut] = events(
      await receptive(['evaluate', model(), '--data', at('reviews.jsonl'), '--held-out', '--json', '--batch-size', '16']),
    );
    const { loss, accuracy } = trained.at(-1);
    expect(heldOut).toMatchObject({ loss, accuracy, texts: 48 });
    const [all] = events(await receptive(['evaluate', model(), '--data', at('more.jsonl'), '--json']));
    expect(all).toMatchObject({ texts: 60, accuracy: 1 });
    const table = await receptive(['evaluate', model(), '--data', at('more.jsonl')]);
    expect(table.stdout).toMatch(/accuracy 100\.00 %, macro F1 100\.00 %.* on 60 texts[\s\S]* good +100\.00 % +100\.00 % +100\.00 % +30\n/);
  });

  test('predict says how likely each class is, and which n-grams speak for it', async () => {
    const sentences = ['the music was truly dreadful, says one', 'her voice charms us all'];
    const predictions = events(await receptive(['predict', model(), ...sentences, '--json', '--ngrams', '4']));
    expect(predictions.map(({ text, predicted }) => [text, predicted])).toEqual([
      [sentences[0], 'bad'],
      [sentences[1], 'good'],
    ]);
    for (const { text, predicted, probabilities, ngrams } of predictions) {
      expect(probabilities.map(({ label }: { label: string }) => label)).toEqual([predicted, predicted === 'good' ? 'bad' : 'good']);
      expect(probabilities[0].probability + probabilities[1].probability).toBeCloseTo(1, 5);
      expect(probabilities[0].probability).toBeGreaterThan(0.5);
      expect(ngrams).toHaveLength(4);
      const tokens = text.replace(',', ' ,').split(' ');
      for (const { ngram, start, width, activation, weight, adds } of ngrams) {
        expect(ngram).toBe(tokens.slice(start, start + width).join(' '));
        expect(adds).toBeCloseTo(activation * weight, 6);
        expect(adds).toBeGreaterThan(0);
      }
      expect(ngrams.map(({ adds }: { adds: number }) => adds)).toEqual(
        ngrams.map(({ adds }: { adds: number }) => adds).toSorted((a: number, b: number) => b - a),
      );
    }
    expect(predictions[0].ngrams[0].ngram).toContain('dreadful');
    expect(predictions[1].ngrams[0].ngram).toMatch(/charms|us all/);
  });

  test('predict reads lines where no text is given, and draws for people', async () => {
    const { code, stdout } = await receptive(['predict', model()], { input: 'a great bore\na great joy\n' });
    expect(code).toBe(0);
    const [first, second] = stdout.trim().split('\n\n');
    expect(first).toMatch(
      /^"a great bore"\n {2}bad {3}━+─* +\d+\.\d %\n {2}good {2}━*─+ +\d+\.\d %\n {2}speaks for bad:\n {4}".*" +filter \d of width \d +\d\.\d\d · \d\.\d{3} = \+\d\.\d{3}/,
    );
    expect(second).toMatch(/^"a great joy"\n {2}good/);
  });

  test('the same seed trains the same bits', async () => {
    const train = (out: string, seed: string) =>
      receptive(['train', 'text', '--data', at('reviews.jsonl'), '--out', at(out), ...small, '--epochs', '1', '--seed', seed]);
    for (const [out, seed] of [
      ['a', '3'],
      ['b', '3'],
      ['c', '4'],
    ])
      await train(out, seed);
    const [a, b, c] = ['a', 'b', 'c'].map((name) => readFileSync(at(name)));
    expect([a.equals(b), a.equals(c)]).toEqual([true, false]);
  });

  test('a training that was stopped goes on with --resume to the same bits', async () => {
    const train = (out: string, more: string[], onLine?: (line: string, kill: () => void) => void) =>
      receptive(['train', 'text', '--data', at('reviews.jsonl'), '--out', at(out), ...small, ...more], { onLine });
    const checkpoints = ['--checkpoint-dir', at('checkpoints'), '--checkpoint-every', '3'];
    const stopped = await train('stopped', checkpoints, (line, kill) => {
      if (JSON.parse(line).epoch === 2) kill();
    });
    expect(stopped.code).toBe(130);
    const resumed = await train('stopped', [...checkpoints, '--resume']);
    expect(events(resumed).map(({ event }) => event)).toContain('resumed');
    expect(readFileSync(at('stopped')).equals(readFileSync(model()))).toBe(true);
  });

  test('inspect tells what the network is made of', async () => {
    const [{ input, layers }] = events(await receptive(['inspect', model(), '--json']));
    expect(input).toEqual([1, 400]);
    expect(layers.find(({ type }: { type: string }) => type === 'Embedding').outputShape).toEqual([1, 400, 16]);
  });

  test('the file holds all that a program of its own needs', async () => {
    const { metadata, tensors } = await readSafetensors(model());
    const { architecture, options, tokenizer, labels } = JSON.parse(metadata.receptive);
    expect([architecture, labels]).toEqual(['textCnn', ['bad', 'good']]);
    const network = models.textCnn(options).eval();
    network.loadStateDict(tensors);
    const scores = await network.forward(data.Tokenizer.fromJSON(tokenizer).batch(['a great joy'])).data();
    expect(scores[1]).toBeGreaterThan(scores[0]);
  });
});

describe('data in other shapes', () => {
  const train = async (...args: string[]) =>
    events(await receptive(['train', 'text', '--out', at('other.safetensors'), ...small, ...args]));

  test('a tsv file with columns of other names, tests in a file of their own; evaluate knows how to read it', async () => {
    const table = (list: { text: string; label: string }[]) =>
      `id\tverdict\tbody\n${list.map(({ text, label }, i) => `${i}\t${label}\t"${text}"\n`).join('')}`;
    writeFileSync(at('train.tsv'), table(sentences(160, 3)));
    writeFileSync(at('test.tsv'), table(sentences(40, 4)));
    const trained = await train(
      '--data',
      at('train.tsv'),
      '--test-data',
      at('test.tsv'),
      '--text',
      'body',
      '--label',
      'verdict',
      '--validation-fraction',
      '0',
    );
    expect(trained[0].texts).toEqual({ training: 160, test: 40 });
    expect(trained.at(-1)).toMatchObject({ accuracy: 1, epoch: 8 });
    const evaluated = await receptive(['evaluate', at('other.safetensors'), '--data', at('test.tsv'), '--json']);
    expect(events(evaluated)[0]).toMatchObject({ accuracy: 1, texts: 40 });
    writeFileSync(
      at('plain.csv'),
      sentences(10, 5)
        .map(({ text, label }) => `${label};"${text}"\n`)
        .join(''),
    );
    const without = ['--data', at('plain.csv'), '--no-header', '--delimiter', ';', '--text', '1', '--label', '0'];
    expect(events(await receptive(['evaluate', at('other.safetensors'), ...without, '--json']))[0]).toMatchObject({
      accuracy: 1,
      texts: 10,
    });
    const { code, stderr } = await receptive(['evaluate', at('other.safetensors'), '--data', at('test.tsv'), '--held-out']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('its training held nothing out of its data')]);
  });

  test('a folder of files; characters; the network for characters', async () => {
    for (const [i, { text, label }] of sentences(120, 6).entries()) {
      mkdirSync(join(at('folder'), label), { recursive: true });
      writeFileSync(join(at('folder'), label, `${i}.txt`), text);
    }
    const words = await train('--data', at('folder'), '--tokens', 'characters');
    expect(words.at(-1).accuracy).toBeGreaterThan(0.9);
    const characters = await train('--data', at('folder'), '--arch', 'charcnn', '--max-length', '130', '--epochs', '2');
    expect(characters[0]).toMatchObject({ arch: 'charCnn' });
    const [prediction] = events(await receptive(['predict', at('other.safetensors'), 'a great joy', '--json']));
    expect(Object.keys(prediction)).toEqual(['text', 'predicted', 'probabilities']);
  });
});

describe('what a user can put right is one line that names it, and exit code 1', () => {
  const description = {
    task: 'text',
    architecture: 'textCnn',
    labels: ['a', 'b'],
    options: { vocabulary: 3, classes: 2, embeddingDim: 2, filters: 1 },
  };
  const tokenizer = { tokens: 'words', lowercase: true, maxLength: null, vocabulary: ['x'] };
  const source = { header: true, encoding: 'utf-8' };

  const cases: [name: string, args: () => string[], message: RegExp][] = [
    ['no data', () => ['train', 'text'], /no texts: give a file or a folder with --data PATH/],
    ['a missing file', () => ['train', 'text', '--data', at('none.csv')], /none\.csv: ENOENT/],
    ['a file of another kind', () => ['train', 'text', '--data', at('data.xlsx')], /data\.xlsx: is neither a folder nor a \.csv/],
    [
      'a column that is not there',
      () => ['train', 'text', '--data', at('one.csv'), '--label', 'kind'],
      /one\.csv: line 1: names no column "kind"/,
    ],
    ['one label', () => ['train', 'text', '--data', at('one.csv')], /one\.csv: all its texts are of class a, expected two classes or more/],
    ['nothing to test on', () => ['train', 'text', '--data', at('two.csv')], /two\.csv: its 2 texts leave none to test on/],
    [
      'a label the test data alone have',
      () => ['train', 'text', '--data', at('two.csv'), '--test-data', at('three.csv')],
      /three\.csv: line 2: the label is "c", expected one of a, b/,
    ],
    [
      'words for a network of characters',
      () => ['train', 'text', '--data', at('reviews.jsonl'), '--arch', 'charcnn', '--tokens', 'words'],
      /train: --tokens is "words", expected characters/,
    ],
    [
      'widths for it',
      () => ['train', 'text', '--data', at('reviews.jsonl'), '--arch', 'charcnn', '--widths', '3'],
      /train: --widths is \[3\], expected none/,
    ],
    [
      'a share of more than all',
      () => ['train', 'text', '--test-fraction', '1.5'],
      /--test-fraction.*Expected a number from 0 to, not including, 1/,
    ],
    ['widths that are none', () => ['train', 'text', '--widths', '3,x'], /--widths.*Expected a positive integer/],
    [
      'a model without a tokenizer',
      () => ['predict', at('bare.safetensors'), 'text'],
      /bare\.safetensors: its tokenizer cannot be used: Tokenizer\.fromJSON: options is undefined/,
    ],
    [
      'images for a model of texts',
      () => ['predict', at('bare.safetensors'), '--count', '2'],
      /predict: --count is 2, .* for the task text,/,
    ],
    ['data for sentences', () => ['predict', at('bare.safetensors'), '--data', 'x'], /predict: --data is "x", .* for the task text,/],
    [
      'images to measure it on',
      () => ['evaluate', at('bare.safetensors'), '--skip-damaged'],
      /evaluate: --skip-damaged is true, .* for the task text,/,
    ],
    [
      'a model that does not say how',
      () => ['evaluate', at('how.safetensors'), '--data', at('two.csv')],
      /how\.safetensors: does not say how its texts were read/,
    ],
  ];

  beforeAll(async () => {
    writeFileSync(at('data.xlsx'), '');
    writeFileSync(at('one.csv'), 'text,label\nx,a\ny,a\n');
    writeFileSync(at('two.csv'), 'text,label\nx,a\ny,b\n');
    writeFileSync(at('three.csv'), 'text,label\nx,c\n');
    const network = models.textCnn(description.options);
    await save(at('bare.safetensors'), network, { metadata: { receptive: JSON.stringify({ ...description, source, heldOut: null }) } });
    await save(at('how.safetensors'), network, { metadata: { receptive: JSON.stringify({ ...description, tokenizer, heldOut: null }) } });
  });

  test.each(cases)('%s', async (_, args, message) => {
    const { code, stdout, stderr } = await receptive(args());
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

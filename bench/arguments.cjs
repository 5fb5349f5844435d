'use strict';
const { parseArgs } = require('node:util');

/** What a program was told: its options as text and as numbers, and files where it takes any. @param defaults Of the options; null: none. */
function readArguments(defaults, takesFiles = false) {
  const taken = Object.entries(defaults).map(([name, value]) => [name, { type: 'string', default: value ?? undefined }]);
  const options = { ...Object.fromEntries(taken), help: { type: 'boolean', default: false } };
  const { values, positionals: files } = parseArgs({ allowPositionals: takesFiles, options });
  const number = (name) => {
    const value = Number(values[name]);
    if (!(value >= 0)) throw new Error(`--${name} is ${values[name]}, expected a number of at least 0`);
    return value;
  };
  return { values, files, number };
}

module.exports = { readArguments };

'use strict';
// Rewrites the compiled entry so that require('receptive') loads a module when something of it is first used, not before: most programs
// need a part of it. The names stay where Node looks for them when the package is imported as an ES module, which does load all.
const fs = require('node:fs');
const path = require('node:path');

/** What a file that TypeScript compiled exports: names, and modules whose names it passes on. */
function exportsOf(file) {
  const text = fs.readFileSync(file, 'utf8');
  const variables = new Map([...text.matchAll(/^(?:var|const) (\w+) = require\("(.+?)"\);$/gm)].map(([, name, from]) => [name, from]));
  const found = new Map(); // a name: the module it is of, and its name there; undefined for the module itself
  for (const [, name] of text.matchAll(/^exports\.(\w+) = (?!void 0|exports\.)/gm)) found.set(name, { from: undefined, name });
  for (const [, name, from] of text.matchAll(/^exports\.(\w+) = __importStar\(require\("(.+?)"\)\);$/gm)) found.set(name, { from });
  for (const [, name, variable, of] of text.matchAll(/^Object\.defineProperty\(exports, "(\w+)", .* return (\w+)\.(\w+); } }\);$/gm)) {
    found.set(name, { from: variables.get(variable), name: of });
  }
  const stars = [...text.matchAll(/^__exportStar\(require\("(.+?)"\), exports\);$/gm)].map(([, from]) => from);
  const eager = [...text.matchAll(/^require\("(.+?)"\);$/gm)];
  if (eager.length > 0) throw new Error(`lazy: ${file} imports ${eager[0][1]} for what it does`);
  return { found, stars };
}

function resolve(folder, from) {
  const file = path.join(folder, `${from}.js`);
  return fs.existsSync(file) ? file : path.join(folder, from, 'index.js');
}

/** Every name that a compiled file exports, whatever it passes on from others. */
function names(file) {
  const { found, stars } = exportsOf(file);
  return [...found.keys(), ...stars.flatMap((from) => names(resolve(path.dirname(file), from)))];
}

/** The lazy form of an entry that only passes on what others export. */
function lazily(file) {
  const { found, stars } = exportsOf(file);
  const rows = [...found].map(([name, { from, name: of }]) => [name, `require('${from}')${of ? `.${of}` : ''}`]);
  for (const from of stars) rows.push(...names(resolve(path.dirname(file), from)).map((name) => [name, `require('${from}').${name}`]));
  rows.sort(([a], [b]) => (a < b ? -1 : 1));
  return `'use strict';
Object.defineProperty(exports, '__esModule', { value: true });
${rows.map(([name]) => `exports.${name} = `).join('')}void 0;
require('./native'); // where there is no addon, that is an error at once
function lazily(name, load) {
  const get = () => {
    const value = load();
    Object.defineProperty(exports, name, { value, enumerable: true });
    return value;
  };
  Object.defineProperty(exports, name, { get, enumerable: true, configurable: true });
}
${rows.map(([name, load]) => `lazily('${name}', () => ${load});`).join('\n')}
`;
}

module.exports = { lazily };

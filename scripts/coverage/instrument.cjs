'use strict';
// Compiles a file of lib/ as jest does and counts its branches as jest does, for processes that run the built package.
const fs = require('node:fs');
const path = require('node:path');
const { createTransformer } = require('@swc/jest');
const { transformSync } = require('@babel/core');
const istanbul = require('babel-plugin-istanbul').default;
const { transform } = require('../../jest.config.cjs');

const root = path.join(__dirname, '..', '..');
const kept = path.join(root, 'coverage', 'instrumented');
const [, options] = Object.values(transform)[0];

function compile(source) {
  const { code } = createTransformer(options).process(fs.readFileSync(source, 'utf8'), source, { supportsStaticESM: false });
  const map = JSON.parse(Buffer.from(code.match(/\bsourceMappingURL=data:application\/json;base64,(.+)$/m)[1], 'base64').toString());
  const plugin = [istanbul, { cwd: root, exclude: [], extension: false, inputSourceMap: map, useInlineSourceMaps: false }];
  return transformSync(code, { filename: source, babelrc: false, configFile: false, compact: false, plugins: [plugin] }).code;
}

/** The code of lib/<name>.ts with its counters, made by the first process that asks. */
function instrumented(name) {
  const source = path.join(root, 'lib', `${name}.ts`);
  const file = path.join(kept, `${name}.js`);
  if (fs.existsSync(file)) return fs.readFileSync(file, 'utf8');
  const code = compile(source);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(`${file}.${process.pid}`, code);
  fs.renameSync(`${file}.${process.pid}`, file);
  return code;
}

module.exports = { instrumented, root };

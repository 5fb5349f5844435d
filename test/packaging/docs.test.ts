import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, temporaryDirectory } from './support';

// Every piece of JavaScript in docs/ runs, in a folder where the package is installed, and prints what the page says it prints.

const fence = /^```js\n(.*?)^```\n(?:\s*^```text\n(.*?)^```\n)?/gms;

const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
const snippets = pages.flatMap((page) => {
  const text = readFileSync(join(root, 'docs', page), 'utf8');
  return [...text.matchAll(fence)].map(({ index, 1: code, 2: printed = '' }) => {
    const heading =
      text
        .slice(0, index)
        .match(/^#+ .*$/gm)
        ?.at(-1) ?? '';
    return [page, heading.replace(/^#+ /, ''), code!, printed] as const;
  });
});

describe('docs', () => {
  const folder = temporaryDirectory();

  beforeAll(() => {
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules', 'receptive'));
  });

  test('the mathematics have a snippet for each section', () => {
    const sections = readFileSync(join(root, 'docs', 'mathematics.md'), 'utf8').match(/^## .*$/gm) ?? [];
    const taught = snippets.filter(([page]) => page === 'mathematics.md').map(([, section]) => `## ${section}`);
    expect([...new Set(taught)]).toEqual(sections);
    for (const [page, , , printed] of snippets) if (page === 'mathematics.md') expect(printed).not.toBe('');
  });

  test.each(snippets)('%s › %s', (_page, _section, code, printed) => {
    expect(run(process.execPath, ['-e', code], { cwd: folder })).toBe(printed);
  });
});

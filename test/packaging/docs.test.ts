import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { root, run, temporaryDirectory } from './support';

// Every piece of JavaScript in docs/ runs, in a folder where the package is installed, and prints what the page says it prints.

const fence = /^```js\n(.*?)^```\n(?:\s*^```text\n(.*?)^```\n)?/gms;

const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'));
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

/** The anchors of a page, as they are made of its headings. */
const headingsOf = (file: string): string[] =>
  Array.from(readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm), ([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );

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

  test('there is a guide for each task', () => {
    const guides = new Set(snippets.map(([page]) => page).filter((page) => dirname(page) === 'guides'));
    expect([...guides].map((page) => basename(page)).sort()).toEqual(['export.md', 'extend.md', 'import.md', 'serve.md', 'train.md']);
  });

  test.each(pages)('%s links to places that are there', (page) => {
    const text = readFileSync(join(root, 'docs', page), 'utf8');
    for (const [, target] of text.matchAll(/\]\((?!https:)([^)\s]+)\)/g)) {
      const [path, anchor] = target!.split('#');
      const file = join(root, 'docs', path ? join(dirname(page), path) : page);
      expect([target, existsSync(file)]).toEqual([target, true]);
      if (anchor) expect(headingsOf(file)).toContain(anchor);
    }
  });

  test.each(snippets)('%s › %s', (_page, _section, code, printed) => {
    expect(run(process.execPath, ['-e', code], { cwd: folder })).toBe(printed);
  });
});

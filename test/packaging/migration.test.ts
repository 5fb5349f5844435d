import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as receptive from '../../lib';
import { root } from './support';

// The names that docs/from-*.md give are there. Methods are written as `Class.method`.

/** What a name stands for, or undefined. */
function lookUp(name: string): unknown {
  return name.split('.').reduce<unknown>((value, part) => {
    const object = value as Record<string, unknown> | undefined;
    if (object?.[part] !== undefined) return object[part];
    const { prototype } = (object ?? {}) as { prototype?: object };
    return prototype && part in prototype ? Object.getOwnPropertyDescriptor(prototype, part) : undefined;
  }, receptive);
}

describe.each(['from-pytorch.md', 'from-tfjs.md'])('docs/%s', (file) => {
  const rows = [...readFileSync(join(root, 'docs', file), 'utf8').matchAll(/^\| (`.*?) +\| (.*?) +\|$/gm)];
  const names = rows
    .flatMap(([, , here]) => [...here!.matchAll(/`([\w.]+)`/g)].map(([, name]) => name!))
    .filter((name) => name !== 'forward');

  test('has a table', () => expect(rows.length).toBeGreaterThan(20));

  test.each([...new Set(names)])('%s', (name) => expect(lookUp(name)).toBeDefined());
});

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CodedError, compile, type ErrorCode, full, losses, nn, ones, ops, ReceptiveError, randn, tensor } from '../lib';
import { native } from '../lib/native';
import { root } from './packaging/support';

const read = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8');

function sources(folder: string, ends: RegExp): string[] {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => ends.test(name)).map((name) => join(folder, name));
}

const lib = sources('lib', /\.ts$/);
const all = [...lib, ...['binding', 'ops', 'runtime', 'kernels'].flatMap((part) => sources(`native/${part}`, /\.(cpp|h)$/))];

/** The codes that files write as texts. */
const codesIn = (files: string[]): Set<string> =>
  new Set(files.flatMap((file) => [...read(file).matchAll(/(?<=['"`])ERR_[A-Z_]+/g)].map(([code]) => code)));

const page = read('docs', 'errors.md');
const sections = [...page.matchAll(/^## (ERR_\w+)$/gm)].map(([, code]) => code!);
const service = [...page.matchAll(/^\| `(ERR_\w+)`/gm)].map(([, code]) => code!);
const declared = [.../ErrorCode =(.*?);/s.exec(read('lib', 'errors.ts'))![1]!.matchAll(/ERR_\w+/g)].map(([code]) => code);

function thrown(fn: () => unknown): CodedError {
  try {
    fn();
  } catch (error) {
    return error as CodedError;
  }
  throw new Error('nothing was thrown');
}

describe('docs/errors.md', () => {
  test('has a section for each code of an error, and no other', () => {
    expect(sections).toEqual(declared);
    expect(sections.length).toBeGreaterThan(10);
  });

  test('has a row for each code that only the service answers with, and no other', () => {
    const known = new Set(sections);
    const answers = codesIn(lib.filter((file) => file.includes('serve')));
    expect([...answers].filter((code) => !known.has(code)).sort()).toEqual([...service].sort());
  });

  test('has every code that stands in the sources, and no other', () => {
    const declaration = join('lib', 'errors.ts');
    const used = codesIn(all.filter((file) => file !== declaration));
    for (const made of read(declaration).matchAll(/coded\(.*'(ERR_\w+)'/g)) used.add(made[1]!);
    expect([...used].sort()).toEqual([...sections, ...service].sort());
  });
});

test('errors without a code are thrown only by readers of files, whose callers add one', () => {
  const bare = lib.filter((file) => /throw new (Error|TypeError|RangeError)\(/.test(read(file)));
  expect(bare.filter((file) => !/^lib.(formats|data.cifar)/.test(file))).toEqual([]);
});

describe('an error', () => {
  const errors: [string, ErrorCode, () => CodedError | Promise<CodedError>][] = [
    ['a wrong type', 'ERR_INVALID_TYPE', () => thrown(() => ops.relu(3 as never))],
    ['a wrong value', 'ERR_INVALID_VALUE', () => thrown(() => ones([-1]))],
    ['shapes', 'ERR_SHAPE', () => thrown(() => ops.add(ones([2]), ones([3])))],
    ['types of elements', 'ERR_DTYPE', () => thrown(() => ops.relu(ones([2], { dtype: 'int32' })))],
    ['a class of its own', 'ERR_AUTOGRAD', () => thrown(() => ones([1]).backward())],
    ['native code', 'ERR_DISPOSED', () => thrown(() => native.free(77))],
    [
      'a read of what failed',
      'ERR_KERNEL',
      () =>
        losses
          .crossEntropy(randn([1, 2]), tensor(new Int32Array([2])))
          .data()
          .catch((error) => error) as Promise<CodedError>,
    ],
  ];

  test.each(errors)('of %s has its code and the place that explains it', async (_, code, make) => {
    const error = await make();
    expect(error.code).toBe(code);
    const [file, anchor] = error.docs.split('#');
    expect(file).toBe('receptive/docs/errors.md');
    expect(sections.map((title) => title.toLowerCase())).toContain(anchor);
    expect(anchor).toBe(code.toLowerCase());
  });

  test('of one argument has what came and what was expected', async () => {
    const none = {};
    expect(thrown(() => full([2, -1], 0))).toMatchObject({ operation: 'full', argument: 'shape', received: [2, -1] });
    expect(thrown(() => ops.relu(none as never)).received).toBe(none);
    expect(thrown(() => ops.conv2d(ones([1, 4, 4, 3]), ones([3, 3, 4, 8])))).toMatchObject({
      operation: 'conv2d',
      argument: 'input',
      received: [1, 4, 4, 3],
      expected: '4 channels',
    });
    expect(thrown(() => ops.linear(ones([1, 3]), ones([2, 4])))).toMatchObject({
      argument: 'input',
      received: [1, 3],
      expected: '4 features',
    });
    expect(thrown(() => ops.conv2d(ones([4, 4, 3]), ones([3, 3, 3, 8])))).toMatchObject({ operation: 'conv2d', received: [4, 4, 3] });
    const session = await compile(new nn.Linear(3, 2), { input: ['N', 3] });
    await expect(session.run({ input: ones([1, 4]) })).rejects.toMatchObject({ operation: 'run', received: [1, 4], expected: '[N,3]' });
    session.dispose();
  });

  const trap = {
    toString: () => {
      throw new Error('code of the caller ran');
    },
  };
  test.each([
    [2n, '2n'],
    ['x'.repeat(80), `"${'x'.repeat(57)}…"`],
    [() => 1, 'a function'],
    [Symbol('s'), 'a symbol'],
    [[1, [2], 'three'], '[1,[…],"three"]'],
    [new Array(9).fill(0), '[0,0,0,0,0,0,0,0,…]'],
    [new Float64Array(3), 'a Float64Array of 24 bytes'],
    [new Map(), 'a Map'],
    [trap, 'an Object'],
    [null, 'null'],
    [undefined, 'undefined'],
  ])('says %p briefly, and runs no code of it', (value, shown) => {
    expect(thrown(() => ops.relu(value as never)).message).toBe(`relu: input 0 is ${shown}, expected a Tensor of this copy of receptive`);
  });

  test('prints its code and place, once, and not what came', () => {
    expect(Object.keys(thrown(() => ones([-1])))).toEqual(['code', 'docs']);
    expect(Object.keys(new ReceptiveError('ERR_BUSY', 'busy'))).toEqual(expect.arrayContaining(['code', 'docs']));
    expect(Object.keys(thrown(() => native.free(77)))).toEqual(['code', 'docs']);
  });
});

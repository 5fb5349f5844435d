import { inspect } from 'node:util';
import fc from 'fast-check';
import {
  inspect as inspectModel,
  losses,
  memory,
  type NestedNumbers,
  nn,
  ones,
  ops,
  randn,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from '../lib';
import { settle } from './support/memory';

// How console.log and util.inspect show tensors.

/** A tensor of this shape that holds 0, 1, 2, … */
const counted = (shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((size, n) => size * n, 1) }, (_, i) => i),
    shape,
  );

const lines = (...text: string[]): string => text.join('\n');

describe('values', () => {
  test.each([
    ['a scalar', () => tensor(3.5), 'Tensor([], float32) 3.5'],
    ['a row', () => tensor([1, 2, 3]), 'Tensor([3], float32) [1, 2, 3]'],
    ['a matrix of one row', () => tensor([[1, 2, 3]]), 'Tensor([1,3], float32) [[1, 2, 3]]'],
    ['nothing', () => zeros([0]), 'Tensor([0], float32) []'],
    ['rows of nothing', () => zeros([2, 0, 3], { dtype: 'int32' }), 'Tensor([2,0,3], int32) []'],
    ['uint8', () => tensor(new Uint8Array([1, 20, 255])), 'Tensor([3], uint8) [  1,  20, 255]'],
    ['int32', () => tensor(new Int32Array([-1, 2 ** 31 - 1])), 'Tensor([2], int32) [        -1, 2147483647]'],
    ['float64', () => tensor([0.5], undefined, { dtype: 'float64' }), 'Tensor([1], float64) [0.5]'],
    ['a gradient that is wanted', () => zeros([1], { requiresGrad: true }), 'Tensor([1], float32, requiresGrad) [0]'],
    ['what a layer learns', () => new nn.Parameter(ones([1])), 'Parameter([1], float32, requiresGrad) [1]'],
    ['what a layer keeps', () => new nn.Buffer(ones([1])), 'Buffer([1], float32) [1]'],
  ])('%s', (_, make, expected) => expect(inspect(make())).toBe(expected));

  test('a matrix, in columns', () => {
    const x = tensor([
      [1, -2.5],
      [100.25, 0],
    ]);
    expect(inspect(x)).toBe(lines('Tensor([2,2], float32)', '  [[  1.00,  -2.50],', '   [100.25,   0.00]]'));
  });

  test('matrices apart, and those of more axes further apart', () => {
    expect(inspect(counted([2, 1, 2, 2]))).toBe(
      lines('Tensor([2,1,2,2], float32)', '  [[[[0, 1],', '     [2, 3]]],', '', '', '   [[[4, 5],', '     [6, 7]]]]'),
    );
  });

  test.each([
    ['as many decimals as one of them needs, at most four', [1.5, 0.25, 3], '[1.50, 0.25, 3.00]'],
    ['rounded', [2 / 3, 0.00016], '[0.6667, 0.0002]'],
    ['with exponents where one would be shown as zero', [1, 0.00001, -250], '[ 1.0e+00,  1.0e-05, -2.5e+02]'],
    ['with exponents where one is large', [1e8, 1], '[1e+08, 1e+00]'],
    ['without where the largest is not', [99_999_992, 1], '[99999992,        1]'],
    ['the smallest of float32', [2 ** -149], '[1.4013e-45]'],
    ['no numbers', [Number.NaN, 1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], '[      NaN,         1,  Infinity, -Infinity]'],
    ['nothing but those', [Number.NaN], '[NaN]'],
    ['the sign of zero', [-0, 0, -1], '[-0,  0, -1]'],
  ])('floating point %s', (_, values, expected) => expect(inspect(tensor(values))).toBe(`Tensor([${values.length}], float32) ${expected}`));

  test('float64 with exponents of three digits', () => {
    const x = tensor([1e-300, 1e300, 1], undefined, { dtype: 'float64' });
    expect(inspect(x)).toBe('Tensor([3], float64) [1e-300, 1e+300,  1e+00]');
  });
});

describe('large tensors', () => {
  test('a row', () => expect(inspect(counted([1001]))).toBe('Tensor([1001], float32) [   0,    1,    2, ...,  998,  999, 1000]'));

  test('of a thousand numbers are shown whole', () => expect(inspect(counted([1000]))).not.toContain('...'));

  test('a matrix; an axis of six is shown whole', () => {
    expect(inspect(counted([200, 6]))).toBe(
      lines(
        'Tensor([200,6], float32)',
        '  [[   0,    1,    2,    3,    4,    5],',
        '   [   6,    7,    8,    9,   10,   11],',
        '   [  12,   13,   14,   15,   16,   17],',
        '   ...,',
        '   [1182, 1183, 1184, 1185, 1186, 1187],',
        '   [1188, 1189, 1190, 1191, 1192, 1193],',
        '   [1194, 1195, 1196, 1197, 1198, 1199]]',
      ),
    );
  });

  test('columns are as wide as what is shown of them', () => {
    const x = counted([2000]);
    x.assign(ops.where(ops.equal(x, 1000), 123456, ops.mul(x, 0)));
    expect(inspect(x)).toBe('Tensor([2000], float32) [0, 0, 0, ..., 0, 0, 0]');
  });

  test('of many axes show fewer at each end, never more than a thousand numbers in all', () => {
    const numbers = (shape: number[]) => inspect(counted(shape)).match(/\d+(?=[,\]])/g)!.length - shape.length;
    expect([numbers([20, 20, 20]), numbers([9, 9, 9, 9]), numbers([8, 8, 8, 8, 8])]).toEqual([6 ** 3, 4 ** 4, 2 ** 5]);
  });

  /** What the docstrings say is shown, by plain loops over the numbers as arrays in arrays. */
  function cut(x: NestedNumbers, most: number, shape: number[]): unknown {
    const countOf = (ends: number) => shape.reduce((count, n) => count * Math.min(n, 2 * ends), 1);
    const whole = shape.reduce((size, n) => size * n, 1) <= most;
    const ends = whole ? Number.POSITIVE_INFINITY : ([3, 2].find((n) => countOf(n) <= most) ?? 1);
    const walk = (value: NestedNumbers): unknown => {
      if (typeof value === 'number') return value;
      const items = value.map(walk);
      return items.length > 2 * ends ? [...items.slice(0, ends), '...', ...items.slice(-ends)] : items;
    };
    return walk(x);
  }

  test('of very many numbers show all of them where that is asked for', () => {
    for (const dtype of ['float32', 'int32'] as const) {
      const text = inspect(zeros([200_000], { dtype }), { maxArrayLength: null });
      expect(text.match(/\b0\b/g)).toHaveLength(200_000);
    }
  });

  test('of any shape show the numbers of their corners', async () => {
    const shapes = fc
      .array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 })
      .filter((dims) => dims.reduce((a, b) => a * b) < 1e5);
    await fc.assert(
      fc.asyncProperty(shapes, fc.constantFrom(0, 2, 5, 100, null), async (shape, maxArrayLength) => {
        const x = counted(shape);
        const text = inspect(x, { maxArrayLength, breakLength: Number.POSITIVE_INFINITY });
        const [, values] = /^Tensor\(\S+ float32\) (.*)$/.exec(text)!;
        const shown = JSON.parse(values!.replaceAll('...', '"..."'));
        expect(shown).toEqual(cut(await x.array(), maxArrayLength === null ? Number.POSITIVE_INFINITY : 10 * maxArrayLength, shape));
        x.dispose();
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ['float64', '  60,   61,   62, ...,   87,   88,   89'],
    ['int32', '  60,   61,   62, ...,   87,   88,   89'],
    ['uint8', ' 60,  61,  62, ...,  87,  88,  89'],
  ] as const)('of %s', (dtype, expected) => {
    expect(inspect(ops.cast(ops.reshape(counted([1200]), [40, 30]), dtype))).toContain(`[${expected}]`);
  });
});

describe('options', () => {
  test('rows are broken at breakLength', () => {
    expect(inspect(counted([12]), { breakLength: 20 })).toBe(
      lines('Tensor([12], float32)', '  [ 0,  1,  2,  3,', '    4,  5,  6,  7,', '    8,  9, 10, 11]'),
    );
    expect(inspect(counted([3]), { breakLength: 1 })).toBe(lines('Tensor([3], float32)', '  [0,', '   1,', '   2]'));
  });

  test('all is on one line where breakLength is Infinity, unless compact is false', () => {
    const options = { breakLength: Number.POSITIVE_INFINITY };
    expect(inspect(counted([2, 2]), options)).toBe('Tensor([2,2], float32) [[0, 1], [2, 3]]');
    expect(inspect(counted([2, 2]), { ...options, compact: false })).toBe(lines('Tensor([2,2], float32)', '  [[0, 1],', '   [2, 3]]'));
  });

  test('numbers are coloured, and nothing else', () => {
    const [begin, end] = ['\u001b[33m', '\u001b[39m'];
    const coloured = inspect(tensor([[-1.5, Number.NaN]]), { colors: true });
    expect(coloured).toBe(`Tensor([1,2], float32) [[${begin}-1.5${end},  ${begin}NaN${end}]]`);
    expect(inspect(tensor([1e-6, Number.NEGATIVE_INFINITY]), { colors: true })).toContain(`${begin}1e-06${end}, ${begin}-Infinity${end}`);
    expect(inspect(counted([2000]), { colors: true })).toContain(`${begin}2${end}, ..., ${begin}1997${end}`);
  });

  test('deeper than depth there are no values', () => {
    expect(inspect({ a: { x: ones([2]) } }, { depth: 0 })).toBe('{ a: [Object] }');
    expect(inspect({ x: ones([2]) }, { depth: 0 })).toBe('{ x: Tensor([2], float32) }');
    expect(inspect({ x: ones([2]) }, { depth: 1 })).toBe('{ x: Tensor([2], float32) [1, 1] }');
  });
});

test('within objects, arrays and maps the rows are moved to where they belong', () => {
  const x = counted([2, 2]);
  expect(inspect({ x, y: [x], z: new Map([['w', x]]) })).toBe(
    lines(
      '{',
      '  x: Tensor([2,2], float32)',
      '    [[0, 1],',
      '     [2, 3]],',
      '  y: [',
      '    Tensor([2,2], float32)',
      '      [[0, 1],',
      '       [2, 3]]',
      '  ],',
      '  z: Map(1) {',
      "    'w' => Tensor([2,2], float32)",
      '      [[0, 1],',
      '       [2, 3]]',
      '  }',
      '}',
    ),
  );
});

test('printers other than Node, which pass no options of its', () => {
  const custom = Symbol.for('nodejs.util.inspect.custom') as never;
  const print = (...options: unknown[]) => (tensor([1, 2])[custom] as (...args: unknown[]) => object)(2, ...options);
  expect([inspect(print()), inspect(print({}))]).toEqual(new Array(2).fill('Tensor([2], float32) [1, 2]'));
});

describe('the state of a tensor', () => {
  test('what is queued before is waited for', () => {
    let x = zeros([64, 64]);
    for (let i = 0; i < 100; i++) x = ops.add(x, 1);
    expect(inspect(x)).toContain('[100, 100, 100, ..., 100, 100, 100]');
  });

  test('disposed of: no values', () => {
    const x = zeros([2, 3], { requiresGrad: true });
    x.dispose();
    expect(inspect(x)).toBe('Tensor([2,3], float32, requiresGrad, disposed)');
  });

  test('while a model is outlined by shapes: no values', () => {
    let seen = '';
    class Watched extends nn.Module {
      forward(x: Tensor) {
        seen = inspect(x);
        return ops.relu(x);
      }
    }
    inspectModel.summary(new Watched(), [1, 4]);
    expect(seen).toBe('Tensor([1,4], float32, no values)');
  });

  test('what failed is said, and is said again to whoever reads the values', async () => {
    const loss = losses.crossEntropy(randn([1, 3]), tensor(new Int32Array([7])));
    const large = ops.mul(loss, ones([2000]));
    expect(inspect(loss)).toMatch(/^Tensor\(\[\], float32, no values: crossEntropy: label 7 .*\)$/);
    expect(inspect(large)).toMatch(/^Tensor\(\[2000\], float32, no values: crossEntropy: label 7 .*\)$/);
    await expect(loss.data()).rejects.toThrow('label 7');
    await expect(large.data()).rejects.toThrow('label 7');
    expect(inspect(ones([1]))).toBe('Tensor([1], float32) [1]');
  });

  test('printing leaves nothing behind, in a tidy or outside, and changes no gradient', async () => {
    const x = randn([100, 100], { requiresGrad: true });
    const y = ops.sum(ops.square(x));
    await settle();
    const { tensors, bytes } = memory();
    for (let i = 0; i < 10; i++) tidy(() => void inspect(x));
    inspect(x);
    expect(memory()).toMatchObject({ tensors, bytes });
    y.backward();
    expect(x.grad!.dataSync()[0]).toBeCloseTo(2 * x.dataSync()[0]!, 5);
  });
});

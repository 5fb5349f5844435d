import { arange, manualSeed, ones, ops, randn, type Tensor, tensor, zeros } from '../../lib';
import { leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

// Operations that move elements and compute nothing: reshape, flatten, expand, transpose, concat, stack, slice, split, pad.

beforeEach(() => manualSeed(1));

/** The numbers 0, 1, 2, … in this shape. */
const counting = (...shape: number[]): Tensor => ops.reshape(arange(shape.reduce((a, b) => a * b, 1)), shape);

type Row = readonly [name: string, op: (...inputs: Tensor[]) => Tensor, inputs: number[][], expected: unknown];

const rows: readonly Row[] = [
  [
    'reshape',
    (x) => ops.reshape(x, [3, 2]),
    [[2, 3]],
    [
      [0, 1],
      [2, 3],
      [4, 5],
    ],
  ],
  [
    'reshape with one dimension left open',
    (x) => ops.reshape(x, [-1, 2]),
    [[2, 3]],
    [
      [0, 1],
      [2, 3],
      [4, 5],
    ],
  ],
  ['reshape to a scalar', (x) => ops.reshape(x, []), [[1, 1]], 0],
  [
    'flatten',
    (x) => ops.flatten(x),
    [[2, 1, 2]],
    [
      [0, 1],
      [2, 3],
    ],
  ],
  ['flatten everything', (x) => ops.flatten(x, 0), [[2, 2]], [0, 1, 2, 3]],
  [
    'flatten axes 0 to 1',
    (x) => ops.flatten(x, 0, 1),
    [[2, 1, 2]],
    [
      [0, 1],
      [2, 3],
    ],
  ],
  [
    'expand along an axis',
    (x) => ops.expand(x, [2, 3]),
    [[2, 1]],
    [
      [0, 0, 0],
      [1, 1, 1],
    ],
  ],
  ['expand by new axes', (x) => ops.expand(x, [2, 1, 2]), [[2]], [[[0, 1]], [[0, 1]]]],
  [
    'expand a scalar',
    (x) => ops.expand(x, [2, 2]),
    [[]],
    [
      [0, 0],
      [0, 0],
    ],
  ],
  [
    'transpose',
    (x) => ops.transpose(x),
    [[2, 3]],
    [
      [0, 3],
      [1, 4],
      [2, 5],
    ],
  ],
  [
    'transpose by a permutation',
    (x) => ops.transpose(x, [1, 2, 0]),
    [[2, 1, 3]],
    [
      [
        [0, 3],
        [1, 4],
        [2, 5],
      ],
    ],
  ],
  [
    'transpose by negative axes',
    (x) => ops.transpose(x, [-1, 0]),
    [[2, 2]],
    [
      [0, 2],
      [1, 3],
    ],
  ],
  [
    'concat',
    (a, b) => ops.concat([a, b]),
    [
      [1, 2],
      [2, 2],
    ],
    [
      [0, 1],
      [0, 1],
      [2, 3],
    ],
  ],
  [
    'concat along the last axis',
    (a, b, c) => ops.concat([a, b, c], -1),
    [
      [2, 1],
      [2, 2],
      [2, 0],
    ],
    [
      [0, 0, 1],
      [1, 2, 3],
    ],
  ],
  ['concat one tensor', (a) => ops.concat([a]), [[3]], [0, 1, 2]],
  [
    'stack',
    (a, b) => ops.stack([a, b]),
    [[2], [2]],
    [
      [0, 1],
      [0, 1],
    ],
  ],
  [
    'stack along a new last axis',
    (a, b) => ops.stack([a, b], -1),
    [[2], [2]],
    [
      [0, 0],
      [1, 1],
    ],
  ],
  ['slice', (x) => ops.slice(x, [1], [3]), [[4]], [1, 2]],
  [
    'slice by negative bounds',
    (x) => ops.slice(x, [-3, 0], [-1]),
    [[4, 2]],
    [
      [2, 3],
      [4, 5],
    ],
  ],
  ['slice beyond the end', (x) => ops.slice(x, [1], [9]), [[3]], [1, 2]],
  ['slice nothing', (x) => ops.slice(x, [2], [1]), [[3]], []],
  ['slice in steps', (x) => ops.slice(x, [1], [6], [2]), [[7]], [1, 3, 5]],
  ['slice in steps beyond the end', (x) => ops.slice(x, [], [], [3]), [[5]], [0, 3]],
  ['slice backwards', (x) => ops.slice(x, [], [], [-1]), [[4]], [3, 2, 1, 0]],
  ['slice backwards in steps, as far as the first', (x) => ops.slice(x, [9], [-9], [-2]), [[4]], [3, 1]],
  ['slice backwards up to a bound', (x) => ops.slice(x, [-1], [0], [-2]), [[5]], [4, 2]],
  [
    'slice both ways',
    (x) => ops.slice(x, [0, 2], [], [2, -2]),
    [[3, 3]],
    [
      [2, 0],
      [8, 6],
    ],
  ],
  ['slice one cell by a large step', (x) => ops.slice(x, [1], [2], [2 ** 40]), [[4]], [1]],
  ['slice of three axes', (x) => ops.slice(x, [0, 1, 1], [2, 2, 3]), [[2, 3, 4]], [[[5, 6]], [[17, 18]]]],
  ['split in equal pieces, the second', (x) => ops.split(x, 2)[1], [[4]], [2, 3]],
  [
    'split in sizes, the second',
    (x) => ops.split(x, [1, 2], -1)[1],
    [[2, 3]],
    [
      [1, 2],
      [4, 5],
    ],
  ],
  [
    'pad',
    (x) =>
      ops.pad(x, [
        [1, 0],
        [0, 2],
      ]),
    [[1, 2]],
    [
      [0, 0, 0, 0],
      [0, 1, 0, 0],
    ],
  ],
  ['pad with a value', (x) => ops.pad(x, [[1, 1]], { value: 7 }), [[2]], [7, 0, 1, 7]],
  ['pad by nothing', (x) => ops.pad(x, [[0, 0]]), [[2]], [0, 1]],
  ['pad by reflection', (x) => ops.pad(x, [[2, 1]], { mode: 'reflect' }), [[3]], [2, 1, 0, 1, 2, 1]],
  [
    'pad by reflection on both axes',
    (x) =>
      ops.pad(
        x,
        [
          [1, 0],
          [0, 2],
        ],
        { mode: 'reflect' },
      ),
    [[2, 3]],
    [
      [3, 4, 5, 4, 3],
      [0, 1, 2, 1, 0],
      [3, 4, 5, 4, 3],
    ],
  ],
  ['pad by replication', (x) => ops.pad(x, [[2, 3]], { mode: 'replicate' }), [[2]], [0, 0, 0, 1, 1, 1, 1]],
  [
    'pad by replication on both axes',
    (x) =>
      ops.pad(
        x,
        [
          [1, 1],
          [2, 0],
        ],
        { mode: 'replicate' },
      ),
    [[2, 2]],
    [
      [0, 0, 0, 1],
      [0, 0, 0, 1],
      [2, 2, 2, 3],
      [2, 2, 2, 3],
    ],
  ],
];

describe.each(rows)('%s', (_name, op, shapes, expected) => {
  test('forward', async () => {
    expect(await op(...shapes.map((shape) => counting(...shape))).array()).toEqual(expected);
  });

  test.each(['float64', 'int32', 'uint8'] as const)('forward of %s', async (dtype) => {
    const y = op(...shapes.map((shape) => ops.cast(counting(...shape), dtype)));
    expect(y.dtype).toBe(dtype);
    expect(await y.array()).toEqual(expected);
  });

  if (JSON.stringify(expected) === '[]') return; // nothing to differentiate; see below
  test('gradient', () => {
    const inputs = shapes.map((shape) => leaf(...shape));
    gradcheck(op, inputs, { zero: shapes.flatMap((shape, i) => (shape.includes(0) ? [i] : [])) });
  });
});

test('slice › of nothing sends back a gradient of 0', () => {
  const x = leaf(3);
  ops.sum(ops.slice(x, [2], [1])).backward();
  expect(Array.from(x.grad!.dataSync())).toEqual([0, 0, 0]);
});

test('reshape › shares the memory of its input', () => {
  const x = counting(4);
  const y = ops.reshape(x, [2, 2]);
  expect(y.storage).toBe(x.storage);
  x.dispose();
  expect(Array.from(y.dataSync())).toEqual([0, 1, 2, 3]);
});

test('concat › gradient of one input alone', () => {
  const [a, b] = [randn([2, 2], { dtype: 'float64' }), leaf(3, 2)];
  gradcheck((x) => ops.concat([a, x, a]), [b]);
});

test('concat › the same tensor twice', () => gradcheck((x) => ops.concat([x, x], 1), [leaf(2, 2)]));

test.each([
  ['transpose', () => ops.transpose(randn([64, 33, 17]), [2, 0, 1])],
  ['large transpose back and forth', () => ops.transpose(ops.transpose(randn([130, 70])))],
])('%s of a larger tensor moves every element', (_name, make) => {
  manualSeed(5);
  const y = make();
  manualSeed(5);
  const shape = y.shape.length === 3 ? [64, 33, 17] : [130, 70];
  const x = randn(shape).dataSync();
  const values = y.dataSync();
  if (y.shape.length === 2) return expect(values).toEqual(x);
  for (let i = 0; i < 17; i += 5) {
    for (let j = 0; j < 64; j += 3) for (let k = 0; k < 33; k += 4) expect(values[(i * 64 + j) * 33 + k]).toBe(x[(j * 33 + k) * 17 + i]);
  }
});

describe('bad arguments', () => {
  const x = zeros([2, 3]);
  test.each([
    [
      'reshape to another size',
      () => ops.reshape(x, [4]),
      ['RangeError', 'ERR_SHAPE', 'reshape: input [2,3] has 6 elements, shape [4] holds 4'],
    ],
    [
      'reshape with a remainder',
      () => ops.reshape(x, [-1, 4]),
      ['RangeError', 'ERR_SHAPE', 'reshape: input [2,3] has 6 elements, which shape [-1,4] cannot share out'],
    ],
    [
      'reshape with two open dimensions',
      () => ops.reshape(x, [-1, -1]),
      ['RangeError', 'ERR_INVALID_VALUE', 'reshape: shape is [1,-1], expected dimensions that are integers from 0 to 2147483647'],
    ],
    ['expand what is not 1', () => ops.expand(x, [4, 3]), ['RangeError', 'ERR_SHAPE', 'expand: shapes [2,3] and [4,3] do not broadcast']],
    ['expand to fewer elements', () => ops.expand(x, [1, 3]), ['RangeError', 'ERR_SHAPE', 'expand: input [2,3] does not stretch to [1,3]']],
    [
      'transpose by an axis twice',
      () => ops.transpose(x, [0, 0]),
      ['RangeError', 'ERR_INVALID_VALUE', 'transpose: permutation is [0,0], expected each of 2 axes once'],
    ],
    [
      'transpose by too few axes',
      () => ops.transpose(x, [0]),
      ['RangeError', 'ERR_INVALID_VALUE', 'transpose: permutation is [0], expected each of 2 axes once'],
    ],
    [
      'concat nothing',
      () => ops.concat([]),
      ['TypeError', 'ERR_INVALID_TYPE', 'concat: list is [], expected a list of at least one Tensor'],
    ],
    [
      'concat shapes that differ',
      () => ops.concat([x, zeros([2, 4])]),
      ['RangeError', 'ERR_SHAPE', 'concat: shapes [2,3] and [2,4] differ beside axis 0'],
    ],
    [
      'concat types that differ',
      () => ops.concat([x, zeros([2, 3], { dtype: 'int32' })]),
      ['TypeError', 'ERR_DTYPE', 'concat: inputs are float32 and int32, expected the same type'],
    ],
    [
      'concat what is no tensor',
      () => ops.concat([x, [1, 2] as never]),
      ['TypeError', 'ERR_INVALID_TYPE', 'concat: input 1 is [1,2], expected a Tensor of this copy of receptive'],
    ],
    ['stack shapes that differ', () => ops.stack([x, zeros([3])]), ['RangeError', 'ERR_SHAPE', 'stack: shapes [2,3] and [3] differ']],
    [
      'slice by too many bounds',
      () => ops.slice(x, [0, 0, 0]),
      ['RangeError', 'ERR_INVALID_VALUE', 'slice: start is [0,0,0], expected at most 2 integers'],
    ],
    [
      'slice by half a cell',
      () => ops.slice(x, [0.5]),
      ['TypeError', 'ERR_INVALID_TYPE', 'slice: start is [0.5], expected a list of integers'],
    ],
    [
      'slice in no steps',
      () => ops.slice(x, [], [], [0]),
      ['RangeError', 'ERR_INVALID_VALUE', 'slice: step is [0], expected integers other than 0'],
    ],
    [
      'split in pieces that do not divide',
      () => ops.split(x, 2, 1),
      ['RangeError', 'ERR_INVALID_VALUE', 'split: pieces is 2, expected a positive integer that divides 3'],
    ],
    [
      'split in sizes that do not add up',
      () => ops.split(x, [1, 1], 1),
      ['RangeError', 'ERR_INVALID_VALUE', 'split: pieces is [1,1], expected sizes that add up to 3'],
    ],
    [
      'pad too few axes',
      () => ops.pad(x, [[1, 1]]),
      ['TypeError', 'ERR_INVALID_TYPE', 'pad: padding is [[…]], expected [before, after] for each of 2 axes, integers of at least 0'],
    ],
    [
      'pad bytes with a number that is none',
      () => ops.pad(zeros([1], { dtype: 'uint8' }), [[1, 1]], { value: 256 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'pad: a value is 256, expected an integer from 0 to 255 (uint8); see ops.cast'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

test('tensor › the values of concat do not depend on disposing its inputs', () => {
  const [a, b] = [ones([2]), tensor([3])];
  const y = ops.concat([a, b]);
  a.dispose();
  b.dispose();
  expect(Array.from(y.dataSync())).toEqual([1, 1, 3]);
});

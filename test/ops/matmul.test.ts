import { manualSeed, ones, ops, tensor } from '../../lib';
import { precision, unit } from '../support/agree';
import { integers, leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

const transposes = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

/** The shape a matrix is given in, where its transpose is what is meant. */
const given = (batch: readonly number[], rows: number, columns: number, transposed: boolean): number[] => [
  ...batch,
  ...(transposed ? [columns, rows] : [rows, columns]),
];

describe.each(transposes)('matmul › transposeA %s, transposeB %s', (transposeA, transposeB) => {
  const options = { transposeA, transposeB };

  test('forward is the plain sum of products', () => {
    const [m, k, n] = [3, 4, 5];
    const [a, b] = [integers([m, k], 1), integers([k, n], 2)];
    const expected = Array.from({ length: m * n }, (_, i) => {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[Math.floor(i / n) * k + p] * b[p * n + (i % n)];
      return sum;
    });
    const [left, right] = [tensor(a, [m, k], { dtype: 'float32' }), tensor(b, [k, n], { dtype: 'float32' })];
    const y = ops.matmul(transposeA ? ops.transpose(left) : left, transposeB ? ops.transpose(right) : right, options);
    expect(y.shape).toEqual([m, n]);
    expect(Array.from(y.dataSync())).toEqual(expected);
  });

  test.each([
    ['of matrices', []],
    ['of batches', [3]],
  ])('gradient %s', (_name, batch) => {
    const [a, b] = [given(batch, 3, 4, transposeA), given(batch, 4, 2, transposeB)];
    gradcheck((x, y) => ops.matmul(x, y, options), [leaf(...a), leaf(...b)]);
  });

  test.each([
    [1, 1, 1],
    [1, 17, 33],
    [7, 1, 16],
    [15, 64, 65],
    [33, 130, 31],
    [70, 300, 50],
  ])('float32 agrees with float64 at %d x %d x %d', (m, k, n) => {
    const [a, b] = [given([], m, k, transposeA), given([], k, n, transposeB)];
    const distances = precision((x, y) => ops.matmul(x, y, options), [leaf(...a), leaf(...b)]);
    for (const one of distances) expect(one).toBeLessThan(unit * (m + k + n + 2));
  });
});

test.each([
  ['a', 0],
  ['b', 1],
])('matmul › gradient of %s alone', (_name, wanted) => {
  const inputs = [leaf(2, 3), leaf(3, 4)];
  inputs[1 - wanted].requiresGrad = false;
  gradcheck((a, b) => ops.matmul(a, b), inputs);
});

test('matmul › a sum over nothing is 0', () => {
  const y = ops.matmul(ones([2, 0]), ones([0, 3]));
  expect(y.shape).toEqual([2, 3]);
  expect(Array.from(y.dataSync())).toEqual([0, 0, 0, 0, 0, 0]);
});

describe('matmul › bad arguments', () => {
  test.each([
    [
      'inner dimensions that differ',
      () => ops.matmul(ones([2, 3]), ones([4, 5])),
      ['RangeError', 'ERR_SHAPE', 'matmul: a has 3 columns, b has 4 rows (a [2,3], b [4,5])'],
    ],
    [
      'inner dimensions that differ once transposed',
      () => ops.matmul(ones([2, 3]), ones([3, 5]), { transposeB: true }),
      ['RangeError', 'ERR_SHAPE', 'matmul: a has 3 columns, b has 5 rows (a [2,3], b [3,5] transposed)'],
    ],
    [
      'batches that differ',
      () => ops.matmul(ones([2, 2, 3]), ones([4, 3, 5])),
      ['RangeError', 'ERR_SHAPE', 'matmul: a has 2 matrices, b has 4 (a [2,2,3], b [4,3,5])'],
    ],
    [
      'a vector',
      () => ops.matmul(ones([3]), ones([3, 5])),
      ['RangeError', 'ERR_SHAPE', 'matmul: expected two matrices or two batches of them (a [3], b [3,5])'],
    ],
    [
      'a number',
      () => ops.matmul(3 as never, ones([3, 5])),
      ['TypeError', 'ERR_INVALID_TYPE', 'matmul: a is 3, expected a Tensor of this copy of receptive'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

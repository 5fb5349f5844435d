import { manualSeed, ops, type Tensor, tensor, zeros } from '../../lib';
import type { ReduceOptions } from '../../lib/ops/reduce';
import { precision, unit } from '../support/agree';
import { leaf, spacedLeaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

type Row = readonly [name: string, op: (x: Tensor, options?: ReduceOptions) => Tensor, formula: (values: number[]) => number];

const add = (values: number[]) => values.reduce((a, b) => a + b, 0);
const rows: readonly Row[] = [
  ['sum', ops.sum, add],
  ['mean', ops.mean, (values) => add(values) / values.length],
  ['max', ops.max, (values) => Math.max(...values)],
  ['min', ops.min, (values) => Math.min(...values)],
];

const axes: readonly (readonly [axis: ReduceOptions['axis'], dropped: number[], kept: number[]])[] = [
  [undefined, [], [1, 1, 1, 1]],
  [0, [3, 4, 5], [1, 3, 4, 5]],
  [-1, [2, 3, 4], [2, 3, 4, 1]],
  [
    [1, 2],
    [2, 5],
    [2, 1, 1, 5],
  ],
  [
    [0, 2],
    [3, 5],
    [1, 3, 1, 5],
  ],
  [
    [3, 1],
    [2, 4],
    [2, 1, 4, 1],
  ],
  [[0, 1, 2], [5], [1, 1, 1, 5]],
  [[], [2, 3, 4, 5], [2, 3, 4, 5]],
];

/** The values that each element of the result is made of. */
function groups(shape: readonly number[], values: ArrayLike<number>, kept: readonly number[]): number[][] {
  const found = new Map<number, number[]>();
  for (let i = 0; i < values.length; i++) {
    let [rest, place, step] = [i, 0, 1];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (kept[axis] > 1) place += (rest % shape[axis]) * step;
      step *= kept[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    found.set(place, [...(found.get(place) ?? []), values[i]]);
  }
  return [...found.entries()].sort(([a], [b]) => a - b).map(([, group]) => group);
}

describe.each(rows)('%s', (_name, op, formula) => {
  const inputs = op === ops.sum || op === ops.mean ? leaf : spacedLeaf;

  test.each(axes)('forward over axis %j', (axis, dropped, kept) => {
    const x = inputs(2, 3, 4, 5);
    const expected = groups(x.shape, x.dataSync(), kept).map(formula);
    for (const keepDims of [false, true]) {
      const y = op(x, { axis, keepDims });
      expect(y.shape).toEqual(keepDims ? kept : dropped);
      const values = y.dataSync();
      expected.forEach((value, i) => {
        expect(values[i]).toBeCloseTo(value, 12);
      });
    }
  });

  test.each(axes)('gradient over axis %j', (axis) => {
    gradcheck((x) => op(x, { axis }), [inputs(2, 3, 4, 5)]);
    gradcheck((x) => op(x, { axis, keepDims: true }), [inputs(2, 3, 4, 5)]);
  });

  test.each([
    ['one element', [1]],
    ['1000 rows of 3', [1000, 3]],
    ['3 rows of 1000', [3, 1000]],
    ['17 channels', [5, 9, 17]],
  ])('float32 agrees with float64, %s', (_case, shape) => {
    for (const axis of [0, -1]) {
      const [output] = precision((x) => op(x, { axis }), [inputs(...shape)]);
      expect(output).toBeLessThan(unit * 40);
    }
  });

  test('of a scalar', () => expect(op(tensor(3)).dataSync()[0]).toBe(3));
});

test.each(['max', 'min'] as const)('%s › equal elements share the gradient', (name) => {
  const x = tensor(
    [
      [2, 2, 2, 2],
      [1, 1, 5, 5],
    ],
    null,
    { requiresGrad: true },
  );
  ops.sum(ops[name](x, { axis: 1 })).backward();
  expect(Array.from(x.grad!.dataSync())).toEqual([0.25, 0.25, 0.25, 0.25, ...(name === 'max' ? [0, 0, 0.5, 0.5] : [0.5, 0.5, 0, 0])]);
});

test('sum and mean of nothing are 0 and NaN; max and min of nothing are errors', () => {
  const x = zeros([2, 0]);
  expect(Array.from(ops.sum(x, { axis: 1 }).dataSync())).toEqual([0, 0]);
  expect(Array.from(ops.mean(x, { axis: 1 }).dataSync())).toEqual([Number.NaN, Number.NaN]);
  expect(fault(() => ops.max(x, { axis: 1 }))).toEqual({
    name: 'RangeError',
    code: 'ERR_SHAPE',
    message: 'max: input [2,0] has no elements along a reduced axis',
  });
  expect(ops.max(x, { axis: 0 }).shape).toEqual([0]);
});

test('sum › a long sum of float32 keeps its precision', () => {
  const n = 1 << 20;
  const y = ops.sum(tensor(new Float32Array(n).fill(0.1)));
  expect(Math.abs(y.dataSync()[0] / (n * Math.fround(0.1)) - 1)).toBeLessThan(1e-6);
});

test('sum › of int32 is int32', () => {
  const y = ops.sum(tensor(Int32Array.of(5, -7, 100)));
  expect([y.dtype, y.dataSync()[0]]).toEqual(['int32', 98]);
});

describe('sum › bad arguments', () => {
  const x = zeros([2, 3]);
  test.each([
    [
      'an axis beyond the rank',
      () => ops.sum(x, { axis: 2 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'sum: axis is 2, expected an integer from -2 to 1'],
    ],
    [
      'half an axis',
      () => ops.sum(x, { axis: [0, 0.5] }),
      ['RangeError', 'ERR_INVALID_VALUE', 'sum: axis is 0.5, expected an integer from -2 to 1'],
    ],
    [
      'an axis of a scalar',
      () => ops.sum(zeros([]), { axis: 0 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'sum: axis is 0, expected none, the input is a scalar'],
    ],
    [
      'an axis twice',
      () => ops.sum(x, { axis: [0, -2] }),
      ['RangeError', 'ERR_INVALID_VALUE', 'sum: axis is [0,-2], expected each axis at most once'],
    ],
    [
      'an axis by name',
      () => ops.sum(x, { axis: 'rows' as never }),
      ['TypeError', 'ERR_INVALID_TYPE', 'sum: axis is "rows", expected an integer or a list of them'],
    ],
    [
      'uint8',
      () => ops.sum(zeros([2], { dtype: 'uint8' })),
      ['TypeError', 'ERR_DTYPE', 'sum: input is uint8, expected float32 or float64'],
    ],
    [
      'null',
      () => ops.sum(null as never),
      ['TypeError', 'ERR_INVALID_TYPE', 'sum: input is null, expected a Tensor of this copy of receptive'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

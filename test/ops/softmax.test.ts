import * as fc from 'fast-check';
import { manualSeed, ops, randn, tensor, zeros } from '../../lib';
import { precision, unit } from '../support/agree';
import { leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

describe.each([
  ['softmax', ops.softmax],
  ['logSoftmax', ops.logSoftmax],
] as const)('%s', (name, op) => {
  test.each([
    [[5], -1],
    [[3, 4], -1],
    [[3, 4], 0],
    [[2, 3, 4], 1],
    [[2, 1, 4], 1],
  ])('gradient at shape %j along axis %d', (shape, axis) => {
    gradcheck((x) => op(x, { axis }), [leaf(...shape)], { zero: shape.at(axis) === 1 ? [0] : [] });
  });

  test.each([1, 2, 10, 16, 17, 1000])('float32 agrees with float64 for %d classes', (n) => {
    for (const one of precision((x) => op(x), [leaf(5, n)])) expect(one).toBeLessThan(unit * (40 + n));
  });

  test('an axis beyond the rank is an error', () => {
    expect(fault(() => op(zeros([2, 3]), { axis: 2 }))).toEqual({
      name: 'RangeError',
      code: 'ERR_INVALID_VALUE',
      message: `${name}: axis is 2, expected an integer from -2 to 1`,
    });
  });
});

test('softmax › is the formula', () => {
  const y = ops.softmax(tensor([0, Math.log(3)], null, { dtype: 'float64' }));
  expect(y.dataSync()[0]).toBeCloseTo(0.25, 14);
});

test('softmax › sums to 1 along its axis, whatever the size of the numbers', () => {
  fc.assert(
    fc.property(
      fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 40 })),
      fc.constantFrom(0.01, 1, 1e4),
      fc.constantFrom(0, 1),
      (shape, scale, axis) => {
        const y = ops.softmax(ops.mul(randn(shape), scale), { axis });
        for (const sum of ops.sum(y, { axis }).dataSync()) expect(Math.abs(sum - 1)).toBeLessThan(1e-6);
        for (const p of y.dataSync()) expect(p).toBeGreaterThanOrEqual(0);
      },
    ),
    { numRuns: 200, seed: 1 },
  );
});

test('softmax › neither overflows nor loses small differences of large numbers', () => {
  expect(Array.from(ops.softmax(tensor([1e30, 1e30])).dataSync())).toEqual([0.5, 0.5]);
  expect(Array.from(ops.softmax(tensor([-Infinity, 0])).dataSync())).toEqual([0, 1]);
});

test('logSoftmax › is exact where the softmax is 0', () => {
  expect(Array.from(ops.logSoftmax(tensor([0, 200])).dataSync())).toEqual([-200, 0]);
});

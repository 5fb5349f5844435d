import fc from 'fast-check';
import { manualSeed, ones, ops, tensor, zeros } from '../../lib';
import { leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

describe('topk', () => {
  const x = tensor([
    [3, 1, 4, 1],
    [5, 9, 2, 6],
  ]);

  test('the largest along the last axis', async () => {
    const { values, indices } = ops.topk(x, 2);
    expect([await values.array(), await indices.array()]).toEqual([
      [
        [4, 3],
        [9, 6],
      ],
      [
        [2, 0],
        [1, 3],
      ],
    ]);
    expect(indices.dtype).toBe('int32');
  });

  test('the smallest along the first, the first of equal ones before', async () => {
    const { values, indices } = ops.topk(x, 1, { axis: 0, largest: false });
    expect([await values.array(), await indices.array()]).toEqual([[[3, 1, 2, 1]], [[0, 0, 1, 0]]]);
    expect(await ops.topk(ones([4]), 3).indices.array()).toEqual([0, 1, 2]);
  });

  test('none, of something and of nothing', () => {
    expect(ops.topk(x, 0).values.shape).toEqual([2, 0]);
    expect(ops.topk(zeros([0, 3]), 2).indices.shape).toEqual([0, 2]);
  });

  test('sorted rows begin so', () => {
    const numbers = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(numbers, fc.nat(40), fc.boolean(), (list, some, largest) => {
        const k = some % (list.length + 1);
        const order = list.map((_, i) => i).sort((i, j) => (largest ? list[j]! - list[i]! : list[i]! - list[j]!) || i - j);
        const { values, indices } = ops.topk(tensor(list), k, { largest });
        expect([...indices.dataSync()]).toEqual(order.slice(0, k));
        expect([...values.dataSync()]).toEqual(order.slice(0, k).map((i) => list[i]));
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    ['along the last axis', {}],
    ['along another', { axis: 1 }],
    ['of the smallest', { largest: false }],
  ])('gradient %s', (_name, options) => gradcheck((y) => ops.topk(y, 2, options).values, [leaf(2, 3, 4)]));

  test.each([
    ['too many', () => ops.topk(x, 5), 'topk: k is 5, expected an integer from 0 to 4, the elements along axis 1'],
    ['half of one', () => ops.topk(x, 0.5), 'topk: k is 0.5, expected an integer from 0 to 4, the elements along axis 1'],
  ])('error of %s', (_name, call, message) => {
    expect(fault(call)).toEqual({ name: 'RangeError', code: 'ERR_INVALID_VALUE', message });
  });
});

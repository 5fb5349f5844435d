import { manualSeed, ones, ops, tensor, zeros } from '../../lib';
import { leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

describe('gather', () => {
  const index = tensor(Int32Array.of(2, 0, 2, 3), [2, 2]);

  test('rows by their numbers', async () => {
    const y = ops.gather(
      tensor([
        [0, 1],
        [2, 3],
        [4, 5],
        [6, 7],
      ]),
      index,
    );
    expect(await y.array()).toEqual([
      [
        [4, 5],
        [0, 1],
      ],
      [
        [4, 5],
        [6, 7],
      ],
    ]);
  });

  test.each([[[4]], [[4, 3]], [[5, 2, 2]]])('gradient at shape %j', (shape) => gradcheck((x) => ops.gather(x, index), [leaf(...shape)]));

  test('the gradient of a row is the sum over its uses, of a row without any 0', () => {
    const table = zeros([300, 65], { requiresGrad: true });
    const uses = Int32Array.from({ length: 4000 }, (_, i) => (i * 7919) % 299);
    ops.sum(ops.gather(table, tensor(uses))).backward();
    const grad = table.grad!.dataSync();
    const counts = new Array<number>(300).fill(0);
    for (const row of uses) counts[row]++;
    for (let i = 0; i < grad.length; i++) expect(grad[i]).toBe(counts[Math.floor(i / 65)]);
    expect(counts[299]).toBe(0);
  });

  test('an index out of range is an error when the result is read', async () => {
    const y = ops.gather(ones([2, 2]), tensor(Int32Array.of(0, 2)));
    await expect(y.data()).rejects.toMatchObject({ code: 'ERR_KERNEL', message: 'gather: index 2 at 1, expected 0 to 1' });
  });

  test.each([
    ['an index of floats', () => ops.gather(ones([2]), ones([1])), ['TypeError', 'ERR_DTYPE', 'gather: index is float32, expected int32']],
    [
      'rows of a scalar',
      () => ops.gather(ones([]), index),
      ['RangeError', 'ERR_SHAPE', 'gather: input is a scalar, expected rank 1 or more'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

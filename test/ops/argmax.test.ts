import { ops, tensor, zeros } from '../../lib';
import { leaf } from '../support/data';
import { fault } from '../support/fault';

describe('argmax', () => {
  test.each([
    [-1, [1, 0]],
    [0, [1, 0, 1]],
  ])('along axis %d', (axis, expected) => {
    const y = ops.argmax(
      tensor([
        [1, 5, 2],
        [7, 0, 7],
      ]),
      axis,
    );
    expect(y.dtype).toBe('int32');
    expect(Array.from(y.dataSync())).toEqual(expected);
  });

  test('keepDims', () => expect(ops.argmax(zeros([2, 3, 4]), 1, { keepDims: true }).shape).toEqual([2, 1, 4]));
  test('of many elements', () =>
    expect(ops.argmax(tensor(Float32Array.from({ length: 1000 }, (_, i) => -((i - 777) ** 2)))).dataSync()[0]).toBe(777));
  test('has no gradient', () => expect(ops.argmax(leaf(3)).requiresGrad).toBe(false));
  test('of nothing is an error', () => {
    expect(fault(() => ops.argmax(zeros([2, 0])))).toEqual({
      name: 'RangeError',
      code: 'ERR_SHAPE',
      message: 'argmax: input [2,0] has no elements along axis 1',
    });
  });
});

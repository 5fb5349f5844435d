import { ones, ops, tensor } from '../../lib';
import { leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

describe('cast', () => {
  test.each([
    ['float64', 'float32', [0.1, -2.5], [Math.fround(0.1), -2.5]],
    ['float32', 'int32', [0.5, 1.5, -2.6, 3e9, Number.NaN], [0, 2, -3, 2147483647, 0]],
    ['float32', 'uint8', [-1, 254.6, 300], [0, 255, 255]],
    ['uint8', 'float32', [0, 255], [0, 255]],
    ['int32', 'float64', [-5, 2147483647], [-5, 2147483647]],
  ] as const)('%s to %s', (from, to, values, expected) => {
    const y = ops.cast(tensor([...values], null, { dtype: from }), to);
    expect(y.dtype).toBe(to);
    expect(Array.from(y.dataSync())).toEqual(expected);
  });

  test('the gradient passes between floating-point types', () => {
    const x = tensor([1, 2], null, { requiresGrad: true });
    const y = ops.cast(x, 'float64');
    y.backward(tensor([3, 4], null, { dtype: 'float64' }));
    expect([x.grad!.dtype, ...x.grad!.dataSync()]).toEqual(['float32', 3, 4]);
  });

  test('gradient, to the same type', () => gradcheck((x) => ops.cast(x, 'float64'), [leaf(3)]));
  test('to an integer has no gradient', () => expect(ops.cast(leaf(2), 'int32').requiresGrad).toBe(false));
  test('to an unknown type', () => expect(fault(() => ops.cast(ones([1]), 'float16' as never)).code).toBe('ERR_INVALID_VALUE'));
});

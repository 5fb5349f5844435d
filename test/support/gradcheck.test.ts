import { ops, type Tensor } from '../../lib';
import { leaf } from './data';
import { gradcheck } from './gradcheck';

// The check must fail where it should, or nothing that passes it is checked.

test.each<[string, (x: Tensor) => Tensor, string]>([
  ['half of the gradient is missing', (x) => ops.mul(x, x.detach()), 'gradient of input 0, element 0: backward says'],
  ['the gradient is 0 and was not said to be', (x) => ops.mul(x, 0), 'the gradient of input 0 is 0 everywhere'],
])('gradcheck › fails where %s', (_name, fn, message) => {
  expect(() => gradcheck(fn, [leaf(3)], { tolerance: 1e-12 })).toThrow(message);
});

test('gradcheck › fails where the gradient is not 0 and was said to be', () => {
  expect(() => gradcheck(ops.square, [leaf(3)], { zero: [0] })).toThrow('the gradient of input 0 is not 0 everywhere');
});

test('gradcheck › fails where no element was compared', () => {
  expect(() => gradcheck(ops.square, [leaf(0)], { zero: [0] })).toThrow('no element was compared');
});

test('gradcheck › passes a right gradient', () => gradcheck(ops.square, [leaf(3)]));

import { manualSeed, nn, ones, ops, randn, type Tensor, tensor } from '../../lib';
import { leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

/** A layer of float64, for gradient checks. */
class Scale extends nn.Module {
  constructor(readonly factor: number) {
    super();
  }
  forward(x: Tensor): Tensor {
    return ops.mul(ops.tanh(x), this.factor);
  }
}

describe('Residual', () => {
  test('adds the input to what the body makes of it', () => {
    const y = new nn.Residual(new nn.ReLU()).forward(tensor([-1, 2, -3]));
    expect([...y.dataSync()]).toEqual([-1, 4, -3]);
  });

  test('adds what the shortcut makes of the input where there is one', () => {
    const y = new nn.Residual(new nn.ReLU(), new Scale(0)).forward(tensor([-1, 2, -3]));
    expect([...y.dataSync()]).toEqual([0, 2, 0]);
  });

  test.each([
    ['the input', null],
    ['a shortcut', new Scale(-2)],
  ])('gradient through the body and %s', (_, shortcut) =>
    gradcheck((x) => new nn.Residual(new Scale(3), shortcut).forward(x), [leaf(3, 4)]),
  );

  test('names its parts, and finds their parameters', () => {
    const block = new nn.Residual(new nn.Sequential(new nn.Linear(3, 2)), new nn.Linear(3, 2, { bias: false }));
    expect(Object.keys(block.stateDict())).toEqual(['body.0.weight', 'body.0.bias', 'shortcut.weight']);
    expect(String(block)).toBe(
      ['Residual(', '  (body): Sequential(', '    (0): Linear(3, 2)', '  )', '  (shortcut): Linear(3, 2, { bias: false })', ')'].join('\n'),
    );
    expect(String(new nn.Residual(new nn.ReLU()))).toBe('Residual(\n  (body): ReLU()\n)');
    expect(block.forward(randn([5, 3])).shape).toEqual([5, 2]);
  });

  test('training mode reaches both parts', () => {
    const block = new nn.Residual(new nn.Dropout(), new nn.Dropout()).eval();
    expect([...block.forward(ones([4])).dataSync()]).toEqual([2, 2, 2, 2]);
  });

  test('shapes that differ are an error, also where they would broadcast', () => {
    class Narrow extends nn.Linear {
      override forward(x: Tensor): Tensor {
        return super.forward(x);
      }
    }
    const narrow = new Narrow(3, 1);
    expect(fault(() => new nn.Residual(narrow).forward(ones([2, 3])))).toEqual({
      name: 'RangeError',
      code: 'ERR_SHAPE',
      message: 'Residual: body gives [2,1], input has [2,3], expected the same shape',
    });
    expect(fault(() => new nn.Residual(narrow, new nn.Linear(3, 2)).forward(ones([2, 3]))).message).toBe(
      'Residual: body gives [2,1], shortcut gives [2,2], expected the same shape',
    );
    expect(fault(() => new nn.Residual(new nn.Linear(3, 1)).forward(ones([2, 3])))).toEqual({
      name: 'RangeError',
      code: 'ERR_SHAPE',
      message: 'linear: what is added, as by a residual shortcut, has shape [2,3], expected [2,1]',
    });
  });

  test.each([
    ['body', () => new nn.Residual(undefined as never), 'Residual: body is undefined, expected a Module'],
    ['shortcut', () => new nn.Residual(new nn.ReLU(), 1 as never), 'Residual: shortcut is 1, expected a Module'],
  ])('a %s that is no module is an error', (_, make, message) => {
    expect(fault(make)).toEqual({ name: 'TypeError', code: 'ERR_INVALID_TYPE', message });
  });
});

describe('Identity', () => {
  test('gives its input in a tensor of its own', () => {
    const x = tensor([1, 2]);
    const y = new nn.Identity().forward(x);
    expect([...y.dataSync()]).toEqual([1, 2]);
    y.dispose();
    expect(x.disposed).toBe(false);
    expect(String(new nn.Identity())).toBe('Identity()');
  });

  test('gradient', () => gradcheck((x) => new nn.Identity().forward(x), [leaf(2, 3)]));

  test('expects a tensor', () => {
    expect(fault(() => new nn.Identity().forward(3 as never)).message).toBe(
      'Identity: input is 3, expected a Tensor of this copy of receptive',
    );
  });
});

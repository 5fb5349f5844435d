import { memory, nn, noGrad, ones, ops, randn, type Tensor, tensor, tidy, zeros } from '../lib';
import { fault } from './support/fault';
import { settle } from './support/memory';

const leaf = (...values: number[]): Tensor => tensor(values, null, { requiresGrad: true });
const values = (x: Tensor | null): number[] => Array.from(x!.dataSync());

describe('backward', () => {
  test('leaves the gradient on every leaf that requires one', () => {
    const [a, b, c] = [leaf(2), leaf(3), tensor([5])];
    ops.sum(ops.mul(ops.mul(a, b), c)).backward();
    expect([values(a.grad), values(b.grad), c.grad]).toEqual([[15], [10], null]);
  });

  test('adds to the gradient of earlier calls, in the same tensor', () => {
    const x = leaf(1, 2);
    ops.sum(ops.square(x)).backward();
    const first = x.grad;
    ops.sum(ops.mul(x, 3)).backward();
    expect(x.grad).toBe(first);
    expect(values(x.grad)).toEqual([5, 7]);
  });

  test('starts anew where the gradient was disposed of or set to null', () => {
    const x = leaf(2);
    ops.square(x).backward();
    x.grad!.dispose();
    ops.square(x).backward();
    expect(values(x.grad)).toEqual([4]);
    x.grad = null;
    ops.square(x).backward();
    expect(values(x.grad)).toEqual([4]);
  });

  test.each<[string, (x: Tensor) => Tensor, number]>([
    ['both operands of one operation', (x) => ops.mul(x, x), 6],
    ['both operands of a sum', (x) => ops.add(x, x), 2],
    ['an operand and a function of it', (x) => ops.mul(ops.square(x), x), 27],
    ['two branches that meet again', (x) => ops.add(ops.square(x), ops.mul(x, 4)), 10],
    [
      'a chain of branches that meet again',
      (x) => {
        const y = ops.add(x, x);
        const z = ops.add(y, y);
        return ops.mul(z, y);
      },
      48,
    ],
    ['a view and its original', (x) => ops.sum(ops.mul(ops.reshape(x, [1, 1]), x)), 6],
    ['views of one gradient', (x) => ops.add(ops.reshape(x, []), ops.reshape(ops.add(x, x), [])), 3],
  ])('sums over %s', (_name, fn, expected) => {
    const x = leaf(3);
    fn(x).backward();
    expect(values(x.grad)).toEqual([expected]);
  });

  test('of a tensor that several leaves and views share leaves each with memory of its own', () => {
    const [a, b, c] = [leaf(1), leaf(2), leaf(3)];
    ops.sum(ops.add(ops.reshape(ops.add(a, b), [1]), c)).backward();
    for (const x of [a, b, c]) ops.mul(x, 2).backward();
    expect([values(a.grad), values(b.grad), values(c.grad)]).toEqual([[3], [3], [3]]);
    expect(new Set([a, b, c].map((x) => x.grad!.storage)).size).toBe(3);
  });

  test('takes the gradient of a tensor that is no scalar, and leaves it alone', () => {
    const x = leaf(1, 2);
    const gradient = tensor([10, 20]);
    ops.reshape(x, [2]).backward(gradient);
    ops.square(x).backward(gradient);
    expect(values(x.grad)).toEqual([30, 100]);
    expect(values(gradient)).toEqual([10, 20]);
  });

  test('of a leaf itself', () => {
    const x = leaf(7);
    x.backward();
    expect(values(x.grad)).toEqual([1]);
  });

  test('reaches only what requires a gradient', () => {
    const [x, y] = [leaf(2), leaf(3)];
    const z = ops.mul(x, ops.mul(y.detach(), 2));
    z.backward();
    expect([values(x.grad), y.grad]).toEqual([[6], null]);
  });

  test('goes through 10,000 operations', () => {
    const x = leaf(1);
    let y: Tensor = x;
    for (let i = 0; i < 10_000; i++) y = ops.add(y, x);
    y.backward();
    expect(values(x.grad)).toEqual([10_001]);
  });

  test('does not need the tensors in between to be kept', () => {
    const x = leaf(2, 3);
    const y = ops.exp(x);
    const z = ops.mul(y, y);
    const loss = ops.sum(z);
    y.dispose();
    z.dispose();
    x.dispose();
    loss.backward();
    expect(values(x.grad)[0]).toBeCloseTo(2 * Math.exp(4), 3);
  });

  test('may be called while a gradient is being recorded elsewhere', () => {
    const [x, y] = [leaf(2), leaf(5)];
    const outer = ops.square(x);
    ops.square(y).backward();
    outer.backward();
    expect([values(x.grad), values(y.grad)]).toEqual([[4], [10]]);
  });
});

describe('backward › errors', () => {
  test('a second time', () => {
    const x = leaf(2);
    const y = ops.square(x);
    y.backward();
    expect(fault(() => y.backward())).toEqual({
      name: 'ReceptiveError',
      code: 'ERR_AUTOGRAD',
      message:
        'backward: what square saved was freed by an earlier backward(); run the forward pass again, or add the losses and call backward() once',
    });
    expect(values(x.grad)).toEqual([4]);
  });

  test('a second loss over a graph that was freed changes nothing', () => {
    const x = leaf(2);
    const shared = ops.square(x);
    const [first, second] = [ops.mul(shared, 2), ops.mul(shared, 3)];
    first.backward();
    expect(fault(() => second.backward()).code).toBe('ERR_AUTOGRAD');
    expect(values(x.grad)).toEqual([8]);
  });

  test('a tensor that is no scalar', () => {
    expect(fault(() => leaf(1, 2).backward())).toEqual({
      name: 'ReceptiveError',
      code: 'ERR_AUTOGRAD',
      message:
        'backward: a tensor of shape [2] is not a scalar; give the gradient of the loss with respect to it, or reduce it (ops.mean, ops.sum)',
    });
  });

  test('a tensor that requires no gradient', () => {
    expect(fault(() => ones([1]).backward())).toEqual({
      name: 'ReceptiveError',
      code: 'ERR_AUTOGRAD',
      message:
        'backward: this tensor of shape [1] does not require a gradient (no input of its computation did, or it was made inside noGrad)',
    });
  });

  test.each<[string, () => Tensor, string, string]>([
    ['shape', () => ones([3]), 'ERR_SHAPE', 'backward: gradient has shape [3], expected that of the tensor, [2]'],
    ['type', () => ones([2], { dtype: 'float64' }), 'ERR_DTYPE', 'backward: gradient is float64, expected float32'],
  ])('a gradient of another %s', (_name, gradient, code, message) => {
    expect(fault(() => leaf(1, 2).backward(gradient()))).toMatchObject({ code, message });
  });

  test('a gradient that is no tensor', () => {
    expect(fault(() => leaf(1, 2).backward([1, 2] as never))).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_TYPE' });
  });

  test('a disposed tensor, or gradient', () => {
    const [x, y, gradient] = [leaf(1), leaf(1), ones([1])];
    x.dispose();
    gradient.dispose();
    expect(fault(() => x.backward()).code).toBe('ERR_DISPOSED');
    expect(fault(() => y.backward(gradient)).code).toBe('ERR_DISPOSED');
  });

  test('a saved tensor that was written to since, as an optimiser would', () => {
    const w = leaf(2, 3);
    const loss = ops.sum(ops.square(w));
    w.assign(tensor([5, 6]));
    expect(fault(() => loss.backward())).toEqual({
      name: 'ReceptiveError',
      code: 'ERR_AUTOGRAD',
      message:
        'backward: a tensor of shape [2] that square needs for its gradient was written to afterwards ' +
        '(1 writes since, by an optimiser step or an assignment); call backward() before that',
    });
    expect(w.grad).toBeNull();
  });

  test('a write through a view counts too', () => {
    const w = leaf(2, 3);
    const loss = ops.sum(ops.square(w));
    ops.reshape(w.detach(), [1, 2]).assign(tensor([[5, 6]]));
    expect(fault(() => loss.backward()).code).toBe('ERR_AUTOGRAD');
  });

  test('a write to a tensor whose value no gradient needs is fine', () => {
    const w = leaf(2, 3);
    const loss = ops.sum(ops.add(w, 1));
    w.assign(tensor([5, 6]));
    loss.backward();
    expect(values(w.grad)).toEqual([1, 1]);
  });
});

describe('what an operation keeps', () => {
  type Row = readonly [name: string, op: (...inputs: Tensor[]) => Tensor, shapes: number[][], reads: readonly (readonly number[])[]];
  const pair = [
    [2, 2],
    [2, 2],
  ];
  const image = [[1, 3, 3, 2], [2, 2, 2, 3], [3]];
  const normal = (training: boolean) => (x: Tensor, weight: Tensor, bias: Tensor) =>
    ops.batchNorm(x, { weight, bias, training, runningMean: zeros([2]), runningVar: ones([2]) });
  /** Of each input, the inputs that its gradient alone reads. */
  const rows: readonly Row[] = [
    ['add', ops.add, pair, [[], []]],
    ['mul', ops.mul, pair, [[1], [0]]],
    ['div', ops.div, pair, [[1], [0, 1]]],
    [
      'maximum',
      ops.maximum,
      pair,
      [
        [0, 1],
        [0, 1],
      ],
    ],
    [
      'pow',
      ops.pow,
      pair,
      [
        [0, 1],
        [0, 1],
      ],
    ],
    ['matmul', (a, b) => ops.matmul(a, b), pair, [[1], [0]]],
    ['linear', (x, w, bias) => ops.linear(x, w, bias), [...pair, [2]], [[1], [0], []]],
    ['conv2d', (x, w, bias) => ops.conv2d(x, w, { bias }), image, [[1], [0], []]],
    ['batchNorm in training', normal(true), [[3, 2], [2], [2]], [[0, 1], [0], [0]]],
    ['batchNorm in inference', normal(false), [[3, 2], [2], [2]], [[0, 1], [0], [0]]],
  ];
  const cases = rows.flatMap(([name, op, shapes, reads]) => reads.map((read, wanted) => [name, wanted, op, shapes, read] as const));

  test.each(cases)('%s, for the gradient of input %d', (_, wanted, op, shapes, reads) => {
    for (const written of shapes.keys()) {
      const inputs = shapes.map((shape) => ops.add(randn(shape), 3).detach());
      inputs[wanted].requiresGrad = true;
      const y = ops.sum(op(...inputs));
      nn.init.ones(inputs[written]);
      if (reads.includes(written)) expect(() => y.backward()).toThrow('was written to afterwards');
      else y.backward();
      expect(inputs.map(({ grad }) => grad !== null)).toEqual(shapes.map((_, i) => i === wanted && !reads.includes(written)));
    }
  });
});

describe('noGrad', () => {
  test('records nothing, gives back its result, and nests', () => {
    const x = leaf(2);
    const y = noGrad(() => {
      noGrad(() => ops.square(x));
      return ops.square(x);
    });
    expect(y.requiresGrad).toBe(false);
    expect(ops.square(x).requiresGrad).toBe(true);
  });

  test('ends when its function throws', () => {
    expect(() =>
      noGrad(() => {
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(ops.square(leaf(2)).requiresGrad).toBe(true);
  });

  test('refuses an asynchronous function', () => {
    expect(fault(() => noGrad(async () => 1))).toEqual({
      name: 'TypeError',
      code: 'ERR_INVALID_TYPE',
      message: 'noGrad: what the function returns is a Promise, expected no promise: await outside of it',
    });
  });
});

describe('requiresGrad', () => {
  test('can be set on a leaf, and taken away', () => {
    const x = ones([1]);
    x.requiresGrad = true;
    expect(ops.square(x).requiresGrad).toBe(true);
    x.requiresGrad = false;
    expect(ops.square(x).requiresGrad).toBe(false);
  });

  test('cannot be taken from what an operation made', () => {
    const y = ops.square(leaf(1));
    expect(fault(() => Object.assign(y, { requiresGrad: false }))).toEqual({
      name: 'ReceptiveError',
      code: 'ERR_AUTOGRAD',
      message: 'requiresGrad: this tensor was computed by an operation; use detach() to cut it off',
    });
  });

  test('needs floating point', () => {
    expect(fault(() => Object.assign(zeros([1], { dtype: 'int32' }), { requiresGrad: true })).code).toBe('ERR_DTYPE');
  });

  test('detach shares the memory and nothing else', () => {
    const x = leaf(2);
    const y = ops.square(x).detach();
    expect([y.requiresGrad, values(y)]).toEqual([false, [4]]);
  });
});

describe('memory', () => {
  beforeEach(settle);

  test('is what it was after a training step inside tidy, but for the gradients', () => {
    const [x, w, b] = [randn([4, 6, 6, 2]), randn([3, 3, 2, 5], { requiresGrad: true }), zeros([5], { requiresGrad: true })];
    const step = () => {
      tidy(() => {
        const y = ops.maxPool2d(ops.relu(ops.conv2d(x, w, { bias: b })), { kernelSize: 2 });
        const loss = ops.mean(ops.logSoftmax(ops.flatten(ops.batchNorm(y, { training: true }))));
        loss.backward();
      });
    };
    step();
    const before = memory();
    for (let i = 0; i < 3; i++) step();
    expect(memory()).toMatchObject({ tensors: before.tensors, bytes: before.bytes });
    w.grad!.dispose();
    b.grad!.dispose();
    expect(memory().tensors).toBe(before.tensors - 2);
  });

  test('is what it was after backward and dispose of each tensor made', () => {
    const x = leaf(1, 2, 3);
    const before = memory();
    const y = ops.exp(x);
    const z = ops.square(y);
    const loss = ops.sum(z);
    loss.backward();
    for (const made of [y, z, loss, x.grad!]) made.dispose();
    expect(memory()).toMatchObject({ tensors: before.tensors, bytes: before.bytes });
  });

  test('is what it was when a gradient rule fails half-way', () => {
    const x = leaf(1, 2);
    const before = memory();
    expect(() =>
      tidy(() => {
        const y = ops.exp(x);
        const z = ops.square(ops.add(y, y));
        x.grad = ones([2]);
        jest.spyOn(x.grad, 'accumulate').mockImplementation(() => {
          throw new Error('cannot be added to');
        });
        ops.sum(z).backward();
      }),
    ).toThrow('cannot be added to');
    x.grad!.dispose();
    x.grad = null;
    expect(memory()).toMatchObject({ tensors: before.tensors, bytes: before.bytes });
    ops.sum(x).backward();
    expect(values(x.grad)).toEqual([1, 1]);
  });

  test('of a frozen layer does not hold its input', () => {
    const [x, w] = [randn([1, 8, 8, 3], { requiresGrad: true }), randn([3, 3, 3, 4])];
    const h = ops.neg(x);
    const y = ops.conv2d(h, w);
    const { bytes } = memory();
    h.dispose();
    expect(bytes - memory().bytes).toBe(8 * 8 * 3 * 4);
    ops.sum(y).backward();
    expect(x.grad!.shape).toEqual(x.shape);
  });

  test('of inference holds nothing but the results', () => {
    const [x, w] = [randn([1, 8, 8, 3]), randn([3, 3, 3, 4], { requiresGrad: true })];
    const before = memory();
    const y = noGrad(() => ops.conv2d(x, w, { padding: 1 }));
    expect(memory().tensors).toBe(before.tensors + 1);
    y.dispose();
    expect(memory().tensors).toBe(before.tensors);
  });
});

import { memory, nn, ones, ops, randn, type Tensor, tensor, zeros } from '../lib';
import { native } from '../lib/native';
import { fault } from './support/fault';
import { settle } from './support/memory';

describe('reading', () => {
  test.each([1, 1 << 14, (1 << 14) + 1, 1 << 20])('%i numbers that are there already, again and after changes', async (size) => {
    const x = ones([size]);
    await x.data();
    for (let i = 0; i < 10; i++) expect((await x.data())[size - 1]).toBe(1);
    const y = ops.mul(x, 2);
    expect((await y.data())[size - 1]).toBe(2);
    expect((await x.data())[0]).toBe(1);
  });

  test('a result that is there does not keep the event loop from coming round', async () => {
    const x = ones([4]);
    let fired = false;
    setTimeout(() => {
      fired = true;
    }, 1);
    for (let i = 0; i < 1e5 && !fired; i++) await x.data();
    expect(fired).toBe(true);
  });

  test('a failed tensor fails each read, those of what is there too', async () => {
    const y = ops.gather(ones([2]), tensor(Int32Array.of(5), [1]));
    for (let i = 0; i < 8; i++) await expect(y.data()).rejects.toMatchObject({ code: 'ERR_KERNEL' });
    await native.sync().catch(() => {}); // which is told of the first failure there was, for those that come
  });

  test('data, item and array wait for what was queued before', async () => {
    let x = ones([2, 3]);
    for (let i = 0; i < 20; i++) x = ops.add(x, 1);
    expect(Array.from(await x.data())).toEqual(new Array(6).fill(21));
    expect(await x.array()).toEqual([
      [21, 21, 21],
      [21, 21, 21],
    ]);
    expect(await ops.sum(x).item()).toBe(126);
    expect(ops.sum(x).itemSync()).toBe(126);
  });

  test.each([
    ['float32', Float32Array],
    ['float64', Float64Array],
    ['int32', Int32Array],
    ['uint8', Uint8Array],
  ] as const)('data of %s is a typed array of that type', async (dtype, type) => {
    expect(await ones([2], { dtype }).data()).toBeInstanceOf(type);
    expect(ones([2], { dtype }).dataSync()).toBeInstanceOf(type);
  });

  test.each([
    ['a scalar', [], 0],
    ['nothing', [0], []],
    ['rows of nothing', [2, 0], [[], []]],
    ['no rows', [0, 2], []],
  ])('array of %s', async (_name, shape, expected) => expect(await zeros(shape).array()).toEqual(expected));

  test('a read sees the values of its time, not later writes', async () => {
    const x = tensor([1]);
    const read = x.data();
    x.assign(tensor([2]));
    expect(Array.from(await read)).toEqual([1]);
    expect(Array.from(x.dataSync())).toEqual([2]);
  });

  test('dispose right after asking for the data is fine', async () => {
    const x = tensor([1, 2]);
    const read = x.data();
    x.dispose();
    expect(Array.from(await read)).toEqual([1, 2]);
  });

  test('item of more or fewer elements is an error', async () => {
    expect(fault(() => ones([2]).itemSync())).toEqual({
      name: 'RangeError',
      code: 'ERR_INVALID_VALUE',
      message: 'item: shape is [2], expected one element',
    });
    await expect(zeros([0]).item()).rejects.toThrow('item: shape is [0], expected one element');
    expect(await ones([1, 1]).item()).toBe(1);
  });
});

describe('dispose', () => {
  test('frees the memory, at once for the next', async () => {
    await settle();
    const before = memory();
    const x = ones([1000]);
    expect(memory()).toMatchObject({ tensors: before.tensors + 1, bytes: before.bytes + 4000 });
    x.dispose();
    x.dispose();
    expect(x.disposed).toBe(true);
    expect(memory()).toMatchObject({ tensors: before.tensors, bytes: before.bytes });
  });

  test('keeps memory that another tensor still shares', () => {
    const x = tensor([1, 2]);
    const [same, other] = [x.detach(), ops.reshape(x, [2, 1])];
    x.dispose();
    expect([...same.dataSync(), ...other.dataSync()]).toEqual([1, 2, 1, 2]);
    same.dispose();
    expect(Array.from(other.dataSync())).toEqual([1, 2]);
    other.dispose();
    expect(fault(() => other.dataSync()).code).toBe('ERR_DISPOSED');
  });

  test('of a tensor makes every use of it an error that names the operation', async () => {
    const x = randn([2, 3]);
    x.dispose();
    expect(fault(() => ops.relu(x))).toEqual({
      name: 'ReceptiveError',
      code: 'ERR_DISPOSED',
      message: 'relu: input 0 of shape [2,3] was disposed of',
    });
    for (const use of [() => x.dataSync(), () => x.detach(), () => x.assign(ones([2, 3])), () => ones([2, 3]).assign(x)]) {
      expect(fault(use).code).toBe('ERR_DISPOSED');
    }
    await expect(x.data()).rejects.toThrow('data: tensor of shape [2,3] was disposed of');
  });
});

test('as a string a tensor is its shape and type, and nothing waits for it', () => {
  const one = ones([2, 3]);
  expect([String(one), `${one}`]).toEqual(['Tensor([2,3], float32)', 'Tensor([2,3], float32)']);
  one.requiresGrad = true;
  expect(`${one}`).toBe('Tensor([2,3], float32, requiresGrad)');
  expect(JSON.stringify({ one })).toBe('{"one":{"shape":[2,3],"dtype":"float32"}}');
  one.dispose();
  expect(`${one}`).toBe('Tensor([2,3], float32, requiresGrad, disposed)');
});

test('a copy for another thread is an error that says what to send', () => {
  const message = "a Tensor's memory, which is its thread's own: send its data() instead";
  const { port1, port2 } = new MessageChannel();
  for (const send of [structuredClone, (value: unknown) => port1.postMessage(value)]) {
    expect(() => send(ones([2]))).toThrow(message);
    expect(() => send({ deep: [new nn.Linear(1, 1)] })).toThrow(message);
  }
  port1.close();
  port2.close();
});

test('a gradient can be set, to a tensor of the same shape and type', () => {
  const one = ones([2]);
  const gradient = ones([2]);
  one.grad = gradient;
  expect(one.grad).toBe(gradient);
  const set = (value: unknown) => () => {
    one.grad = value as Tensor;
  };
  expect(set(5)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_TYPE', message: 'grad: the gradient is 5, expected a Tensor or null' }),
  );
  expect(set(undefined)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_TYPE' }));
  expect(set(ones([3]))).toThrow(
    expect.objectContaining({ code: 'ERR_SHAPE', message: 'grad: the gradient has shape [3], expected that of the tensor, [2]' }),
  );
  expect(set(ones([2], { dtype: 'float64' }))).toThrow(
    expect.objectContaining({ code: 'ERR_DTYPE', message: 'grad: the gradient is float64, expected the type of the tensor, float32' }),
  );
  expect(one.grad).toBe(gradient);
  one.grad = null;
  expect(one.grad).toBeNull();
});

test('a tensor of another copy of the package is refused', () => {
  jest.isolateModules(() => {
    const other = require('../lib') as typeof import('../lib');
    expect(fault(() => ops.relu(other.ones([2]))).message).toBe('relu: input 0 is an Object, expected a Tensor of this copy of receptive');
  });
});

test('a shape cannot be changed, nor does the list it was made of matter any more', () => {
  const shape = [2, 3];
  const x = zeros(shape);
  shape[0] = 9;
  expect(x.shape).toEqual([2, 3]);
  expect(() => (x.shape as number[]).reverse()).toThrow(TypeError);
});

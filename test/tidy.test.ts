import { memory, ones, ops, type Tensor, tensor, tidy } from '../lib';
import { nodeCount, reachable } from '../lib/autograd';
import { fault } from './support/fault';
import { settle } from './support/memory';

beforeEach(settle);

const leaf = (...values: number[]): Tensor => tensor(values, null, { requiresGrad: true });

test('tidy › frees what its function made, but for the result', () => {
  const before = memory().tensors;
  const y = tidy(() => ops.add(ops.add(ones([2]), 1), 1));
  expect(memory().tensors).toBe(before + 1);
  expect(Array.from(y.dataSync())).toEqual([3, 3]);
  y.dispose();
});

test('tidy › keeps tensors inside arrays and plain objects, however deep and even in circles', () => {
  const made: Tensor[] = [];
  const make = () => {
    const x = ones([1]);
    made.push(x);
    return x;
  };
  interface Result {
    a: Tensor;
    rest: (Tensor | Record<string, Tensor>)[];
    self?: Result;
  }
  tidy(() => {
    const result: Result = { a: make(), rest: [make(), { b: make() }] };
    result.self = result;
    make();
    return result;
  });
  expect(made.map((x) => x.disposed)).toEqual([false, false, false, true]);
});

test('tidy › keeps what the gradient of its result needs', () => {
  const x = leaf(2);
  const loss = tidy(() => ops.square(ops.exp(x)));
  loss.backward();
  expect(x.grad!.dataSync()[0]).toBeCloseTo(2 * Math.exp(4), 3);
});

test('tidy › frees what the tape saved for a result that was not kept', () => {
  const x = leaf(1, 2);
  const before = memory();
  tidy(() => void ops.square(ops.exp(x)));
  expect(memory()).toMatchObject({ tensors: before.tensors, bytes: before.bytes });
});

test('tidy › keeps gradients left on leaves outside', () => {
  const x = leaf(3);
  tidy(() => ops.square(x).backward());
  expect(Array.from(x.grad!.dataSync())).toEqual([6]);
});

test('tidy › hands what it keeps to the tidy around it', () => {
  let inner: Tensor | undefined;
  tidy(() => {
    inner = tidy(() => ones([1]));
    expect(inner.disposed).toBe(false);
  });
  expect(inner!.disposed).toBe(true);
});

test('tidy › of a result that is computed further keeps the whole path to the leaf', () => {
  const x = leaf(2);
  const before = memory().tensors;
  tidy(() => {
    const y = tidy(() => ops.square(x));
    const z = tidy(() => ops.mul(y, y));
    z.backward();
  });
  expect(Array.from(x.grad!.dataSync())).toEqual([32]);
  expect(memory().tensors).toBe(before + 1);
});

test('tidy › frees everything where its function throws', () => {
  const before = memory().tensors;
  expect(() =>
    tidy(() => {
      ops.square(ones([2], { requiresGrad: true }));
      throw new Error('stop');
    }),
  ).toThrow('stop');
  expect(memory().tensors).toBe(before);
});

test('tidy › leaves tensors from outside alone, returned or not', () => {
  const x = ones([1]);
  tidy(() => x);
  tidy(() => void ops.add(x, x));
  expect(x.disposed).toBe(false);
});

test('tidy › frees a tensor that was disposed of inside only once', () => {
  const x = ones([1]);
  tidy(() => x.dispose());
  expect(x.disposed).toBe(true);
});

test('tidy › refuses an asynchronous function', () => {
  const before = memory().tensors;
  expect(
    fault(() =>
      tidy(async () => {
        ones([1]);
      }),
    ),
  ).toMatchObject({ name: 'TypeError', message: 'tidy: what the function returns is a Promise, expected no promise: await outside of it' });
  expect(memory().tensors).toBe(before);
});

test('using › frees a tensor at the end of its block', () => {
  let kept: Tensor;
  {
    using x = ones([1]);
    kept = x;
    expect(kept.disposed).toBe(false);
  }
  expect(kept.disposed).toBe(true);
});

test('tidy › does not walk the history behind what it was given', () => {
  let x: Tensor = leaf(1);
  for (let i = 0; i < 100; i++) x = ops.add(x, 1);
  const since = nodeCount();
  const y = ops.mul(ops.square(x), x);
  expect(reachable(y.history).size).toBe(102);
  expect(reachable(y.history, since).size).toBe(2);
});

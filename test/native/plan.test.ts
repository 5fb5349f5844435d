import { ones, tensor } from '../../lib';
import { native } from '../../lib/native';
import { fault } from '../support/fault';

// Plans as the addon sees them: wrong calls are errors, and leave it as it was.

const relu = 6;
const owner = {};

test('a captured command runs with the plan only', () => {
  const [x, y, from, to] = [ones([4]), tensor([7, 7, 7, 7]), tensor([1, -2, 3, -4]), tensor([0, 0, 0, 0])];
  native.capture();
  native.ops.unary(x.id, y.id, relu);
  const plan = native.endCapture(owner, 1, x.id, y.id);
  expect(native.planInfo(plan)).toEqual({ commands: 1, keptBytes: 0 });
  expect(Array.from(y.dataSync())).toEqual([7, 7, 7, 7]);
  native.run(plan, from.id, to.id);
  expect(Array.from(to.dataSync())).toEqual([1, 0, 3, 0]);
  native.freePlan(plan);
  expect(fault(() => native.run(plan, from.id, to.id)).code).toBe('ERR_DISPOSED');
  expect(fault(() => native.freePlan(plan)).code).toBe('ERR_DISPOSED');
});

test('memory a plan points into stays after its tensors are disposed of', () => {
  const [x, w, y] = [ones([2, 3]), tensor([1, 2, 3, 4, 5, 6], [2, 3]), ones([2, 2])];
  native.capture();
  native.ops.matmul(x.id, w.id, 0, y.id, 0, 1, -Infinity, Infinity);
  const plan = native.endCapture(owner, 1, x.id, y.id);
  for (const one of [x, w, y]) one.dispose();
  for (let i = 0; i < 50; i++) tensor(new Float32Array(6).fill(9), [2, 3]).dispose();
  const [from, to] = [tensor([1, 0, 0, 0, 1, 0], [2, 3]), ones([2, 2])];
  for (let i = 0; i < 3; i++) native.run(plan, from.id, to.id);
  expect(Array.from(to.dataSync())).toEqual([1, 4, 2, 5]);
  native.freePlan(plan);
});

test('an upload to memory of a plan stays where the plan looks for it', () => {
  const [x, w, y, to] = [ones([2]), tensor([1, 2]), ones([2]), ones([2])];
  native.capture();
  native.ops.binary(x.id, w.id, y.id, 0);
  const plan = native.endCapture(owner, 1, x.id, y.id);
  native.run(plan, x.id, to.id);
  native.upload(w.id, Float32Array.of(10, 20));
  expect(Array.from(to.dataSync())).toEqual([2, 3]);
  native.run(plan, x.id, to.id);
  expect(Array.from(to.dataSync())).toEqual([11, 21]);
  native.freePlan(plan);
});

test('pieces of an arena', () => {
  const arena = tensor(new Uint8Array(256), [256], { dtype: 'uint8' });
  const piece = (offset: number, ...shape: number[]) => native.piece({}, arena.id, offset, 0, ...shape);
  const [a, b] = [piece(0, 16), piece(64, 16)];
  native.ops.fill(a, 2);
  native.ops.unary(a, b, 0);
  native.ops.unary(b, b, 1);
  expect(Array.from(new Float32Array(arena.dataSync().buffer).slice(14, 18))).toEqual([2, 2, 2, 2]);
  const overlapping = piece(0, 32);
  expect(fault(() => native.ops.unary(overlapping, b, 0)).message).toBe('unary: two tensors overlap');
  expect(fault(() => native.ops.unary(a, arena.id, 0)).code).toBeDefined();
  for (const [offset, shape] of [
    [32, [4]],
    [-64, [4]],
    [192, [17]],
    [256, [1]],
    [0, [65]],
    [NaN, [1]],
    [0, [-1]],
  ] as [number, number[]][]) {
    expect(() => piece(offset, ...shape)).toThrow(/^piece: /);
  }
  expect(fault(() => native.readSync(a)).code).toBe('ERR_INVALID_TYPE');
  expect(fault(() => native.upload(a, new Float32Array(16))).code).toBe('ERR_INVALID_TYPE');
  expect(fault(() => native.piece({}, a, 0, 0, 4)).code).toBe('ERR_INVALID_TYPE');
});

describe('wrong calls', () => {
  const unused = ones([2]);
  const plan = () => {
    const [x, y] = [ones([2]), ones([2])];
    native.capture();
    native.ops.unary(x.id, y.id, relu);
    return native.endCapture(owner, 1, x.id, y.id);
  };

  test('captures do not nest, and end once', () => {
    native.capture();
    expect(fault(() => native.capture()).message).toBe('capture: a plan is being captured already');
    native.endCapture();
    native.endCapture();
    expect(fault(() => native.endCapture(owner, 0)).message).toBe('endCapture: no plan is being captured');
  });

  test('a failed end drops what was captured', () => {
    const stranger = ones([3]);
    native.capture();
    native.ops.fill(unused.id, 1);
    expect(fault(() => native.endCapture(owner, 1, stranger.id, unused.id)).code).toBe('ERR_INVALID_VALUE');
    native.ops.fill(unused.id, 5);
    expect(Array.from(unused.dataSync())).toEqual([5, 5]);
  });

  test.each<[string, (id: number) => unknown]>([
    ['no tensors', (id) => native.run(id)],
    ['one too few', (id) => native.run(id, unused.id)],
    ['one too many', (id) => native.run(id, unused.id, unused.id, unused.id)],
    ['another shape', (id) => native.run(id, ones([3]).id, unused.id)],
    ['another type', (id) => native.run(id, ones([2], { dtype: 'float64' }).id, unused.id)],
    ['no such tensor', (id) => native.run(id, 2 ** 52, unused.id)],
    ['no such plan', () => native.run(123456, unused.id, unused.id)],
    ['a plan that is no number', () => native.run(NaN, unused.id, unused.id)],
    ['a ticket that is none', (id) => native.cancel(id, -1)],
    ['information on no plan', () => native.planInfo(0)],
  ])('%s', (_name, run) => {
    const id = plan();
    expect(() => run(id)).toThrow();
    native.freePlan(id);
  });

  test('a plan that was freed, or never was, has nothing to cancel', () => {
    const id = plan();
    native.freePlan(id);
    for (const one of [id, 123456, -1, 0.5]) expect(native.cancel(one, 1)).toBeUndefined();
  });

  test('a run is not captured', () => {
    const id = plan();
    native.capture();
    expect(fault(() => native.run(id, ones([2]).id, unused.id)).message).toContain('cannot run while one is being captured');
    native.endCapture();
    native.freePlan(id);
  });
});

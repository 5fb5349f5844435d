import fc from 'fast-check';
import { manualSeed, ones, ops, tensor, zeros } from '../../lib';
import { leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

const mask = tensor(Uint8Array.of(1, 0, 1));

describe('where', () => {
  test.each([
    ['of two tensors', () => ops.where(mask, tensor([1, 2, 3]), tensor([4, 5, 6])), [1, 5, 3]],
    ['of a number and a tensor', () => ops.where(mask, 9, tensor([4, 5, 6])), [9, 5, 9]],
    ['of a tensor and a number', () => ops.where(mask, tensor([4, 5, 6]), 9), [4, 9, 6]],
    ['by a condition of floats', () => ops.where(tensor([0, -2, NaN]), tensor([1, 2, 3]), 9), [9, 2, 3]],
    ['of what is not finite', () => ops.where(mask, tensor([1, NaN, 3]), Infinity), [1, Infinity, 3]],
    ['of integers', () => ops.where(mask, tensor(Int32Array.of(1, 2, 3)), -1), [1, -1, 3]],
    [
      'broadcast',
      () => ops.where(tensor([[1], [0]]), tensor([1, 2, 3]), 0),
      [
        [1, 2, 3],
        [0, 0, 0],
      ],
    ],
    ['of nothing', () => ops.where(zeros([0]), zeros([1]), 1), []],
  ])('%s', async (_name, run, expected) => {
    expect(await run().array()).toEqual(expected);
  });

  test.each([
    ['of one shape', [2, 3], [2, 3]],
    ['of a row', [3], [2, 3]],
    ['of a column and a scalar', [2, 1], []],
  ])('gradient %s', (_name, a, b) => {
    const condition = tensor([
      [1, 0, 1],
      [0, 0, 1],
    ]);
    gradcheck((x, y) => ops.where(condition, x, y), [leaf(...a), leaf(...b)]);
  });

  test('what is not chosen has a gradient of 0, however infinite', () => {
    const x = tensor([1, Infinity], null, { requiresGrad: true });
    ops.sum(ops.where(tensor([1, 0]), x, 5)).backward();
    expect([...x.grad!.dataSync()]).toEqual([1, 0]);
  });

  test('agrees with a loop at any shapes that broadcast', () => {
    const dimension = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 7 }));
    fc.assert(
      fc.property(fc.array(dimension, { maxLength: 4 }), (dims) => {
        const shape = dims.map(([n]) => n);
        const shapes = [0, 1, 2].map((bit) => dims.map(([n, stretched]) => ((stretched >> bit) & 1 ? 1 : n)));
        const full = shape.map((n, axis) => (shapes.some((one) => one[axis] === n) ? n : 1));
        const [c, a, b] = shapes.map((one, i) => {
          const size = one.reduce((p, n) => p * n, 1);
          return tensor(
            Float32Array.from({ length: size }, (_, j) => (i === 0 ? j % 2 : 10 * i + j)),
            one,
          );
        });
        const [C, A, B] = [c!, a!, b!].map((x) => ops.expand(x, full).dataSync());
        const expected = Array.from(C!, (test, i) => (test ? A![i] : B![i]));
        expect([...ops.where(c!, a!, b!).dataSync()]).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    ['two numbers', () => ops.where(mask, 1, 2), ['TypeError', 'ERR_INVALID_TYPE', 'where: b is 2, expected a Tensor, as a is a number']],
    [
      'two types',
      () => ops.where(mask, ones([3]), tensor(Int32Array.of(1, 2, 3))),
      ['TypeError', 'ERR_DTYPE', 'where: input is int32, expected float32 or float64'],
    ],
    ['shapes', () => ops.where(mask, ones([2]), 0), ['RangeError', 'ERR_SHAPE', 'where: shapes [3] and [2] do not broadcast']],
  ])('error of %s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

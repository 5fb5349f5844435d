import { runInNewContext } from 'node:vm';
import {
  arange,
  fromBuffer,
  full,
  fullLike,
  manualSeed,
  memory,
  ones,
  onesLike,
  randn,
  randnLike,
  tensor,
  uniform,
  uniformLike,
  zeros,
  zerosLike,
} from '../lib';
import { randomState, setRandomState } from '../lib/random';
import { fault } from './support/fault';

describe('tensor', () => {
  test.each([
    ['a number', 3, [], [3]],
    ['a list', [1, 2], [2], [1, 2]],
    [
      'nested lists',
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [2, 3],
      [1, 2, 3, 4, 5, 6],
    ],
    ['six levels of lists', [[[[[[7]]]]]], [1, 1, 1, 1, 1, 1], [7]],
    ['an empty list', [], [0], []],
    ['lists of nothing', [[], []], [2, 0], []],
    ['NaN and infinities', [Number.NaN, Infinity, -Infinity, -0], [4], [Number.NaN, Infinity, -Infinity, -0]],
  ])('of %s', (_name, values, shape, expected) => {
    const x = tensor(values);
    expect([x.dtype, x.shape, x.size, x.rank]).toEqual(['float32', shape, expected.length, shape.length]);
    expect(Array.from(x.dataSync())).toEqual(expected);
  });

  test.each([
    ['float32', Float32Array.of(1, 2.5)],
    ['float64', Float64Array.of(1, 0.1)],
    ['int32', Int32Array.of(-1, 2 ** 31 - 1)],
    ['uint8', Uint8Array.of(0, 255)],
    ['uint8', Uint8ClampedArray.of(0, 255)],
    ['uint8', Buffer.from([1, 2])],
  ])('of the type of its data, %s', (dtype, data) => {
    const x = tensor(data);
    expect([x.dtype, x.shape, Array.from(x.dataSync())]).toEqual([dtype, [2], Array.from(data)]);
  });

  test('of a typed array from another realm', () => {
    const x = tensor(runInNewContext('Float32Array.of(1, 2)'));
    expect([x.dtype, ...x.dataSync()]).toEqual(['float32', 1, 2]);
  });

  test('copies: later changes of the data do not show', () => {
    const data = Float32Array.of(1, 2);
    const x = tensor(data);
    data[0] = 9;
    expect(Array.from(x.dataSync())).toEqual([1, 2]);
    x.dataSync()[1] = 9;
    expect(Array.from(x.dataSync())).toEqual([1, 2]);
  });

  test('of part of a buffer', () => {
    expect(Array.from(tensor(new Float32Array([0, 1, 2, 3]).subarray(1, 3)).dataSync())).toEqual([1, 2]);
  });

  test('in a given shape and type', () => {
    const x = tensor(
      [
        [1, 2],
        [3, 4],
      ],
      [4, 1],
      { dtype: 'int32' },
    );
    expect([x.dtype, x.shape, ...x.dataSync()]).toEqual(['int32', [4, 1], 1, 2, 3, 4]);
  });

  test('does not keep the list it was given as its shape', () => {
    const shape = [2, 1];
    const x = tensor([1, 2], shape);
    shape[0] = 5;
    expect(x.shape).toEqual([2, 1]);
  });

  test('of a million numbers in nested lists', () => {
    const rows = Array.from({ length: 1000 }, (_, i) => Array.from({ length: 1000 }, (_, j) => i + j));
    const x = tensor(rows);
    expect(x.dataSync()[999_999]).toBe(1998);
  });

  const circle: unknown[] = [];
  circle[0] = circle;
  const numbers = 'a number, nested arrays of numbers, or a Float32Array, Float64Array, Int32Array or Uint8Array';
  test.each<[string, () => unknown, [string, string, string]]>([
    [
      'lists of unequal lengths',
      () => tensor([[1, 2], [3]]),
      ['RangeError', 'ERR_SHAPE', 'tensor: nested arrays of 1 and 2 elements beside each other, expected a rectangular array'],
    ],
    [
      'a list beside a number',
      () => tensor([1, [2]]),
      ['RangeError', 'ERR_SHAPE', 'tensor: nested arrays of 1 and no elements beside each other, expected a rectangular array'],
    ],
    [
      'a number beside a list',
      () => tensor([[1], 2]),
      ['RangeError', 'ERR_SHAPE', 'tensor: the nested arrays have unequal depths, expected a rectangular array'],
    ],
    [
      'seven levels',
      () => tensor([[[[[[[1]]]]]]]),
      ['RangeError', 'ERR_INVALID_VALUE', 'tensor: shape is [1,1,1,1,1,1,1], expected at most 6 dimensions'],
    ],
    [
      'a list that holds itself',
      () => tensor(circle as never),
      ['RangeError', 'ERR_INVALID_VALUE', 'tensor: shape is [1,1,1,1,1,1,1], expected at most 6 dimensions'],
    ],
    ['a string', () => tensor('12' as never), ['TypeError', 'ERR_INVALID_TYPE', `tensor: a value is "12", expected ${numbers}`]],
    ['a string inside', () => tensor([1, '2'] as never), ['TypeError', 'ERR_INVALID_TYPE', `tensor: a value is "2", expected ${numbers}`]],
    ['a hole', () => tensor(new Array(2) as never), ['TypeError', 'ERR_INVALID_TYPE', `tensor: a value is undefined, expected ${numbers}`]],
    [
      'a typed array of 64-bit integers',
      () => tensor(BigInt64Array.of(1n) as never),
      ['TypeError', 'ERR_INVALID_TYPE', `tensor: a value is a BigInt64Array of 8 bytes, expected ${numbers}`],
    ],
    ['null', () => tensor(null as never), ['TypeError', 'ERR_INVALID_TYPE', `tensor: a value is null, expected ${numbers}`]],
    [
      'a shape of another size',
      () => tensor([1, 2, 3], [2, 2]),
      ['RangeError', 'ERR_SHAPE', 'tensor: 3 values do not fill shape [2,2], which holds 4'],
    ],
    [
      'a negative dimension',
      () => tensor([1], [-1]),
      ['RangeError', 'ERR_INVALID_VALUE', 'tensor: shape is [-1], expected dimensions that are integers from 0 to 2147483647'],
    ],
    [
      'a shape that is a number',
      () => tensor([1], 1 as never),
      ['TypeError', 'ERR_INVALID_TYPE', 'tensor: shape is 1, expected a list of dimensions'],
    ],
    [
      'an unknown type',
      () => tensor([1], null, { dtype: 'float16' as never }),
      ['TypeError', 'ERR_INVALID_TYPE', 'tensor: dtype is "float16", expected float32, float64, int32, uint8'],
    ],
    [
      'half a label',
      () => tensor([1, 0.5], null, { dtype: 'int32' }),
      [
        'RangeError',
        'ERR_INVALID_VALUE',
        'tensor: a value is 0.5, expected an integer from -2147483648 to 2147483647 (int32); see ops.cast',
      ],
    ],
    [
      'NaN as a byte',
      () => tensor(Float32Array.of(Number.NaN), null, { dtype: 'uint8' }),
      ['RangeError', 'ERR_INVALID_VALUE', 'tensor: a value is NaN, expected an integer from 0 to 255 (uint8); see ops.cast'],
    ],
    [
      'a gradient for integers',
      () => tensor(Int32Array.of(1), null, { requiresGrad: true }),
      ['TypeError', 'ERR_DTYPE', 'tensor: a int32 tensor cannot require a gradient, expected float32 or float64'],
    ],
  ])('%s is an error', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

describe('full, zeros, ones', () => {
  test.each(['float32', 'float64', 'int32', 'uint8'] as const)('of %s', (dtype) => {
    for (const [x, value] of [
      [full([2, 3], 7, { dtype }), 7],
      [zeros([2, 3], { dtype }), 0],
      [ones([2, 3], { dtype }), 1],
    ] as const) {
      expect([x.dtype, x.shape]).toEqual([dtype, [2, 3]]);
      expect(Array.from(x.dataSync())).toEqual(new Array(6).fill(value));
    }
  });

  test('of a scalar, and of nothing', () => {
    expect([zeros([]).size, zeros([0, 4]).size, ...zeros([]).dataSync()]).toEqual([1, 0, 0]);
  });

  test.each<[string, () => unknown, string]>([
    ['zeros of no shape', () => zeros([-1]), 'zeros: shape is [-1], expected dimensions that are integers from 0 to 2147483647'],
    ['ones of no shape', () => ones([-1]), 'ones: shape is [-1], expected dimensions that are integers from 0 to 2147483647'],
    ['a value that is no number', () => full([1], '1' as never), 'full: a value is "1", expected a number that float32 holds'],
    [
      'a value the type does not hold',
      () => full([1], -1, { dtype: 'uint8' }),
      'full: a value is -1, expected an integer from 0 to 255 (uint8); see ops.cast',
    ],
  ])('%s is an error', (_name, call, message) => expect(fault(call).message).toBe(message));

  test('more memory than there is is an error, and leaves none taken', () => {
    const before = memory();
    expect(fault(() => zeros([2 ** 31 - 1, 4096])).code).toBe('ERR_OUT_OF_MEMORY');
    expect(memory().bytes).toBeLessThanOrEqual(before.bytes);
  });
});

describe('arange', () => {
  test.each<[string, Parameters<typeof arange>, number[]]>([
    ['to a stop', [4], [0, 1, 2, 3]],
    ['from a start', [2, 5], [2, 3, 4]],
    ['in steps', [0, 1, 0.25], [0, 0.25, 0.5, 0.75]],
    ['downwards', [3, 0, -1], [3, 2, 1]],
    ['nothing', [3, 0], []],
    ['as labels', [0, 6, 2, { dtype: 'int32' }], [0, 2, 4]],
  ])('%s', (_name, args, expected) => expect(Array.from(arange(...args).dataSync())).toEqual(expected));

  test.each<[string, () => unknown, string]>([
    ['a step of 0', () => arange(0, 1, 0), 'arange: step is 0, expected a finite number other than 0'],
    ['an infinite bound', () => arange(Infinity), 'arange: bound is Infinity, expected a finite number'],
    [
      'more numbers than a dimension holds',
      () => arange(1e12),
      'arange: shape is [1000000000000], expected dimensions that are integers from 0 to 2147483647',
    ],
  ])('%s is an error', (_name, call, message) => expect(fault(call).message).toBe(message));
});

describe('random numbers', () => {
  test.each([
    ['randn', () => randn([100_000]), 0, 1],
    ['uniform', () => uniform([100_000]), 0.5, Math.sqrt(1 / 12)],
    ['uniform between bounds', () => uniform([100_000], -2, 4), 1, 6 * Math.sqrt(1 / 12)],
  ])('%s has the mean and the spread it should', (_name, make, mean, deviation) => {
    manualSeed(3);
    const x = Array.from(make().dataSync());
    const m = x.reduce((sum, v) => sum + v, 0) / x.length;
    const s = Math.sqrt(x.reduce((sum, v) => sum + (v - m) ** 2, 0) / x.length);
    expect(Math.abs(m - mean)).toBeLessThan((4 * deviation) / Math.sqrt(x.length));
    expect(Math.abs(s / deviation - 1)).toBeLessThan(0.02);
  });

  test('uniform stays within its bounds', () => {
    const x = uniform([100_000], 5, 6).dataSync();
    expect(x.every((v: number) => v >= 5 && v < 6)).toBe(true);
  });

  test('the same seed gives the same numbers, another seed and the next call others', () => {
    const draw = () => Array.from(randn([9]).dataSync());
    manualSeed(7);
    const [first, second] = [draw(), draw()];
    manualSeed(7);
    expect([draw(), draw()]).toEqual([first, second]);
    expect(second).not.toEqual(first);
    manualSeed(8);
    expect(draw()).not.toEqual(first);
  });

  test('the state continues where it was saved', () => {
    manualSeed(2 ** 53 - 1);
    randn([5]);
    const state = randomState();
    const next = Array.from(randn([5]).dataSync());
    manualSeed(0);
    setRandomState(state);
    expect(Array.from(randn([5]).dataSync())).toEqual(next);
  });

  test.each<[string, () => unknown, string]>([
    ['a negative seed', () => manualSeed(-1), 'manualSeed: seed is -1, expected an integer from 0 to 2^53 - 1'],
    ['bounds the wrong way round', () => uniform([1], 1, 0), 'uniform: high is 0, expected a finite number of at least 1'],
    ['integers', () => randn([1], { dtype: 'int32' }), 'randn: dtype is int32, expected float32 or float64'],
  ])('%s is an error', (_name, call, message) => expect(fault(call).message).toBe(message));
});

test('…Like functions take shape and type from a tensor', () => {
  const x = zeros([2, 3], { dtype: 'float64' });
  for (const y of [zerosLike(x), onesLike(x), fullLike(x, 2), randnLike(x), uniformLike(x)]) {
    expect([y.shape, y.dtype]).toEqual([[2, 3], 'float64']);
  }
  expect(onesLike(x, { dtype: 'int32' }).dtype).toBe('int32');
});

describe('fromBuffer', () => {
  test('takes bytes as elements, wherever they begin', () => {
    const bytes = new Uint8Array(13);
    bytes.set(new Uint8Array(Float32Array.of(1, 2, 3).buffer), 1);
    const x = fromBuffer(bytes.subarray(1), [3]);
    expect(Array.from(x.dataSync())).toEqual([1, 2, 3]);
  });

  test('takes an ArrayBuffer, also from another realm', () => {
    expect(Array.from(fromBuffer(Int32Array.of(5).buffer, [1], { dtype: 'int32' }).dataSync())).toEqual([5]);
    expect(fromBuffer(runInNewContext('new ArrayBuffer(8)'), [2]).size).toBe(2);
  });

  test.each<[string, () => unknown, string]>([
    ['too few bytes', () => fromBuffer(new Uint8Array(7), [2]), 'fromBuffer: 7 bytes do not fill float32 of shape [2], which takes 8'],
    ['a list', () => fromBuffer([1, 2] as never, [2]), 'fromBuffer: buffer is [1,2], expected an ArrayBuffer or a view of one'],
  ])('%s is an error', (_name, call, message) => expect(fault(call).message).toBe(message));
});

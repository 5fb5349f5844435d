import * as fc from 'fast-check';
import { manualSeed, ones, ops, randn, tensor } from '../../lib';
import { distance } from '../support/agree';
import { integers, leaf, randomNumbers } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

const index = tensor(Int32Array.of(2, 0, 2, 3), [2, 2]);

describe('embedding', () => {
  test('looks rows up by their numbers', () => {
    const table = randn([5, 3]);
    const y = ops.embedding(index, table);
    expect(y.shape).toEqual([2, 2, 3]);
    expect(y.dataSync()).toEqual(ops.gather(table, index).dataSync());
  });

  test.each<[string, number | null | undefined]>([
    ['no padding', undefined],
    ['null for padding', null],
  ])('gradient, %s', (_, paddingIdx) => gradcheck((weight) => ops.embedding(index, weight, { paddingIdx }), [leaf(5, 3)]));

  test.each([2, -3])('the padding row %d gets no gradient, the others theirs', (paddingIdx) => {
    const weight = leaf(5, 3);
    ops.sum(ops.embedding(index, weight, { paddingIdx })).backward();
    expect([...weight.grad!.dataSync()]).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0]);
  });

  test('random tables: rows, and sums of gradients', () => {
    const small = (min: number, max: number) => fc.integer({ min, max });
    fc.assert(
      fc.property(small(1, 60), small(1, 40), small(0, 90), fc.boolean(), fc.nat(), (rows, width, length, padded, seed) => {
        const next = randomNumbers(seed);
        const words = Int32Array.from({ length }, () => Math.floor(next() * rows));
        const values = integers([rows, width]);
        const weights = integers([length, width], 5);
        const weight = tensor(Float32Array.from(values), [rows, width], { requiresGrad: true });
        const paddingIdx = padded ? rows - 1 : null;
        const y = ops.embedding(tensor(words), weight, { paddingIdx });
        y.backward(tensor(Float32Array.from(weights), y.shape));
        const looked = new Float64Array(length * width);
        const gradient = new Float64Array(rows * width);
        for (const [i, word] of words.entries()) {
          for (let j = 0; j < width; j++) {
            looked[i * width + j] = values[word * width + j];
            if (word !== paddingIdx) gradient[word * width + j] += weights[i * width + j];
          }
        }
        expect(distance(y.dataSync(), looked)).toBe(0);
        expect(distance(weight.grad!.dataSync(), gradient)).toBe(0);
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  test('a number that is no row is an error when the result is read', async () => {
    const y = ops.embedding(tensor(Int32Array.of(1, 5)), ones([5, 2]));
    await expect(y.data()).rejects.toMatchObject({ code: 'ERR_KERNEL', message: 'embedding: index 5 at 1, expected 0 to 4' });
  });

  test.each([
    [
      'floats for an index',
      () => ops.embedding(ones([2]), ones([5, 2])),
      ['TypeError', 'ERR_DTYPE', 'embedding: index is float32, expected int32'],
    ],
    [
      'a table of vectors',
      () => ops.embedding(index, ones([5])),
      ['RangeError', 'ERR_SHAPE', 'embedding: weight has shape [5], expected [V,D]'],
    ],
    [
      'a table of integers',
      () => ops.embedding(index, ones([5, 2], { dtype: 'int32' })),
      ['TypeError', 'ERR_DTYPE', 'embedding: input is int32, expected float32 or float64'],
    ],
    [
      'a padding row that is not there',
      () => ops.embedding(index, ones([5, 2]), { paddingIdx: -6 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'embedding: paddingIdx is -6, expected an integer from -5 to 4, or null'],
    ],
    [
      'a list for an index',
      () => ops.embedding([1] as never, ones([5, 2])),
      ['TypeError', 'ERR_INVALID_TYPE', 'embedding: index is [1], expected a Tensor of this copy of receptive'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

import * as fc from 'fast-check';
import { manualSeed, memory, ops, tensor, zeros } from '../../lib';
import { distance } from '../support/agree';
import { integers, leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

test('pixelShuffle › the channels of a cell become a block of cells, output channel first', () => {
  // One cell, two output channels, factor 2: channel c·4 + a·2 + b goes to row a, column b.
  const x = tensor([0, 1, 2, 3, 10, 11, 12, 13], [1, 1, 1, 8]);
  const y = ops.pixelShuffle(x, 2);
  expect(y.shape).toEqual([1, 2, 2, 2]);
  expect([...y.dataSync()]).toEqual([0, 10, 1, 11, 2, 12, 3, 13]);
  expect([...ops.pixelUnshuffle(y, 2).dataSync()]).toEqual([...x.dataSync()]);
});

test.each([[1], [2], [3]])('pixelShuffle and pixelUnshuffle › gradient, factor %d', (r) => {
  gradcheck((x) => ops.pixelShuffle(x, r), [leaf(2, 2, 3, 2 * r * r)]);
  gradcheck((x) => ops.pixelUnshuffle(x, r), [leaf(2, 2 * r, 3 * r, 2)]);
});

test('pixelShuffle and pixelUnshuffle › random shapes, by their formulas', () => {
  const small = (max: number, min = 1) => fc.integer({ min, max });
  fc.assert(
    fc.property(small(2, 0), small(5), small(5), small(6), small(4), (n, height, width, channels, r) => {
      const shape = [n, height, width, channels * r * r];
      const x = Float32Array.from(integers(shape));
      const y = ops.pixelShuffle(tensor(x, shape), r);
      expect(y.shape).toEqual([n, height * r, width * r, channels]);
      const expected = new Float64Array(x.length);
      for (let at = 0; at < expected.length; at++) {
        const c = at % channels;
        const column = Math.floor(at / channels) % (width * r);
        const row = Math.floor(at / channels / (width * r)) % (height * r);
        const image = Math.floor(at / channels / (width * r) / (height * r));
        const cell = (image * height + Math.floor(row / r)) * width + Math.floor(column / r);
        expected[at] = x[cell * channels * r * r + c * r * r + (row % r) * r + (column % r)];
      }
      expect(distance(y.dataSync(), expected)).toBe(0);
      expect(distance(ops.pixelUnshuffle(y, r).dataSync(), x)).toBe(0);
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('pixelShuffle › leaves nothing behind but its result', () => {
  const x = zeros([1, 2, 2, 4]);
  const before = memory().tensors;
  ops.pixelShuffle(x, 2).dispose();
  expect(memory().tensors).toBe(before);
});

test.each([
  [
    'channels that are not divided',
    () => ops.pixelShuffle(zeros([1, 2, 2, 6]), 2),
    ['ERR_SHAPE', 'pixelShuffle: input [1,2,2,6] has 6 channels, which 4, factor 2 squared, does not divide'],
  ],
  [
    'a size that is not divided',
    () => ops.pixelUnshuffle(zeros([1, 4, 3, 1]), 2),
    ['ERR_SHAPE', 'pixelUnshuffle: input [1,4,3,1] has 4x3 cells, which factor 2 does not divide'],
  ],
  [
    'factor 0',
    () => ops.pixelShuffle(zeros([1, 2, 2, 4]), 0),
    ['ERR_INVALID_VALUE', 'pixelShuffle: factor is 0, expected a positive integer'],
  ],
  [
    'a factor that is no integer',
    () => ops.pixelUnshuffle(zeros([1, 2, 2, 4]), 1.5),
    ['ERR_INVALID_VALUE', 'pixelUnshuffle: factor is 1.5, expected a positive integer'],
  ],
  ['axes', () => ops.pixelShuffle(zeros([2, 2, 4]), 2), ['ERR_SHAPE', 'pixelShuffle: input has shape [2,2,4], expected [N,H,W,C]']],
])('pixelShuffle › bad arguments: %s', (_name, call, [code, message]) => {
  expect(fault(call)).toEqual({ name: 'RangeError', code, message });
});

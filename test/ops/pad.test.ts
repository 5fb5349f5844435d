import * as fc from 'fast-check';
import { manualSeed, ops, tensor, zeros } from '../../lib';
import type { PadMode } from '../../lib/ops/pad';
import { inner, integers, leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

// Values of small tensors stand in shapes.test.ts.

beforeEach(() => manualSeed(1));

/** The cell along an axis that a padded one shows, -1 for none. */
const shown: Readonly<Record<PadMode, (at: number, size: number) => number>> = {
  constant: (at, size) => (at < 0 || at >= size ? -1 : at),
  reflect: (at, size) => (at < 0 ? -at : at >= size ? 2 * (size - 1) - at : at),
  replicate: (at, size) => Math.min(Math.max(at, 0), size - 1),
};

/** Cells of 9 that are not of the input. */
function plainPad(
  x: ArrayLike<number>,
  shape: readonly number[],
  padding: readonly (readonly [number, number])[],
  mode: PadMode,
): number[] {
  const cells = shape.reduce<number[]>(
    (all, size, axis) => {
      const [before, after] = padding[axis];
      const along = Array.from({ length: before + size + after }, (_, i) => shown[mode](i - before, size));
      return all.flatMap((at) => along.map((i) => (at < 0 || i < 0 ? -1 : at * size + i)));
    },
    [0],
  );
  return cells.map((at) => (at < 0 ? 9 : x[at]));
}

test.each(['constant', 'reflect', 'replicate'] as const)(
  'pad › random shapes, %s: each cell as told, and the adjoint, exactly on integers',
  (mode) => {
    const axis = fc.record({ size: fc.integer({ min: 1, max: 5 }), before: fc.nat(4), after: fc.nat(4) });
    fc.assert(
      fc.property(fc.array(axis, { minLength: 1, maxLength: 4 }), fc.nat(2), (axes, batch) => {
        const most = (size: number, cells: number) => (mode === 'reflect' ? Math.min(cells, size - 1) : cells);
        const shape = [batch, ...axes.map(({ size }) => size)];
        const padding = [[0, 0] as const, ...axes.map(({ size, before, after }) => [most(size, before), most(size, after)] as const)];
        const values = integers(shape, 1);
        const x = tensor(values, shape, { dtype: 'float32', requiresGrad: true });
        const y = ops.pad(x, padding, { mode, value: 9 });
        expect(y.shape).toEqual(shape.map((n, i) => n + padding[i][0] + padding[i][1]));
        expect(Array.from(y.dataSync())).toEqual(plainPad(values, shape, padding, mode));

        const linear = ops.pad(x, padding, { mode });
        const weights = integers(y.shape, 2);
        linear.backward(tensor(weights, y.shape, { dtype: 'float32' }));
        expect(inner(values, x.grad!.dataSync())).toBe(inner(linear.dataSync(), weights));
      }),
      { numRuns: 200, seed: 1 },
    );
  },
);

test.each(['reflect', 'replicate'] as const)('pad › gradient of an image, %s', (mode) => {
  const around = [
    [0, 0],
    [2, 1],
    [1, 2],
    [0, 0],
  ] as const;
  gradcheck((x) => ops.pad(x, around, { mode }), [leaf(2, 4, 3, 3)]);
});

test('pad › wider than the input repeats its border', () => {
  const y = ops.pad(
    tensor([3, 4], [1, 2]),
    [
      [2, 0],
      [0, 1000],
    ],
    { mode: 'replicate' },
  );
  expect(y.shape).toEqual([3, 1002]);
  expect(new Set(Array.from(y.dataSync()).filter((_, i) => i % 1002 > 0))).toEqual(new Set([4]));
});

describe('pad › bad arguments', () => {
  const x = zeros([2, 3]);
  const none = [0, 0] as const;
  test.each([
    [
      'a reflection as wide as the axis',
      () => ops.pad(x, [none, [1, 3]], { mode: 'reflect' }),
      ['RangeError', 'ERR_SHAPE', 'pad: 3 cells cannot be reflected along axis 1 of input [2,3], which has 3'],
    ],
    [
      'a replication of nothing',
      () => ops.pad(zeros([2, 0]), [none, [0, 1]], { mode: 'replicate' }),
      ['RangeError', 'ERR_SHAPE', 'pad: axis 1 of input [2,0] has no cell to replicate'],
    ],
    [
      'an unknown mode',
      () => ops.pad(x, [none, none], { mode: 'toString' as never }),
      ['RangeError', 'ERR_INVALID_VALUE', 'pad: mode is "toString", expected constant, reflect, replicate'],
    ],
    [
      'cells less than none',
      () => ops.pad(x, [none, [0, -1]]),
      ['TypeError', 'ERR_INVALID_TYPE', 'pad: padding is [[…],[…]], expected [before, after] for each of 2 axes, integers of at least 0'],
    ],
    [
      'a value by position',
      () => ops.pad(x, [none, none], 7 as never),
      ['TypeError', 'ERR_INVALID_TYPE', 'pad: options is 7, expected an object such as { mode, value }'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });

  test('an axis of no cells that gets none is no fault', () => {
    expect(ops.pad(zeros([0, 3]), [none, [2, 2]], { mode: 'reflect' }).shape).toEqual([0, 7]);
  });
});

import fc from 'fast-check';
import { ops, tensor, uniform, zeros } from '../../lib';
import { augment, type Border, type Change } from '../../lib/ops/augment';
import { distance } from '../support/agree';
import { randomNumbers, sizeOf } from '../support/data';
import { fault } from '../support/fault';

const still: Change = [0, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0];

/** The index a cell outside counts as; -1 for none. */
function inside(i: number, n: number, border: Border): number {
  if (i >= 0 && i < n) return i;
  if (border === 'zeros') return -1;
  if (border === 'replicate') return i < 0 ? 0 : n - 1;
  let at = i;
  while (n > 1 && (at < 0 || at >= n)) at = at < 0 ? -at : 2 * (n - 1) - at;
  return n > 1 ? at : 0;
}

/** The definition, cell by cell. */
function plain(
  x: ArrayLike<number>,
  [N, H, W, C]: number[],
  changes: readonly Change[],
  [OH, OW]: readonly number[],
  border: Border,
  scale: readonly number[],
  shift: readonly number[],
): Float64Array {
  const clamp = (v: number) => Math.min(Math.max(v, 0), 1);
  const grey = (v: number[]) => (C === 3 ? 0.299 * v[0] + 0.587 * v[1] + 0.114 * v[2] : v.reduce((a, b) => a + b, 0) / C);
  const out: number[] = [];
  for (let n = 0; n < N; n++) {
    const [r0, ri, rj, c0, ci, cj, brightness, contrast, saturation, top, left, bottom, right] = changes[n];
    const at = (i: number, j: number, c: number) => {
      const [row, column] = [inside(i, H, border), inside(j, W, border)];
      return row < 0 || column < 0 ? 0 : x[((n * H + row) * W + column) * C + c];
    };
    let cells: number[][] = [];
    for (let i = 0; i < OH; i++) {
      for (let j = 0; j < OW; j++) {
        const [row, column] = [r0 + ri * i + rj * j, c0 + ci * i + cj * j];
        const [y0, x0] = [Math.floor(row), Math.floor(column)];
        const [fy, fx] = [row - y0, column - x0];
        const v = Array.from({ length: C }, (_, c) => {
          const upper = (1 - fx) * at(y0, x0, c) + fx * at(y0, x0 + 1, c);
          const lower = (1 - fx) * at(y0 + 1, x0, c) + fx * at(y0 + 1, x0 + 1, c);
          return (1 - fy) * upper + fy * lower;
        });
        cells.push(v);
      }
    }
    if (brightness !== 1) cells = cells.map((v) => v.map((one) => clamp(brightness * one)));
    const mean = cells.reduce((sum, v) => sum + grey(v), 0) / cells.length;
    if (contrast !== 1) cells = cells.map((v) => v.map((one) => clamp(mean + contrast * (one - mean))));
    if (saturation !== 1) cells = cells.map((v) => v.map((one) => clamp(grey(v) + saturation * (one - grey(v)))));
    cells.forEach((v, k) => {
      const [i, j] = [Math.floor(k / OW), k % OW];
      const cut = i >= top && i < bottom && j >= left && j < right;
      for (const [c, one] of v.entries()) out.push(cut ? 0 : scale[c] * one + shift[c]);
    });
  }
  return Float64Array.from(out);
}

const someChange = fc
  .tuple(
    fc.constantFrom('still', 'shifted', 'any'),
    fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 6, maxLength: 6 }),
    fc.array(fc.constantFrom(1, 1, 0, 0.5, 1.7), { minLength: 3, maxLength: 3 }),
    fc.array(fc.integer({ min: -2, max: 7 }), { minLength: 4, maxLength: 4 }),
  )
  .map(([kind, affine, colours, cut]): Change => {
    const moved = kind === 'shifted' ? [Math.round(affine[0]), 1, 0, Math.round(affine[3]), 0, 1] : affine;
    return [...(kind === 'still' ? still.slice(0, 6) : moved), ...colours, ...cut].map(Math.fround) as unknown as Change;
  });

test('agrees with the definition on random images and changes', () => {
  const size = fc.integer({ min: 1, max: 7 });
  fc.assert(
    fc.property(
      fc.tuple(fc.integer({ min: 1, max: 3 }), size, size, fc.constantFrom(1, 2, 3, 4, 15, 16, 17)),
      fc.tuple(size, size),
      fc.constantFrom<Border>('zeros', 'replicate', 'reflect'),
      fc.array(someChange, { minLength: 3, maxLength: 3 }),
      fc.nat(),
      (shape, to, border, all, seed) => {
        const next = randomNumbers(seed);
        const changes = all.slice(0, shape[0]);
        const bytes = Uint8Array.from({ length: sizeOf(shape) }, () => Math.floor(next() * 256));
        const scale = Array.from({ length: shape[3] }, () => Math.fround(1 + next()));
        const shift = scale.map(() => Math.fround(next() - 0.5));
        const expected = plain(
          Array.from(bytes, (b) => b / 255),
          shape,
          changes,
          to,
          border,
          scale,
          shift,
        );
        const run = (dtype: 'uint8' | 'float32' | 'float64') => {
          const made = dtype === 'float64' ? 'float64' : 'float32';
          const x =
            dtype === 'uint8'
              ? tensor(bytes, shape)
              : tensor(
                  Float64Array.from(bytes, (b) => b / 255),
                  shape,
                  { dtype },
                );
          const y = augment(x, tensor(changes.flat(), [shape[0], 13], { dtype: made }), {
            scale: tensor(scale, null, { dtype: made }),
            shift: tensor(shift, null, { dtype: made }),
            size: to,
            border,
          });
          expect([y.shape, y.dtype]).toEqual([[shape[0], ...to, shape[3]], made]);
          return distance(y.dataSync(), expected);
        };
        expect(run('uint8')).toBeLessThan(4e-6);
        expect(run('float32')).toBeLessThan(4e-6);
        expect(run('float64')).toBeLessThan(1e-12);
      },
    ),
    { numRuns: 300 },
  );
});

test('without changes normalises; an empty batch gives an empty batch', () => {
  const y = augment(tensor(Uint8Array.of(0, 51, 255, 102), [1, 1, 2, 2]), null, { scale: tensor([2, 1]), shift: tensor([-1, 0]) });
  expect(Array.from(y.dataSync(), (v) => Number(v.toFixed(6)))).toEqual([-1, 0.2, 1, 0.4]);
  expect(augment(zeros([0, 4, 4, 3]), zeros([0, 13]), { size: [2, 3] }).shape).toEqual([0, 2, 3, 3]);
});

test('takes the images an index names, with and without changes', () => {
  const x = tensor(
    Uint8Array.from({ length: 5 * 3 * 2 * 2 }, (_, i) => (i * 37) % 256),
    [5, 3, 2, 2],
  );
  const index = tensor(Int32Array.of(4, 0, 4, 2));
  const scale = tensor([2, 1]);
  const mirrored = tensor(Array.from({ length: 4 }, () => [0, 1, 0, 1, 0, -1, 1, 1, 1, 0, 0, 0, 0]));
  for (const changes of [null, mirrored]) {
    const y = augment(x, changes, { scale, index });
    expect(y.shape).toEqual([4, 3, 2, 2]);
    expect([...y.dataSync()]).toEqual([...augment(ops.gather(x, index), changes, { scale }).dataSync()]);
  }
  expect(() => augment(x, null, { index: tensor(Int32Array.of(1, 5)) }).dataSync()).toThrow('augment: index 5 at 1, expected 0 to 4');
});

test('an index of numbers that are not whole', () => {
  expect(fault(() => augment(zeros([2, 4, 4, 3]), null, { index: zeros([2]) }))).toMatchObject({
    name: 'TypeError',
    message: 'augment: index is float32 [2], expected int32 [N]',
  });
});

test.each([
  ['images without a batch axis', () => augment(zeros([4, 4, 3]), null, {}), 'augment: images has shape [4,4,3], expected [N,H,W,C]'],
  [
    'changes of another type',
    () => augment(zeros([1, 4, 4, 3]), zeros([1, 13], { dtype: 'float64' }), {}),
    'augment: changes is float64, expected float32',
  ],
  ['images without pixels', () => augment(zeros([1, 0, 4, 3]), null, {}), 'augment: images of shape [1,0,4,3] have no pixels'],
  ['changes of other images', () => augment(zeros([2, 4, 4, 3]), zeros([1, 13]), {}), 'changes has shape [1,13], expected [2,13]'],
  ['a scale of other channels', () => augment(zeros([2, 4, 4, 3]), null, { scale: zeros([1]) }), 'scale has shape [1], expected [3]'],
  ['a size without changes', () => augment(uniform([1, 4, 4, 3]), null, { size: [2, 2] }), 'without changes'],
])('%s', (_, call, message) => {
  expect(fault(call)).toMatchObject({ name: 'RangeError', message: expect.stringContaining(message) });
});

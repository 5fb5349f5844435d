import * as fc from 'fast-check';
import { ops, type Tensor, tensor } from '../../lib';
import { integers } from '../support/data';
import { plainConv, plainPool } from '../support/plain';

// Operations against plain loops on random shapes and options: small integers, so that float32 and float64 have to be exact. The layers
// that have tests of random shapes beside their own are not here.

const runs = { numRuns: 200 };
const size = fc.integer({ min: 1, max: 7 });
const seed = fc.integer({ min: 1, max: 1e6 });
const dtypes = ['float32', 'float64'] as const;

/** The elements of a result must be these, in either type. */
function exactly(
  run: (of: (values: Float64Array, shape: readonly number[]) => Tensor) => Tensor,
  shape: readonly number[],
  expected: Iterable<number>,
): void {
  for (const dtype of dtypes) {
    const y = run((values, at) => tensor(values, at, { dtype }));
    expect(y.shape).toEqual(shape);
    expect(Array.from(y.dataSync(), (v) => v + 0)).toEqual(Array.from(expected, (v) => v + 0)); // 0 and -0 are the same here
  }
}

const window = fc.record({
  kernel: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
  stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  dilation: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
  padding: fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 2 })),
});

test('conv2d', () => {
  const options = fc.tuple(fc.integer({ min: 0, max: 2 }), size, size, fc.integer({ min: 1, max: 3 }), size, size, window, seed);
  fc.assert(
    fc.property(options, ([n, h, w, groups, c, k, { kernel, stride, dilation, padding }, start]) => {
      fc.pre([h, w].every((length, axis) => length + 2 * padding[axis]! > dilation[axis]! * (kernel[axis]! - 1)));
      const [xShape, wShape] = [
        [n, h, w, c * groups],
        [...kernel, c, k * groups],
      ];
      const [x, kernels, bias] = [integers(xShape, start), integers(wShape, start + 1), integers([k * groups], start + 2)];
      const all = { stride, dilation, padding, groups };
      const expected = plainConv(x, xShape, kernels, wShape, bias, all);
      exactly(
        (of) => ops.conv2d(of(x, xShape), of(kernels, wShape), { ...all, bias: of(bias, [k * groups]) }),
        expected.shape,
        expected.data,
      );
    }),
    runs,
  );
});

const pools = fc.tuple(
  fc.integer({ min: 0, max: 2 }),
  size,
  size,
  fc.integer({ min: 1, max: 18 }),
  window,
  fc.boolean(),
  fc.boolean(),
  seed,
);

test('maxPool2d and avgPool2d', () => {
  fc.assert(
    fc.property(pools, ([n, h, w, c, { kernel, stride, dilation, padding: wanted }, ceilMode, countIncludePad, start]) => {
      const padding = wanted.map((p, axis) => Math.min(p, kernel[axis]! - 1)) as [number, number];
      const fits = [h, w].every((length, axis) => length + 2 * padding[axis]! > dilation[axis]! * (kernel[axis]! - 1));
      fc.pre(fits);
      const shape = [n, h, w, c];
      const x = integers(shape, start).map((v) => v * 720720); // every number of cells divides them
      const options = { kernelSize: kernel, stride, dilation, padding, ceilMode };
      // A window whose taps all lie in the padding has no maximum; the layers never make one.
      const most = plainPool(x, shape, options, (cells) => Math.max(...cells));
      exactly((of) => ops.maxPool2d(of(x, shape), options), most.shape, most.data);
      const mean = plainPool(x, shape, options, (cells, covered) =>
        cells.length === 0 ? 0 : cells.reduce((sum, v) => sum + v, 0) / (countIncludePad ? covered : cells.length),
      );
      for (const dtype of dtypes) {
        const y = ops.avgPool2d(tensor(x, shape, { dtype }), { ...options, countIncludePad });
        expect(y.shape).toEqual(mean.shape);
        y.dataSync().forEach((v, i) => {
          expect(Math.abs(v - mean.data[i]!)).toBeLessThanOrEqual(2 ** (dtype === 'float32' ? -22 : -51) * Math.abs(mean.data[i]!));
        });
      }
    }),
    runs,
  );
});

test('matmul and linear', () => {
  const options = fc.tuple(
    fc.nat({ max: 3 }),
    fc.nat({ max: 20 }),
    fc.nat({ max: 20 }),
    fc.nat({ max: 40 }),
    fc.boolean(),
    fc.boolean(),
    seed,
  );
  fc.assert(
    fc.property(options, ([batch, m, n, k, transposeA, transposeB, start]) => {
      const lead = batch === 0 ? [] : [batch];
      const [aShape, bShape] = [
        [...lead, ...(transposeA ? [k, m] : [m, k])],
        [...lead, ...(transposeB ? [n, k] : [k, n])],
      ];
      const [a, b, bias] = [integers(aShape, start), integers(bShape, start + 1), integers([n], start + 2)];
      const product: number[] = [];
      for (let i = 0; i < Math.max(batch, 1); i++) {
        for (let row = 0; row < m; row++) {
          for (let column = 0; column < n; column++) {
            let sum = 0;
            for (let s = 0; s < k; s++) {
              sum +=
                a[i * m * k + (transposeA ? s * m + row : row * k + s)]! * b[i * k * n + (transposeB ? column * k + s : s * n + column)]!;
            }
            product.push(sum);
          }
        }
      }
      exactly((of) => ops.matmul(of(a, aShape), of(b, bShape), { transposeA, transposeB }), [...lead, m, n], product);
      if (batch > 0 || transposeA || !transposeB) return;
      const shifted = product.map((v, i) => v + bias[i % n]!);
      exactly((of) => ops.linear(of(a, aShape), of(b, bShape), of(bias, [n])), [m, n], shifted);
    }),
    runs,
  );
});

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const indexOf = (at: number, shape: readonly number[]): number[] => {
  const index: number[] = [];
  for (const n of shape.toReversed()) {
    index.unshift(at % n);
    at = Math.floor(at / n);
  }
  return index;
};
const placeOf = (index: readonly number[], shape: readonly number[]): number =>
  index.reduce((place, i, axis) => place * shape[axis]! + i, 0);
const count = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

test.each([
  ['add', (a: number, b: number) => a + b],
  ['sub', (a: number, b: number) => a - b],
  ['mul', (a: number, b: number) => a * b],
  ['maximum', (a: number, b: number) => Math.max(a, b)],
  ['minimum', (a: number, b: number) => Math.min(a, b)],
] as const)('%s, with broadcasting', (name, rule) => {
  fc.assert(
    fc.property(shapes, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), fc.nat({ max: 4 }), seed, (shape, ones, shorter, start) => {
      const aShape = shape.map((n, axis) => (ones[axis] ? 1 : n));
      const bShape = shape.map((n, axis) => (!ones[axis] && ones[axis + 4] ? 1 : n)).slice(Math.min(shorter, shape.length));
      const out = shape.map((n, axis) => (ones[axis] && axis < shape.length - bShape.length ? 1 : n));
      const [a, b] = [integers(aShape, start), integers(bShape, start + 1)];
      const read = (values: Float64Array, of: readonly number[], index: readonly number[]) =>
        values[
          placeOf(
            index.slice(index.length - of.length).map((i, axis) => (of[axis] === 1 ? 0 : i)),
            of,
          )
        ]!;
      const expected = Array.from({ length: count(out) }, (_, at) =>
        rule(read(a, aShape, indexOf(at, out)), read(b, bShape, indexOf(at, out))),
      );
      exactly((of) => ops[name](of(a, aShape), of(b, bShape)), out, expected);
    }),
    runs,
  );
});

test('sum, max and min over any axes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
      fc.nat({ max: 15 }),
      fc.boolean(),
      seed,
      (shape, mask, keepDims, start) => {
        const axis = shape.map((_, i) => i).filter((i) => (mask >> i) & 1);
        fc.pre(axis.length > 0);
        const x = integers(shape, start);
        const kept = shape.map((n, i) => (axis.includes(i) ? 1 : n));
        const out = keepDims ? kept : shape.filter((_, i) => !axis.includes(i));
        const groups: number[][] = Array.from({ length: count(kept) }, () => []);
        x.forEach(
          (v, at) =>
            void groups[
              placeOf(
                indexOf(at, shape).map((i, at) => (axis.includes(at) ? 0 : i)),
                kept,
              )
            ]!.push(v),
        );
        for (const [name, rule] of [
          ['sum', (values: number[]) => values.reduce((sum, v) => sum + v, 0)],
          ['max', (values: number[]) => Math.max(...values)],
          ['min', (values: number[]) => Math.min(...values)],
        ] as const) {
          exactly((of) => ops[name](of(x, shape), { axis, keepDims }), out, groups.map(rule));
        }
      },
    ),
    runs,
  );
});

test('gather', () => {
  fc.assert(
    fc.property(size, shapes, fc.array(fc.nat({ max: 100 }), { maxLength: 9 }), seed, (rows, rest, wanted, start) => {
      const shape = [rows, ...rest.slice(0, 2)];
      const x = integers(shape, start);
      const width = count(shape.slice(1));
      const indices = wanted.map((i) => i % rows);
      const expected = indices.flatMap((i) => Array.from(x.slice(i * width, (i + 1) * width)));
      exactly((of) => ops.gather(of(x, shape), tensor(Int32Array.from(indices))), [indices.length, ...shape.slice(1)], expected);
    }),
    runs,
  );
});

test('batchNorm and softmax', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 40 }), fc.integer({ min: 1, max: 35 }), seed, (rows, channels, start) => {
      const shape = [rows, channels];
      const [x, weight, bias] = [integers(shape, start), integers([channels], start + 1), integers([channels], start + 2)];
      const column = (c: number) => Array.from({ length: rows }, (_, row) => x[row * channels + c]!);
      const normal = new Float64Array(x.length);
      const soft = new Float64Array(x.length);
      for (let c = 0; c < channels; c++) {
        const values = column(c);
        const mean = values.reduce((sum, v) => sum + v, 0) / rows;
        const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / rows;
        for (const [row, v] of values.entries())
          normal[row * channels + c] = (weight[c]! * (v - mean)) / Math.sqrt(variance + 1e-5) + bias[c]!;
      }
      for (let row = 0; row < rows; row++) {
        const powers = Array.from(x.slice(row * channels, (row + 1) * channels), Math.exp);
        const sum = powers.reduce((total, v) => total + v, 0);
        for (const [c, v] of powers.entries()) soft[row * channels + c] = v / sum;
      }
      for (const dtype of dtypes) {
        const of = (values: Float64Array, at: readonly number[]) => tensor(values, at, { dtype });
        const close = dtype === 'float32' ? 1e-5 : 1e-12;
        const y = ops.batchNorm(of(x, shape), { weight: of(weight, [channels]), bias: of(bias, [channels]), training: true }).dataSync();
        y.forEach((v, i) => void expect(Math.abs(v - normal[i]!)).toBeLessThan(close * 20));
        ops
          .softmax(of(x, shape))
          .dataSync()
          .forEach((v, i) => void expect(Math.abs(v - soft[i]!)).toBeLessThan(close));
      }
    }),
    runs,
  );
});

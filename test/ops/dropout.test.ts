import { manualSeed, ones, ops, type Tensor, tensor } from '../../lib';
import { leaf, sizeOf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

describe('dropout', () => {
  test('zeroes a share of p and scales what is left', () => {
    const values = ops.dropout(ones([100_000]), 0.3, { training: true }).dataSync();
    const kept = Array.from(values).filter((v) => v !== 0);
    expect(new Set(kept)).toEqual(new Set([Math.fround(1 / 0.7)]));
    expect(Math.abs(kept.length / values.length - 0.7)).toBeLessThan(0.005); // 3.5 standard deviations
  });

  test.each([[[7]], [[3, 5, 2]]])('gradient at shape %j', (shape) => {
    const fixed = (x: ReturnType<typeof leaf>) => {
      manualSeed(sizeOf(shape));
      return ops.dropout(x, 0.4, { training: true });
    };
    gradcheck(fixed, [leaf(...shape)]);
  });

  test('the same seed drops the same elements, the next call others', () => {
    const draw = () => Array.from(ops.dropout(ones([200]), 0.5, { training: true }).dataSync());
    manualSeed(9);
    const [first, second] = [draw(), draw()];
    manualSeed(9);
    expect(draw()).toEqual(first);
    expect(second).not.toEqual(first);
  });

  test('leaves x as it is without training, and at p = 0, in a tensor of its own', () => {
    const x = tensor([1, 2]);
    for (const y of [ops.dropout(x, 0.5), ops.dropout(x, 0, { training: true })]) {
      expect(Array.from(y.dataSync())).toEqual([1, 2]);
      y.dispose();
    }
    expect(x.disposed).toBe(false);
  });

  test.each(['float32', 'float64'] as const)('p = 1 drops all, and lets no gradient through: %s', (dtype) => {
    const x = tensor([1, -2, Infinity], [3], { dtype, requiresGrad: true });
    const y = ops.dropout(x, 1, { training: true });
    expect(Array.from(y.dataSync())).toEqual([0, 0, 0]);
    y.backward(tensor([3, 4, 5], [3], { dtype }));
    expect(Array.from(x.grad!.dataSync())).toEqual([0, 0, 0]);
    expect(Array.from(ops.dropout(x, 1).dataSync())).toEqual([1, -2, Infinity]);
  });

  test.each([1.5, -0.1, Number.NaN, '0.5'])('p = %p is an error', (p) => {
    expect(fault(() => ops.dropout(ones([2]), p as number, { training: true })).message).toContain('expected a number from 0 to 1');
  });
});

describe.each([
  ['dropout1d', ops.dropout1d, [50, 7, 40], 'N,L,C'],
  ['dropout2d', ops.dropout2d, [50, 3, 5, 40], 'N,H,W,C'],
] as const)('%s', (name, drop, shape, axes) => {
  const [samples, channels] = [shape[0], shape[shape.length - 1]];

  test('zeroes a share of p of the channels, each in all its places, and scales the others', () => {
    const values = drop(ones(shape), 0.3, { training: true }).dataSync();
    const places = values.length / samples / channels;
    const kept = Array.from({ length: samples * channels }, (_, i) => {
      const [n, c] = [Math.floor(i / channels), i % channels];
      const all = Array.from({ length: places }, (_, place) => values[(n * places + place) * channels + c]);
      expect(new Set(all).size).toBe(1);
      return all[0];
    });
    expect(new Set(kept)).toEqual(new Set([0, Math.fround(1 / 0.7)]));
    expect(Math.abs(kept.filter((v) => v !== 0).length / kept.length - 0.7)).toBeLessThan(0.041); // 4 standard deviations
  });

  test('multiplies what it is given', () => {
    const x = leaf(...shape);
    const draw = (input: Tensor) => {
      manualSeed(3);
      return drop(input, 0.5, { training: true }).dataSync();
    };
    const factors = draw(ones(shape, { dtype: 'float64' }));
    expect(Array.from(draw(x))).toEqual(Array.from(x.dataSync(), (v, i) => v * factors[i]!));
  });

  test('gradient', () => {
    const small = [3, ...shape.slice(1, -1), 4];
    gradcheck(
      (x) => {
        manualSeed(7);
        return drop(x, 0.4, { training: true });
      },
      [leaf(...small)],
    );
  });

  test('the same seed drops the same channels, the next call others', () => {
    const draw = () => Array.from(drop(ones(shape), 0.5, { training: true }).dataSync());
    manualSeed(9);
    const [first, second] = [draw(), draw()];
    manualSeed(9);
    expect(draw()).toEqual(first);
    expect(second).not.toEqual(first);
  });

  test('leaves x as it is without training, and at p = 0', () => {
    const x = leaf(...shape);
    for (const y of [drop(x, 0.5), drop(x, 0, { training: true })]) expect(y.dataSync()).toEqual(x.dataSync());
  });

  test('p = 1 drops all, and lets no gradient through', () => {
    const x = leaf(...shape);
    const y = drop(x, 1, { training: true });
    y.backward(ones(shape, { dtype: 'float64' }));
    for (const values of [y, x.grad!]) expect(values.dataSync().every((v) => v === 0)).toBe(true);
  });

  test('takes an empty batch', () => {
    expect(drop(ones([0, ...shape.slice(1)]), 0.5, { training: true }).shape).toEqual([0, ...shape.slice(1)]);
  });

  test('bad arguments', () => {
    expect(fault(() => drop(ones([4, 4]), 0.5))).toEqual({
      name: 'RangeError',
      code: 'ERR_SHAPE',
      message: `${name}: input has shape [4,4], expected [${axes}]`,
    });
    expect(fault(() => drop(ones(shape), 2)).message).toBe(`${name}: p is 2, expected a number from 0 to 1`);
    expect(fault(() => drop(ones(shape, { dtype: 'int32' }), 0.5, { training: true })).message).toBe(
      `${name}: input is int32, expected float32 or float64`,
    );
  });
});

import { manualSeed, ones, ops, tensor } from '../../lib';
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

  test.each([1, -0.1, Number.NaN, '0.5'])('p = %p is an error', (p) => {
    expect(fault(() => ops.dropout(ones([2]), p as number, { training: true })).message).toContain(
      'expected a number from 0 to, not including, 1',
    );
  });
});

import fc from 'fast-check';
import { memory, ops, optim, type Tensor, tensor, zeros } from '../../lib';
import { settle } from '../support/memory';

/** A parameter of zeros with this gradient. */
function withGradient(values: readonly number[], dtype: 'float32' | 'float64' = 'float64'): Tensor {
  const parameter = zeros([values.length], { dtype, requiresGrad: true });
  ops.sum(ops.mul(parameter, tensor(values as number[], null, { dtype }))).backward();
  return parameter;
}

const gradients = (parameters: readonly Tensor[]): number[][] => parameters.map(({ grad }) => [...grad!.dataSync()]);

// Either 0 or large enough that neither its square nor its product with the scale is a denormal, which kernels flush to 0.
const value = fc.double({ min: -1e3, max: 1e3, noNaN: true }).map((v) => (Math.abs(v) < 1e-100 ? 0 : v));
const lists = fc.array(fc.array(value, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 5 });

describe('clipGradNorm', () => {
  test('the norm of 3 and 4 is 5', () => {
    const parameters = [withGradient([3]), withGradient([4])];
    expect(optim.clipGradNorm(parameters, 1).itemSync()).toBe(5);
    expect(gradients(parameters)).toEqual([[expect.closeTo(0.6, 6)], [expect.closeTo(0.8, 6)]]);
  });

  test('agrees with the formula for any gradients and norm', () => {
    fc.assert(
      fc.property(lists, value.map(Math.abs), (values, most) => {
        const parameters = values.map((list) => withGradient(list));
        const norm = Math.sqrt(values.flat().reduce((sum, v) => sum + v * v, 0));
        const scale = Math.min(1, most / (norm + 1e-6));
        expect(Math.abs(optim.clipGradNorm(parameters, most).itemSync() - norm)).toBeLessThanOrEqual(1e-12 * norm);
        gradients(parameters).forEach((list, i) => {
          list.forEach((g, j) => {
            expect(Math.abs(g - scale * values[i][j])).toBeLessThanOrEqual(1e-12 * Math.abs(values[i][j]));
          });
        });
      }),
      { numRuns: 200 },
    );
  });

  test('leaves short gradients as they are, to the bit', () => {
    const parameter = withGradient([0.1, 0.2], 'float32');
    const before = gradients([parameter]);
    const norm = optim.clipGradNorm([parameter], 1);
    expect(norm.dtype).toBe('float32');
    expect(norm.itemSync()).toBeCloseTo(Math.hypot(0.1, 0.2), 6);
    expect(gradients([parameter])).toEqual(before);
    expect(optim.clipGradNorm([parameter], Number.POSITIVE_INFINITY).itemSync()).toBe(norm.itemSync());
    expect(gradients([parameter])).toEqual(before);
  });

  test('is of float32 and float64 gradients together, and of each once', () => {
    const [single, double] = [withGradient([3], 'float32'), withGradient([4])];
    expect(optim.clipGradNorm([single, double, single], 10).itemSync()).toBe(5);
  });

  test('a parameter without a gradient does not count; none at all have norm 0', () => {
    const without = zeros([2], { requiresGrad: true });
    expect(optim.clipGradNorm([without, withGradient([2])], 1).itemSync()).toBe(2);
    expect(without.grad).toBeNull();
    expect(optim.clipGradNorm([without], 1).itemSync()).toBe(0);
  });

  test('is finite where the sum of squares does not fit float32, and NaN where a gradient is', () => {
    const large = withGradient([3e30, 4e30], 'float32');
    expect(optim.clipGradNorm([large], 1).itemSync()).toBeCloseTo(5e30, -24);
    expect(gradients([large])).toEqual([[expect.closeTo(0.6, 6), expect.closeTo(0.8, 6)]]);
    const broken = [withGradient([Number.NaN]), withGradient([1])];
    expect(optim.clipGradNorm(broken, 1).itemSync()).toBeNaN();
    expect(gradients(broken)).toEqual([[Number.NaN], [Number.NaN]]);
  });
});

describe('clipGradValue', () => {
  test('brings every element into the range, in either type', () => {
    for (const dtype of ['float32', 'float64'] as const) {
      const parameters = [withGradient([-3, -0.25, 0, 0.25], dtype), withGradient([7, Number.NaN], dtype)];
      optim.clipGradValue(parameters, 0.5);
      expect(gradients(parameters)).toEqual([
        [-0.5, -0.25, 0, 0.25],
        [0.5, Number.NaN],
      ]);
    }
  });
});

describe.each(['clipGradNorm', 'clipGradValue'] as const)('%s', (name) => {
  const clip = optim[name] as (params: Iterable<Tensor>, most: number) => Tensor | undefined;

  test.each<[string, () => unknown, string]>([
    ['one tensor', () => clip(withGradient([1]) as never, 1), 'params is a'],
    ['nothing', () => clip(undefined as never, 1), 'params is undefined, expected a list of tensors'],
    ['numbers', () => clip([1] as never, 1), 'parameter 0 is 1, expected a Tensor'],
    ['a bound below 0', () => clip([withGradient([1])], -1), 'is -1, expected a number of at least 0'],
    ['a bound that is NaN', () => clip([withGradient([1])], Number.NaN), 'is NaN'],
    ['a bound left out', () => clip([withGradient([1])], undefined as never), 'is undefined'],
  ])('refuses %s', (_, run, message) => {
    expect(run).toThrow(message);
    expect(run).toThrow(name);
  });

  test('a gradient that was disposed of is an error', () => {
    const parameter = withGradient([1]);
    parameter.grad!.dispose();
    expect(() => clip([parameter], 1)).toThrow(`${name}: the gradient of parameter 0 of shape [1] was disposed of`);
  });

  test('keeps no tensor but what it returns', async () => {
    const parameter = withGradient([1, 2]);
    await settle();
    const before = memory().tensors;
    clip([parameter], 0.1)?.dispose();
    expect(memory().tensors).toBeLessThanOrEqual(before);
  });
});

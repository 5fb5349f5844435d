import * as fc from 'fast-check';
import { compile, manualSeed, memory, nn, ops, randn, type Tensor, tensor, tidy, zeros } from '../../lib';
import type { MaxPool2dOptions } from '../../lib/ops/maxPool2d';
import { precision, unit } from '../support/agree';
import { inner, integers, leaf, shuffled, sizeOf, spacedLeaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';
import { settle } from '../support/memory';
import { windowsThatFit } from '../support/windows';

beforeEach(() => manualSeed(1));

const both = (value: number | readonly number[]): readonly number[] => (typeof value === 'number' ? [value, value] : value);

/** Which element of the image the maximum of each window of a pool is, by its indices' definition; -1 for a window of padding only. */
function placesOf(indices: Tensor, [, H, W, C]: readonly number[], options: MaxPool2dOptions): number[] {
  const [, rows, columns] = indices.shape;
  const kernel = both(options.kernelSize);
  const [sh, sw] = both(options.stride ?? kernel);
  const [dh, dw] = both(options.dilation ?? 1);
  const padding = (options.padding ?? 0) as number | readonly number[];
  const [top, left] = typeof padding === 'number' ? [padding, padding] : padding.length === 2 ? padding : [padding[0], padding[3]];
  return Array.from(indices.dataSync(), (place, at) => {
    const [c, j, i, n] = [at % C, Math.floor(at / C) % columns, Math.floor(at / C / columns) % rows, Math.floor(at / C / columns / rows)];
    const [row, column] = [i * sh - top + Math.floor(place / kernel[1]) * dh, j * sw - left + (place % kernel[1]) * dw];
    return row >= 0 && row < H && column >= 0 && column < W ? ((n * H + row) * W + column) * C + c : -1;
  });
}

const cases: readonly (readonly [name: string, x: number[], options: MaxPool2dOptions])[] = [
  ['kernel 2', [2, 4, 6, 3], { kernelSize: 2 }],
  ['kernel [3, 1], stride [2, 1]', [1, 7, 5, 2], { kernelSize: [3, 1], stride: [2, 1] }],
  ['overlapping windows', [1, 7, 7, 2], { kernelSize: 3, stride: 2 }],
  ['windows with gaps', [1, 8, 8, 2], { kernelSize: 2, stride: 3 }],
  ['padding 1', [1, 5, 5, 2], { kernelSize: 3, stride: 2, padding: 1 }],
  ['padding [1, 0, 0, 1]', [1, 5, 5, 2], { kernelSize: 3, stride: 3, padding: [1, 0, 0, 1] }],
  ["padding 'same'", [1, 6, 4, 2], { kernelSize: 3, stride: 2, padding: 'same' }],
  ['dilation 2', [1, 6, 7, 2], { kernelSize: 2, stride: 1, dilation: 2 }],
  ['a window of more than 256 cells', [1, 18, 17, 1], { kernelSize: 17, stride: 1 }],
];

describe.each(cases)('maxUnpool2d › %s', (_name, shape, options) => {
  test('the indices of a pool put its outputs back to where they were', () => {
    const x = Float64Array.from(shuffled(sizeOf(shape)), (k) => k + 1);
    for (const dtype of ['float32', 'float64'] as const) {
      const { output, indices } = ops.maxPool2dWithIndices(tensor(x, shape, { dtype }), options);
      expect(output.dataSync()).toEqual(ops.maxPool2d(tensor(x, shape, { dtype }), options).dataSync());
      expect(indices.dtype).toBe(sizeOf(both(options.kernelSize)) <= 256 ? 'uint8' : 'int32');
      const y = ops.maxUnpool2d(output, indices, options);
      const expected = new Float64Array(x.length);
      if (options.padding !== 'same') {
        for (const at of placesOf(indices, shape, options)) expected[at] += x[at];
        expect(Array.from(y.dataSync())).toEqual(Array.from(expected));
      }
      expect(y.shape).toEqual(shape);
    }
  });

  test('gradient', () => {
    const { output, indices } = ops.maxPool2dWithIndices(leaf(...shape).detach(), options);
    gradcheck((y) => ops.maxUnpool2d(y, indices, options), [leaf(...output.shape)]);
  });

  test('gradient of the pool that gave the indices', () => {
    gradcheck((x) => ops.maxPool2dWithIndices(x, options).output, [spacedLeaf(...shape)]);
  });

  test('gradient through both', () => {
    gradcheck(
      (x) => {
        const { output, indices } = ops.maxPool2dWithIndices(x, options);
        return ops.maxUnpool2d(output, indices, options);
      },
      [spacedLeaf(...shape)],
    );
  });
});

test('maxUnpool2d › indices count the taps of a window in row-major order', () => {
  const { output, indices } = ops.maxPool2dWithIndices(tensor([1, 2, 5, 3, 9, 0, 4, 8], [1, 2, 4, 1]), { kernelSize: 2 });
  expect([...output.dataSync()]).toEqual([9, 8]);
  expect([...indices.dataSync()]).toEqual([2, 3]);
  expect([...ops.maxUnpool2d(output, indices, { kernelSize: 2 }).dataSync()]).toEqual([0, 0, 0, 0, 9, 0, 0, 8]);
});

test('maxUnpool2d › values of overlapping windows add up where they had the same maximum', () => {
  const { output, indices } = ops.maxPool2dWithIndices(tensor([1, 7, 2], [1, 1, 3, 1]), { kernelSize: [1, 2], stride: 1 });
  expect([...ops.maxUnpool2d(output, indices, { kernelSize: [1, 2], stride: 1 }).dataSync()]).toEqual([0, 14, 0]);
});

test('maxUnpool2d › any input of which the pool makes these windows may be asked for, and no other', () => {
  const options = { kernelSize: 3, stride: 2, padding: 1 } as const;
  const { output, indices } = ops.maxPool2dWithIndices(leaf(1, 7, 7, 2), options); // 4x4 windows
  for (let size = 1; size <= 12; size++) {
    const makes = (ceilMode: boolean) => ops.maxPool2d(zeros([1, size, 7, 1]), { ...options, ceilMode }).shape[1];
    const unpool = () => ops.maxUnpool2d(output, indices, { ...options, outputSize: [size, 7] });
    if (makes(false) === 4 || makes(true) === 4) expect(unpool().shape).toEqual([1, size, 7, 2]);
    else expect(unpool).toThrow(`outputSize is [${size},7], expected 6 to 8 rows and 6 to 8 columns, of which this pool makes 4x4 windows`);
  }
});

test('maxUnpool2d › random windows: each value where the maximum was, and the adjoint', () => {
  fc.assert(
    fc.property(
      windowsThatFit(2, 8),
      fc.integer({ min: 1, max: 18 }),
      fc.boolean(),
      ({ n, size, kernel, options: window }, channels, ceilMode) => {
        const covers = kernel.map((k, axis) => both(window.dilation)[axis] * (k - 1) + 1);
        const [top, right, bottom, left] = window.padding as readonly number[];
        fc.pre(Math.max(top, bottom) < covers[0] && Math.max(left, right) < covers[1]);
        const shape = [n, ...size, channels];
        const options = { kernelSize: kernel as [number, number], ...window } as MaxPool2dOptions;
        const x = tensor(Float32Array.from(integers(shape)), shape);
        const { output, indices } = ops.maxPool2dWithIndices(x, { ...options, ceilMode });
        const values = integers(output.shape, 7);
        const y = tensor(Float32Array.from(values), output.shape, { requiresGrad: true });
        const unpooled = ops.maxUnpool2d(y, indices, { ...options, outputSize: size as [number, number] });
        const places = placesOf(indices, shape, options);
        const expected = new Float64Array(sizeOf(shape));
        for (const [i, at] of places.entries()) if (at >= 0) expected[at] += values[i];
        expect(Array.from(unpooled.dataSync())).toEqual(Array.from(expected));
        const weights = integers(shape, 9);
        unpooled.backward(tensor(Float32Array.from(weights), shape));
        expect(Array.from(y.grad!.dataSync())).toEqual(places.map((at) => weights[at] ?? 0));
        expect(inner(expected, weights)).toBe(inner(values, y.grad!.dataSync()));
      },
    ),
    { numRuns: 300, seed: 1 },
  );
});

test('maxUnpool2d › indices that are not of a pool put values nowhere', () => {
  const y = tensor([1, 2, 3, 4], [1, 2, 2, 1]);
  const indices = tensor(Uint8Array.of(0, 4, 255, 3), [1, 2, 2, 1]);
  expect([...ops.maxUnpool2d(y, indices, { kernelSize: 2 }).dataSync()]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4]);
});

test.each([[1], [15], [17], [64]])('maxUnpool2d › float32 agrees with float64, %d channels', (channels) => {
  const options = { kernelSize: 3, stride: 2, padding: 1 } as const;
  const { output, indices } = ops.maxPool2dWithIndices(leaf(2, 9, 11, channels).detach(), options);
  const [distance, gradient] = precision((y) => ops.maxUnpool2d(y, indices, options), [leaf(...output.shape)]);
  expect(distance).toBeLessThan(4 * unit);
  expect(gradient).toBe(0);
});

test('maxPool2dWithIndices › leaves nothing behind in a tidy, nor where it throws', async () => {
  await settle();
  const before = memory().tensors;
  tidy(() => void ops.maxPool2dWithIndices(leaf(1, 4, 4, 1), { kernelSize: 2 }));
  const x = zeros([1, 4, 4, 1]);
  x.dispose();
  expect(fault(() => ops.maxPool2dWithIndices(x, { kernelSize: 2 })).code).toBe('ERR_DISPOSED');
  expect(memory().tensors).toBe(before);
});

describe('MaxUnpool2d', () => {
  test('undoes a MaxPool2d, whose options it takes', () => {
    const pool = new nn.MaxPool2d(3, { stride: 2, padding: 1 });
    const unpool = new nn.MaxUnpool2d(3, { stride: 2, padding: 1 });
    expect(String(unpool)).toBe('MaxUnpool2d(3, { stride: 2, padding: 1 })');
    const x = leaf(2, 8, 7, 3);
    const { output, indices } = pool.forwardWithIndices(x);
    expect(output.dataSync()).toEqual(pool.forward(x).dataSync());
    const options = { kernelSize: 3, stride: 2, padding: 1 };
    expect(unpool.forward(output, indices).dataSync()).toEqual(ops.maxUnpool2d(output, indices, options).dataSync());
    expect(unpool.forward(output, indices, [8, 7]).shape).toEqual(x.shape);
  });

  test('checks its arguments', () => {
    expect(() => new nn.MaxUnpool2d(0)).toThrow('MaxUnpool2d: kernelSize is 0');
    expect(() => new nn.MaxUnpool2d(2, { ceilMode: true } as never)).toThrow('MaxUnpool2d: an option name is "ceilMode"');
    expect(() => new nn.MaxUnpool2d(2).forward(zeros([1, 2, 2, 1]), undefined as never)).toThrow('maxUnpool2d: indices is undefined');
  });
});

describe('maxUnpool2d › bad arguments', () => {
  const [y, indices] = [zeros([1, 2, 2, 1]), zeros([1, 2, 2, 1], { dtype: 'uint8' })];
  test.each([
    [
      'indices of another shape',
      () => ops.maxUnpool2d(y, zeros([1, 2, 2, 2], { dtype: 'uint8' }), { kernelSize: 2 }),
      ['RangeError', 'ERR_SHAPE', 'maxUnpool2d: indices have shape [1,2,2,2], expected that of the input, [1,2,2,1]'],
    ],
    [
      'indices of another type',
      () => ops.maxUnpool2d(y, indices, { kernelSize: 17 }),
      ['TypeError', 'ERR_DTYPE', 'maxUnpool2d: indices are uint8, expected int32 for a kernel of 17x17'],
    ],
    [
      'no kernel size',
      () => ops.maxUnpool2d(y, indices, {} as never),
      ['TypeError', 'ERR_INVALID_TYPE', 'maxUnpool2d: kernelSize is undefined, expected an integer from 1 to 1048576, or a pair of them'],
    ],
    [
      'padding as large as the window',
      () => ops.maxUnpool2d(y, indices, { kernelSize: 2, padding: 2 }),
      ['RangeError', 'ERR_SHAPE', 'maxUnpool2d: padding [2,2,2,2] is not smaller than the window, which covers 2x2'],
    ],
    [
      'a size that no usual one stands for',
      () => ops.maxUnpool2d(zeros([1, 1, 1, 1]), zeros([1, 1, 1, 1], { dtype: 'uint8' }), { kernelSize: 2, padding: 1 }),
      [
        'RangeError',
        'ERR_INVALID_VALUE',
        'maxUnpool2d: outputSize is [0,0], expected 1 to 1 rows and 1 to 1 columns, of which this pool makes 1x1 windows',
      ],
    ],
    [
      'integers',
      () => ops.maxUnpool2d(zeros([1, 2, 2, 1], { dtype: 'int32' }), indices, { kernelSize: 2 }),
      ['TypeError', 'ERR_DTYPE', 'maxUnpool2d: input is int32, expected float32 or float64'],
    ],
    [
      'no rows',
      () => ops.maxUnpool2d(zeros([1, 0, 2, 1]), indices, { kernelSize: 2 }),
      ['RangeError', 'ERR_SHAPE', 'maxUnpool2d: input has shape [1,0,2,1], expected at least one row and column'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

test('maxPool2dWithIndices › a session finds the places too', async () => {
  class Unpooled extends nn.Module {
    forward(x: Tensor): Tensor {
      const { output, indices } = ops.maxPool2dWithIndices(ops.relu(x), { kernelSize: 2 });
      return ops.maxUnpool2d(output, indices, { kernelSize: 2 });
    }
  }
  const model = new Unpooled();
  using session = await compile(model, { input: ['N', 4, 6, 3] });
  for (const batch of [1, 3]) {
    const x = randn([batch, 4, 6, 3]);
    const { output } = await session.run({ input: x });
    expect([...(await output!.data())]).toEqual([...model.forward(x).dataSync()]);
  }
});

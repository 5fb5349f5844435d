import * as fc from 'fast-check';
import { inspect, manualSeed, memory, nn, ops, randn, signal, type Tensor, tensor, zeros } from '../../lib';
import { distance, precision, unit } from '../support/agree';
import { integers, leaf, sizeOf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

const { convolve, correlate } = signal;
const functions = { convolve, correlate };
type Name = keyof typeof functions;
const names: readonly Name[] = ['convolve', 'correlate'];
const modes = ['full', 'same', 'valid'] as const;
const methods = ['direct', 'fft'] as const;

/** What NumPy 2.4.6 and SciPy 1.17.1 give; the first six are examples of NumPy's documentation. */
const published: readonly (readonly [Name, f: unknown, g: unknown, mode: signal.ConvolveMode, expected: unknown])[] = [
  ['convolve', [1, 2, 3], [0, 1, 0.5], 'full', [0, 1, 2.5, 4, 1.5]],
  ['convolve', [1, 2, 3], [0, 1, 0.5], 'same', [1, 2.5, 4]],
  ['convolve', [1, 2, 3], [0, 1, 0.5], 'valid', [2.5]],
  ['correlate', [1, 2, 3], [0, 1, 0.5], 'valid', [3.5]],
  ['correlate', [1, 2, 3], [0, 1, 0.5], 'same', [2, 3.5, 3]],
  ['correlate', [1, 2, 3], [0, 1, 0.5], 'full', [0.5, 2, 3.5, 3, 0]],
  ['convolve', [3, 4, 5, 6, 5, 4], [1, 2, 3], 'full', [3, 10, 22, 28, 32, 32, 23, 12]],
  ['convolve', [3, 4, 5], [1, 2, 3, 4], 'same', [10, 22, 34]],
  ['convolve', [1, 2, 3, 6, 5, 3], [2, 3, 4, 5, 3, 4, 2, 2, 1], 'valid', [70, 78, 73, 65]],
  ['convolve', [2, 3, 4, 5, 3, 4, 2, 2, 1], [1, 2, 3, 6, 5, 3], 'valid', [70, 78, 73, 65]],
  [
    'convolve',
    [
      [1, 2, 3],
      [3, 4, 5],
    ],
    [
      [2, 3, 4],
      [4, 5, 6],
    ],
    'full',
    [
      [2, 7, 16, 17, 12],
      [10, 30, 62, 58, 38],
      [12, 31, 58, 49, 30],
    ],
  ],
  [
    'convolve',
    [
      [2, 3, 4, 5, 6, 7, 8],
      [4, 5, 6, 7, 8, 9, 10],
    ],
    [
      [1, 2, 3],
      [3, 4, 5],
    ],
    'valid',
    [[62, 80, 98, 116, 134]],
  ],
  // An even length has two middles, of which the first is taken; either signal may be the longer one.
  ['correlate', [1, 2, 3, 4], [1, 10], 'same', [10, 21, 32, 43]],
  ['correlate', [1, 2], [1, 10, 100, 1000], 'same', [2100, 210]],
  ['correlate', [1, 2], [1, 10, 100, 1000], 'valid', [2100, 210, 21]],
  [
    'correlate',
    [
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ],
    [
      [1, 0],
      [0, -1],
    ],
    'same',
    [
      [-1, -2, -3],
      [-4, -4, -4],
      [-7, -4, -4],
    ],
  ],
];

describe.each(published)('%s of %j and %j, %s', (name, f, g, mode, expected) => {
  test.each(methods)('%s', async (method) => {
    const y = functions[name](f as number[], g as number[], mode, { method });
    expect(y.dtype).toBe('float64');
    const rounded = (values: unknown): unknown =>
      Array.isArray(values) ? values.map(rounded) : Math.round((values as number) * 1e12) / 1e12 + 0;
    expect(rounded(await y.array())).toEqual(expected);
  });
});

/** The full sum over pairs of places, and the part of it that a mode is. */
function plain(name: Name, f: Float64Array, a: number[], g: Float64Array, b: number[], mode: signal.ConvolveMode) {
  const two = (shape: number[]) => (shape.length === 2 ? shape : [1, shape[0]]);
  const [[H, W], [h, w]] = [two(a), two(b)];
  const full = Array.from({ length: H + h - 1 }, () => new Array<number>(W + w - 1).fill(0));
  for (let i = 0; i < H; i++) {
    for (let j = 0; j < W; j++) {
      for (let k = 0; k < h; k++) {
        for (let l = 0; l < w; l++) {
          const value = name === 'convolve' ? g[k * w + l] : g[(h - 1 - k) * w + (w - 1 - l)];
          full[i + k][j + l] += f[i * W + j] * value;
        }
      }
    }
  }
  const part = <T>(list: T[], n: number, m: number): T[] => {
    if (mode === 'full') return list;
    const start = mode === 'same' ? Math.floor((m - 1) / 2) : Math.min(n, m) - 1;
    return list.slice(start, start + (mode === 'same' ? n : Math.max(n, m) - Math.min(n, m) + 1));
  };
  const rows = part(full, H, h).map((row) => part(row, W, w));
  return { shape: a.length === 2 ? [rows.length, rows[0].length] : [rows[0].length], data: rows.flat() };
}

const extent = fc.integer({ min: 1, max: 12 });
const shapes = fc.oneof(
  fc.tuple(fc.tuple(fc.integer({ min: 1, max: 60 })), fc.tuple(fc.integer({ min: 1, max: 60 }))),
  fc.tuple(fc.tuple(extent, extent), fc.tuple(extent, extent)),
);

test.each(names)('%s › is the sum, exactly by the direct method, whatever the shapes and the mode', (name) => {
  fc.assert(
    fc.property(shapes, fc.constantFrom(...modes), fc.boolean(), fc.nat(), ([a, b], mode, exchanged, seed) => {
      const smaller = mode === 'valid' ? b.map((m, i) => Math.min(m, a[i])) : [...b];
      const [p, q] = exchanged ? [smaller, [...a]] : [[...a], smaller];
      const [f, g] = [integers(p, seed), integers(q, seed + 1)];
      const expected = plain(name, f, p, g, q, mode);
      for (const dtype of ['float32', 'float64'] as const) {
        const [x, y] = [tensor(f, p, { dtype }), tensor(g, q, { dtype })];
        const direct = functions[name](x, y, mode, { method: 'direct' });
        expect(direct.shape).toEqual(expected.shape);
        expect(direct.dtype).toBe(dtype);
        expect(Array.from(direct.dataSync(), (v) => v + 0)).toEqual(expected.data.map((v) => v + 0));
        const fft = functions[name](x, y, mode, { method: 'fft' });
        expect(fft.shape).toEqual(expected.shape);
        const scale = Math.sqrt(sizeOf(p) * sizeOf(q)) * 16; // the norms of the signals, which bound every sum
        fft.dataSync().forEach((v, i) => {
          expect(Math.abs(v - expected.data[i]) / scale).toBeLessThan(dtype === 'float32' ? unit : 1e-14);
        });
      }
    }),
    { numRuns: 200, seed: 1 },
  );
});

test.each([
  [[1000], [1000]],
  [[20_000], [300]],
  [[40], [5000]],
  [
    [70, 90],
    [30, 20],
  ],
  [
    [300, 7],
    [6, 6],
  ],
])('direct and FFT agree on %j and %j', (a, b) => {
  for (const mode of modes) {
    for (const name of names) {
      const [f, g] = [randn(a, { dtype: 'float64' }), randn(b, { dtype: 'float64' })];
      const [direct, fft, auto] = (['direct', 'fft', 'auto'] as const).map((method) => functions[name](f, g, mode, { method }).dataSync());
      expect(distance(fft, direct)).toBeLessThan(1e-14 * Math.log2(sizeOf(a) * sizeOf(b)));
      expect(distance(auto, direct)).toBeLessThan(1e-14 * Math.log2(sizeOf(a) * sizeOf(b)));
    }
  }
});

const random = (...shape: number[]) => randn(shape, { dtype: 'float64' });
const pairsOfShapes = [
  [[13], [5], [4]],
  [
    [7, 5],
    [3, 4],
    [2, 6],
  ],
];

describe.each(methods)('convolve by %s', (method) => {
  test.each(pairsOfShapes)('commutes, associates and distributes: %j, %j, %j', (a, b, c) => {
    const conv = (x: Tensor, y: Tensor) => convolve(x, y, 'full', { method });
    const [f, g, h] = [random(...a), random(...b), random(...c)];
    expect(distance(conv(f, g).dataSync(), conv(g, f).dataSync())).toBeLessThan(1e-14);
    expect(distance(conv(conv(f, g), h).dataSync(), conv(f, conv(g, h)).dataSync())).toBeLessThan(1e-14);
    const other = random(...b);
    expect(distance(conv(f, ops.add(g, other)).dataSync(), ops.add(conv(f, g), conv(f, other)).dataSync())).toBeLessThan(1e-14);
  });

  test('with an impulse moves the signal', () => {
    const f = random(9);
    expect(distance(convolve(f, [0, 0, 1, 0], 'full', { method }).dataSync(), [0, 0, ...f.dataSync(), 0])).toBeLessThan(1e-15);
  });

  test.each([
    [[12], [7]],
    [
      [6, 5],
      [3, 4],
    ],
  ])('the spectrum of the result is the product of the spectra: %j, %j', (a, b) => {
    const [f, g] = [random(...a), random(...b)];
    const y = convolve(f, g, 'full', { method });
    const [F, G, Y] = [f, g, y].map((x) => spectrum(x, y.shape));
    Y.forEach(([re, im], k) => {
      const [[p, q], [r, s]] = [F[k], G[k]];
      expect(re).toBeCloseTo(p * r - q * s, 11);
      expect(im).toBeCloseTo(p * s + q * r, 11);
    });
  });
});

/** The discrete Fourier transform of x, with zeros up to this shape, as its sum. */
function spectrum(x: Tensor, shape: readonly number[]): [re: number, im: number][] {
  const two = (s: readonly number[]) => (s.length === 2 ? s : [1, s[0]]);
  const [[H, W], [h, w]] = [two(shape), two(x.shape)];
  const data = x.dataSync();
  return Array.from({ length: H * W }, (_, at) => {
    const [u, v] = [Math.floor(at / W), at % W];
    let [re, im] = [0, 0];
    for (let i = 0; i < h; i++) {
      for (let j = 0; j < w; j++) {
        const turn = -2 * Math.PI * ((u * i) / H + (v * j) / W);
        re += data[i * w + j] * Math.cos(turn);
        im += data[i * w + j] * Math.sin(turn);
      }
    }
    return [re, im];
  });
}

const flipped = (x: Tensor): Tensor => tensor(x.dataSync().slice().reverse(), x.shape);

describe.each(methods)('ops.conv2d and signal, by %s', (method) => {
  const [image, kernel] = [random(9, 11), random(4, 3)];
  const layer = (w: Tensor) => {
    const [x, k] = [ops.reshape(image, [1, 9, 11, 1]), ops.reshape(w, [4, 3, 1, 1])];
    return ops.reshape(ops.conv2d(x, k), [6, 9]);
  };

  test('a layer correlates', () => {
    expect(distance(layer(kernel).dataSync(), correlate(image, kernel, 'valid', { method }).dataSync())).toBeLessThan(1e-14);
  });

  test('with the kernel flipped it convolves', () => {
    expect(distance(layer(flipped(kernel)).dataSync(), convolve(image, kernel, 'valid', { method }).dataSync())).toBeLessThan(1e-14);
  });

  test('correlation is convolution with the second signal reversed, and reverses where the signals change places', () => {
    for (const mode of modes) {
      const y = correlate(image, kernel, mode, { method }).dataSync();
      expect(distance(y, convolve(image, flipped(kernel), mode, { method }).dataSync())).toBeLessThan(1e-14);
    }
    const there = correlate(image, kernel, 'full', { method });
    expect(distance(there.dataSync(), flipped(correlate(kernel, image, 'full', { method })).dataSync())).toBeLessThan(1e-14);
  });
});

describe.each(names)('%s › gradient', (name) => {
  const cases: [number[], number[]][] = [
    [[7], [3]],
    [[3], [7]],
    [[5], [5]],
    [[6], [4]],
    [[2], [9]],
    [
      [4, 5],
      [2, 3],
    ],
    [
      [2, 3],
      [4, 5],
    ],
  ];
  for (const [a, b] of cases) {
    test.each(modes)(`of ${JSON.stringify(a)} and ${JSON.stringify(b)}, %s`, (mode) => {
      for (const method of methods) gradcheck((f, g) => functions[name](f, g, mode, { method }), [leaf(...a), leaf(...b)]);
    });
  }
  test("of [2,6] and [5,2], where neither holds the other, 'same'", () => {
    gradcheck((f, g) => functions[name](f, g, 'same'), [leaf(2, 6), leaf(5, 2)]);
  });
  test('of one alone, beside numbers', () => {
    gradcheck((f) => functions[name](f, [1, -2, 0.5], 'same'), [leaf(6)]);
    gradcheck((g) => functions[name]([1, -2, 0.5], g, 'same'), [leaf(6)]);
  });
});

test.each([
  [[1000], [17]],
  [[3000], [900]],
  [
    [40, 30],
    [5, 5],
  ],
])('float32 agrees with float64: %j and %j', (a, b) => {
  for (const name of names) {
    for (const one of precision((f, g) => functions[name](f, g), [leaf(...a), leaf(...b)])) expect(one).toBeLessThan(2 * unit);
  }
});

describe.each(names)('%s in a model', (name) => {
  test.each([
    ['full', 8 * 9 * 12],
    ['same', (8 * 4 - 1 - 1 - 2) * (9 * 3 - 2)],
    ['valid', 5 * 7 * 12],
  ] as const)('the receptive field is where the gradient is not 0, and products are counted: %s', (mode, macs) => {
    class Filter extends nn.Module {
      kernel = new nn.Parameter(random(4, 3));
      forward(x: Tensor) {
        return functions[name](x, this.kernel, mode);
      }
    }
    const model = new Filter();
    const x = leaf(8, 9);
    const y = model.forward(x);
    const oneHot = new Float64Array(y.size);
    oneHot[3 * y.shape[1] + 4] = 1;
    y.backward(tensor(oneHot, y.shape));
    const columns = Array.from(x.grad!.dataSync(), (g, i) => (g === 0 ? -1 : i % 9)).filter((column) => column >= 0);
    const [field] = inspect.receptiveField(model, [8, 9]);
    expect(field).toMatchObject({ size: 3, jump: 1 });
    const centre = Number(field.start) + 4;
    expect([Math.min(...columns), Math.max(...columns) + 1]).toEqual([centre - 1.5, centre + 1.5]);
    expect(inspect.summary(model, [8, 9])[0].macs).toBe(macs);
  });
});

describe('arguments', () => {
  test('numbers take the type of the tensor beside them; typed arrays have one', () => {
    expect(convolve(zeros([3]), [1, 2]).dtype).toBe('float32');
    expect(convolve([1, 2], zeros([3], { dtype: 'float64' })).dtype).toBe('float64');
    expect(convolve(new Float32Array([1, 2, 3]), [1, 1]).dtype).toBe('float32');
    expect([...convolve(new Float64Array([1, 2, 3]), new Float64Array([1, 1])).dataSync()]).toEqual([1, 3, 5, 3]);
  });

  test('nothing but the result stays', () => {
    const f = zeros([5]);
    const before = memory().tensors;
    const y = convolve(f, [1, 2, 3]);
    expect(memory().tensors).toBe(before + 1);
    y.dispose();
    expect(memory().tensors).toBe(before);
  });

  test.each<[string, () => unknown, [string, string, string]]>([
    [
      'an unknown mode',
      () => convolve([1], [1], 'half' as never),
      ['RangeError', 'ERR_INVALID_VALUE', `convolve: mode is "half", expected 'full', 'same' or 'valid'`],
    ],
    [
      'an unknown method',
      () => correlate([1], [1], 'full', { method: 'slow' as never }),
      ['RangeError', 'ERR_INVALID_VALUE', `correlate: method is "slow", expected 'auto', 'direct' or 'fft'`],
    ],
    [
      'an unknown option',
      () => convolve([1], [1], 'full', { mode: 'same' } as never),
      ['RangeError', 'ERR_INVALID_VALUE', 'convolve: an option name is "mode", expected one of method'],
    ],
    [
      'ranks that differ',
      () => convolve([1, 2], [[1, 2]]),
      ['RangeError', 'ERR_SHAPE', 'convolve: expected two signals of one axis, or two of two axes (first [2], second [1,2])'],
    ],
    [
      'three axes',
      () => convolve(zeros([1, 2, 3]), zeros([1, 2, 3])),
      ['RangeError', 'ERR_SHAPE', 'convolve: expected two signals of one axis, or two of two axes (first [1,2,3], second [1,2,3])'],
    ],
    ['an empty signal', () => correlate([1, 2], []), ['RangeError', 'ERR_SHAPE', 'correlate: a signal is empty (first [2], second [0])']],
    [
      'neither holds the other',
      () => convolve(zeros([2, 5]), zeros([3, 4]), 'valid'),
      [
        'RangeError',
        'ERR_SHAPE',
        "convolve: in mode 'valid' one signal must be as large as the other along every axis (first [2,5], second [3,4])",
      ],
    ],
    [
      'no signal',
      () => convolve(null as never, [1]),
      ['TypeError', 'ERR_INVALID_TYPE', 'convolve: first signal is null, expected a Tensor of this copy of receptive'],
    ],
    [
      'types that differ',
      () => convolve(zeros([2]), zeros([2], { dtype: 'float64' })),
      ['TypeError', 'ERR_DTYPE', 'convolve: inputs are float32 and float64, expected the same type (see ops.cast)'],
    ],
    [
      'integers',
      () => convolve(new Int32Array([1, 2]), [0.5]),
      ['TypeError', 'ERR_DTYPE', 'convolve: input is int32, expected float32 or float64'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

import * as fc from 'fast-check';
import { manualSeed, ones, ops, randn, tensor, zeros } from '../../lib';
import { native } from '../../lib/native';
import { algorithms, type Conv2dOptions } from '../../lib/ops/conv2d';
import { distance, precision, unit } from '../support/agree';
import { inner, integers, leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';
import { plainConv } from '../support/plain';

type Case = readonly [name: string, x: number[], w: number[], options: Conv2dOptions];

const cases: Case[] = [
  ['stride 1', [2, 5, 4, 3], [3, 2, 3, 2], {}],
  ['stride 2', [1, 6, 7, 2], [3, 3, 2, 3], { stride: 2 }],
  ['stride [1, 3]', [1, 5, 8, 2], [2, 2, 2, 3], { stride: [1, 3] }],
  ['a stride larger than the kernel', [1, 7, 7, 2], [2, 2, 2, 3], { stride: 3 }],
  ['padding 1', [1, 4, 3, 2], [3, 3, 2, 2], { padding: 1 }],
  ['padding [0, 2]', [1, 4, 3, 2], [3, 3, 2, 2], { padding: [0, 2] }],
  ['padding [1, 0, 2, 3]', [1, 4, 3, 2], [3, 3, 2, 2], { padding: [1, 0, 2, 3] }],
  ['padding wider than the kernel', [1, 2, 3, 1], [2, 2, 1, 2], { padding: 3 }],
  ["padding 'same'", [1, 4, 5, 2], [3, 5, 2, 2], { padding: 'same' }],
  ["padding 'same', even kernel, stride 2", [1, 5, 4, 2], [2, 4, 2, 2], { padding: 'same', stride: 2 }],
  ["padding 'valid'", [1, 4, 5, 2], [3, 3, 2, 2], { padding: 'valid' }],
  ['dilation 2', [1, 6, 6, 2], [3, 2, 2, 2], { dilation: 2 }],
  ['dilation [1, 3], padding 2', [1, 4, 6, 2], [2, 3, 2, 2], { dilation: [1, 3], padding: 2 }],
  ['groups 2', [1, 4, 4, 4], [3, 3, 2, 6], { groups: 2 }],
  ['depthwise', [1, 5, 4, 5], [3, 3, 1, 5], { groups: 5, padding: 1 }],
  ['depthwise, multiplier 2, stride 2', [1, 5, 5, 3], [3, 3, 1, 6], { groups: 3, stride: 2, padding: 1 }],
  ['stride 2, dilation 3, groups 4', [1, 9, 8, 4], [3, 2, 1, 8], { stride: 2, dilation: 3, groups: 4 }],
  ['kernel 1x1', [2, 3, 2, 4], [1, 1, 4, 3], {}],
  ['kernel 1x1, stride 2', [1, 3, 4, 2], [1, 1, 2, 3], { stride: 2 }],
  ['output 1x1', [2, 3, 4, 2], [3, 4, 2, 3], {}],
  ["algorithm 'direct'", [1, 4, 4, 2], [3, 3, 2, 3], { algorithm: 'direct', padding: 1 }],
];

beforeEach(() => manualSeed(1));

describe.each(cases)('conv2d › %s', (_name, xShape, wShape, options) => {
  test('forward is the plain sum of products, bit for bit on integers', () => {
    const [x, w, b] = [integers(xShape, 1), integers(wShape, 2), integers([wShape[3]], 3)];
    const expected = plainConv(x, xShape, w, wShape, b, options);
    for (const dtype of ['float32', 'float64'] as const) {
      const y = ops.conv2d(tensor(x, xShape, { dtype }), tensor(w, wShape, { dtype }), { ...options, bias: tensor(b, null, { dtype }) });
      expect(y.shape).toEqual(expected.shape);
      expect(Array.from(y.dataSync())).toEqual(Array.from(expected.data));
    }
  });

  test('gradient', () => {
    gradcheck((x, w) => ops.conv2d(x, w, options), [leaf(...xShape), leaf(...wShape)]);
  });

  test('gradient, with a bias', () => {
    gradcheck((x, w, bias) => ops.conv2d(x, w, { ...options, bias }), [leaf(...xShape), leaf(...wShape), leaf(wShape[3])]);
  });
});

test.each([
  ['input', 0],
  ['kernel', 1],
  ['bias', 2],
])('conv2d › gradient of the %s alone', (_name, wanted) => {
  const inputs = [leaf(1, 4, 4, 2), leaf(3, 3, 2, 3), leaf(3)];
  inputs.forEach((input, i) => {
    input.requiresGrad = i === wanted;
  });
  gradcheck((x, w, bias) => ops.conv2d(x, w, { bias, padding: 1 }), inputs);
});

describe('conv2d › float32 agrees with float64', () => {
  const awkward: Case[] = [
    ['one input channel', [2, 28, 28, 1], [5, 5, 1, 6], { padding: 'same' }],
    ['three input channels, stride 2', [1, 17, 15, 3], [7, 7, 3, 16], { stride: 2, padding: 3 }],
    ['15 to 17 channels', [1, 9, 8, 15], [3, 3, 15, 17], { padding: 1 }],
    ['64 to 65 channels', [1, 8, 7, 64], [3, 3, 64, 65], { padding: 1 }],
    ['one output channel', [1, 9, 9, 33], [3, 3, 33, 1], { padding: 1 }],
    ['kernel 1x1, 31 to 130 channels', [2, 5, 7, 31], [1, 1, 31, 130], {}],
    ['stride 3, dilation 2', [1, 19, 17, 5], [3, 3, 5, 20], { stride: 3, dilation: 2, padding: [1, 2, 3, 0] }],
    ['groups 3 of 5 channels', [1, 7, 7, 15], [3, 3, 5, 21], { groups: 3, padding: 1 }],
    ['depthwise, 37 channels', [1, 9, 11, 37], [5, 5, 1, 37], { groups: 37, padding: 2 }],
    ['depthwise, stride 2, 64 channels', [2, 11, 9, 64], [3, 3, 1, 64], { groups: 64, stride: 2, padding: 1 }],
    ['one pixel', [1, 1, 1, 16], [3, 3, 16, 16], { padding: 1 }],
  ];
  test.each(awkward)('%s', (_name, xShape, wShape, options) => {
    const inputs = [leaf(...xShape), leaf(...wShape), leaf(wShape[3])];
    const [output, dx, dw, db] = precision((x, w, bias) => ops.conv2d(x, w, { ...options, bias }), inputs);
    const [kh, kw, depth, kernels] = wShape;
    const pixels = xShape[0] * xShape[1] * xShape[2];
    expect(output).toBeLessThan(unit * (kh * kw * depth + 2));
    expect(dx).toBeLessThan(unit * (kh * kw * kernels + 2));
    expect(dw).toBeLessThan(unit * (pixels + 2));
    expect(db).toBeLessThan(unit * (pixels + 2));
  });
});

test.each<[string, number[], number[], Conv2dOptions]>([
  ['3x3', [2, 17, 15, 20], [3, 3, 20, 24], { padding: 1 }],
  ['3x3, unequal padding', [1, 9, 22, 7], [3, 3, 7, 33], { padding: [0, 2, 3, 1] }],
  ['3x3, taps apart', [2, 12, 19, 7], [3, 3, 7, 12], { padding: [2, 3], dilation: [2, 3] }],
  ['a row of 3', [2, 1, 40, 12], [1, 3, 12, 17], {}],
  ['a row of 4', [1, 3, 21, 16], [1, 4, 16, 20], { padding: [0, 1] }],
  ['a row of 5', [1, 1, 64, 9], [1, 5, 9, 12], { padding: 'same' }],
  ['4x4, taps apart', [1, 20, 15, 9], [4, 4, 9, 18], { padding: 3, dilation: [1, 2] }],
  ['5x5', [2, 14, 11, 12], [5, 5, 12, 17], { padding: 2 }],
  ['7x7 by steps of two', [1, 31, 34, 3], [7, 7, 3, 20], { padding: 3, stride: 2 }],
  ['6x6 by steps of two', [2, 16, 18, 12], [6, 6, 12, 17], { padding: 2, stride: 2 }],
  ['5x10, other steps along each axis', [1, 19, 40, 4], [5, 10, 4, 9], { padding: [2, 4], stride: [1, 2] }],
  ['a row of 9 by steps of two', [1, 1, 64, 9], [1, 9, 9, 12], { padding: 'same', stride: [1, 2] }],
])("conv2d › algorithm 'winograd' agrees with float64 › %s", (_name, xShape, wShape, options) => {
  const inputs = [leaf(...xShape), leaf(...wShape), leaf(wShape[3])];
  const distances = precision((x, w, bias) => ops.conv2d(x, w, { ...options, bias, algorithm: 'winograd' }), inputs);
  for (const distance of distances) expect(distance).toBeLessThan(160 * unit);
});

test("conv2d › algorithm 'winograd' is refused where the addon would refuse it, and nowhere else", () => {
  const refuses = (run: () => unknown, message: string): boolean => {
    try {
      run();
      return false;
    } catch (error) {
      expect((error as Error).message).toContain(message);
      return true;
    }
  };
  const x = ones([1, 21, 21, 2]);
  const taken: string[] = [];
  const sizes = [1, 2, 3, 4, 5, 6, 11];
  const windows = sizes.flatMap((kh) => sizes.map((kw) => [kh, kw]));
  const steps = [1, 2].flatMap((sh) => [1, 2].map((sw) => [sh, sw]));
  const ways = steps.flatMap((step) => [1, 2].flatMap((dilation) => [1, 2].map((groups) => [...step, dilation, groups])));
  for (const [kh, kw, sh, sw, dilation, groups] of windows.flatMap((window) => ways.map((way) => [...window, ...way]))) {
    const w = ones([kh, kw, 2 / groups, 2]);
    const options = { stride: [sh, sw], dilation, groups } as const;
    const y = ops.conv2d(x, w, options);
    const numbers = [sh, sw, 0, 0, 0, 0, dilation, dilation, groups, algorithms.winograd, -Infinity, Infinity];
    const here = refuses(() => ops.conv2d(x, w, { ...options, algorithm: 'winograd' }), 'algorithm is "winograd"');
    const there = refuses(() => native.ops.conv2d(x.id, w.id, 0, 0, y.id, ...numbers), "algorithm is Winograd's");
    expect([kh, kw, sh, sw, dilation, groups, here]).toEqual([kh, kw, sh, sw, dilation, groups, there]);
    if (!here && dilation === 1) taken.push(`${kh}x${kw} by ${sh}x${sw}`);
  }
  expect(taken.filter((way) => way.endsWith('by 1x1'))).toEqual(
    ['1x3', '1x4', '1x5', '3x3', '4x4', '5x5'].map((window) => `${window} by 1x1`),
  );
  expect(taken.filter((way) => way.endsWith('by 2x2'))).toEqual(['5x5', '5x6', '6x5', '6x6'].map((window) => `${window} by 2x2`));
});

/** A convolution, and its gradients, by each algorithm; all of one gradient of the output. */
function byEach(xShape: number[], wShape: number[], options: Conv2dOptions) {
  const [x, w] = [randn(xShape), randn(wShape)];
  const g = randn(ops.conv2d(x, w, options).shape);
  return (['auto', 'direct', 'winograd'] as const).map((algorithm) => {
    for (const leaf of [x, w]) {
      leaf.requiresGrad = true;
      leaf.grad = null;
    }
    const y = ops.conv2d(x, w, { ...options, algorithm });
    ops.sum(ops.mul(y, g)).backward();
    return { y: y.dataSync(), dx: x.grad!.dataSync(), dw: w.grad!.dataSync() };
  }) as [Results, Results, Results];
}
type Results = Record<'y' | 'dx' | 'dw', unknown>;

test.each<[string, number[], number[], Conv2dOptions]>([
  ['3x3', [1, 32, 32, 64], [3, 3, 64, 64], { padding: 1 }],
  ['5x5', [1, 32, 32, 64], [5, 5, 64, 64], { padding: 2 }],
  ['5x5 by steps of two', [2, 32, 32, 64], [5, 5, 64, 64], { padding: 2, stride: 2 }],
])("conv2d › 'auto' takes Winograd's algorithm where it pays, 'direct' never › %s", (_name, xShape, wShape, options) => {
  const [auto, direct, winograd] = byEach(xShape, wShape, options);
  expect(auto.y).toEqual(winograd.y);
  expect(auto.dw).toEqual(winograd.dw);
  expect(auto.dx).toEqual(winograd.dx);
  expect(auto.y).not.toEqual(direct.y);
});

test("conv2d › 'auto' sums what filtering costs more: gradients of few channels' weights", () => {
  const [auto, direct, winograd] = byEach([2, 32, 32, 8], [3, 3, 8, 8], { padding: 1 });
  expect(auto.dw).toEqual(direct.dw);
  expect(winograd.dw).not.toEqual(direct.dw);
  // Of fewer still every pass, with vectors of any width.
  const [all, sums] = byEach([2, 32, 32, 4], [3, 3, 4, 4], { padding: 1 });
  expect(all).toEqual(sums);
});

test('conv2d › an empty batch gives an empty output, and zero gradients for the kernel and the bias', () => {
  const [x, w, bias] = [leaf(0, 4, 4, 2), leaf(3, 3, 2, 3), leaf(3)];
  const y = ops.conv2d(x, w, { bias, padding: 1 });
  expect(y.shape).toEqual([0, 4, 4, 3]);
  ops.sum(y).backward();
  expect(w.grad!.dataSync().every((g) => g === 0)).toBe(true);
  expect(bias.grad!.dataSync().every((g) => g === 0)).toBe(true);
});

// Arguments of a convolution that fits.
const convolution = fc
  .record({
    n: fc.integer({ min: 1, max: 2 }),
    size: fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
    kernel: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    dilation: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    padding: fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3)),
    groups: fc.integer({ min: 1, max: 3 }),
    depth: fc.integer({ min: 1, max: 18 }),
    width: fc.integer({ min: 1, max: 18 }),
  })
  .filter(({ size, kernel, dilation, padding: [top, right, bottom, left] }) => {
    return size[0] + top + bottom > dilation[0] * (kernel[0] - 1) && size[1] + left + right > dilation[1] * (kernel[1] - 1);
  });

test('conv2d › the gradients are its adjoints: <conv(x,w), y> = <x, dx(y,w)> = <w, dw(x,y)>, exactly on integers', () => {
  fc.assert(
    fc.property(convolution, ({ n, size, kernel, depth, width, groups, ...options }) => {
      const [xShape, wShape] = [
        [n, ...size, depth * groups],
        [...kernel, depth, width * groups],
      ];
      const x = tensor(integers(xShape, 1), xShape, { dtype: 'float32', requiresGrad: true });
      const w = tensor(integers(wShape, 2), wShape, { dtype: 'float32', requiresGrad: true });
      const output = ops.conv2d(x, w, { ...options, groups });
      const y = tensor(integers(output.shape, 3), output.shape, { dtype: 'float32' });
      output.backward(y);
      const expected = inner(output.dataSync(), y.dataSync());
      expect(inner(x.dataSync(), x.grad!.dataSync())).toBe(expected);
      expect(inner(w.dataSync(), w.grad!.dataSync())).toBe(expected);
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('conv2d › shifting the input shifts the output', () => {
  fc.assert(
    fc.property(
      fc.nat(3),
      fc.nat(3),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 20 }),
      (down, right, channels, kernels) => {
        const [shape, wShape] = [
          [1, 6, 5, channels],
          [3, 2, channels, kernels],
        ];
        const x = tensor(integers(shape, 1), shape, { dtype: 'float32' });
        const w = tensor(integers(wShape, 2), wShape, { dtype: 'float32' });
        const shift = (t: typeof x) =>
          ops.pad(t, [
            [0, 0],
            [down, 3 - down],
            [right, 3 - right],
            [0, 0],
          ]);
        const full = { padding: [2, 1, 2, 1] } as const;
        expect(ops.conv2d(shift(x), w, full).dataSync()).toEqual(shift(ops.conv2d(x, w, full)).dataSync());
      },
    ),
    { numRuns: 200, seed: 1 },
  );
});

test('conv2d › a kernel of one tap per channel passes the input through', () => {
  const x = randn([2, 3, 4, 5]);
  const identity = tensor(
    Float32Array.from({ length: 25 }, (_, i) => Number(i % 6 === 0)),
    [1, 1, 5, 5],
  );
  expect(distance(ops.conv2d(x, identity).dataSync(), x.dataSync())).toBe(0);
});

describe('conv2d › bad arguments', () => {
  const [x, w] = [zeros([1, 32, 32, 3]), ones([3, 3, 3, 8])];
  test.each([
    [
      'channels that differ',
      () => ops.conv2d(x, ones([3, 3, 4, 8])),
      ['RangeError', 'ERR_SHAPE', 'conv2d: input has 3 channels, kernel expects 4 (input [1,32,32,3], kernel [3,3,4,8], groups 1)'],
    ],
    [
      'groups that do not divide the output channels',
      () => ops.conv2d(x, ones([3, 3, 1, 8]), { groups: 3 }),
      [
        'RangeError',
        'ERR_SHAPE',
        'conv2d: kernel has 8 output channels, which groups do not divide (input [1,32,32,3], kernel [3,3,1,8], groups 3)',
      ],
    ],
    [
      'an input of rank 3',
      () => ops.conv2d(zeros([32, 32, 3]), w),
      ['RangeError', 'ERR_SHAPE', 'conv2d: input has shape [32,32,3], expected [N,H,W,C]'],
    ],
    [
      'a kernel of rank 3',
      () => ops.conv2d(x, ones([3, 3, 3])),
      ['RangeError', 'ERR_SHAPE', 'conv2d: kernel has shape [3,3,3], expected [kh,kw,C/groups,K]'],
    ],
    [
      'a window larger than the input',
      () => ops.conv2d(x, w, { dilation: 16 }),
      ['RangeError', 'ERR_SHAPE', 'conv2d: window covers 33x33 cells, input has 32x32 and padding [0,0,0,0]'],
    ],
    [
      'a bias of another length',
      () => ops.conv2d(x, w, { bias: ones([3]) }),
      ['RangeError', 'ERR_SHAPE', 'conv2d: bias has shape [3], expected [8]'],
    ],
    [
      'types that differ',
      () => ops.conv2d(x, ones([3, 3, 3, 8], { dtype: 'float64' })),
      ['TypeError', 'ERR_DTYPE', 'conv2d: inputs are float32 and float64, expected the same type (see ops.cast)'],
    ],
    [
      'integers',
      () => ops.conv2d(zeros([1, 4, 4, 3], { dtype: 'uint8' }), w),
      ['TypeError', 'ERR_DTYPE', 'conv2d: input is uint8, expected float32 or float64'],
    ],
    [
      'a stride of 0',
      () => ops.conv2d(x, w, { stride: 0 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'conv2d: stride is 0, expected an integer from 1 to 1048576, or a pair of them'],
    ],
    [
      'a stride that is a string',
      () => ops.conv2d(x, w, { stride: 'two' as never }),
      ['TypeError', 'ERR_INVALID_TYPE', 'conv2d: stride is "two", expected an integer from 1 to 1048576, or a pair of them'],
    ],
    [
      'a dilation of half a cell',
      () => ops.conv2d(x, w, { dilation: [1, 0.5] }),
      ['RangeError', 'ERR_INVALID_VALUE', 'conv2d: dilation is [1,0.5], expected an integer from 1 to 1048576, or a pair of them'],
    ],
    [
      'a negative padding',
      () => ops.conv2d(x, w, { padding: [0, 0, -1, 0] }),
      ['RangeError', 'ERR_INVALID_VALUE', 'conv2d: padding is [0,0,-1,0], expected integers from 0 to 1048576'],
    ],
    [
      'a padding with an unknown name',
      () => ops.conv2d(x, w, { padding: 'full' as never }),
      [
        'TypeError',
        'ERR_INVALID_TYPE',
        `conv2d: padding is "full", expected a number, a pair, [top, right, bottom, left], 'same' or 'valid'`,
      ],
    ],
    [
      'groups that are no number',
      () => ops.conv2d(x, w, { groups: Number.NaN }),
      ['RangeError', 'ERR_INVALID_VALUE', 'conv2d: groups is NaN, expected a positive integer'],
    ],
    [
      'an unknown algorithm',
      () => ops.conv2d(x, w, { algorithm: 'toString' as never }),
      ['RangeError', 'ERR_INVALID_VALUE', `conv2d: algorithm is "toString", expected 'auto', 'direct' or 'winograd'`],
    ],
    [
      'Winograd for a kernel it cannot filter',
      () => ops.conv2d(x, w, { algorithm: 'winograd', stride: [2, 1] }),
      [
        'RangeError',
        'ERR_INVALID_VALUE',
        `conv2d: algorithm is "winograd", expected 'auto' or 'direct' for a kernel of 3x3 taps, stride [2,1], dilation [1,1], 1 groups: it filters 3x3 to 5x5, or 1x3 to 1x5, taps for each step of the stride, 1 group, and no dilation beside a stride`,
      ],
    ],
    [
      'an array instead of a tensor',
      () => ops.conv2d(new Float32Array(4) as never, w),
      ['TypeError', 'ERR_INVALID_TYPE', 'conv2d: input is a Float32Array of 16 bytes, expected a Tensor of this copy of receptive'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

describe('conv2d › add and activation', () => {
  const x = () => leaf(1, 4, 3, 2);
  const w = () => leaf(3, 3, 2, 3);
  const options = { padding: 1 } as const;

  test.each(['relu', 'relu6'] as const)('%s of the sum, as in passes of their own', (activation) => {
    for (const dtype of ['float32', 'float64'] as const) {
      const [image, kernel, summand] = [randn([2, 9, 8, 5], { dtype }), randn([3, 3, 5, 20], { dtype }), randn([2, 9, 8, 20], { dtype })];
      const fused = ops.conv2d(image, kernel, { ...options, add: summand, activation });
      const apart = ops[activation](ops.add(ops.conv2d(image, kernel, options), summand));
      expect(distance(fused.dataSync(), apart.dataSync())).toBeLessThan(dtype === 'float32' ? 8 * unit : 1e-15);
      expect(fused.dataSync().some((v) => v === 0)).toBe(true);
    }
  });

  test('gradient of each alone and of both', () => {
    gradcheck((x, w, add) => ops.conv2d(x, w, { ...options, add }), [x(), w(), leaf(1, 4, 3, 3)]);
    gradcheck((x, w) => ops.conv2d(x, w, { ...options, activation: 'relu' }), [x(), w()]);
    gradcheck((x, w, bias, add) => ops.conv2d(x, w, { ...options, bias, add, activation: 'relu6' }), [x(), w(), leaf(3), leaf(1, 4, 3, 3)]);
    gradcheck((x, w, add) => ops.conv1d(x, w, { add, activation: 'relu' }), [leaf(2, 5, 2), leaf(3, 2, 3), leaf(2, 3, 3)]);
  });

  test('what does not fit is an error', () => {
    expect(fault(() => ops.conv2d(ones([1, 4, 3, 2]), ones([3, 3, 2, 3]), { add: ones([1, 2, 1, 1]) })).message).toBe(
      'conv2d: what is added, as by a residual shortcut, has shape [1,2,1,1], expected [1,2,1,3]',
    );
    expect(fault(() => ops.conv2d(ones([1, 4, 3, 2]), ones([3, 3, 2, 3]), { activation: 'gelu' as never })).message).toBe(
      `conv2d: activation is "gelu", expected 'relu' or 'relu6'`,
    );
    const double = ones([1, 2, 1, 3], { dtype: 'float64' });
    expect(fault(() => ops.conv2d(ones([1, 4, 3, 2]), ones([3, 3, 2, 3]), { add: double })).code).toBe('ERR_DTYPE');
  });
});

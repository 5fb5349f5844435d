import * as fc from 'fast-check';
import { manualSeed, ones, ops, tensor, zeros } from '../../lib';
import type { ConvTranspose2dOptions } from '../../lib/ops/convTranspose2d';
import { precision, unit } from '../support/agree';
import { inner, integers, leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';
import { plainConvTranspose } from '../support/plain';
import { windowsThatFit } from '../support/windows';

type Case = readonly [name: string, x: number[], w: number[], options: ConvTranspose2dOptions];

const cases: Case[] = [
  ['stride 1', [2, 3, 4, 3], [3, 2, 2, 3], {}],
  ['stride 2', [1, 3, 2, 2], [3, 3, 3, 2], { stride: 2 }],
  ['stride [1, 3]', [1, 3, 2, 2], [2, 2, 3, 2], { stride: [1, 3] }],
  ['a stride larger than the kernel: cells between hold the bias alone', [1, 3, 2, 2], [2, 2, 3, 2], { stride: 3 }],
  ['padding 1', [1, 4, 3, 2], [3, 3, 2, 2], { padding: 1 }],
  ['padding [0, 2]', [1, 4, 3, 2], [3, 5, 2, 2], { padding: [0, 2] }],
  ['padding [1, 0, 2, 3]', [1, 4, 3, 2], [3, 5, 2, 2], { padding: [1, 0, 2, 3] }],
  ["padding 'same', stride 2", [1, 3, 4, 2], [3, 5, 2, 2], { padding: 'same', stride: 2 }],
  ["padding 'same', a stride larger than the kernel", [1, 3, 2, 2], [1, 2, 2, 2], { padding: 'same', stride: 3 }],
  ["padding 'valid'", [1, 2, 3, 2], [2, 2, 2, 2], { padding: 'valid' }],
  ['output padding 1', [1, 3, 4, 2], [3, 3, 2, 2], { stride: 2, padding: 1, outputPadding: 1 }],
  ['output padding [0, 2]', [1, 3, 2, 2], [3, 3, 2, 2], { stride: 3, outputPadding: [0, 2] }],
  ['output padding less than the dilation, not than the stride', [1, 3, 3, 2], [2, 2, 2, 2], { dilation: 3, outputPadding: [1, 2] }],
  ['dilation 2', [1, 3, 3, 2], [3, 2, 2, 2], { dilation: 2 }],
  ['stride 2, dilation [3, 4]', [1, 3, 3, 2], [2, 2, 2, 2], { stride: 2, dilation: [3, 4] }],
  ['groups 2', [1, 3, 3, 6], [3, 3, 2, 6], { groups: 2 }],
  ['depthwise', [1, 3, 4, 5], [3, 3, 1, 5], { groups: 5, stride: 2, padding: 1 }],
  ['depthwise, a stride larger than the kernel', [1, 3, 3, 5], [2, 1, 1, 5], { groups: 5, stride: 3 }],
  ['stride 2, dilation 3, groups 4, output padding 1', [1, 3, 2, 8], [3, 2, 1, 8], { stride: 2, dilation: 3, groups: 4, outputPadding: 1 }],
  ['kernel 1x1', [2, 3, 2, 4], [1, 1, 3, 4], {}],
  ['input 1x1', [2, 1, 1, 3], [3, 4, 2, 3], {}],
];

beforeEach(() => manualSeed(1));

describe.each(cases)('convTranspose2d › %s', (_name, xShape, wShape, options) => {
  const kernels = wShape[2] * (options.groups ?? 1);

  test('forward adds the kernel at each cell, bit for bit on integers', () => {
    const [x, w, b] = [integers(xShape, 1), integers(wShape, 2), integers([kernels], 3)];
    for (const bias of [b, null]) {
      const expected = plainConvTranspose(x, xShape, w, wShape, bias ?? new Float64Array(kernels), options);
      for (const dtype of ['float32', 'float64'] as const) {
        const y = ops.convTranspose2d(tensor(x, xShape, { dtype }), tensor(w, wShape, { dtype }), {
          ...options,
          bias: bias && tensor(bias, null, { dtype }),
        });
        expect(y.shape).toEqual(expected.shape);
        expect(Array.from(y.dataSync())).toEqual(Array.from(expected.data));
      }
    }
  });

  test('gradient, with and without a bias', () => {
    gradcheck((x, w) => ops.convTranspose2d(x, w, options), [leaf(...xShape), leaf(...wShape)]);
    const inputs = [leaf(...xShape), leaf(...wShape), leaf(kernels)];
    gradcheck((x, w, bias) => ops.convTranspose2d(x, w, { ...options, bias }), inputs);
  });
});

test.each([
  ['input', 0],
  ['kernel', 1],
  ['bias', 2],
])('convTranspose2d › gradient of the %s alone', (_name, wanted) => {
  const inputs = [leaf(1, 3, 3, 2), leaf(3, 3, 3, 2), leaf(3)];
  inputs.forEach((input, i) => {
    input.requiresGrad = i === wanted;
  });
  gradcheck((x, w, bias) => ops.convTranspose2d(x, w, { bias, padding: 1, stride: 2 }), inputs);
});

describe('convTranspose2d › float32 agrees with float64', () => {
  const awkward: Case[] = [
    ['to three channels, stride 2', [2, 14, 13, 16], [4, 4, 3, 16], { stride: 2, padding: 1 }],
    ['to one channel', [1, 9, 9, 33], [3, 3, 1, 33], { padding: 1 }],
    ['15 to 17 channels', [1, 9, 8, 15], [3, 3, 17, 15], { stride: 2, padding: 1, outputPadding: 1 }],
    ['64 to 65 channels', [1, 8, 7, 64], [3, 3, 65, 64], { padding: 1 }],
    ['kernel 2x2, stride 2', [2, 8, 8, 64], [2, 2, 32, 64], { stride: 2 }],
    ['stride 3, dilation 2', [1, 9, 7, 20], [3, 3, 5, 20], { stride: 3, dilation: 2, padding: [1, 2, 3, 0] }],
    ['groups 3', [1, 7, 7, 21], [3, 3, 5, 21], { groups: 3, padding: 1 }],
    ['depthwise, 37 channels, stride 2', [1, 9, 11, 37], [5, 5, 1, 37], { groups: 37, padding: 2, stride: 2 }],
    ['one pixel', [1, 1, 1, 16], [3, 3, 16, 16], { padding: 1 }],
  ];
  test.each(awkward)('%s', (_name, xShape, wShape, options) => {
    const kernels = wShape[2] * (options.groups ?? 1);
    const inputs = [leaf(...xShape), leaf(...wShape), leaf(kernels)];
    const [output, dx, dw, db] = precision((x, w, bias) => ops.convTranspose2d(x, w, { ...options, bias }), inputs);
    const [kh, kw, width, channels] = wShape;
    const pixels = xShape[0] * xShape[1] * xShape[2];
    expect(output).toBeLessThan(unit * (kh * kw * channels + 2));
    expect(dx).toBeLessThan(unit * (kh * kw * width + 2));
    expect(dw).toBeLessThan(unit * (pixels + 2));
    expect(db).toBeLessThan(unit * (pixels * kh * kw + 2));
  });
});

test.each<[string, number, ConvTranspose2dOptions]>([
  ['3x3, taps apart', 3, { padding: [1, 0, 2, 1], dilation: [1, 2] }],
  ['6x6 by steps of two', 6, { padding: 2, stride: 2 }],
  ['5x5 by steps of two, and a row and a column that no window reaches', 5, { stride: 2, outputPadding: 1 }],
])("convTranspose2d › algorithm 'winograd' agrees with float64 › %s", (_name, taps, options) => {
  const inputs = [leaf(2, 14, 17, 12), leaf(taps, taps, 20, 12), leaf(20)];
  const distances = precision((x, w, bias) => ops.convTranspose2d(x, w, { ...options, algorithm: 'winograd', bias }), inputs);
  for (const distance of distances) expect(distance).toBeLessThan(160 * unit);
});

test('convTranspose2d › an empty batch gives an empty output, and zero gradients for the kernel and the bias', () => {
  const [x, w, bias] = [leaf(0, 4, 4, 2), leaf(3, 3, 3, 2), leaf(3)];
  const y = ops.convTranspose2d(x, w, { bias, stride: 2 });
  expect(y.shape).toEqual([0, 9, 9, 3]);
  ops.sum(y).backward();
  expect(w.grad!.dataSync().every((g) => g === 0)).toBe(true);
  expect(bias.grad!.dataSync().every((g) => g === 0)).toBe(true);
});

const channels = fc.record({
  groups: fc.integer({ min: 1, max: 3 }),
  depth: fc.integer({ min: 1, max: 18 }),
  width: fc.integer({ min: 1, max: 18 }),
});

test('convTranspose2d › is the adjoint of conv2d for every input size that convolves to its own: <conv(y,w), x> = <y, convT(x,w)>', () => {
  fc.assert(
    fc.property(windowsThatFit(2), channels, ({ n, size, kernel, rest, options }, { groups, depth, width }) => {
      const [yShape, wShape] = [
        [n, ...size, width * groups],
        [...kernel, width, depth * groups],
      ];
      const all = { ...options, groups, algorithm: 'direct' } as const;
      const y = tensor(integers(yShape, 1), yShape, { dtype: 'float32' });
      const w = tensor(integers(wShape, 2), wShape, { dtype: 'float32' });
      const convolved = ops.conv2d(y, w, all);
      const x = tensor(integers(convolved.shape, 3), convolved.shape, { dtype: 'float32' });
      // what the stride leaves over is what output padding gives back
      const output = ops.convTranspose2d(x, w, { ...all, outputPadding: rest as [number, number] });
      expect(output.shape).toEqual(yShape);
      expect(inner(y.dataSync(), output.dataSync())).toBe(inner(convolved.dataSync(), x.dataSync()));
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('convTranspose2d › random shapes: the plain sum, and gradients that are its adjoints, exactly on integers', () => {
  fc.assert(
    fc.property(
      windowsThatFit(2, 6),
      channels,
      fc.tuple(fc.nat(2), fc.nat(2)),
      ({ n, size, kernel, options }, { groups, depth, width }, extra) => {
        const [xShape, wShape] = [
          [n, ...size, depth * groups],
          [...kernel, width, depth * groups],
        ];
        const { stride: strides, dilation: dilations } = options;
        const outputPadding = extra.map((cells, axis) => Math.min(cells, Math.max(strides[axis], dilations[axis]) - 1)) as [number, number];
        const all = { ...options, groups, outputPadding, algorithm: 'direct' } as const;
        const [xs, ws, bs] = [integers(xShape, 1), integers(wShape, 2), integers([width * groups], 3)];
        const expected = plainConvTranspose(xs, xShape, ws, wShape, bs, all);
        fc.pre(expected.shape.slice(1).every((length) => length > 0));
        const x = tensor(xs, xShape, { dtype: 'float32', requiresGrad: true });
        const w = tensor(ws, wShape, { dtype: 'float32', requiresGrad: true });
        const output = ops.convTranspose2d(x, w, { ...all, bias: tensor(bs, null, { dtype: 'float32' }) });
        expect(output.shape).toEqual(expected.shape);
        expect(Array.from(output.dataSync())).toEqual(Array.from(expected.data));

        const linear = ops.convTranspose2d(x, w, all);
        const y = tensor(integers(linear.shape, 4), linear.shape, { dtype: 'float32' });
        linear.backward(y);
        const product = inner(linear.dataSync(), y.dataSync());
        expect(inner(xs, x.grad!.dataSync())).toBe(product);
        expect(inner(ws, w.grad!.dataSync())).toBe(product);
      },
    ),
    { numRuns: 200, seed: 1 },
  );
});

describe('convTranspose2d › bad arguments', () => {
  const [x, w] = [zeros([1, 8, 8, 3]), ones([3, 3, 8, 3])];
  test.each([
    [
      'Winograd for a kernel it cannot filter',
      () => ops.convTranspose2d(x, w, { algorithm: 'winograd', stride: [2, 1] }),
      [
        'RangeError',
        'ERR_INVALID_VALUE',
        `convTranspose2d: algorithm is "winograd", expected 'auto' or 'direct' for a kernel of 3x3 taps, stride [2,1], dilation [1,1], 1 groups: it filters 3x3 to 5x5, or 1x3 to 1x5, taps for each step of the stride, 1 group, and no dilation beside a stride`,
      ],
    ],
    [
      'channels that differ',
      () => ops.convTranspose2d(x, ones([3, 3, 8, 4])),
      ['RangeError', 'ERR_SHAPE', 'convTranspose2d: input has 3 channels, kernel expects 4 (input [1,8,8,3], kernel [3,3,8,4], groups 1)'],
    ],
    [
      'groups that do not divide the input channels',
      () => ops.convTranspose2d(x, w, { groups: 2 }),
      [
        'RangeError',
        'ERR_SHAPE',
        'convTranspose2d: input has 3 channels, which groups do not divide (input [1,8,8,3], kernel [3,3,8,3], groups 2)',
      ],
    ],
    [
      'a sequence',
      () => ops.convTranspose2d(zeros([1, 8, 3]), w),
      ['RangeError', 'ERR_SHAPE', 'convTranspose2d: input has shape [1,8,3], expected [N,H,W,C]'],
    ],
    [
      'a kernel of rank 3',
      () => ops.convTranspose2d(x, ones([3, 3, 3])),
      ['RangeError', 'ERR_SHAPE', 'convTranspose2d: kernel has shape [3,3,3], expected [kh,kw,K/groups,C]'],
    ],
    [
      'padding that leaves nothing',
      () => ops.convTranspose2d(x, w, { padding: [1, 5] }),
      ['RangeError', 'ERR_SHAPE', 'convTranspose2d: output would have 8x0 cells: input has 8x8, window covers 3x3, padding is [1,5,1,5]'],
    ],
    [
      'an input of no rows',
      () => ops.convTranspose2d(zeros([1, 0, 8, 3]), w, { stride: 2 }),
      ['RangeError', 'ERR_SHAPE', 'convTranspose2d: output would have 1x17 cells: input has 0x8, window covers 3x3, padding is [0,0,0,0]'],
    ],
    [
      'an output padding as large as the stride',
      () => ops.convTranspose2d(x, w, { stride: [2, 3], outputPadding: [1, 3] }),
      ['RangeError', 'ERR_INVALID_VALUE', 'convTranspose2d: outputPadding is [1,3], expected less than the stride or the dilation'],
    ],
    [
      'a negative output padding',
      () => ops.convTranspose2d(x, w, { outputPadding: -1 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'convTranspose2d: outputPadding is -1, expected an integer from 0 to 1048576, or a pair of them'],
    ],
    [
      'a bias of the input channels',
      () => ops.convTranspose2d(x, w, { bias: ones([3]) }),
      ['RangeError', 'ERR_SHAPE', 'convTranspose2d: bias has shape [3], expected [8]'],
    ],
    [
      'types that differ',
      () => ops.convTranspose2d(x, ones([3, 3, 8, 3], { dtype: 'float64' })),
      ['TypeError', 'ERR_DTYPE', 'convTranspose2d: inputs are float32 and float64, expected the same type (see ops.cast)'],
    ],
    [
      'a stride of 0',
      () => ops.convTranspose2d(x, w, { stride: 0 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'convTranspose2d: stride is 0, expected an integer from 1 to 1048576, or a pair of them'],
    ],
    [
      'groups that are no number',
      () => ops.convTranspose2d(x, w, { groups: 0.5 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'convTranspose2d: groups is 0.5, expected a positive integer'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

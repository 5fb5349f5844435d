import * as fc from 'fast-check';
import { manualSeed, ones, ops, tensor, zeros } from '../../lib';
import type { Conv1dOptions } from '../../lib/ops/conv1d';
import { precision, unit } from '../support/agree';
import { inner, integers, leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';
import { plainConv } from '../support/plain';
import { windowsThatFit } from '../support/windows';

type Case = readonly [name: string, x: number[], w: number[], options: Conv1dOptions];

const cases: Case[] = [
  ['stride 1', [2, 7, 3], [3, 3, 2], {}],
  ['stride 2', [1, 9, 2], [3, 2, 3], { stride: 2 }],
  ['padding 2', [1, 5, 2], [3, 2, 2], { padding: 2 }],
  ['padding [1, 3]', [1, 4, 2], [3, 2, 2], { padding: [1, 3] }],
  ['padding [2, 0], stride 2', [1, 6, 2], [3, 2, 2], { padding: [2, 0], stride: 2 }],
  ["padding 'same'", [1, 6, 2], [5, 2, 3], { padding: 'same' }],
  ["padding 'same', even kernel, stride 2", [1, 7, 2], [4, 2, 2], { padding: 'same', stride: 2 }],
  ["padding 'valid'", [1, 6, 2], [3, 2, 2], { padding: 'valid' }],
  ['dilation 3', [1, 9, 2], [3, 2, 2], { dilation: 3 }],
  ['groups 2', [1, 5, 4], [3, 2, 6], { groups: 2 }],
  ['depthwise', [1, 6, 5], [3, 1, 5], { groups: 5, padding: 1 }],
  ['stride 2, dilation 2, groups 3', [2, 9, 3], [2, 1, 6], { stride: 2, dilation: 2, groups: 3 }],
  ['kernel 1', [2, 3, 4], [1, 4, 3], {}],
  ['output of one cell', [2, 4, 2], [4, 2, 3], {}],
  ["algorithm 'direct'", [1, 5, 2], [3, 2, 3], { algorithm: 'direct', padding: 1 }],
];

beforeEach(() => manualSeed(1));

describe.each(cases)('conv1d › %s', (_name, xShape, wShape, options) => {
  test('forward is the plain sum of products, bit for bit on integers', () => {
    const [x, w, b] = [integers(xShape, 1), integers(wShape, 2), integers([wShape[2]], 3)];
    const expected = plainConv(x, xShape, w, wShape, b, options);
    for (const dtype of ['float32', 'float64'] as const) {
      const y = ops.conv1d(tensor(x, xShape, { dtype }), tensor(w, wShape, { dtype }), { ...options, bias: tensor(b, null, { dtype }) });
      expect(y.shape).toEqual(expected.shape);
      expect(Array.from(y.dataSync())).toEqual(Array.from(expected.data));
    }
  });

  test('gradient, with and without a bias', () => {
    gradcheck((x, w) => ops.conv1d(x, w, options), [leaf(...xShape), leaf(...wShape)]);
    gradcheck((x, w, bias) => ops.conv1d(x, w, { ...options, bias }), [leaf(...xShape), leaf(...wShape), leaf(wShape[2])]);
  });
});

test.each([
  ['input', 0],
  ['kernel', 1],
  ['bias', 2],
])('conv1d › gradient of the %s alone', (_name, wanted) => {
  const inputs = [leaf(1, 5, 2), leaf(3, 2, 3), leaf(3)];
  inputs.forEach((input, i) => {
    input.requiresGrad = i === wanted;
  });
  gradcheck((x, w, bias) => ops.conv1d(x, w, { bias, padding: 1 }), inputs);
});

describe('conv1d › float32 agrees with float64', () => {
  const awkward: Case[] = [
    ['words, kernel 4', [3, 64, 128], [4, 128, 100], { padding: 'same' }],
    ['one input channel', [1, 1000, 1], [25, 1, 8], { stride: 4, padding: 12 }],
    ['15 to 17 channels', [2, 33, 15], [3, 15, 17], { padding: 1 }],
    ['dilation 8, 32 channels', [1, 100, 32], [3, 32, 32], { dilation: 8, padding: 'same' }],
    ['depthwise, 37 channels', [1, 60, 37], [7, 1, 37], { groups: 37, padding: 3 }],
    ['one cell', [1, 1, 16], [3, 16, 16], { padding: 1 }],
  ];
  test.each(awkward)('%s', (_name, xShape, wShape, options) => {
    const inputs = [leaf(...xShape), leaf(...wShape), leaf(wShape[2])];
    const [output, dx, dw, db] = precision((x, w, bias) => ops.conv1d(x, w, { ...options, bias }), inputs);
    const [k, depth, kernels] = wShape;
    const cells = xShape[0] * xShape[1];
    expect(output).toBeLessThan(unit * (k * depth + 2));
    expect(dx).toBeLessThan(unit * (k * kernels + 2));
    expect(dw).toBeLessThan(unit * (cells + 2));
    expect(db).toBeLessThan(unit * (cells + 2));
  });
});

test.each([
  [3, 1],
  [4, 1],
  [5, 1],
  [9, 2],
])("conv1d › algorithm 'winograd' agrees with float64, %d taps by steps of %d", (taps, stride) => {
  const inputs = [leaf(2, 41, 12), leaf(taps, 12, 17), leaf(17)];
  const distances = precision((x, w, bias) => ops.conv1d(x, w, { padding: [2, 1], stride, bias, algorithm: 'winograd' }), inputs);
  for (const distance of distances) expect(distance).toBeLessThan(160 * unit);
});

test('conv1d › an empty batch gives an empty output, and zero gradients for the kernel and the bias', () => {
  const [x, w, bias] = [leaf(0, 4, 2), leaf(3, 2, 3), leaf(3)];
  const y = ops.conv1d(x, w, { bias, padding: 1 });
  expect(y.shape).toEqual([0, 4, 3]);
  ops.sum(y).backward();
  expect(w.grad!.dataSync().every((g) => g === 0)).toBe(true);
  expect(bias.grad!.dataSync().every((g) => g === 0)).toBe(true);
});

test('conv1d › random shapes: the plain sum, and gradients that are its adjoints, exactly on integers', () => {
  const channels = fc.record({
    groups: fc.integer({ min: 1, max: 3 }),
    depth: fc.integer({ min: 1, max: 18 }),
    width: fc.integer({ min: 1, max: 18 }),
  });
  fc.assert(
    fc.property(windowsThatFit(1, 20), channels, ({ n, size, kernel, options }, { groups, depth, width }) => {
      const [xShape, wShape] = [
        [n, ...size, depth * groups],
        [...kernel, depth, width * groups],
      ];
      const [xs, ws, bs] = [integers(xShape, 1), integers(wShape, 2), integers([width * groups], 3)];
      const x = tensor(xs, xShape, { dtype: 'float32', requiresGrad: true });
      const w = tensor(ws, wShape, { dtype: 'float32', requiresGrad: true });
      const all = { ...options, groups, algorithm: 'direct' } as const;
      const output = ops.conv1d(x, w, { ...all, bias: tensor(bs, null, { dtype: 'float32' }) });
      const expected = plainConv(xs, xShape, ws, wShape, bs, all);
      expect(output.shape).toEqual(expected.shape);
      expect(Array.from(output.dataSync())).toEqual(Array.from(expected.data));

      const linear = ops.conv1d(x, w, all);
      const y = tensor(integers(linear.shape, 4), linear.shape, { dtype: 'float32' });
      linear.backward(y);
      const product = inner(linear.dataSync(), y.dataSync());
      expect(inner(xs, x.grad!.dataSync())).toBe(product);
      expect(inner(ws, w.grad!.dataSync())).toBe(product);
    }),
    { numRuns: 200, seed: 1 },
  );
});

describe('conv1d › bad arguments', () => {
  const [x, w] = [zeros([1, 32, 3]), ones([3, 3, 8])];
  test.each([
    [
      'channels that differ',
      () => ops.conv1d(x, ones([3, 4, 8])),
      ['RangeError', 'ERR_SHAPE', 'conv1d: input has 3 channels, kernel expects 4 (input [1,32,3], kernel [3,4,8], groups 1)'],
    ],
    [
      'groups that do not divide the output channels',
      () => ops.conv1d(x, ones([3, 1, 8]), { groups: 3 }),
      [
        'RangeError',
        'ERR_SHAPE',
        'conv1d: kernel has 8 output channels, which groups do not divide (input [1,32,3], kernel [3,1,8], groups 3)',
      ],
    ],
    [
      'an image',
      () => ops.conv1d(zeros([1, 1, 32, 3]), w),
      ['RangeError', 'ERR_SHAPE', 'conv1d: input has shape [1,1,32,3], expected [N,L,C]'],
    ],
    [
      "an image's kernel",
      () => ops.conv1d(x, ones([1, 3, 3, 8])),
      ['RangeError', 'ERR_SHAPE', 'conv1d: kernel has shape [1,3,3,8], expected [k,C/groups,K]'],
    ],
    [
      'a window larger than the input',
      () => ops.conv1d(x, w, { dilation: 17, padding: [1, 0] }),
      ['RangeError', 'ERR_SHAPE', 'conv1d: window covers 35 cells, input has 32 and padding [1,0]'],
    ],
    [
      'a bias of another length',
      () => ops.conv1d(x, w, { bias: ones([3]) }),
      ['RangeError', 'ERR_SHAPE', 'conv1d: bias has shape [3], expected [8]'],
    ],
    [
      'types that differ',
      () => ops.conv1d(x, ones([3, 3, 8], { dtype: 'float64' })),
      ['TypeError', 'ERR_DTYPE', 'conv1d: inputs are float32 and float64, expected the same type (see ops.cast)'],
    ],
    [
      'a stride of 0',
      () => ops.conv1d(x, w, { stride: 0 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'conv1d: stride is 0, expected an integer from 1 to 1048576'],
    ],
    [
      'a pair of strides',
      () => ops.conv1d(x, w, { stride: [1, 2] as never }),
      ['TypeError', 'ERR_INVALID_TYPE', 'conv1d: stride is [1,2], expected an integer from 1 to 1048576'],
    ],
    [
      'a negative padding',
      () => ops.conv1d(x, w, { padding: [0, -1] }),
      ['RangeError', 'ERR_INVALID_VALUE', 'conv1d: padding is [0,-1], expected integers from 0 to 1048576'],
    ],
    [
      'a padding of four sides',
      () => ops.conv1d(x, w, { padding: [1, 1, 1, 1] as never }),
      ['TypeError', 'ERR_INVALID_TYPE', "conv1d: padding is [1,1,1,1], expected a number, [before, after], 'same' or 'valid'"],
    ],
    [
      'a padding with an unknown name',
      () => ops.conv1d(x, w, { padding: 'full' as never }),
      ['TypeError', 'ERR_INVALID_TYPE', `conv1d: padding is "full", expected a number, [before, after], 'same' or 'valid'`],
    ],
    [
      'an unknown algorithm',
      () => ops.conv1d(x, w, { algorithm: 'fast' as never }),
      ['RangeError', 'ERR_INVALID_VALUE', `conv1d: algorithm is "fast", expected 'auto', 'direct' or 'winograd'`],
    ],
    [
      'Winograd for a kernel it cannot filter',
      () => ops.conv1d(x, w, { algorithm: 'winograd', stride: 2 }),
      [
        'RangeError',
        'ERR_INVALID_VALUE',
        `conv1d: algorithm is "winograd", expected 'auto' or 'direct' for a kernel of 3 taps, stride [2], dilation [1], 1 groups: it filters 3 to 5 taps for each step of the stride, 1 group, and no dilation beside a stride`,
      ],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

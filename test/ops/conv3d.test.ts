import * as fc from 'fast-check';
import { manualSeed, memory, noGrad, ones, ops, tensor, zeros } from '../../lib';
import type { Conv3dOptions } from '../../lib/ops/conv3d';
import { precision, unit } from '../support/agree';
import { inner, integers, leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';
import { plainConv } from '../support/plain';
import { windowsThatFit } from '../support/windows';

type Case = readonly [name: string, x: number[], w: number[], options: Conv3dOptions];

const cases: Case[] = [
  ['stride 1', [2, 3, 3, 2, 2], [2, 2, 2, 2, 2], {}],
  ['stride 2', [1, 5, 4, 3, 2], [2, 2, 2, 2, 2], { stride: 2 }],
  ['stride [3, 1, 2]', [1, 5, 3, 4, 1], [2, 2, 2, 1, 2], { stride: [3, 1, 2] }],
  ['a stride along the depth larger than the kernel', [1, 7, 2, 2, 1], [2, 2, 1, 1, 2], { stride: [3, 1, 1] }],
  ['padding 1', [1, 2, 2, 3, 1], [3, 3, 3, 1, 2], { padding: 1 }],
  ['padding [2, 0, 1]', [1, 2, 3, 2, 1], [3, 2, 3, 1, 2], { padding: [2, 0, 1] }],
  ['padding [1, 0, 2, 0, 3, 1]', [1, 3, 2, 2, 1], [2, 2, 3, 1, 2], { padding: [1, 0, 2, 0, 3, 1] }],
  ["padding 'same'", [1, 3, 3, 2, 1], [3, 2, 3, 1, 2], { padding: 'same' }],
  ["padding 'same', stride 2", [1, 4, 3, 3, 1], [2, 3, 3, 1, 2], { padding: 'same', stride: 2 }],
  ["padding 'valid'", [1, 3, 2, 2, 1], [2, 2, 1, 1, 2], { padding: 'valid' }],
  ['dilation [2, 1, 1], padding 2', [1, 3, 2, 2, 1], [3, 1, 2, 1, 2], { dilation: [2, 1, 1], padding: [2, 0, 0] }],
  ['dilation 2, stride [2, 1, 1]', [1, 6, 4, 3, 1], [3, 2, 2, 1, 2], { dilation: 2, stride: [2, 1, 1] }],
  ['groups 2', [1, 3, 2, 3, 4], [2, 2, 2, 2, 4], { groups: 2 }],
  ['depthwise', [1, 3, 3, 2, 3], [2, 2, 2, 1, 3], { groups: 3, padding: 1 }],
  ['kernel 1x1x1', [2, 2, 2, 2, 3], [1, 1, 1, 3, 2], {}],
  ['a kernel of one plane', [1, 3, 3, 3, 2], [1, 2, 2, 2, 2], { padding: [0, 1, 1] }],
  ['a kernel of one plane, every second plane', [1, 5, 2, 2, 2], [1, 2, 2, 2, 2], { stride: [2, 1, 1] }],
  ['a kernel of one plane, padded along the depth', [1, 2, 2, 2, 2], [1, 2, 2, 2, 2], { padding: [1, 0, 0] }],
  ['output 1x1x1', [2, 2, 3, 2, 2], [2, 3, 2, 2, 3], {}],
  ['taps of the depth that see padding only', [1, 1, 2, 2, 1], [3, 2, 2, 1, 2], { padding: [3, 0, 0], dilation: [3, 1, 1] }],
];

beforeEach(() => manualSeed(1));

describe.each(cases)('conv3d › %s', (_name, xShape, wShape, options) => {
  test('forward is the plain sum of products, bit for bit on integers', () => {
    const [x, w, b] = [integers(xShape, 1), integers(wShape, 2), integers([wShape[4]], 3)];
    const expected = plainConv(x, xShape, w, wShape, b, options);
    for (const dtype of ['float32', 'float64'] as const) {
      const y = ops.conv3d(tensor(x, xShape, { dtype }), tensor(w, wShape, { dtype }), { ...options, bias: tensor(b, null, { dtype }) });
      expect(y.shape).toEqual(expected.shape);
      expect(Array.from(y.dataSync())).toEqual(Array.from(expected.data));
    }
  });

  test('gradient, with and without a bias', () => {
    gradcheck((x, w) => ops.conv3d(x, w, options), [leaf(...xShape), leaf(...wShape)]);
    gradcheck((x, w, bias) => ops.conv3d(x, w, { ...options, bias }), [leaf(...xShape), leaf(...wShape), leaf(wShape[4])]);
  });
});

test.each([
  ['input', 0],
  ['kernel', 1],
  ['bias', 2],
])('conv3d › gradient of the %s alone', (_name, wanted) => {
  const inputs = [leaf(1, 3, 3, 2, 2), leaf(2, 2, 2, 2, 3), leaf(3)];
  inputs.forEach((input, i) => {
    input.requiresGrad = i === wanted;
  });
  gradcheck((x, w, bias) => ops.conv3d(x, w, { bias, padding: 1 }), inputs);
});

describe('conv3d › float32 agrees with float64', () => {
  const awkward: Case[] = [
    ['a scan of one channel', [2, 9, 12, 11, 1], [3, 5, 5, 1, 8], { padding: 'same' }],
    ['15 to 17 channels', [1, 4, 7, 6, 15], [3, 3, 3, 15, 17], { padding: 1 }],
    ['64 to 16 channels, stride 2', [1, 5, 6, 7, 64], [3, 3, 3, 64, 16], { padding: 1, stride: 2 }],
    ['groups 3 of 5 channels', [1, 4, 5, 6, 15], [2, 3, 3, 5, 21], { groups: 3, padding: 1 }],
    ['depthwise, 37 channels', [1, 4, 5, 6, 37], [3, 3, 3, 1, 37], { groups: 37, padding: 1 }],
  ];
  test.each(awkward)('%s', (_name, xShape, wShape, options) => {
    const inputs = [leaf(...xShape), leaf(...wShape), leaf(wShape[4])];
    const all = { ...options, algorithm: 'direct' } as const;
    const [output, dx, dw, db] = precision((x, w, bias) => ops.conv3d(x, w, { ...all, bias }), inputs);
    const taps = wShape[0] * wShape[1] * wShape[2];
    const cells = xShape.slice(0, 4).reduce((a, n) => a * n, 1);
    expect(output).toBeLessThan(unit * (taps * wShape[3] + 2));
    expect(dx).toBeLessThan(unit * (taps * wShape[4] + 2));
    expect(dw).toBeLessThan(unit * (cells + 2));
    expect(db).toBeLessThan(unit * (cells + 2));
  });
});

test("conv3d › algorithm 'winograd' agrees with float64", () => {
  const inputs = [leaf(1, 5, 9, 11, 12), leaf(3, 3, 3, 12, 17), leaf(17)];
  const distances = precision((x, w, bias) => ops.conv3d(x, w, { padding: 1, stride: [2, 1, 1], bias, algorithm: 'winograd' }), inputs);
  for (const distance of distances) expect(distance).toBeLessThan(160 * unit);
});

test('conv3d › an empty batch gives an empty output, and zero gradients for the kernel and the bias', () => {
  const [x, w, bias] = [leaf(0, 3, 4, 4, 2), leaf(3, 3, 3, 2, 3), leaf(3)];
  const y = ops.conv3d(x, w, { bias, padding: 1 });
  expect(y.shape).toEqual([0, 3, 4, 4, 3]);
  ops.sum(y).backward();
  expect(w.grad!.dataSync().every((g) => g === 0)).toBe(true);
  expect(bias.grad!.dataSync().every((g) => g === 0)).toBe(true);
});

test('conv3d › random shapes: the plain sum, and gradients that are its adjoints, exactly on integers', () => {
  const channels = fc.record({
    groups: fc.integer({ min: 1, max: 3 }),
    depth: fc.integer({ min: 1, max: 9 }),
    width: fc.integer({ min: 1, max: 6 }),
  });
  fc.assert(
    fc.property(windowsThatFit(3, 4), channels, ({ n, size, kernel, options }, { groups, depth, width }) => {
      const [xShape, wShape] = [
        [n, ...size, depth * groups],
        [...kernel, depth, width * groups],
      ];
      const [xs, ws, bs] = [integers(xShape, 1), integers(wShape, 2), integers([width * groups], 3)];
      const x = tensor(xs, xShape, { dtype: 'float32', requiresGrad: true });
      const w = tensor(ws, wShape, { dtype: 'float32', requiresGrad: true });
      const all = { ...options, groups, algorithm: 'direct' } as const;
      const output = ops.conv3d(x, w, { ...all, bias: tensor(bs, null, { dtype: 'float32' }) });
      const expected = plainConv(xs, xShape, ws, wShape, bs, all);
      expect(output.shape).toEqual(expected.shape);
      expect(Array.from(output.dataSync())).toEqual(Array.from(expected.data));

      const linear = ops.conv3d(x, w, all);
      const y = tensor(integers(linear.shape, 4), linear.shape, { dtype: 'float32' });
      linear.backward(y);
      const product = inner(linear.dataSync(), y.dataSync());
      expect(inner(xs, x.grad!.dataSync())).toBe(product);
      expect(inner(ws, w.grad!.dataSync())).toBe(product);
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('conv3d › leaves nothing behind but its output and its gradients', () => {
  const [x, w] = [leaf(1, 3, 3, 3, 2), leaf(2, 2, 2, 2, 3)];
  const before = memory().tensors;
  noGrad(() => ops.conv3d(x, w)).dispose();
  expect(memory().tensors).toBe(before);
  const loss = ops.sum(ops.conv3d(x, w));
  loss.backward();
  expect(memory().tensors).toBeLessThanOrEqual(before + 4); // the output, the loss, two gradients
});

describe('conv3d › bad arguments', () => {
  const [x, w] = [zeros([1, 4, 8, 8, 3]), ones([3, 3, 3, 3, 8])];
  test.each([
    [
      'channels that differ',
      () => ops.conv3d(x, ones([3, 3, 3, 4, 8])),
      ['RangeError', 'ERR_SHAPE', 'conv3d: input has 3 channels, kernel expects 4 (input [1,4,8,8,3], kernel [3,3,3,4,8], groups 1)'],
    ],
    [
      'groups that do not divide the output channels',
      () => ops.conv3d(x, ones([3, 3, 3, 1, 8]), { groups: 3 }),
      [
        'RangeError',
        'ERR_SHAPE',
        'conv3d: kernel has 8 output channels, which groups do not divide (input [1,4,8,8,3], kernel [3,3,3,1,8], groups 3)',
      ],
    ],
    [
      'an image',
      () => ops.conv3d(zeros([1, 8, 8, 3]), w),
      ['RangeError', 'ERR_SHAPE', 'conv3d: input has shape [1,8,8,3], expected [N,D,H,W,C]'],
    ],
    [
      "an image's kernel",
      () => ops.conv3d(x, ones([3, 3, 3, 8])),
      ['RangeError', 'ERR_SHAPE', 'conv3d: kernel has shape [3,3,3,8], expected [kd,kh,kw,C/groups,K]'],
    ],
    [
      'a window larger than the input',
      () => ops.conv3d(x, w, { dilation: [2, 1, 1], padding: [0, 1, 1, 0, 1, 1] }),
      ['RangeError', 'ERR_SHAPE', 'conv3d: window covers 5x3x3 cells, input has 4x8x8 and padding [0,1,1,0,1,1]'],
    ],
    [
      'a pair of strides',
      () => ops.conv3d(x, w, { stride: [1, 2] as never }),
      ['TypeError', 'ERR_INVALID_TYPE', 'conv3d: stride is [1,2], expected an integer from 1 to 1048576, or three of them'],
    ],
    [
      'a padding of four sides',
      () => ops.conv3d(x, w, { padding: [1, 1, 1, 1] as never }),
      [
        'TypeError',
        'ERR_INVALID_TYPE',
        "conv3d: padding is [1,1,1,1], expected a number, three of them, [front, top, left, back, bottom, right], 'same' or 'valid'",
      ],
    ],
    [
      'types that differ',
      () => ops.conv3d(x, ones([3, 3, 3, 3, 8], { dtype: 'float64' })),
      ['TypeError', 'ERR_DTYPE', 'conv3d: inputs are float32 and float64, expected the same type (see ops.cast)'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

import * as fc from 'fast-check';
import { manualSeed, ones, ops, tensor, zeros } from '../../lib';
import type { ConvTranspose1dOptions } from '../../lib/ops/convTranspose1d';
import { precision, unit } from '../support/agree';
import { inner, integers, leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';
import { plainConvTranspose } from '../support/plain';
import { windowsThatFit } from '../support/windows';

type Case = readonly [name: string, x: number[], w: number[], options: ConvTranspose1dOptions];

const cases: Case[] = [
  ['stride 1', [2, 5, 3], [3, 2, 3], {}],
  ['stride 2', [1, 4, 2], [3, 3, 2], { stride: 2 }],
  ['a stride larger than the kernel', [1, 4, 2], [2, 3, 2], { stride: 3 }],
  ['padding [1, 2]', [1, 5, 2], [4, 2, 2], { padding: [1, 2] }],
  ["padding 'same', stride 3", [1, 4, 2], [5, 2, 2], { padding: 'same', stride: 3 }],
  ['output padding 1', [1, 4, 2], [3, 2, 2], { stride: 2, padding: 1, outputPadding: 1 }],
  ['dilation 3, output padding 2', [1, 4, 2], [2, 3, 2], { dilation: 3, outputPadding: 2 }],
  ['groups 2', [1, 4, 6], [3, 2, 6], { groups: 2, stride: 2 }],
  ['depthwise', [1, 5, 5], [3, 1, 5], { groups: 5, stride: 2, padding: 1 }],
];

beforeEach(() => manualSeed(1));

describe.each(cases)('convTranspose1d › %s', (_name, xShape, wShape, options) => {
  const kernels = wShape[1] * (options.groups ?? 1);

  test('forward adds the kernel at each cell, bit for bit on integers', () => {
    const [x, w, b] = [integers(xShape, 1), integers(wShape, 2), integers([kernels], 3)];
    const expected = plainConvTranspose(x, xShape, w, wShape, b, options);
    for (const dtype of ['float32', 'float64'] as const) {
      const bias = tensor(b, null, { dtype });
      const y = ops.convTranspose1d(tensor(x, xShape, { dtype }), tensor(w, wShape, { dtype }), { ...options, bias });
      expect(y.shape).toEqual(expected.shape);
      expect(Array.from(y.dataSync())).toEqual(Array.from(expected.data));
    }
  });

  test('gradient, with and without a bias', () => {
    gradcheck((x, w) => ops.convTranspose1d(x, w, options), [leaf(...xShape), leaf(...wShape)]);
    const inputs = [leaf(...xShape), leaf(...wShape), leaf(kernels)];
    gradcheck((x, w, bias) => ops.convTranspose1d(x, w, { ...options, bias }), inputs);
  });
});

test('convTranspose1d › float32 agrees with float64', () => {
  const inputs = [leaf(2, 33, 15), leaf(4, 17, 15), leaf(17)];
  const [output, dx, dw, db] = precision((x, w, bias) => ops.convTranspose1d(x, w, { stride: 2, padding: 1, bias }), inputs);
  expect(output).toBeLessThan(unit * (4 * 15 + 2));
  expect(dx).toBeLessThan(unit * (4 * 17 + 2));
  expect(dw).toBeLessThan(unit * (2 * 33 + 2));
  expect(db).toBeLessThan(unit * (2 * 66 + 2));
});

test('convTranspose1d › random shapes: the plain sum, and the adjoint of conv1d, exactly on integers', () => {
  const channels = fc.record({
    groups: fc.integer({ min: 1, max: 3 }),
    depth: fc.integer({ min: 1, max: 18 }),
    width: fc.integer({ min: 1, max: 18 }),
  });
  fc.assert(
    fc.property(windowsThatFit(1, 20), channels, ({ n, size, kernel, rest: [outputPadding], options }, { groups, depth, width }) => {
      const [yShape, wShape] = [
        [n, ...size, width * groups],
        [...kernel, width, depth * groups],
      ];
      const all = { ...options, groups, algorithm: 'direct' } as const;
      const y = tensor(integers(yShape, 1), yShape, { dtype: 'float32' });
      const [ws, bs] = [integers(wShape, 2), integers([width * groups], 4)];
      const w = tensor(ws, wShape, { dtype: 'float32', requiresGrad: true });
      const convolved = ops.conv1d(y, w, all);
      const xs = integers(convolved.shape, 3);
      const x = tensor(xs, convolved.shape, { dtype: 'float32', requiresGrad: true });
      const output = ops.convTranspose1d(x, w, { ...all, outputPadding });
      const product = inner(convolved.dataSync(), xs);
      expect(output.shape).toEqual(yShape);
      expect(inner(y.dataSync(), output.dataSync())).toBe(product);

      output.backward(y);
      expect(inner(xs, x.grad!.dataSync())).toBe(product);
      expect(inner(ws, w.grad!.dataSync())).toBe(product);

      const expected = plainConvTranspose(xs, x.shape, ws, wShape, bs, { ...all, outputPadding });
      const withBias = ops.convTranspose1d(x, w, { ...all, outputPadding, bias: tensor(bs, null, { dtype: 'float32' }) });
      expect(Array.from(withBias.dataSync())).toEqual(Array.from(expected.data));
    }),
    { numRuns: 200, seed: 1 },
  );
});

describe('convTranspose1d › bad arguments', () => {
  const [x, w] = [zeros([1, 8, 3]), ones([3, 8, 3])];
  test.each([
    [
      'channels that differ',
      () => ops.convTranspose1d(x, ones([3, 8, 4])),
      ['RangeError', 'ERR_SHAPE', 'convTranspose1d: input has 3 channels, kernel expects 4 (input [1,8,3], kernel [3,8,4], groups 1)'],
    ],
    [
      'an image',
      () => ops.convTranspose1d(zeros([1, 1, 8, 3]), w),
      ['RangeError', 'ERR_SHAPE', 'convTranspose1d: input has shape [1,1,8,3], expected [N,L,C]'],
    ],
    [
      'padding that leaves nothing',
      () => ops.convTranspose1d(x, w, { padding: [6, 4] }),
      ['RangeError', 'ERR_SHAPE', 'convTranspose1d: output would have 0 cells: input has 8, window covers 3, padding is [6,4]'],
    ],
    [
      'an output padding as large as the stride',
      () => ops.convTranspose1d(x, w, { stride: 2, outputPadding: 2 }),
      ['RangeError', 'ERR_INVALID_VALUE', 'convTranspose1d: outputPadding is 2, expected less than the stride or the dilation'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

import * as fc from 'fast-check';
import { manualSeed, ones, ops, tensor, zeros } from '../../lib';
import type { LocallyConnected2dOptions } from '../../lib/ops/locallyConnected2d';
import { precision, unit } from '../support/agree';
import { inner, integers, leaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';
import { plainLocallyConnected } from '../support/plain';
import { windowsThatFit } from '../support/windows';

type Case = readonly [name: string, x: number[], w: number[], options: LocallyConnected2dOptions];

const cases: Case[] = [
  ['stride 1', [2, 4, 3, 2], [2, 2, 3, 2, 2, 3], {}],
  ['stride [2, 1]', [1, 5, 3, 2], [2, 2, 2, 2, 2, 2], { stride: [2, 1] }],
  ['padding 1', [1, 2, 3, 2], [2, 3, 3, 3, 2, 2], { padding: 1 }],
  ['padding [1, 0, 2, 1]', [1, 2, 3, 2], [3, 2, 3, 3, 2, 2], { padding: [1, 0, 2, 1] }],
  ["padding 'same', stride 2", [1, 3, 4, 2], [2, 2, 2, 3, 2, 2], { padding: 'same', stride: 2 }],
  ['dilation [1, 2]', [2, 3, 4, 2], [2, 2, 2, 2, 2, 2], { dilation: [1, 2] }],
  ['output 1x1', [2, 2, 3, 2], [1, 1, 2, 3, 2, 4], {}],
];

beforeEach(() => manualSeed(1));

describe.each(cases)('locallyConnected2d › %s', (_name, xShape, wShape, options) => {
  const bShape = [wShape[0], wShape[1], wShape[5]];

  test('forward is the plain sum of products, bit for bit on integers', () => {
    const [x, w, b] = [integers(xShape, 1), integers(wShape, 2), integers(bShape, 3)];
    const expected = plainLocallyConnected(x, xShape, w, wShape, b, options);
    for (const dtype of ['float32', 'float64'] as const) {
      const bias = tensor(b, bShape, { dtype });
      const y = ops.locallyConnected2d(tensor(x, xShape, { dtype }), tensor(w, wShape, { dtype }), { ...options, bias });
      expect(y.shape).toEqual(expected.shape);
      expect(Array.from(y.dataSync())).toEqual(Array.from(expected.data));
    }
  });

  test('gradient, with and without a bias', () => {
    gradcheck((x, w) => ops.locallyConnected2d(x, w, options), [leaf(...xShape), leaf(...wShape)]);
    const inputs = [leaf(...xShape), leaf(...wShape), leaf(...bShape)];
    gradcheck((x, w, bias) => ops.locallyConnected2d(x, w, { ...options, bias }), inputs);
  });
});

test.each([
  ['input', 0],
  ['kernel', 1],
  ['bias', 2],
])('locallyConnected2d › gradient of the %s alone', (_name, wanted) => {
  const inputs = [leaf(1, 3, 3, 2), leaf(2, 2, 2, 2, 2, 3), leaf(2, 2, 3)];
  inputs.forEach((input, i) => {
    input.requiresGrad = i === wanted;
  });
  gradcheck((x, w, bias) => ops.locallyConnected2d(x, w, { bias }), inputs);
});

test.each([
  [1, 6],
  [3, 16],
  [15, 17],
  [64, 64],
  [16, 130],
])('locallyConnected2d › float32 agrees with float64, %d to %d channels', (channels, kernels) => {
  const inputs = [leaf(9, 5, 6, channels), leaf(3, 6, 3, 3, channels, kernels), leaf(3, 6, kernels)];
  const options = { stride: [2, 1], padding: 1 } as const;
  const [output, dx, dw, db] = precision((x, w, bias) => ops.locallyConnected2d(x, w, { ...options, bias }), inputs);
  expect(output).toBeLessThan(unit * (9 * channels + 2));
  expect(dx).toBeLessThan(unit * (9 * kernels + 2));
  expect(dw).toBeLessThan(unit * (9 + 2));
  expect(db).toBeLessThan(unit * (9 + 2));
});

test('locallyConnected2d › an empty batch gives an empty output, and zero gradients for the kernel and the bias', () => {
  const [x, w, bias] = [leaf(0, 3, 3, 2), leaf(2, 2, 2, 2, 2, 3), leaf(2, 2, 3)];
  const y = ops.locallyConnected2d(x, w, { bias });
  expect(y.shape).toEqual([0, 2, 2, 3]);
  ops.sum(y).backward();
  expect(w.grad!.dataSync().every((g) => g === 0)).toBe(true);
  expect(bias.grad!.dataSync().every((g) => g === 0)).toBe(true);
});

const channels = fc.record({ depth: fc.integer({ min: 1, max: 18 }), width: fc.integer({ min: 1, max: 18 }) });

test('locallyConnected2d › random shapes: the plain sum, and gradients that are its adjoints, exactly on integers', () => {
  fc.assert(
    fc.property(windowsThatFit(2, 6), channels, ({ n, size, kernel, options }, { depth, width }) => {
      const xShape = [n, ...size, depth];
      const places = ops.conv2d(zeros([0, ...size, 1]), zeros([...kernel, 1, 1]), options).shape.slice(1, 3);
      const [wShape, bShape] = [
        [...places, ...kernel, depth, width],
        [...places, width],
      ];
      const [xs, ws, bs] = [integers(xShape, 1), integers(wShape, 2), integers(bShape, 3)];
      const x = tensor(xs, xShape, { dtype: 'float32', requiresGrad: true });
      const w = tensor(ws, wShape, { dtype: 'float32', requiresGrad: true });
      const output = ops.locallyConnected2d(x, w, { ...options, bias: tensor(bs, bShape, { dtype: 'float32' }) });
      const expected = plainLocallyConnected(xs, xShape, ws, wShape, bs, options);
      expect(output.shape).toEqual(expected.shape);
      expect(Array.from(output.dataSync())).toEqual(Array.from(expected.data));

      const linear = ops.locallyConnected2d(x, w, options);
      const y = tensor(integers(linear.shape, 4), linear.shape, { dtype: 'float32' });
      linear.backward(y);
      const product = inner(linear.dataSync(), y.dataSync());
      expect(inner(xs, x.grad!.dataSync())).toBe(product);
      expect(inner(ws, w.grad!.dataSync())).toBe(product);
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('locallyConnected2d › with equal kernels is conv2d, whose gradient is the sum over places', () => {
  const shared = tensor(integers([3, 3, 4, 5], 1), [3, 3, 4, 5], { requiresGrad: true });
  const places = tensor(shared.dataSync(), [1, 1, 3, 3, 4, 5]);
  const w = tensor(ops.expand(places, [3, 4, 3, 3, 4, 5]).dataSync(), [3, 4, 3, 3, 4, 5], { requiresGrad: true });
  const x = tensor(integers([2, 5, 7, 4], 2), [2, 5, 7, 4]);
  const options = { stride: 2, padding: 1 };
  const [y, expected] = [ops.locallyConnected2d(x, w, options), ops.conv2d(x, shared, options)];
  expect(y.dataSync()).toEqual(expected.dataSync());
  const g = tensor(integers(y.shape, 3), y.shape);
  y.backward(g);
  expected.backward(g);
  expect(ops.sum(w.grad!, { axis: [0, 1] }).dataSync()).toEqual(shared.grad!.dataSync());
});

describe('locallyConnected2d › bad arguments', () => {
  const [x, w] = [zeros([1, 5, 4, 3]), ones([3, 2, 3, 3, 3, 8])];
  test.each([
    [
      'channels that differ',
      () => ops.locallyConnected2d(x, ones([3, 2, 3, 3, 4, 8])),
      ['RangeError', 'ERR_SHAPE', 'locallyConnected2d: input has 3 channels, kernel expects 4 (input [1,5,4,3], kernel [3,2,3,3,4,8])'],
    ],
    [
      'places that differ',
      () => ops.locallyConnected2d(x, w, { padding: 1 }),
      ['RangeError', 'ERR_SHAPE', 'locallyConnected2d: output has 5x4 places, kernel is for 3x2 (input [1,5,4,3], kernel [3,2,3,3,3,8])'],
    ],
    [
      'a shared kernel',
      () => ops.locallyConnected2d(x, ones([3, 3, 3, 8])),
      ['RangeError', 'ERR_SHAPE', "locallyConnected2d: kernel has shape [3,3,3,8], expected [H',W',kh,kw,C,K]"],
    ],
    [
      'a shared bias',
      () => ops.locallyConnected2d(x, w, { bias: ones([8]) }),
      ['RangeError', 'ERR_SHAPE', 'locallyConnected2d: bias has shape [8], expected [3,2,8]'],
    ],
    [
      'a window larger than the input',
      () => ops.locallyConnected2d(x, w, { dilation: 2 }),
      ['RangeError', 'ERR_SHAPE', 'locallyConnected2d: window covers 5x5 cells, input has 5x4 and padding [0,0,0,0]'],
    ],
    [
      'types that differ',
      () => ops.locallyConnected2d(x, ones([3, 2, 3, 3, 3, 8], { dtype: 'float64' })),
      ['TypeError', 'ERR_DTYPE', 'locallyConnected2d: inputs are float32 and float64, expected the same type (see ops.cast)'],
    ],
  ])('%s', (_name, call, [name, code, message]) => {
    expect(fault(call)).toEqual({ name, code, message });
  });
});

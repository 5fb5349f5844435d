import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { losses, manualSeed, ops, type Tensor, tensor } from '../../lib';
import { distance } from '../support/agree';

// What generate.py had PyTorch compute, in float64, for cases where libraries are known to differ. Ours in float32 and in float64.

interface Values {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
// biome-ignore lint/suspicious/noExplicitAny: the file's form is that of the cases below
const golden: Record<string, any> = JSON.parse(readFileSync(join(__dirname, 'pytorch.json'), 'utf8'));

describe.each(['float32', 'float64'] as const)('as PyTorch does, in %s', (dtype) => {
  const read = ({ shape, data }: Values, requiresGrad = false) => tensor(Float64Array.from(data), shape, { dtype, requiresGrad });
  const close = (ours: Tensor | null, theirs: Values) => {
    expect(ours!.shape).toEqual(theirs.shape);
    expect(distance(ours!.dataSync(), theirs.data)).toBeLessThan(dtype === 'float32' ? 1e-5 : 1e-8);
  };

  test('batch norm: two steps of training, then inference', () => {
    const { weight, bias, steps, inference } = golden.batchNorm;
    const [w, b] = [read(weight, true), read(bias, true)];
    const [runningMean, runningVar] = [tensor([0, 0, 0], null, { dtype }), tensor([1, 1, 1], null, { dtype })];
    const options = { weight: w, bias: b, runningMean, runningVar };
    for (const step of steps) {
      const x = read(step.x, true);
      const y = ops.batchNorm(x, { ...options, training: true });
      close(y, step.y);
      y.backward(read(step.g));
      close(x.grad, step.dx);
      close(w.grad, step.dweight);
      close(b.grad, step.dbias);
      w.grad = b.grad = null;
      close(runningMean, step.runningMean);
      close(runningVar, step.runningVar);
    }
    close(ops.batchNorm(read(inference.x), options), inference.y);
  });

  test('dropout: an element goes whole or is divided by 1 - p', () => {
    const { p, x, y, inference } = golden.dropout;
    const kept = (from: ArrayLike<number>, to: ArrayLike<number>) =>
      Array.from(from, (v, i) => (to[i] === 0 ? null : to[i]! / v)).filter((ratio) => ratio !== null && Number.isFinite(ratio));
    manualSeed(1);
    const ours = kept(x.data, ops.dropout(read(x), p, { training: true }).dataSync());
    const theirs = kept(x.data, y.data);
    expect(Math.abs(ours.length - theirs.length) / x.data.length).toBeLessThan(0.1);
    for (const ratio of [...ours, ...theirs]) expect(Math.abs(ratio! - 1 / (1 - p))).toBeLessThan(1e-6);
    close(ops.dropout(read(x), p), inference);
  });

  test.each<[number, typeof golden]>(golden.same.map((one: object, i: number) => [i, one]))(
    "padding 'same' with an even kernel, %d",
    (_i, one) => {
      const [x, w] = [read(one.x, true), read(one.w, true)];
      const y = ops.conv2d(x, w, { bias: read(one.bias), padding: 'same', dilation: one.dilation });
      close(y, one.y);
      y.backward(read(one.g));
      close(x.grad, one.dx);
      close(w.grad, one.dw);
    },
  );

  test.each<[string, number, typeof golden]>(golden.pools.map((one: { kind: string }, i: number) => [one.kind, i, one]))(
    'pool in ceil mode: %s, %d',
    (kind, _i, one) => {
      const x = read(one.x, true);
      const { kernelSize, stride, padding } = one;
      const options = { kernelSize, stride, padding, ceilMode: true };
      const y = kind === 'max' ? ops.maxPool2d(x, options) : ops.avgPool2d(x, { ...options, countIncludePad: kind === 'avg' });
      close(y, one.y);
      y.backward(read(one.g));
      close(x.grad, one.dx);
    },
  );

  test.each<[number, typeof golden]>(golden.transposed.map((one: { groups: number }) => [one.groups, one]))(
    'transposed convolution of %d groups',
    (groups, one) => {
      const [x, w, bias] = [read(one.x, true), read(one.w, true), read(one.bias, true)];
      const { stride, padding, outputPadding, dilation } = one;
      const y = ops.convTranspose2d(x, w, { bias, groups, stride, padding, outputPadding, dilation });
      close(y, one.y);
      y.backward(read(one.g));
      close(x.grad, one.dx);
      close(w.grad, one.dw);
      close(bias.grad, one.dbias);
    },
  );

  test.each<['nearest' | 'bilinear', boolean, [number, number], typeof golden]>(
    golden.upsample.map((one: { mode: string; alignCorners: boolean; size: number[] }) => [one.mode, one.alignCorners, one.size, one]),
  )('upsampling: %s, corners aligned %s, to %j', (mode, alignCorners, size, one) => {
    const x = read(one.x, true);
    const y = ops.upsample(x, mode === 'nearest' ? { mode, size } : { mode, size, alignCorners });
    close(y, one.y);
    y.backward(read(one.g));
    close(x.grad, one.dx);
  });

  test.each<['nearest' | 'bilinear', [number, number], typeof golden]>(
    golden.upsampleByScale.map((one: { mode: string; scale: number[] }) => [one.mode, one.scale, one]),
  )('upsampling: %s, by %j', (mode, scale, one) => {
    const x = read(one.x, true);
    const y = ops.upsample(x, { mode, scale });
    close(y, one.y);
    y.backward(read(one.g));
    close(x.grad, one.dx);
  });

  test.each([
    ['average', ops.adaptiveAvgPool2d, golden.adaptiveAvg],
    ['maximum', ops.adaptiveMaxPool2d, golden.adaptiveMax],
  ])('adaptive %s pool', (_, pool, one) => {
    const x = read(one.x, true);
    const y = pool(x, one.outputSize);
    close(y, one.y);
    y.backward(read(one.g));
    close(x.grad, one.dx);
  });

  test('max unpooling', () => {
    const { kernelSize, outputSize, ...one } = golden.maxUnpool;
    const { output, indices } = ops.maxPool2dWithIndices(read(one.x), { kernelSize });
    close(output, one.pooled);
    const pooled = read(one.pooled, true);
    const y = ops.maxUnpool2d(pooled, indices, { kernelSize, outputSize });
    close(y, one.y);
    y.backward(read(one.g));
    close(pooled.grad, one.dpooled);
  });

  test('group norm', () => {
    const one = golden.groupNorm;
    const [x, weight, bias] = [read(one.x, true), read(one.weight, true), read(one.bias, true)];
    const y = ops.groupNorm(x, { groups: one.groups, weight, bias });
    close(y, one.y);
    y.backward(read(one.g));
    close(x.grad, one.dx);
    close(weight.grad, one.dweight);
    close(bias.grad, one.dbias);
  });

  test('cross-entropy with weights, smoothing and an ignored label', () => {
    const one = golden.crossEntropy;
    const logits = read(one.logits, true);
    const loss = losses.crossEntropy(logits, tensor(Int32Array.from(one.labels)), {
      weight: read(one.weight),
      labelSmoothing: one.labelSmoothing,
    });
    close(loss, one.loss);
    loss.backward();
    close(logits.grad, one.dlogits);
  });
});

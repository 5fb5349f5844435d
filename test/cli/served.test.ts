import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportOnnx, models, nn } from '../../lib';
import { saveModel } from '../../lib/cli/model-file';
import { type OnnxOptions, openServed } from '../../lib/cli/served';
import { temporaryDirectory } from '../packaging/support';

// What the command line may say of a file that is served. Serving itself is in test/serve/command.test.ts.

const folder = temporaryDirectory();
const onnx = join(folder, 'grey.onnx');
const pairs = join(folder, 'pairs.onnx');
const labels = join(folder, 'labels.txt');

beforeAll(async () => {
  await exportOnnx(onnx, models.lenet5(), { input: [1, 28, 28, 1] });
  await exportOnnx(pairs, new nn.Conv2d(2, 3, 1), { input: [1, 4, 4, 2] });
  writeFileSync(labels, [...'0123456789'].join('\r\n'));
});

const open = (path: string, options: Partial<OnnxOptions> = {}) => openServed('serve', path, { images: false, ...options });

test('an ONNX file as it is', async () => {
  const { session, name, labels: names, images, scores } = await open(onnx, { layout: 'nhwc' });
  expect([name, names, images, scores]).toEqual(['grey.onnx', undefined, undefined, undefined]);
  session.dispose();
});

test('an ONNX file of one size of batch, opened for any', async () => {
  const fixed = join(folder, 'fixed.onnx');
  await exportOnnx(fixed, new nn.Conv2d(1, 3, 1), { input: [2, 28, 28, 1], dynamicBatch: false });
  const shapes = [false, true].map(async (dynamicBatch) => {
    const { session } = await open(fixed, { dynamicBatch });
    session.dispose();
    return session.inputs[0].shape;
  });
  expect(await Promise.all(shapes)).toEqual([
    [2, 1, 28, 28],
    ['N', 1, 28, 28],
  ]);
});

test.each<[string, Partial<OnnxOptions>, unknown]>([
  ['as they are', {}, undefined],
  ['with a mean', { mean: [0.5] }, { mean: [0.5], std: 1 }],
  ['with a deviation', { std: [0.25] }, { mean: 0, std: [0.25] }],
  ['with both', { mean: [0.5], std: [0.25] }, { mean: [0.5], std: [0.25] }],
])('an ONNX file of images, normalised %s', async (_name, more, normalization) => {
  const { session, images, labels: names } = await open(onnx, { images: true, labels, scores: 'logits', ...more });
  expect(images).toEqual({ size: [28, 28], channels: 1, normalization });
  expect(names).toEqual([...'0123456789']);
  session.dispose();
});

test.each<[string, () => Promise<unknown>]>([
  ['--mean and --std is [0.5], expected left out, since there is no --images', () => open(onnx, { mean: [0.5] })],
  ['--mean and --std is [2], expected left out', () => open(onnx, { std: [2] })],
  ['--layout is "nchw", expected nhwc, or left out, beside --images', () => open(onnx, { images: true, layout: 'nchw' })],
  ['--images is [4,4,2], expected a model for grey or colour images of one size', () => open(pairs, { images: true })],
])('%s', async (message, call) => {
  await expect(call()).rejects.toMatchObject({ code: 'ERR_INVALID_VALUE', message: expect.stringContaining(`serve: ${message}`) });
});

test('labels that are missing', async () => {
  await expect(open(onnx, { labels: join(folder, 'nowhere') })).rejects.toMatchObject({ code: 'ERR_FILE' });
});

test('a file that says all about itself takes none of this', async () => {
  const path = join(folder, 'model.safetensors');
  const images = { size: [28, 28] as const, channels: 1 as const, fit: 'contain' as const, normalization: { mean: 0.13, std: 0.3 } };
  const description = { task: 'mnist', architecture: 'lenet5', options: {}, labels: [...'0123456789'], images };
  await saveModel(path, models.lenet5(), description);
  await expect(open(path, { images: true })).rejects.toThrow('--images is true, expected left out: a file that "receptive train" saved');
  await expect(open(path, { labels })).rejects.toThrow('--labels is ');
  await expect(openServed('bench', path, { images: false, dynamicBatch: true })).rejects.toThrow('bench: --dynamic-batch is true');
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile, data, loadModel, manualSeed, memory, models, nn, ops, save, tensor, zeros } from '../../lib';
import { saveModel } from '../../lib/cli/model-file';
import { temporaryDirectory } from '../packaging/support';

// What the command line saved, opened by a program.

const folder = temporaryDirectory();
const path = (name: string) => join(folder, `${name}.safetensors`);

beforeEach(() => manualSeed(1));

const normalization = { mean: [0.5], std: [0.25] };
const digits = {
  task: 'images',
  architecture: 'lenet5',
  options: { classes: 3, size: 32 },
  labels: ['a', 'b', 'c'],
  images: { size: 32, channels: 1 as const, normalization },
};

test('a network for images: as it was, and how it is fed', async () => {
  const model = models.lenet5(digits.options);
  await saveModel(path('digits'), model, digits);
  const loaded = await loadModel(path('digits'));
  const { model: same, metadata, tokenizer, input, ...said } = loaded;
  expect(said).toEqual(digits);
  expect([tokenizer, input, same.training]).toEqual([undefined, { shape: ['N', 32, 32, 1], dtype: 'float32' }, false]);
  expect(JSON.parse(metadata.receptive!)).toEqual(digits);
  const x = zeros([2, 32, 32, 1]);
  expect([...same.forward(x).dataSync()]).toEqual([...model.eval().forward(x).dataSync()]);
  using session = await compile(same, { input, owned: true });
  expect((await session.run({ input: x })).output!.shape).toEqual([2, 3]);
});

test.each([
  ['textCnn', { widths: [2] }, 'L'],
  ['charCnn', { length: 130, features: 8 }, 130],
] as const)('a network for texts: %s', async (architecture, more, length) => {
  const tokenizer = await data.Tokenizer.fit(['a fine film', 'not for me'], { maxLength: 130 });
  const options = { vocabulary: tokenizer.size, classes: 2, ...more };
  const model = models[architecture](options as never);
  const description = { task: 'text', architecture, options, labels: ['good', 'bad'], tokenizer: tokenizer.toJSON() };
  await save(path(architecture), model, { metadata: { receptive: JSON.stringify(description) } }); // a file of save opens as well
  const loaded = await loadModel(path(architecture));
  expect(loaded.input).toEqual({ shape: ['N', length], dtype: 'int32' });
  expect(loaded.tokenizer!.encode('a fine film')).toEqual(tokenizer.encode('a fine film'));
  expect(loaded.images).toBeUndefined();
  expect(loaded.model).toBeInstanceOf(model.constructor);
});

test('a network of any kind: without a word of its input', async () => {
  const description = { task: 'sums', architecture: 'mlp', options: { inputs: 3, hidden: [4], classes: 2 }, labels: ['x', 'y'] };
  await save(path('sums'), models.mlp(description.options), { metadata: { receptive: JSON.stringify(description) } });
  const { model, input, images, tokenizer } = await loadModel(path('sums'));
  expect([input, images, tokenizer]).toEqual([undefined, undefined, undefined]);
  expect(ops.softmax(model.forward(tensor([[1, 2, 3]]))).shape).toEqual([1, 2]);
});

test.each<[string, unknown, RegExp]>([
  ['no description', undefined, /holds tensors but not which network they belong to/],
  ['no object', [], /its network is undefined, expected a function of models/],
  ['another network', { ...digits, architecture: 'toString' }, /its network is "toString"/],
  ['no options', { ...digits, options: null }, /the network's options are missing/],
  ['no labels', { ...digits, labels: undefined }, /the names of the classes are missing/],
  ['images of no kind', { ...digits, images: { size: 32 } }, /does not say how its images are read/],
  ['a tokenizer that is none', { ...digits, images: undefined, tokenizer: {} }, /its tokenizer cannot be used/],
  ['weights of another', { ...digits, options: { classes: 4, size: 32 } }, /shape/],
])('a file with %s', async (_name, description, message) => {
  await save(path('odd'), models.lenet5(digits.options), {
    metadata: description === undefined ? {} : { receptive: JSON.stringify(description) },
  });
  const before = memory().tensors;
  await expect(loadModel(path('odd'))).rejects.toMatchObject({ code: 'ERR_FILE', message: expect.stringMatching(message) });
  expect(memory().tensors).toBeLessThanOrEqual(before); // others may be collected meanwhile
});

test('what is no file of a model', async () => {
  await expect(loadModel(5 as never)).rejects.toMatchObject({ code: 'ERR_INVALID_TYPE' });
  writeFileSync(path('text'), 'text,label\nfine,good\n');
  await expect(loadModel(path('text'))).rejects.toMatchObject({ code: 'ERR_FILE' });
  await save(path('broken'), new nn.Linear(2, 2), { metadata: { receptive: '{' } });
  await expect(loadModel(path('broken'))).rejects.toThrow('is not JSON');
});

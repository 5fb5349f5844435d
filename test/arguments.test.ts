import * as receptive from '../lib';
import { data, inspect, losses, nn, ones, ops, optim, Trainer, tensor, tidy } from '../lib';
import { show } from '../lib/errors';
import { fault } from './support/fault';

// Arguments that a function can do nothing with: the error says the function, what came, and what it wants. Options that do not exist are
// in options.test.ts, what each operation says of shapes in its own test.

const matrix = ones([2, 3]);
const [scalar, vector, image] = [ones([]), ones([3]), ones([1, 4, 4, 2])];
const parameters = [ones([2], { requiresGrad: true })];
const model = new nn.Linear(2, 2);
const trainer = new Trainer(model, { optimizer: new optim.SGD(model.parameters(), { lr: 1 }), loss: losses.mse });
const wide = ones([1, 1, 1, 1, 1, 1]);
const any = (value: unknown) => value as never;

const rows: readonly (readonly [message: string, call: () => unknown])[] = [
  ['arange: bound is Infinity, expected a finite number', () => receptive.arange(0, Infinity)],
  ['arange: bound is NaN, expected a finite number', () => receptive.arange(NaN, 3)],
  ['uniform: low is NaN, expected a finite number', () => receptive.uniform([1], NaN, 1)],
  ['setNumThreads: threads is 0, expected an integer from 1 to 256', () => receptive.setNumThreads(0)],
  ['setRandomState: position is -1, expected an integer', () => receptive.setRandomState({ seed: 1, position: -1 })],
  ['reshape: shape is 6, expected a list of dimensions', () => ops.reshape(matrix, any(6))],
  ['reshape: input [2,3] has 6 elements, which shape [4,-1] cannot share out', () => ops.reshape(matrix, [4, -1])],
  ['flatten: end is 0, expected an axis not before 1', () => ops.flatten(matrix, 1, 0)],
  ['transpose: permutation is 1, expected a list of axes', () => ops.transpose(matrix, any(1))],
  ['gather: input [1,1,1,1,1,1] by index [1,1] has more than 6 axes', () => ops.gather(wide, ones([1, 1], { dtype: 'int32' }))],
  [
    'batchNorm: runningMean is null, expected a Tensor beside runningVar',
    () => ops.batchNorm(matrix, { runningVar: vector, training: true }),
  ],
  ['BatchNorm1d: input has shape [1,4,4,2], expected [N,C] or [N,L,C]', () => new nn.BatchNorm1d(2).forward(image)],
  ['init: nonlinearity is "selu", expected linear, sigmoid', () => nn.init.gain(any('selu'))],
  ['init.constant: value is "1", expected a number', () => nn.init.constant(matrix, any('1'))],
  ['loadStateDict: state is null, expected an object of tensors by name', () => new nn.Linear(1, 1).loadStateDict(any(null))],
  ['SGD: dampening is Infinity, expected a finite number', () => new optim.SGD(parameters, { lr: 1, dampening: Infinity })],
  ['RMSprop: centered is 1, expected true or false', () => new optim.RMSprop(parameters, { centered: any(1) })],
  ['Adam: betas is [0.9], expected two numbers', () => new optim.Adam(parameters, { betas: any([0.9]) })],
  [
    'crossEntropy: ignoreIndex is 0.5, expected an int32',
    () => losses.crossEntropy(matrix, tensor(Int32Array.of(0, 0)), { ignoreIndex: 0.5 }),
  ],
  ['nll: ignoreIndex is 4294967296, expected an int32', () => losses.nll(matrix, tensor(Int32Array.of(0, 0)), { ignoreIndex: 2 ** 32 })],
  [
    'Trainer: schedule is 0.1, expected a function of step and steps',
    () => new Trainer(trainer.model, { optimizer: trainer.optimizer, loss: losses.mse, schedule: any(0.1) }),
  ],
  ['DataLoader: dataset is undefined, expected an object with a length', () => new data.DataLoader(any(undefined), { batchSize: 1 })],
  ['unitField: unit is [0], expected 2 integers within', () => inspect.unitField(new nn.Conv2d(2, 1, 1), [1, 4, 4, 2], '', [0])],
];

test.each(rows)('%s', (message, call) => {
  const { name, code, message: came } = fault(call);
  expect(came.slice(0, message.length)).toBe(message);
  expect(code).toMatch(/^ERR_(INVALID_(TYPE|VALUE)|SHAPE)$/);
  expect(['TypeError', 'RangeError']).toContain(name);
});

test.each<[string, () => Promise<unknown>]>([
  ['save: path is 1, expected a string', () => receptive.save(any(1), new nn.Linear(1, 1))],
  ['save: model is null, expected a Module or an object of tensors by name', () => receptive.save('x.safetensors', any(null))],
  ['readSafetensors: path is null, expected a string', () => receptive.readSafetensors(any(null))],
  ['Tokenizer.fit: lowercase is 1, expected true or false', () => data.Tokenizer.fit(['a'], { lowercase: any(1) })],
  [
    'fit: resume is "yes", expected true or false',
    () =>
      trainer
        .fit(new data.DataLoader({ length: 1, batch: () => ({ x: matrix, y: matrix }) }, { batchSize: 1 }), {
          epochs: 1,
          resume: any('yes'),
        })
        .next(),
  ],
])('%s', async (message, call) => {
  await expect(call()).rejects.toMatchObject({ code: 'ERR_INVALID_TYPE', message: expect.stringContaining(message) });
});

test('a state that cannot be gone on from leaves the generator where it was', () => {
  receptive.manualSeed(7);
  const before = receptive.randomState();
  expect(() => receptive.setRandomState({ seed: 1, position: 0.5 })).toThrow('position');
  expect(receptive.randomState()).toEqual(before);
});

test('a number has one axis when it is flattened', () => {
  expect(ops.flatten(scalar).shape).toEqual([1]);
});

test('tidy keeps the gradient of what it gives back', () => {
  const x = tidy(() => {
    const made = ones([2], { requiresGrad: true });
    ops.sum(ops.mul(made, 3)).backward();
    return made;
  });
  expect([...x.grad!.dataSync()]).toEqual([3, 3]);
});

test('values in messages are short, and of any kind', () => {
  expect(show('x'.repeat(100))).toBe(`"${'x'.repeat(57)}…"`);
  expect(show(12n)).toBe('12n');
  expect(show(Symbol('secret'))).toBe('a symbol');
  expect(show([1, 2, 3, 4, 5, 6, 7, 8, 9])).toBe('[1,2,3,4,5,6,7,8,…]');
  expect(show([[1], 'a'])).toBe('[[…],"a"]');
  expect(show(new Float32Array(2))).toBe('a Float32Array of 8 bytes');
});

test('losses and layers without options are those of their defaults', () => {
  const [x, y] = [tensor([0.5, -2, 1]), tensor([0, 1, 1])];
  expect(losses.huber(x, y).itemSync()).toBeCloseTo(losses.huber(x, y, { delta: 1, reduction: 'mean' }).itemSync(), 6);
  expect(losses.smoothL1(x, y).itemSync()).toBeCloseTo(losses.smoothL1(x, y, { beta: 1 }).itemSync(), 6);
  expect(losses.klDiv(x, ops.exp(y)).itemSync()).toBeCloseTo(losses.klDiv(x, ops.exp(y), { reduction: 'mean' }).itemSync(), 6);
  expect(losses.klDiv(tensor(-1), tensor(1), { reduction: 'batchmean' }).itemSync()).toBeCloseTo(1, 6);
  for (const y of [ops.dropout(image), ops.dropout1d(ones([1, 4, 2])), ops.dropout2d(image)]) {
    expect(new Set(y.dataSync())).toEqual(new Set([1])); // drops in training only
  }
});

test('gain is 1 where nothing follows that shrinks', () => {
  expect([nn.init.gain('linear'), nn.init.gain('sigmoid'), nn.init.gain('tanh')]).toEqual([1, 1, 5 / 3]);
});

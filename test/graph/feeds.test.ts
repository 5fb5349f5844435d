import { compile, nn, ops, type Session, type Tensor, tensor } from '../../lib';

// What a session takes for its inputs besides tensors.

class Double extends nn.Module {
  forward(x: Tensor): Tensor {
    return ops.add(x, x);
  }
}

const sessions: Session[] = [];
const of = async (dtype: 'float32' | 'float64' | 'int32' | 'uint8') => {
  const session = await compile(new Double(), { input: { shape: ['N'], dtype } });
  sessions.push(session);
  return session;
};
afterAll(() => {
  for (const session of sessions) session.dispose();
});

const long = (...values: bigint[]) => ({ data: BigInt64Array.from(values), shape: [values.length] });

test('64-bit integers as int32', async () => {
  const session = await of('int32');
  const { output } = await session.run({ input: long(3n, -4n) });
  expect([output!.dtype, ...(await output!.data())]).toEqual(['int32', 6, -8]);
  for (const beyond of [2n ** 31n, -(2n ** 63n)]) {
    await expect(session.run({ input: long(1n, beyond) })).rejects.toMatchObject({
      code: 'ERR_INVALID_VALUE',
      message: expect.stringContaining(
        `element 1 of input "input" is ${Number(beyond)}, expected an integer from -2147483648 to 2147483647`,
      ),
    });
  }
});

test.each([
  ['float32', 'a Float32Array'],
  ['float64', 'a Float64Array'],
  ['uint8', 'a Uint8Array'],
] as const)('64-bit integers for %s are refused as other types are', async (dtype, wanted) => {
  const session = await compile(new nn.Sequential(), { input: { shape: ['N'], dtype } });
  await expect(session.run({ input: long(3n, 4n) })).rejects.toMatchObject({
    code: 'ERR_DTYPE',
    message: expect.stringContaining(`run: the data of input "input" is a BigInt64Array, expected ${wanted} (${dtype})`),
  });
  session.dispose();
});

test('an Int32Array has its article', async () => {
  const session = await of('int32');
  await expect(session.run({ input: { data: new Float32Array(1), shape: [1] } })).rejects.toThrow(
    'is a Float32Array, expected an Int32Array (int32)',
  );
});

test.each<[unknown, string]>([
  [null, 'run: feeds is null, expected an object of inputs by name, { input: … }'],
  [tensor([1, 2]), 'run: feeds is a Tensor, expected an object of inputs by name, { input: … }'],
  ...[new Uint8Array(2), new Float64Array(2), new Int32Array(2)].map((data): [unknown, string] => [
    { input: { data, shape: [2] } },
    `run: the data of input "input" is ${data instanceof Int32Array ? 'an' : 'a'} ${data.constructor.name}, expected a Float32Array (float32)`,
  ]),
  [{ input: 5 }, 'run: input "input" is 5, expected a Tensor, or { data, shape }'],
  [{ input: { data: new Float32Array(1) } }, 'expected a Tensor, or { data, shape }'],
  [{ input: { data: [1, 2], shape: [2] } }, 'run: the data of input "input" is [1,2], expected a Float32Array (float32)'],
  [{ input: { data: new Float32Array(2), shape: [3] } }, '[3]'],
])('%p', async (feeds, message) => {
  const session = await of('float32');
  await expect(session.run(feeds as never)).rejects.toThrow(message);
  const { output } = await session.run({ input: tensor([1, 2]) });
  expect([...(await output!.data())]).toEqual([2, 4]);
});

test.each<[string, unknown, string]>([
  ['a list', [], 'compile: what forward gives is [], expected a Tensor'],
  ['a promise', Promise.resolve(1), 'compile: what the function returns is a Promise, expected no promise'],
  ['nothing', undefined, 'compile: what forward gives is undefined, expected a Tensor'],
])('a forward that gives %s', async (_name, given, message) => {
  class Odd extends nn.Module {
    forward(): Tensor {
      return given as Tensor;
    }
  }
  for (const shape of [[2], ['N']]) {
    const compiled = compile(new Odd(), { input: shape });
    await expect(compiled).rejects.toMatchObject({ code: 'ERR_INVALID_TYPE', message: expect.stringContaining(message) });
  }
});

test('shapes that are none', async () => {
  await expect(compile(new Double(), { input: { dtype: 'float32' } as never })).rejects.toThrow(
    'compile: the shape of input "input" is undefined',
  );
  await expect(compile(new Double(), { input: ['N', 0.5] })).rejects.toThrow('a length of input "input" is 0.5');
});

test('a run that was cancelled when its session is gone stays cancelled', async () => {
  const session = await compile(new Double(), { input: [2] });
  const controller = new AbortController();
  const run = session.run({ input: tensor([1, 2]) }, { signal: controller.signal });
  session.dispose();
  controller.abort(new Error('enough'));
  await Promise.allSettled([run]);
  await expect(session.run({ input: tensor([1, 2]) })).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
});

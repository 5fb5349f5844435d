import fc from 'fast-check';
import { Batcher, compile, type HostArray, manualSeed, memory, models, nn, ops, randn, type Session, type Tensor, tensor } from '../../lib';
import { distance } from '../support/agree';
import { settle } from '../support/memory';
import { until } from './support';

/** Each row squared and added up: what a row gives does not depend on others, and tells whose it is. */
class Rows extends nn.Module {
  forward(x: Tensor): Tensor {
    return ops.add(ops.mul(x, x), 1);
  }
}

let rows: Session;
let lenet: Session;

beforeAll(async () => {
  manualSeed(1);
  rows = await compile(new Rows(), { input: ['N', 3] });
  lenet = await compile(models.lenet5(), { input: ['N', 28, 28, 1] });
});
afterAll(() => {
  rows.dispose();
  lenet.dispose();
});

const images = (n: number): HostArray => ({ data: randn([n, 28, 28, 1]).dataSync(), shape: [n, 28, 28, 1] });
const direct = async (input: HostArray) => {
  const { output } = await lenet.run({ input });
  return output.dataSync();
};

describe('batches', () => {
  test('requests that wait together run together, and each gets its own', async () => {
    const sizes: number[] = [];
    const batcher = new Batcher(lenet, { maxBatch: 8, maxWait: 20 }, (batch) => sizes.push(batch.rows));
    const requests = Array.from({ length: 30 }, () => images(1));
    const answers = await Promise.all(requests.map((input) => batcher.run({ input })));
    for (const [i, { output }] of answers.entries()) {
      expect(output.shape).toEqual([1, 10]);
      expect(distance(output.data, await direct(requests[i]))).toBeLessThan(1e-5);
    }
    expect(sizes).toEqual([8, 8, 8, 4, 2]);
    expect([batcher.waiting, batcher.running]).toEqual([0, 0]);
  });

  test('without a time to wait, what comes in one turn of the event loop runs together', async () => {
    const ran: number[] = [];
    const batcher = new Batcher(rows, { maxBatch: 8, maxWait: 0 }, (batch) => ran.push(batch.rows));
    const one = () => batcher.run({ input: { data: new Float32Array(3), shape: [1, 3] } });
    await Promise.all([one(), one(), Promise.resolve().then(one), one()]);
    expect(ran).toEqual([4]);
    const many = Array.from({ length: 11 }, one); // a full batch starts at once
    expect(batcher.running).toBe(1);
    await Promise.all(many);
    expect(ran.slice(1).sort()).toEqual([1, 2, 8]);
    const last = one();
    await batcher.close();
    expect((await last).output.shape).toEqual([1, 3]);
    expect([batcher.waiting, batcher.running]).toEqual([0, 0]);
  });

  test('requests of any numbers of rows, more than a batch takes too', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 0, max: 1 }),
        async (counts, maxBatch, maxWait) => {
          const ran: number[] = [];
          const batcher = new Batcher(rows, { maxBatch, maxWait }, (batch) => ran.push(batch.rows));
          const inputs = counts.map((n, i) => ({ data: Float32Array.from({ length: 3 * n }, (_, k) => 10 * i + k), shape: [n, 3] }));
          const answers = await Promise.all(inputs.map((input) => batcher.run({ input })));
          for (const [i, { output }] of answers.entries()) {
            expect(output.shape).toEqual([counts[i], 3]);
            expect([...output.data]).toEqual([...inputs[i].data].map((v) => v * v + 1));
          }
          expect(ran.reduce((a, b) => a + b, 0)).toBe(counts.reduce((a, b) => a + b, 0));
          expect(ran.filter((n) => n > 0 && n !== maxBatch && !Number.isInteger(Math.log2(n)))).toEqual([]);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('rows of much data, in tensors that are freed', async () => {
    const session = await compile(new Rows(), { input: ['N', 50_000] });
    const batcher = new Batcher(session, { maxBatch: 8, maxWait: 20 });
    await batcher.warm();
    await settle();
    const { tensors } = memory();
    const counts = [1, 2, 5, 1, 9, 3, 1];
    const inputs = counts.map((n, i) => ({ data: Float32Array.from({ length: 50_000 * n }, (_, k) => i + (k % 7)), shape: [n, 50_000] }));
    const controller = new AbortController();
    const gone = batcher.run({ input: inputs[4] }, { signal: controller.signal });
    const answers = inputs.map((input) => batcher.run({ input }));
    setImmediate(() => controller.abort(new Error('gone')));
    await expect(gone).rejects.toThrow('gone');
    for (const [i, answer] of answers.entries()) {
      const { output } = await answer;
      expect(output.shape).toEqual([counts[i], 50_000]);
      expect(output.data.every((v, k) => v === inputs[i].data[k] ** 2 + 1)).toBe(true);
    }
    await batcher.close();
    await settle();
    expect(memory().tensors).toBeLessThanOrEqual(tensors); // fewer where tests before this one left some to be collected late
    session.dispose();
  });

  test.each([
    ['the same shape', 3],
    ['another shape', 4],
  ])('a request of very many rows lets one of %s that comes later go first', async (_, length) => {
    const model = await compile(new Rows(), { input: ['N', 'L'] });
    let batches = 0;
    const batcher = new Batcher(model, { maxBatch: 16, maxWait: 0 }, () => {
      batches++;
    });
    await batcher.run({ input: { data: new Float32Array(length), shape: [1, length] } }); // others run while its plan is made
    const many = Float32Array.from({ length: 30_000 }, (_v, k) => k % 1000);
    const ended: string[] = [];
    const large = batcher.run({ input: { data: many, shape: [10_000, 3] } }).finally(() => ended.push('large'));
    await until(() => batches > 3);
    const before = batches;
    const small = await batcher.run({ input: { data: new Float32Array(length).fill(2), shape: [1, length] } });
    ended.push('small');
    expect([...small.output.data]).toEqual(new Array(length).fill(5));
    expect(batches - before).toBeLessThan(8); // of more than 600
    const { output } = await large;
    expect(ended).toEqual(['small', 'large']);
    expect(output.data.every((v, k) => v === many[k] ** 2 + 1)).toBe(true);
    model.dispose();
  });

  test('inputs of other lengths run beside them, not with them', async () => {
    const model = await compile(new Rows(), { input: ['N', 'L'] });
    const ran: number[] = [];
    const batcher = new Batcher(model, { maxBatch: 4, maxWait: 5 }, (batch) => ran.push(batch.rows));
    const lengths = [2, 3, 2, 3, 2, 2, 5];
    const answers = await Promise.all(lengths.map((n, i) => batcher.run({ input: { data: new Float32Array(n).fill(i), shape: [1, n] } })));
    for (const [i, { output }] of answers.entries()) expect([...output.data]).toEqual(new Array(lengths[i]).fill(i * i + 1));
    expect(ran.sort()).toEqual([1, 2, 4]);
    model.dispose();
  });

  test('a session without a batch axis runs one request after the other', async () => {
    const fixed = await compile(new Rows(), { input: [2, 3] });
    const ran: number[] = [];
    const batcher = new Batcher(fixed, { maxBatch: 4, maxWait: 5 }, (batch) => ran.push(batch.rows));
    const inputs = [1, 2, 3].map((v) => ({ data: new Float32Array(6).fill(v), shape: [2, 3] }));
    const answers = await Promise.all(inputs.map((input) => batcher.run({ input })));
    expect(answers.map(({ output }) => output.data[5])).toEqual([2, 5, 10]);
    expect(ran).toEqual([1, 1, 1]);
    await expect(batcher.run({ input: { data: new Float32Array(3), shape: [1, 3] } })).rejects.toThrow(
      /has shape \[1,3\], expected \[2,3\]/,
    );
    fixed.dispose();
  });
});

describe('limits', () => {
  const one = () => ({ input: images(1) });

  test('more than may wait are refused', async () => {
    const batcher = new Batcher(lenet, { maxBatch: 1, maxQueue: 3 });
    const accepted = [1, 2, 3, 4, 5].map(() => batcher.run(one())); // two run, three wait
    await expect(batcher.run(one())).rejects.toMatchObject({ code: 'ERR_BUSY' });
    await Promise.all(accepted);
    await batcher.run(one());
  });

  test('a request that is taken back frees its place, and others go on', async () => {
    const ran: number[] = [];
    const batcher = new Batcher(lenet, { maxBatch: 4, maxWait: 200, maxQueue: 2 }, (batch) => ran.push(batch.rows));
    const controller = new AbortController();
    const input = one(); // made before: time counts from the first request on
    const gone = batcher.run(input, { signal: controller.signal });
    const stays = batcher.run(input);
    expect(batcher.waiting).toBe(2);
    controller.abort(new Error('gone'));
    await expect(gone).rejects.toThrow('gone');
    expect(batcher.waiting).toBe(1);
    const other = batcher.run(input);
    await Promise.all([stays, other]);
    expect(ran).toEqual([2]);
    await expect(batcher.run(one(), { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before');
  });

  test('a batch that nobody waits for is stopped', async () => {
    const batcher = new Batcher(lenet, { maxBatch: 64, maxWait: 0 });
    const controller = new AbortController();
    const gone = [1, 2].map(() => batcher.run({ input: images(64) }, { signal: controller.signal }));
    const settled = Promise.allSettled(gone);
    expect(batcher.running).toBe(2);
    controller.abort();
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await batcher.close();
    expect([batcher.waiting, batcher.running]).toEqual([0, 0]);
  });

  test('close answers what was accepted, and accepts nothing more', async () => {
    const batcher = new Batcher(lenet, { maxBatch: 4, maxWait: 10_000 });
    const accepted = [1, 2, 3, 4, 5, 6, 7].map(() => batcher.run(one()));
    const closed = batcher.close();
    await expect(batcher.run(one())).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    await closed;
    for (const answer of accepted) expect((await answer).output.shape).toEqual([1, 10]);
  });
});

describe('bad input', () => {
  test('data that only the kernels find to be bad fail for its request alone', async () => {
    const model = new nn.Sequential(new nn.Embedding(10, 4));
    const session = await compile(model, { input: { shape: ['N', 2], dtype: 'int32' } });
    const batcher = new Batcher(session, { maxBatch: 8, maxWait: 10 });
    const tokens = [
      [1, 2],
      [3, 99],
      [4, 5],
      [6, 7],
      [-1, 0],
      [8, 9],
      [0, 0],
      [2, 2],
    ];
    const answers = await Promise.allSettled(tokens.map((row) => batcher.run({ input: { data: Int32Array.from(row), shape: [1, 2] } })));
    for (const [i, answer] of answers.entries()) {
      if (i === 1 || i === 4) expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'ERR_KERNEL' } });
      else {
        const expected = model.forward(tensor(Int32Array.from(tokens[i]), [1, 2])).dataSync();
        expect([...(answer as PromiseFulfilledResult<{ output: HostArray }>).value.output.data]).toEqual([...expected]);
      }
    }
    session.dispose();
  });

  test('want of memory is no fault of a request: nothing is run again row by row', async () => {
    const session = await compile(new Rows(), { input: ['N', 3] });
    const failure = Object.assign(new Error('conv2d: not enough memory for the scratch space of an operation'), { code: 'ERR_KERNEL' });
    const run = jest.spyOn(session, 'run').mockRejectedValue(failure);
    const batcher = new Batcher(session, { maxBatch: 8, maxWait: 10 });
    const answers = await Promise.allSettled([1, 2, 3, 4].map(() => batcher.run({ input: { data: new Float32Array(3), shape: [1, 3] } })));
    expect(answers.map((answer) => (answer as PromiseRejectedResult).reason)).toEqual(new Array(4).fill(failure));
    expect(run).toHaveBeenCalledTimes(1);
    session.dispose();
  });

  test.each<[unknown, RegExp]>([
    [null, /feeds is null, expected an object of inputs by name/],
    [{}, /input "input" is undefined, expected \{ data, shape \}/],
    [{ input: images(1), other: images(1) }, /input is "other", expected one of input/],
    [{ input: { data: [1, 2], shape: [2] } }, /the data of input "input" is \[1,2\], expected a Float32Array/],
    [
      { input: { data: new Int32Array(784), shape: [1, 28, 28, 1] } },
      /the data of input "input" is an Int32Array, expected a Float32Array \(float32\)/,
    ],
    [tensor([1]), /feeds is a Tensor, expected an object of inputs by name, \{ input: … \}/],
    [{ input: tensor([1]) }, /input "input" is a Tensor, expected \{ data, shape \}: a Batcher takes arrays/],
    [{ input: { data: new Float32Array(784), shape: [1, 784] } }, /has shape \[1,784\], expected \[N,28,28,1\]/],
    [{ input: { data: new Float32Array(783), shape: [1, 28, 28, 1] } }, /holds 783 numbers, its shape \[1,28,28,1\] takes 784/],
    [{ input: { data: new Float32Array(0), shape: [-1, 28, 28, 1] } }, /has shape/],
  ])('%p', async (feeds, message) => {
    const batcher = new Batcher(lenet);
    await expect(batcher.run(feeds as Record<string, HostArray>)).rejects.toThrow(message);
    expect(batcher.waiting).toBe(0);
  });

  test('outputs that are not a row for each of the input', async () => {
    const session = await compile(new Rows(), { input: ['N', 3] });
    const odd = [{ data: new Float32Array(3), shape: [1, 3] }];
    jest.spyOn(session, 'run').mockResolvedValue({ output: { ...odd[0], data: async () => odd[0]!.data, dispose() {} } } as never);
    const batcher = new Batcher(session, { maxBatch: 8 });
    const answer = batcher.run({ input: { data: new Float32Array(6), shape: [2, 3] } });
    await expect(answer).rejects.toThrow('output "output" has 1 rows for 2 of the input');
    session.dispose();
  });

  test('inputs of different numbers of rows', async () => {
    class Sum extends nn.Module {
      forward(a: Tensor, b: Tensor): Tensor {
        return ops.add(a, b);
      }
    }
    const session = await compile(new Sum(), { inputs: { a: ['A', 2], b: ['B', 2] } });
    const batcher = new Batcher(session);
    const array = (n: number) => ({ data: new Float32Array(2 * n).fill(n), shape: [n, 2] });
    await expect(batcher.run({ a: array(2), b: array(3) })).rejects.toThrow('input "a" has 2 rows, input "b" has 3');
    expect([...(await batcher.run({ a: array(2), b: array(2) })).output.data]).toEqual([4, 4, 4, 4]);
    session.dispose();
  });

  test.each([
    [{ maxBatch: 0 }, /maxBatch is 0, expected a positive integer/],
    [{ maxWait: -1 }, /maxWait is -1/],
    [{ maxQueue: 1.5 }, /maxQueue is 1.5/],
    [{ batch: 1 }, /an option name is "batch"/],
  ])('options %p', (options, message) => expect(() => new Batcher(lenet, options as object)).toThrow(message));

  test('something that is no session', () => expect(() => new Batcher({} as Session)).toThrow(/expected a Session/));
});

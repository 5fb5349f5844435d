import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { compile, nn, randn } from '../../lib';

// Sessions in worker threads that are terminated while they run, on the built package.

const script = `
const { parentPort } = require('node:worker_threads');
const { compile, nn, randn } = require(${JSON.stringify(join(__dirname, '..', '..'))});
(async () => {
  const model = new nn.Sequential(...Array.from({ length: 8 }, () => new nn.Conv2d(16, 16, 3, { padding: 1 })));
  const session = await compile(model, { input: ['N', 16, 16, 16] });
  const x = randn([8, 16, 16, 16]);
  for (let i = 0; ; i++) {
    const runs = [1, 2, 3].map(() => session.run({ input: x }));
    if (i === 2) parentPort.postMessage('running');
    for (const run of runs) (await run).output.dispose();
  }
})();
`;

test('a worker may be terminated in the middle of runs', async () => {
  using session = await compile(new nn.Conv2d(2, 3, 3), { input: [1, 5, 5, 2] });
  const x = randn([1, 5, 5, 2]);
  const before = await (await session.run({ input: x })).output!.data();
  for (let i = 0; i < 6; i++) {
    const workers = [0, 1].map(() => new Worker(script, { eval: true }));
    await Promise.all(
      workers.map((worker) => new Promise((resolve, reject) => void worker.once('message', resolve).once('error', reject))),
    );
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  expect(await (await session.run({ input: x })).output!.data()).toEqual(before);
}, 60_000);

test('a session may be disposed of, or forgotten, with runs under way', async () => {
  const x = randn([4, 9, 9, 2]);
  for (let i = 0; i < 20; i++) {
    const session = await compile(new nn.Sequential(new nn.Conv2d(2, 8, 3), new nn.ReLU(), new nn.Conv2d(8, 2, 3)), {
      input: [-1, 9, 9, 2],
    });
    const runs = [session.run({ input: x }), session.run({ input: x })];
    if (i % 2) session.dispose();
    const [a, b] = (await Promise.all(runs)).map(({ output }) => output!);
    expect(await a!.data()).toEqual(await b!.data());
  }
});

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

// The threads of a process of its own, as Linux lists them, before and after those that run kernels are lowered. On the built package.

const script = `
  const { readdirSync, readFileSync } = require('node:fs');
  const { setTimeout: pause } = require('node:timers/promises');
  const { Worker } = require('node:worker_threads');
  const root = ${JSON.stringify(join(__dirname, '..', '..'))};
  const receptive = require(root);
  receptive.setNumThreads(3);

  /** For each thread its policy and nice value. */
  const threads = () =>
    readdirSync('/proc/self/task').map((id) => {
      const fields = readFileSync('/proc/self/task/' + id + '/stat', 'latin1').split(') ').at(-1).split(' ');
      return { main: Number(id) === process.pid, policy: Number(fields[38]), nice: Number(fields[16]) };
    });
  const work = () => receptive.tidy(() => receptive.ops.matmul(receptive.ones([512, 512]), receptive.ones([512, 512]))).data();
  const lower = receptive.lowerThreadPriority;
  const serve = async () => {
    const session = await receptive.compile(receptive.models.lenet5(), { input: ['N', 28, 28, 1] });
    await (await receptive.serve(session, { port: 0 })).stop();
  };
  const failToOpen = () => receptive.serve(() => Promise.reject(new Error()), { port: 0 }).catch(() => {});
  const inWorker = () =>
    new Promise((resolve) => {
      const code = 'const { ones, ops } = require(' + JSON.stringify(root) + '); ops.exp(ones([4])).data().then(() => setInterval(() => {}, 1e6))' +
        '.then(() => require("node:worker_threads").parentPort.postMessage(""))';
      new Worker(code, { eval: true }).once('message', resolve);
    });

  async function main(steps, lowered) {
    const [{ nice }] = threads();
    for (const step of steps) await step();
    for (let i = 0; i < 200 && threads().filter(({ policy }) => policy !== 0).length < lowered; i++, await pause(10)) await work();
    console.log(JSON.stringify({ nice, threads: threads() }));
    process.exit();
  }
`;

const linux = process.platform === 'linux' ? test.each : test.skip.each;

// Three threads work: the stream's, and two workers.
linux([
  ['that never asks: none', 'work', 0],
  ['before its first work: all that run kernels', 'lower, work', 3],
  ['after its first work: all that run kernels', 'work, lower, work', 3],
  ['twice: as much as once', 'lower, work, lower, work', 3],
  ['that serves: all that run kernels', 'work, serve', 3],
  ['that cannot open what it should serve: none', 'work, failToOpen, work', 0],
  ['with a worker_thread: its stream, too', 'work, lower, inWorker', 4],
])('lowered in a process %s', (_, steps, lowered) => {
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', `${script} main([${steps}], ${lowered});`], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const { nice, threads } = JSON.parse(stdout) as { nice: number; threads: { main: boolean; policy: number; nice: number }[] };
  expect(threads.map(({ policy }) => policy).filter((policy) => policy !== 0)).toEqual(Array(lowered).fill(3));
  expect(threads.filter(({ main }) => main)).toEqual([{ main: true, policy: 0, nice }]);
  expect(threads.filter((thread) => thread.nice !== nice)).toEqual([]);
});

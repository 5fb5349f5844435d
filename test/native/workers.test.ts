import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { addonPath, Handle, native, unary } from './support';

const prologue = `
  const native = require(${JSON.stringify(addonPath)});
  const make = (n) => { const owner = {}; owner.id = native.create(owner, 0, n); native.ops.fill(owner.id, 1); return owner; };
`;

/** What a worker may be doing when it is terminated. Each says "ready" when it has begun. */
const activities = {
  'loading the addon': `
    const { parentPort } = require('node:worker_threads');
    parentPort.postMessage('ready'); ${prologue}`,
  'recording into a full queue': `
    const { parentPort } = require('node:worker_threads'); ${prologue}
    const x = make(1 << 18);
    parentPort.postMessage('ready');
    for (;;) native.ops.unary(x.id, x.id, 6);`,
  'reading synchronously': `
    const { parentPort } = require('node:worker_threads'); ${prologue}
    const x = make(1 << 20);
    parentPort.postMessage('ready');
    for (;;) { for (let i = 0; i < 20; i++) native.ops.unary(x.id, x.id, 6); native.readSync(x.id); }`,
  'waiting for reads': `
    const { parentPort } = require('node:worker_threads'); ${prologue}
    const x = make(1 << 16);
    (async () => {
      for (;;) {
        const reads = [];
        for (let i = 0; i < 100; i++) { native.ops.unary(x.id, x.id, 6); reads.push(native.read(x.id)); }
        await Promise.all(reads);
        parentPort.postMessage('ready');
      }
    })();`,
  'making garbage': `
    const { parentPort } = require('node:worker_threads'); ${prologue}
    parentPort.postMessage('ready');
    for (;;) native.ops.fill(make(1 << 14).id, 2);`,
  'doing nothing': `
    const { parentPort } = require('node:worker_threads'); ${prologue}
    const x = make(1 << 16);
    native.read(x.id).then(() => parentPort.postMessage('ready'));
    setInterval(() => {}, 1000);`,
};

/** Starts a worker, lets it run for some milliseconds after it is ready, and terminates it. */
async function runAndTerminate(code: string, milliseconds: number): Promise<void> {
  const worker = new Worker(code, { eval: true });
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
  });
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  await worker.terminate();
}

const threads = () => (process.platform === 'linux' ? readdirSync('/proc/self/task').length : 0);

describe('worker threads', () => {
  test.each(Object.entries(activities))('terminated while %s', async (_name, code) => {
    for (let i = 0; i < 5; i++) await runAndTerminate(code, i * 3);
    expect(await Handle.of([1, 2]).values()).toEqual([1, 2]);
  });

  test('20 started, used and terminated mid-run, over and over, leave nothing behind', async () => {
    const codes = Object.values(activities);
    const x = Handle.of([1]);
    const round = async (workers: number) => {
      const ended = Array.from({ length: workers }, (_, i) => runAndTerminate(codes[i % codes.length] as string, (i * 7) % 40));
      for (let i = 0; i < 1000; i++) native.ops.unary(x.id, x.id, unary.relu); // the main thread uses the pool meanwhile
      await Promise.all(ended);
    };
    await round(20);
    const before = { threads: threads(), rss: process.memoryUsage().rss, tensors: native.memory().tensors };
    for (let i = 0; i < 3; i++) await round(20);
    expect(threads()).toBeLessThanOrEqual(before.threads);
    expect(native.memory().tensors).toBeLessThanOrEqual(before.tensors);
    // Node itself keeps some of what a worker took; a leaked queue or tensor each would be hundreds of megabytes.
    expect(process.memoryUsage().rss - before.rss).toBeLessThan(150 * 2 ** 20);
    expect(await x.values()).toEqual([1]);
  });

  test('each has tensors of its own', async () => {
    const x = Handle.of([1, 2, 3]);
    const worker = new Worker(
      `${prologue}
       let code; try { native.readSync(${x.id}); } catch (error) { code = error.code; }
       require('node:worker_threads').parentPort.postMessage({ code, tensors: native.memory().tensors });`,
      { eval: true },
    );
    const [message] = await new Promise<[unknown]>((resolve) => worker.once('message', (...args) => resolve(args as [unknown])));
    expect(message).toEqual({ code: 'ERR_DISPOSED', tensors: 0 });
    await worker.terminate();
  });
});

/** Runs a program in a process of its own. */
function run(program: string, ...flags: string[]) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', program], { encoding: 'utf8', timeout: 60_000 });
  return { status, signal, stdout, stderr };
}
const clean = { status: 0, signal: null, stderr: '' };

describe('processes', () => {
  test.each([
    ['process.exit() in the middle of a run', `for (let i = 0; i < 3000; i++) native.ops.unary(x.id, x.id, 6); process.exit(0);`],
    ['process.exit() with reads outstanding', `for (let i = 0; i < 99; i++) native.read(x.id); setImmediate(() => process.exit(0));`],
    ['the end of the program in the middle of a run', `for (let i = 0; i < 3000; i++) native.ops.unary(x.id, x.id, 6);`],
    ['the end of an idle program', `native.syncSync();`],
  ])('%s is clean', (_name, body) => {
    for (let i = 0; i < 3; i++) expect(run(`${prologue} const x = make(1 << 18); ${body}`)).toMatchObject(clean);
  });

  test('uploads faster than the commands that want the old contents wait for those, and do not make V8 collect', () => {
    const program = `${prologue}
      const x = make(1 << 21);
      const y = make(1 << 21);
      const data = new Float32Array(1 << 21);
      for (let i = 0; i < 60; i++) {
        for (let j = 0; j < 10; j++) native.ops.unary(x.id, y.id, 6);
        data[0] = i;
        native.upload(x.id, data); // 8 MB
      }
      native.ops.unary(x.id, y.id, 6);
      console.log('last', new Float32Array(native.readSync(y.id))[0]);`;
    const { stdout, ...end } = run(program, '--trace-gc');
    expect(end).toEqual(clean);
    expect(stdout).toContain('last 59');
    expect(stdout).not.toMatch(/external memory pressure/i);
  });

  test('what the stream writes is out of reach of JavaScript, though ArrayBuffer was replaced', () => {
    const program = `
      const Original = ArrayBuffer;
      const made = [];
      let misbehave = () => {};
      globalThis.ArrayBuffer = class extends Original {
        constructor(size) { super(misbehave(size) ?? size); made.push(this); }
      };
      ${prologue}
      (async () => {
        const x = make(1 << 20);
        const read = native.read(x.id);
        console.log(made.length, 'made while the stream writes');
        for (const buffer of made) structuredClone(buffer, { transfer: [buffer] });
        console.log(new Float32Array(await read)[12345]);
        misbehave = () => 8;
        await native.read(x.id).catch((error) => console.log(error.code));
        misbehave = () => { throw new TypeError('mine'); };
        await native.read(x.id).catch((error) => console.log(error.message));
        misbehave = () => { native.free(x.id); };
        console.log((await native.read(x.id)).byteLength);
        console.log(native.memory().tensors, 'tensors');
      })();`;
    expect(run(program)).toMatchObject({
      ...clean,
      stdout: '0 made while the stream writes\n1\nERR_NODE_API\nmine\n4194304\n0 tensors\n',
    });
  });

  test('a read keeps the process alive, the addon alone does not', () => {
    const program = `${prologue} const x = make(4); native.read(x.id).then(() => console.log('read'));`;
    expect(run(program)).toMatchObject({ ...clean, stdout: 'read\n' });
  });

  test('the addon may be loaded by workers only, and is unloaded with the last', () => {
    const program = `
      const { Worker } = require('node:worker_threads');
      const code = ${JSON.stringify(activities['recording into a full queue'])};
      (async () => {
        for (let round = 0; round < 5; round++) {
          await Promise.all(Array.from({ length: 3 }, async () => {
            const worker = new Worker(code, { eval: true });
            await new Promise((resolve) => worker.once('message', resolve));
            await worker.terminate();
          }));
        }
        console.log('done');
      })();`;
    expect(run(program)).toMatchObject({ ...clean, stdout: 'done\n' });
  });
});

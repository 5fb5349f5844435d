import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSafetensors } from '../../lib';

// Trainings in processes of their own, on the built package, that are killed with SIGKILL: nothing can be tidied up.

const script = join(__dirname, 'killed.cjs');

interface Ended {
  readonly code: number | null;
  readonly lines: string[];
  readonly stderr: string;
}

interface Limits {
  /** Kill it when so many milliseconds have passed since its first step was known. */
  readonly killAfter?: number;
  /** Kill it when it has told of so many steps. */
  readonly killAtStep?: number;
  /** What bash's `ulimit -f` takes: the largest file it may write, in KiB. */
  readonly fileLimit?: string;
}

/** Runs the training in a folder. */
function train(dir: string, { killAfter = Infinity, killAtStep = Infinity, fileLimit = 'unlimited' }: Limits = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', `ulimit -f ${fileLimit} && exec "$0" "$1" "$2"`, process.execPath, script, dir]);
    let [stdout, stderr] = ['', ''];
    let timer: NodeJS.Timeout | undefined;
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
      if (killAfter < Infinity) timer ??= setTimeout(() => child.kill('SIGKILL'), killAfter);
      if (stdout.split('\n').length > killAtStep) child.kill('SIGKILL');
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, lines: stdout.trim().split('\n'), stderr });
    });
  });
}

/** The checkpoints in a folder, each of which must be readable. */
async function checkpoints(dir: string): Promise<string[]> {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.safetensors')).sort();
  for (const name of names) {
    const { tensors, metadata } = await readSafetensors(join(dir, name));
    expect(JSON.parse(metadata['receptive.checkpoint']).version).toBe(1);
    for (const tensor of Object.values(tensors)) tensor.dispose();
  }
  return names;
}

let dir: string;
let uninterrupted: { end: string; milliseconds: number };

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'killed-'));
  const began = performance.now();
  const { code, lines, stderr } = await train(join(dir, 'whole'));
  uninterrupted = { end: lines.at(-1)!, milliseconds: performance.now() - began };
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(uninterrupted.end).toMatch(/^end [0-9a-f]{64} /);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test('a training killed at ten random moments ends with the same bits', async () => {
  const folder = join(dir, 'killed');
  const moments: string[] = [];
  // As long as the training does not end before: then it begins anew, to be killed sooner.
  for (let within = uninterrupted.milliseconds / 8; moments.length < 10; ) {
    const { code, lines } = await train(folder, { killAfter: Math.random() * within });
    if (code === 0) {
      await rm(folder, { recursive: true });
      moments.length = 0;
      within /= 2;
      continue;
    }
    moments.push(lines.at(-1)!);
    await checkpoints(folder);
  }
  const { code, lines, stderr } = await train(folder);
  // What was done of it is in the message where it fails.
  expect({ moments, code, stderr, end: lines.at(-1) }).toEqual({ moments, code: 0, stderr: '', end: uninterrupted.end });
  expect(new Set(moments).size).toBeGreaterThan(1);
  expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('where no more can be written the checkpoints before stay, and the training can go on later', async () => {
  const folder = join(dir, 'full');
  await train(folder, { killAtStep: 20 }); // a checkpoint is written every third
  const before = await checkpoints(folder);
  expect(before.length).toBeGreaterThan(0);
  const contents = await Promise.all(before.map((name) => readFile(join(folder, name))));

  const { code, lines, stderr } = await train(folder, { fileLimit: '4' }); // a file may have 4 KiB, a checkpoint wants more
  expect(contents[0].byteLength).toBeGreaterThan(4096);
  expect({ code, steps: lines.length > 0 }).toEqual({ code: 1, steps: true });
  expect(stderr).toMatch(/checkpoint-\d+\.safetensors: EFBIG/);
  expect((await readdir(folder)).sort()).toEqual(before);
  for (const [i, name] of before.entries()) expect((await readFile(join(folder, name))).equals(contents[i])).toBe(true);

  const rest = await train(folder);
  expect(rest.lines.at(-1)).toBe(uninterrupted.end);
});

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasProgram } from '../packaging/support';

// On the built package, in processes of their own, under limits that the system sets. The long forms are npm scripts; docs/reliability.md
// has their results.

const run = (script: string, args: string[] = [], limit = ':') =>
  spawnSync('bash', ['-c', `${limit} && exec "$0" "$@"`, process.execPath, '--expose-gc', join(__dirname, script), ...args], {
    encoding: 'utf8',
    timeout: 110_000,
  });

const linux = process.platform === 'linux' ? describe : describe.skip;

linux('memory that the system refuses', () => {
  const error = { name: 'RangeError', code: 'ERR_OUT_OF_MEMORY' };

  test('is an error of the call that asked for it, and the process works on', () => {
    const { status, stdout, stderr } = run('memory-limit.cjs', [], 'ulimit -v 4000000');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { count, ...rest } = JSON.parse(stdout);
    expect(count).toBeGreaterThan(10);
    expect(rest).toEqual({
      full: error,
      result: error,
      copy: error,
      promised: error,
      untouched: 1,
      learned: true,
      sum: 2 ** 24,
      bytes: true,
    });
  });
});

linux('a process that ends in the middle of', () => {
  const ends = [
    ['exit', { status: 7, signal: null }],
    ['exit in a promise', { status: 7, signal: null }],
    ['uncaught error', { status: 1, signal: null }],
    ['SIGTERM', { status: null, signal: 'SIGTERM' }],
    ['SIGTERM that is handled', { status: 7, signal: null }],
  ] as const;
  const cases = ['operations', 'training', 'session'].flatMap((what) => ends.map(([how, ended]) => [what, how, ended] as const));

  test.each(cases)('%s by %s ends as it was told to', (what, how, ended) => {
    const { status, signal } = run('exits.cjs', [how, what]);
    expect({ status, signal }).toEqual(ended);
  });
});

linux('environments', () => {
  test('that came and went, with a session each, leave nothing', () => {
    const { status, stdout } = run('environments.cjs', ['120']);
    expect(status).toBe(0);
    const { first, last, perWorker } = JSON.parse(stdout);
    expect({ threads: last.threads, files: last.files }).toEqual({ threads: first.threads, files: first.files });
    expect(perWorker).toBeLessThan(200_000); // a session of LeNet-5 holds 280,000 bytes
  });
});

linux('memory of small work', () => {
  test('stays what it was', () => {
    const { status, stdout } = run('soak.cjs', ['50000', '1000']);
    expect(stdout.match(/; flat$/gm)).toHaveLength(2);
    expect(status).toBe(0);
  });
});

/** A group of this test's own whose members get so many CPUs, or undefined where this process may not make one. */
function group(cpus: number): string | undefined {
  const [folder, files] = existsSync('/sys/fs/cgroup/cpu/cpu.cfs_quota_us')
    ? ['/sys/fs/cgroup/cpu', { 'cpu.cfs_period_us': '100000', 'cpu.cfs_quota_us': `${cpus * 100_000}` }]
    : ['/sys/fs/cgroup', { 'cpu.max': `${cpus * 100_000} 100000` }];
  const directory = join(folder, `receptive-test-${process.pid}`);
  try {
    mkdirSync(directory);
    for (const [name, value] of Object.entries(files)) writeFileSync(join(directory, name), value);
    return directory;
  } catch {
    if (existsSync(directory)) rmdirSync(directory);
    return undefined;
  }
}

linux('the quota of a control group', () => {
  test.each([
    [0.5, 1],
    [1.5, 2],
  ])('%f CPUs: as many threads, rounded up', (cpus, threads) => {
    const directory = group(cpus);
    if (directory === undefined) return; // native/test/linux/cgroup_test.cpp reads the files of every kind of group
    try {
      const script = `console.log(require(${JSON.stringify(join(__dirname, '..', '..'))}).runtime.info().threads)`;
      const enter = `echo $$ > ${directory}/cgroup.procs && exec "$0" -e '${script}'`;
      const { stdout } = spawnSync('sh', ['-c', enter, process.execPath], { encoding: 'utf8', env: { PATH: process.env.PATH } });
      const all = Number(spawnSync('nproc', { encoding: 'utf8' }).stdout);
      expect(Number(stdout)).toBe(hasProgram('nproc') ? Math.min(threads, all) : threads);
    } finally {
      rmdirSync(directory);
    }
  });
});

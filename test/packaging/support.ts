import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export const root = join(__dirname, '..', '..');

/** A platform that binaries are built for: a row of scripts/prebuild/targets.cjs. */
export interface Target {
  readonly name: string;
  readonly platform: string;
  readonly arch: string;
  readonly libc?: 'glibc' | 'musl';
  readonly file: string;
}

/** Runs a program to its end and gives what it printed; throws, with what it printed as errors, if it fails. */
export function run(program: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): string {
  return execFileSync(program, args, { cwd: root, encoding: 'utf8', stdio: 'pipe', maxBuffer: 1 << 26, ...options });
}

export function hasProgram(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)));
}

/** `test` where `present`; elsewhere skipped, but never under CI, which is to have everything. */
export function testIf(present: boolean): jest.It {
  return present || process.env.CI ? test : test.skip;
}

/** An empty directory, removed after the test file. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'receptive-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Paths of the C++ sources in a folder of native/ that are built on this system, from the root. */
export function sourcesOnDisk(folder: string): string[] {
  return [`native/${folder}`, `native/${folder}/${process.platform}`].flatMap((directory) => {
    const names = existsSync(join(root, directory)) ? readdirSync(join(root, directory)) : [];
    return names.filter((name) => name.endsWith('.cpp')).map((name) => `${directory}/${name}`);
  });
}

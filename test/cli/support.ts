import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const main = join(__dirname, '..', '..', 'dist', 'cli', 'main.js');

export interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Run {
  /** What the command reads. */
  input?: string;
  /** Sees each line of the output as it comes, and may signal the command. */
  onLine?: (line: string, kill: (signal?: NodeJS.Signals) => void) => void;
}

/** Runs the built command in a process of its own. */
export function receptive(args: string[], { input, onLine }: Run = {}): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin.end(input);
    const result: Result = { code: null, stdout: '', stderr: '' };
    let pending = '';
    child.stdout.on('data', (chunk: Buffer) => {
      result.stdout += chunk;
      pending += chunk;
      for (let end = pending.indexOf('\n'); end >= 0; end = pending.indexOf('\n')) {
        onLine?.(pending.slice(0, end), (signal = 'SIGINT') => child.kill(signal));
        pending = pending.slice(end + 1);
      }
    });
    child.stderr.on('data', (chunk: Buffer) => {
      result.stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...result, code }));
  });
}

/** What a command with --json printed. */
export const events = ({ stdout }: Result) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

function idx(dims: number[], bytes: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * dims.length);
  header.writeUInt32BE(0x800 + dims.length);
  for (const [i, n] of dims.entries()) header.writeUInt32BE(n, 4 + 4 * i);
  return Buffer.concat([header, bytes]);
}

/** 300 training and 100 test images of 28x28 in the files of MNIST; the class is a bright row. */
export function writeDigits(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [prefix, n] of [
    ['train', 300],
    ['t10k', 100],
  ] as const) {
    const pixels = new Uint8Array(n * 784);
    const labels = Uint8Array.from({ length: n }, (_, i) => i % 10);
    for (let i = 0; i < n; i++) pixels.fill(255, i * 784 + (4 + 2 * labels[i]) * 28, i * 784 + (6 + 2 * labels[i]) * 28);
    writeFileSync(join(folder, `${prefix}-images-idx3-ubyte`), idx([n, 28, 28], pixels));
    writeFileSync(join(folder, `${prefix}-labels-idx1-ubyte`), idx([n], labels));
  }
}

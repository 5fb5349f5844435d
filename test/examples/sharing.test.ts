import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, temporaryDirectory } from '../packaging/support';
import { idx } from '../support/idx';

// The experiment itself, on digits whose class is where a bright square lies in the middle of the image.

const folder = temporaryDirectory();

beforeAll(() => {
  for (const [prefix, n] of [
    ['train', 600],
    ['t10k', 200],
  ] as const) {
    const pixels = new Uint8Array(n * 784);
    const labels = Uint8Array.from({ length: n }, (_, i) => i % 10);
    for (let i = 0; i < n; i++) {
      // ten shapes: bars of a length of their own, upright or lying
      const [length, upright] = [3 + 3 * (labels[i] >> 1), labels[i] % 2 === 1];
      for (let k = 0; k < length; k++) pixels[i * 784 + (upright ? (7 + k) * 28 + 14 : 14 * 28 + 7 + k)] = 255;
    }
    writeFileSync(join(folder, `${prefix}-images-idx3-ubyte`), idx([n, 28, 28], pixels));
    writeFileSync(join(folder, `${prefix}-labels-idx1-ubyte`), idx([n], labels));
  }
});

const sharing = (...more: string[]) => run(process.execPath, [join(root, 'examples', 'sharing.cjs'), '--data', folder, ...more]);

interface Result {
  layers: string;
  parameters: number;
  unshared: number;
  accuracy: number[];
}

test('the experiment on sharing trains both networks alike and measures them on digits where they were and moved', () => {
  const [conv, local] = sharing('--epochs', '8', '--json')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Result);
  // 8·26 + 16·201 + 32·401 + 330, and those of the layers times 24², 8² and 4² places
  expect(conv).toMatchObject({ layers: 'Conv2d', parameters: 16_586, unshared: 531_274 });
  expect(local).toMatchObject({ layers: 'LocallyConnected2d', parameters: 531_274, unshared: 531_274 });
  for (const { accuracy } of [conv, local]) {
    expect(accuracy).toHaveLength(5);
    expect(accuracy[0]).toBeGreaterThan(0.9);
  }
  expect(conv.accuracy[4]).toBeGreaterThan(local.accuracy[4]);
});

test('the experiment prints a table', () => {
  const lines = sharing('--images', '64', '--epochs', '1').split('\n');
  expect(lines[0]).toBe('64 digits, 1 epochs; moved digits are test digits');
  expect(lines[2]).toMatch(/^layers +parameters +accuracy +±1 px +±2 px +±3 px +±4 px +training$/);
  expect(lines[3]).toMatch(/^Conv2d +16,586( +\d+\.\d\d %){5} +\d+ s$/);
});

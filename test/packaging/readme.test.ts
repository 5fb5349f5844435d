import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { idx } from '../support/idx';
import { root, run, temporaryDirectory } from './support';

const examples = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code!);

describe('the README', () => {
  const folder = temporaryDirectory();

  beforeAll(() => {
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules', 'receptive'));
    mkdirSync(join(folder, 'mnist'));
    for (const [prefix, count] of [
      ['train', 256],
      ['t10k', 64],
    ] as const) {
      const labels = Uint8Array.from({ length: count }, (_, i) => i % 10);
      const images = Uint8Array.from({ length: count * 784 }, (_, i) => (Math.floor(i / 784) % 10) * 25 + (i % 7));
      writeFileSync(join(folder, 'mnist', `${prefix}-images-idx3-ubyte.gz`), gzipSync(idx([count, 28, 28], images)));
      writeFileSync(join(folder, 'mnist', `${prefix}-labels-idx1-ubyte`), idx([count], labels));
    }
  });

  test('has examples', () => expect(examples).toHaveLength(4));

  test('trains on MNIST files in the first one', () => {
    const printed = run(process.execPath, ['-e', examples[0]!], { cwd: folder }).trim().split('\n');
    expect(printed).toHaveLength(2);
    for (const line of printed) expect(line).toMatch(/^\d+\.\d+ [01](\.\d+)?$/);
    expect(readFileSync(join(folder, 'lenet5.safetensors')).length).toBeGreaterThan(61_706 * 4);
  });

  test('serves in the third one', () => {
    expect(run(process.execPath, ['-e', examples[2]!], { cwd: folder })).toMatch(/^Float32Array\(10\) \[/);
  });

  test('looks inside in the fourth one', () => {
    const printed = run(process.execPath, ['-e', examples[3]!], { cwd: folder });
    expect(printed).toMatch(/^total +61,706 +416,520$/m);
    expect(printed).toMatch(/size: 14,\s+jump: 2,\s+start: 5,\s+padding: 2/);
    expect(printed).toContain('{ shared: 61706, unshared: 423038 }');
  });

  test('learns in the second one', () => {
    const script = `${examples[1]}\nconsole.log(losses.crossEntropy(model.forward(x), labels).itemSync());`;
    expect(Number(run(process.execPath, ['-e', script], { cwd: folder }))).toBeLessThan(0.5);
  });
});

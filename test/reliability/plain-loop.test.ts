import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

// In a process of its own, on the built package: the resident memory of a jest worker says nothing.
describe('a plain loop that disposes of nothing', () => {
  it.each(['sync', 'async'])('%s: 2,000 steps stay within 1.5 times the memory of the 200th', (mode) => {
    const output = execFileSync(process.execPath, [join(__dirname, 'plain-loop.cjs'), mode, '2000'], { encoding: 'utf8' });
    const { at200, highest } = JSON.parse(output);
    expect(at200.rss).toBeGreaterThan(20e6);
    expect(highest.rss).toBeLessThan(1.5 * at200.rss);
  });
});

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect, nn } from '../../lib';
import { root, run, temporaryDirectory } from '../packaging/support';

// How fast anything is depends on the machine and is not tested here; that a run ends in figures that agree with each other is.

const { cases, outputSize, work } = require('../../bench/cases.cjs');
const folder = temporaryDirectory();
const [json, markdown] = [join(folder, 'results.json'), join(folder, 'results.md')];
const bench = (...args: string[]) => run(process.execPath, ['bench/run.cjs', ...args]);
const quick = ['--peers', 'receptive', '--seconds', '0.001', '--rounds', '2'];

describe('npm run bench', () => {
  test('gives figures of layers and networks', () => {
    const printed = bench('layers', 'models', '--only', '^(lenet conv2 b64|lenet5)$', ...quick, '--json', json, '--markdown', markdown);
    const { machine, versions, absent, rounds, rows } = JSON.parse(readFileSync(json, 'utf8'));
    expect({ threads: machine.threads, rounds, absent }).toEqual({ threads: 2, rounds: 2, absent: [] });
    expect(machine.peak).toBeGreaterThan(0);
    expect(machine.bandwidth).toBeGreaterThan(0);
    expect(versions).toEqual([{ name: 'receptive', version: expect.stringMatching(/^\d+\.\d+\.\d+ \(\w+\)$/) }]);
    expect(rows.map(({ name, task }: { name: string; task: string }) => `${name}, ${task}`)).toEqual([
      'lenet conv2 b64, forward',
      'lenet conv2 b64, train',
      'lenet5, forward',
      'lenet5, train',
    ]);
    for (const row of rows) {
      expect(row.results).toHaveLength(1);
      const [{ median, low, high, ratio }] = row.results;
      expect(low).toBeGreaterThan(0);
      expect(median).toBeGreaterThanOrEqual(low);
      expect(high).toBeGreaterThanOrEqual(median);
      expect(ratio).toBe(1);
    }
    const flops = 2 * 64 * 10 * 10 * 16 * 6 * 5 * 5;
    expect(rows[0].flops).toBe(flops);
    expect(rows[1].flops).toBe(3 * flops);
    expect(rows[0].flopsPerSecond).toBeCloseTo((1000 * flops) / rows[0].results[0].median, -3);
    expect(rows[0].ofPeak).toBeCloseTo(rows[0].flopsPerSecond / machine.peak, 10);
    expect(rows[2]).toMatchObject({ batch: 64, parameters: 61_706 });
    expect(rows[2].itemsPerSecond).toBeCloseTo(64_000 / rows[2].results[0].median, 3);

    const lines = readFileSync(markdown, 'utf8').split('\n');
    expect(lines.filter((line) => line.startsWith('### '))).toEqual(['### Layers', '### Networks']);
    const tableRows = lines.filter((line) => line.startsWith('|'));
    expect(tableRows).toHaveLength(8);
    expect(new Set(tableRows.map((line) => line.split('|').length))).toEqual(new Set([8]));
    expect(tableRows[2]).toMatch(/^\| lenet conv2 b64 \| forward \| [\d.]+ ms \| /);
    expect(printed).toContain('LeNet-5');
  });

  test('draws a roofline of the layers', () => {
    const svg = run(process.execPath, ['bench/roofline.cjs', json]);
    expect(svg).toMatch(/^<svg /);
    expect(svg.match(/<circle/g)).toHaveLength(1);
    expect(svg).toMatch(/lenet conv2 b64: \d+ GFLOP\/s, \d+ % of peak/);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('says which peers are missing', () => {
    const empty = join(folder, 'python');
    writeFileSync(empty, '');
    const env = { ...process.env, RECEPTIVE_BENCH_PYTHON: empty };
    const args = ['bench/run.cjs', 'layers', '--only', '^lenet conv2', ...quick, '--peers', 'pytorch'];
    expect(run(process.execPath, args, { env })).toMatch(/^Missing, PyTorch: does not start: .*EACCES/m);
  });

  test.each([
    [['layer'], 'bench: no set layer, expected layers,models,epoch,memory or lenet5'],
    [['--peers', 'torch'], 'bench: no peer torch, expected some of receptive,pytorch,onnxruntime,tfjs'],
    [['--rounds', '1.5'], 'bench: --rounds is 1.5, expected a positive number'],
    [['--only', 'nothing'], 'bench: no case of layers,models,epoch,memory matches nothing'],
  ])('refuses %j', (args, message) => {
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'bench/run.cjs'), ...args], { encoding: 'utf8' });
    expect([status, stderr.trim()]).toEqual([1, message]);
  });
});

test('the work of a convolution is what inspect counts', () => {
  const convolutions = cases.filter(({ op }: { op?: string }) => op === 'conv1d' || op === 'conv2d' || op === 'convTranspose2d');
  expect(convolutions.length).toBeGreaterThan(20);
  for (const layer of convolutions) {
    const { op, batch, size, in: channels, out, kernel, stride, padding, dilation, groups } = layer;
    const Layer = { conv1d: nn.Conv1d, conv2d: nn.Conv2d, convTranspose2d: nn.ConvTranspose2d }[op as 'conv2d'];
    const model = new nn.Sequential(new Layer(channels, out, kernel, { stride, padding, dilation, groups }));
    const [row] = inspect.summary(model, [batch, ...size, channels]);
    expect([layer.name, row!.outputShape, 2 * row!.macs]).toEqual([layer.name, [batch, ...outputSize(layer), out], work(layer).flops]);
  }
});

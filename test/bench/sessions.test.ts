import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportOnnx, models } from '../../lib';
import { root, run, temporaryDirectory } from '../packaging/support';

const folder = temporaryDirectory();

(process.platform === 'linux' ? test : test.skip)('npm run bench:sessions says what a file takes', async () => {
  const [file, json] = [join(folder, 'lenet5.onnx'), join(folder, 'sessions.json')];
  await exportOnnx(file, models.lenet5(), { input: [1, 28, 28, 1] });
  const printed = run(process.execPath, [
    ...[join(root, 'bench', 'sessions.cjs'), file, '--peers', '', '--rounds', '1', '--runs', '2', '--rest', '1', '--json', json],
  ]);
  const [{ name, libraries }] = JSON.parse(readFileSync(json, 'utf8')).results;
  expect([name, libraries.length, libraries[0].library]).toEqual(['lenet5', 1, 'receptive']);
  const { loadMs, runMs, before, loaded, most } = libraries[0];
  for (const figure of [loadMs, runMs, before, loaded]) expect(figure).toBeGreaterThan(0);
  expect(most).toBeGreaterThanOrEqual(loaded);
  expect(printed).toMatch(/\| lenet5 \| receptive \| \d+ \| \d+ \| \d+ \| \d+ \| \d+ \|/);
});

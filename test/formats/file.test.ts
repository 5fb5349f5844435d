import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkWritable, makeFolder, Staging } from '../../lib/formats/file';

const folder = mkdtempSync(join(tmpdir(), 'receptive-file-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('makeFolder makes what is missing and is content with what is there', async () => {
  const deep = join(folder, 'a', 'b', 'c');
  await makeFolder(deep);
  await makeFolder(deep);
  expect(existsSync(deep)).toBe(true);
});

test('makeFolder fails where a file is in the way', async () => {
  writeFileSync(join(folder, 'file'), '');
  await expect(makeFolder(join(folder, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(makeFolder(join(folder, 'file', 'under'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

(process.platform === 'linux' ? test : test.skip)('makeFolder fails, and returns, where nothing can be made', async () => {
  await expect(makeFolder('/proc/nope/deeper')).rejects.toMatchObject({ code: 'ENOENT' });
});

test('checkWritable leaves nothing behind but the folder, and names the file', async () => {
  const path = join(folder, 'models', 'm.safetensors');
  await checkWritable(path);
  expect(readdirSync(join(folder, 'models'))).toEqual([]);
  await expect(checkWritable(join(folder, 'models'))).rejects.toThrow(`${join(folder, 'models')}: is a folder`);
});

test('what was staged is gone at once when it is released', () => {
  const staging = new Staging();
  const [some, none] = [staging.take(5), staging.take(0)];
  expect([...some, ...none]).toEqual([0, 0, 0, 0, 0]);
  staging.release();
  expect([some.byteLength, some.buffer.byteLength]).toEqual([0, 0]);
  staging.release();
});

import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFully, writeFully } from '../../lib/formats/file';

// Node ends the process when it is asked for more than 2 GiB at once, so files are read and written in pieces.
test.each([1, 7, 100, 101])('a file goes in and out in pieces of at most %i bytes', async (most) => {
  const dir = await mkdtemp(join(tmpdir(), 'receptive-'));
  try {
    const path = join(dir, 'file');
    const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
    const file = await open(path, 'w+');
    await writeFully(file, bytes, most);
    expect(new Uint8Array(await readFile(path))).toEqual(bytes);
    const back = new Uint8Array(60);
    await readFully(file, back, 40, most);
    expect(back).toEqual(bytes.subarray(40));
    await expect(readFully(file, back, 41, most)).rejects.toThrow('ends at byte 100, expected 101 bytes');
    await file.close();
  } finally {
    await rm(dir, { recursive: true });
  }
});

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasProgram, root, run, sourcesOnDisk, temporaryDirectory, testIf } from './support';

// CONTRIBUTING.md says how an operation is added. This adds it to a copy, as it is written there, builds what has changed, and runs its test.

const text = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
const edits = [...text.matchAll(/^ {3}<!-- (create|before "([^\n]+)" in) (\S+) -->\n\n {3}```\w+\n(.*?)^ {3}```$/gms)].map(
  ([, , marker, file, code]) => ({ marker, file: file!, code: code!.replace(/^ {3}/gm, '') }),
);

/** A copy to work on. */
function copyTo(folder: string): void {
  const names = [
    'package.json',
    'binding.gyp',
    'native',
    'scripts',
    '.headers',
    'build',
    'lib',
    'test',
    'tsconfig.json',
    'jest.config.cjs',
  ];
  for (const name of names) cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
}

function apply(folder: string): void {
  for (const { marker, file, code } of edits) {
    const path = join(folder, file);
    if (marker === undefined) {
      expect(existsSync(path)).toBe(false);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, code);
      continue;
    }
    const lines = readFileSync(path, 'utf8').split('\n');
    const places = lines.flatMap((line, i) => (line.startsWith(marker) ? [i] : []));
    expect([marker, places.length]).toEqual([marker, 1]);
    lines.splice(places[0]!, 0, code.trimEnd());
    writeFileSync(path, lines.join('\n'));
  }
}

/** Compiles what is new or was changed, and links it with the objects that are there: make would compile all, as the folder is another. */
function build(folder: string): void {
  const objects = join(folder, 'build', 'Release', 'obj.target');
  const objectOf = (source: string) => join(objects, 'receptive', source.replace(/\.cpp$/, '.o'));
  const built = ['runtime', 'ops', 'binding'].flatMap((part) => sourcesOnDisk(part)).map(objectOf);
  const sources = edits.map(({ file }) => file).filter((file) => file.endsWith('.cpp'));
  for (const source of sources) {
    const flags = ['-std=c++17', '-O2', '-fPIC', '-DNAPI_VERSION=8', '-I.headers/include/node'];
    run('c++', [...flags, '-c', source, '-o', objectOf(source)], { cwd: folder });
  }
  const archives = readdirSync(objects).filter((name) => name.endsWith('.a'));
  const addon = join(folder, 'build', 'Release', 'receptive.node');
  const parts = new Set([...built, ...sources.map(objectOf), ...archives.map((name) => join(objects, name))]);
  run('c++', ['-shared', '-pthread', '-o', addon, ...parts], { cwd: folder });
}

const folder = temporaryDirectory();

testIf(hasProgram('c++') && existsSync(join(root, 'build', 'Release', 'obj.target')))(
  'an operation is added in the steps of CONTRIBUTING.md',
  () => {
    expect(edits.map(({ file }) => file)).toEqual([
      'native/ops/squared_difference.cpp',
      'native/ops/ops.cpp',
      'lib/native.ts',
      'lib/ops/squaredDifference.ts',
      'lib/ops/index.ts',
      'test/ops/squaredDifference.test.ts',
    ]);
    copyTo(folder);
    apply(folder);
    build(folder);
    run(process.execPath, [require.resolve('typescript/lib/tsc.js'), '-p', folder, '--noEmit'], { cwd: folder });
    const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
    run(process.execPath, [jest, '--rootDir', folder, 'test/ops/squaredDifference', '--silent'], { cwd: folder });
  },
);

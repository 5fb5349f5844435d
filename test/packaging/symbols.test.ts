import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { hasProgram, root, run, sourcesOnDisk, testIf } from './support';

/** Mangled names that a file defines and others can see. */
function globals(file: string, ...flags: string[]): string[] {
  return run('nm', ['--defined-only', '--extern-only', ...flags, file])
    .split('\n')
    .map((line) => line.trim().split(/\s+/).pop()!)
    .filter((name) => name !== '');
}

const release = join(root, 'build', 'Release');
const isas = process.arch === 'x64' ? ['avx512', 'avx2', 'sse2'] : ['neon'];
const readable = process.platform === 'linux' && hasProgram('nm') && existsSync(join(release, 'obj.target'));

describe.each(isas)('objects compiled for %s', (isa) => {
  // Were a function of any other namespace to leave such an object, the linker might keep this copy of it for the whole
  // addon, and a machine without the instruction set would crash on code that has nothing to do with kernels.
  testIf(readable).each(sourcesOnDisk('kernels'))('%s shows the linker only names of its own namespace', (source) => {
    const object = join(release, 'obj.target', `kernels_${isa}`, 'native', 'kernels', `${basename(source, '.cpp')}.o`);
    const namespace = `${isa.length}${isa}`; // what is made for its types, such as a template of a kernel's own lambda, is its own too
    expect(globals(object).filter((name) => !name.includes(namespace))).toEqual([]);
  });
});

testIf(readable)('the addon exports nothing but its Node-API entry points', () => {
  expect(globals(join(release, 'receptive.node'), '--dynamic').sort()).toEqual([
    'napi_register_module_v1',
    'node_api_module_get_api_version_v1',
  ]);
});

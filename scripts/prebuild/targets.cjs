'use strict';
// The platforms that prebuilt binaries are made for, and where each lies: prebuilds/<platform>-<arch>/<file>, as node-gyp-build looks for it
// and prebuildify would name it.

/** `triple` is zig's name of the system; Linux names the oldest C library that the binary is to run with. */
const targets = [
  { name: 'linux-x64-glibc', platform: 'linux', arch: 'x64', libc: 'glibc', triple: 'x86_64-linux-gnu.2.17' },
  { name: 'linux-x64-musl', platform: 'linux', arch: 'x64', libc: 'musl', triple: 'x86_64-linux-musl' },
  { name: 'linux-arm64-glibc', platform: 'linux', arch: 'arm64', libc: 'glibc', triple: 'aarch64-linux-gnu.2.17' },
  { name: 'linux-arm64-musl', platform: 'linux', arch: 'arm64', libc: 'musl', triple: 'aarch64-linux-musl' },
  { name: 'darwin-x64', platform: 'darwin', arch: 'x64', triple: 'x86_64-macos.11.0' },
  { name: 'darwin-arm64', platform: 'darwin', arch: 'arm64', triple: 'aarch64-macos.11.0' },
  { name: 'win32-x64', platform: 'win32', arch: 'x64', triple: 'x86_64-windows-gnu' },
  { name: 'win32-arm64', platform: 'win32', arch: 'arm64', triple: 'aarch64-windows-gnu' },
].map((target) => ({
  ...target,
  file: `prebuilds/${target.platform}-${target.arch}/${['receptive', target.libc, 'node'].filter(Boolean).join('.')}`,
}));

module.exports = { targets };

'use strict';
// Prepares .headers, the directory node-gyp takes Node's headers from (package.json's config.node_gyp_nodedir), so that compiling
// needs no network: the headers beside the running node where they are, else those of the node-api-headers package.
// A prebuilt binary makes all this unnecessary, and an explicit npm_config_nodedir goes before it.
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const target = path.join(root, '.headers', 'include', 'node');

function hasPrebuild() {
  const folder = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`);
  return fs.existsSync(folder) && fs.readdirSync(folder).some((name) => name.endsWith('.node'));
}

/** The include directory of the node that runs this script, if it was installed with one that matches its version. */
function besideNode() {
  const candidate = path.join(path.dirname(process.execPath), '..', 'include', 'node');
  const version = path.join(candidate, 'node_version.h');
  if (!fs.existsSync(path.join(candidate, 'common.gypi')) || !fs.existsSync(version)) return undefined;
  const major = /define NODE_MAJOR_VERSION (\d+)/.exec(fs.readFileSync(version, 'utf8'))?.[1];
  return major === process.versions.node.split('.')[0] ? candidate : undefined;
}

function prepare() {
  fs.rmSync(path.join(root, '.headers'), { recursive: true, force: true });
  fs.mkdirSync(path.dirname(target), { recursive: true });
  const beside = besideNode();
  if (beside) {
    fs.symlinkSync(beside, target, process.platform === 'win32' ? 'junction' : 'dir');
    return `headers of ${process.execPath}`;
  }
  fs.cpSync(require('node-api-headers').include_dir, target, { recursive: true });
  // node-gyp reads build settings from common.gypi and config.gypi; an addon on Node-API needs next to none of them.
  fs.writeFileSync(
    path.join(target, 'common.gypi'),
    `{
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': { 'Release': { 'cflags': ['-O3'], 'defines': ['NDEBUG'] }, 'Debug': { 'cflags': ['-g', '-O0'] } },
    'cflags': ['-fPIC'],
    'conditions': [
      ['OS=="mac"', {
        'xcode_settings': { 'GCC_DYNAMIC_NO_PIC': 'NO' },
        'ldflags': ['-undefined', 'dynamic_lookup'],
      }],
      ['OS=="linux"', { 'cflags': ['-pthread'], 'ldflags': ['-pthread'] }],
    ],
  },
}
`,
  );
  fs.writeFileSync(
    path.join(target, 'config.gypi'),
    `{ 'target_defaults': {}, 'variables': { 'target_arch': '${process.arch}', 'host_arch': '${process.arch}' } }\n`,
  );
  const version = process.versions.node.split('.');
  fs.writeFileSync(
    path.join(target, 'node_version.h'),
    ['MAJOR', 'MINOR', 'PATCH'].map((part, i) => `#define NODE_${part}_VERSION ${version[i]}\n`).join(''),
  );
  return 'headers of node-api-headers';
}

if (hasPrebuild()) {
  console.log('receptive: a prebuilt binary is there, nothing to prepare');
} else {
  console.log(`receptive: compiling with ${prepare()}`);
}

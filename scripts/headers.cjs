'use strict';
// Prepares .headers, the directory node-gyp takes Node's headers from (config.node_gyp_nodedir in package.json), so that compiling needs
// no network: the headers of npm_config_nodedir or beside the running node, else those of the node-api-headers package.
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const target = path.join(root, '.headers', 'include', 'node');

/** The include directory under `prefix`, if it is one that node-gyp can use and of the running node's major version. */
function headersUnder(prefix) {
  const include = path.join(prefix, 'include', 'node');
  const version = path.join(include, 'node_version.h');
  if (!fs.existsSync(path.join(include, 'common.gypi')) || !fs.existsSync(version)) return undefined;
  const major = /define NODE_MAJOR_VERSION (\d+)/.exec(fs.readFileSync(version, 'utf8'))?.[1];
  return major === process.versions.node.split('.')[0] ? include : undefined;
}

/** Copies the Node-API headers, and writes the settings files that node-gyp reads beside them. */
function copyNodeApiHeaders() {
  fs.cpSync(require('node-api-headers').include_dir, target, { recursive: true });
  const commonGypi = `{
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': { 'Release': { 'cflags': ['-O3'], 'defines': ['NDEBUG'] }, 'Debug': { 'cflags': ['-g', '-O0'] } },
    'conditions': [['OS=="linux"', { 'cflags': ['-pthread'], 'ldflags': ['-pthread'] }]],
  },
}
`;
  fs.writeFileSync(path.join(target, 'common.gypi'), commonGypi);
  fs.writeFileSync(path.join(target, 'config.gypi'), "{ 'target_defaults': {}, 'variables': {} }\n");
}

fs.rmSync(path.join(root, '.headers'), { recursive: true, force: true });
fs.mkdirSync(path.dirname(target), { recursive: true });
const prefixes = [process.env.npm_config_nodedir, path.join(path.dirname(process.execPath), '..')];
const found = prefixes.filter(Boolean).map(headersUnder).find(Boolean);
if (found) fs.symlinkSync(found, target, process.platform === 'win32' ? 'junction' : 'dir');
else copyNodeApiHeaders();
console.log(`receptive: Node's headers are those of ${found ?? 'the node-api-headers package'}`);

'use strict';
// Prepares .headers, the directory node-gyp takes Node's headers from (config.node_gyp_nodedir in package.json), so that compiling needs
// no network: the headers of npm_config_nodedir or beside the running node, else those of the node-api-headers package.
// On Windows linking takes node.lib too, which none of these has: there node-gyp fetches both, unless npm_config_nodedir is set.
// Usage: node scripts/headers.cjs [command that compiles]
const { spawnSync } = require('node:child_process');
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

function prepare() {
  fs.rmSync(path.join(root, '.headers'), { recursive: true, force: true });
  fs.mkdirSync(path.dirname(target), { recursive: true });
  const prefixes = [process.env.npm_config_nodedir, path.join(path.dirname(process.execPath), '..')];
  const found = prefixes.filter(Boolean).map(headersUnder).find(Boolean);
  if (found) fs.symlinkSync(found, target, 'dir');
  else copyNodeApiHeaders();
  console.log(`receptive: Node's headers are those of ${found ?? 'the node-api-headers package'}`);
}

/** What node-gyp is to be told by: on Windows without what package.json says of .headers. */
function environment(platform, env) {
  const named = Object.entries(env).filter(([name]) => platform !== 'win32' || !/^npm_package_config_node_gyp_nodedir$/i.test(name));
  return Object.fromEntries(named);
}

module.exports = { environment };

if (require.main === module) {
  const command = process.argv.slice(2);
  if (command.length === 0 && process.platform !== 'win32') prepare();
  if (command.length > 0) {
    const env = environment(process.platform, process.env);
    const { status, error } = spawnSync(command.join(' '), { stdio: 'inherit', shell: true, env });
    if (error) throw error;
    process.exitCode = status ?? 1;
  }
}

'use strict';
// Completes package-lock.json after dependencies change: npm leaves out optional packages for platforms whose registry entry it could not
// read, or that the present node_modules lacks (npm/cli#4828), and then `npm ci` refuses the file. Run: node scripts/lockfile.cjs
const fs = require('node:fs');
const path = require('node:path');

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];

/** What a platform package's name says of the platform it is for: "@swc/core-linux-x64-musl". */
function platform(name) {
  const words = name.split('/').pop().split('-');
  const os = systems.find((system) => words.includes(system));
  const cpu = processors.find((processor) => words.includes(processor));
  if (!os || !cpu) throw new Error(`lockfile: ${name} does not name a platform; add it to package-lock.json by hand`);
  const musl = words.some((word) => word.startsWith('musl'));
  return { os: [os], cpu: [cpu], ...(os === 'linux' && { libc: [musl ? 'musl' : 'glibc'] }) };
}

/** Entries that `lock` owes to its packages' optionalDependencies and does not have. */
function missing(lock) {
  const found = {};
  for (const [where, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const places = [`${where}/node_modules/${name}`, `node_modules/${name}`];
      if (places.some((place) => place in lock.packages)) continue;
      found[`node_modules/${name}`] = { version, ...platform(name), dev: entry.dev, optional: true };
    }
  }
  return found;
}

module.exports = { missing };

if (require.main === module) {
  const file = path.join(__dirname, '..', 'package-lock.json');
  const lock = JSON.parse(fs.readFileSync(file, 'utf8'));
  const entries = missing(lock);
  Object.assign(lock.packages, entries);
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
  fs.writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`package-lock.json: ${Object.keys(entries).length} entries added`);
}

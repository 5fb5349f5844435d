'use strict';
// Reads what a shared library says of itself: ELF (Linux), Mach-O (macOS) and PE (Windows), 64 bits, little-endian.

/**
 * What a binary is.
 * @typedef {object} Binary
 * @property {'elf' | 'macho' | 'pe'} format
 * @property {string} arch x64, arm64, or the format's number of another one
 * @property {string[]} needed the libraries it is linked to
 * @property {Record<string, string>} versions of "GLIBC", the newest symbol version that it needs; of "macOS", the oldest system it runs on
 * @property {string[]} imported the names it takes from others, where the format lists them by themselves
 * @property {boolean} stripped no debugging information is left, and outside of macOS, whose linker here keeps them, no names of its own
 * @property {boolean} signed has a code signature, without which macOS loads nothing on arm64
 */

/** A zero-terminated string. */
function text(buffer, offset) {
  return buffer.toString('latin1', offset, buffer.indexOf(0, offset));
}

/** 1 if version a, as "2.17", is newer than b, -1 if older. */
function compareVersions(a, b) {
  return a.localeCompare(b, 'en', { numeric: true });
}

const word = (buffer, offset) => Number(buffer.readBigUInt64LE(offset));

function elfSections(buffer) {
  const [offset, size, count, names] = [word(buffer, 40), buffer.readUInt16LE(58), buffer.readUInt16LE(60), buffer.readUInt16LE(62)];
  const headers = Array.from({ length: count }, (_, i) => offset + i * size);
  const strings = word(buffer, headers[names] + 24);
  return headers.map((at) => ({
    name: text(buffer, strings + buffer.readUInt32LE(at)),
    begin: word(buffer, at + 24),
    size: word(buffer, at + 32),
    link: buffer.readUInt32LE(at + 40),
    info: buffer.readUInt32LE(at + 44),
  }));
}

function elfVersions(buffer, sections) {
  const section = sections.find(({ name }) => name === '.gnu.version_r');
  const found = {};
  if (section === undefined) return found;
  const strings = sections[section.link].begin;
  for (let at = section.begin, i = 0; i < section.info; ++i, at += buffer.readUInt32LE(at + 12)) {
    let entry = at + buffer.readUInt32LE(at + 8);
    for (let j = buffer.readUInt16LE(at + 2); j > 0; --j, entry += buffer.readUInt32LE(entry + 12)) {
      const [name, version] = text(buffer, strings + buffer.readUInt32LE(entry + 8)).split('_');
      if (found[name] === undefined || compareVersions(version, found[name]) > 0) found[name] = version;
    }
  }
  return found;
}

function elf(buffer) {
  const sections = elfSections(buffer);
  const dynamic = sections.find(({ name }) => name === '.dynamic');
  const strings = sections[dynamic.link].begin;
  const needed = [];
  for (let at = dynamic.begin; at < dynamic.begin + dynamic.size; at += 16) {
    if (word(buffer, at) === 1) needed.push(text(buffer, strings + word(buffer, at + 8)));
  }
  const symbols = sections.find(({ name }) => name === '.dynsym');
  const imported = [];
  for (let at = symbols.begin; at < symbols.begin + symbols.size; at += 24) {
    if (buffer.readUInt16LE(at + 6) === 0) imported.push(text(buffer, sections[symbols.link].begin + buffer.readUInt32LE(at)));
  }
  return {
    format: 'elf',
    arch: { 62: 'x64', 183: 'arm64' }[buffer.readUInt16LE(18)] ?? `machine ${buffer.readUInt16LE(18)}`,
    needed,
    versions: elfVersions(buffer, sections),
    imported: imported.filter(Boolean),
    stripped: !sections.some(({ name }) => name === '.symtab' || name.startsWith('.debug')),
    signed: false,
  };
}

function macho(buffer) {
  const needed = [];
  const versions = {};
  let signed = false;
  let stripped = true;
  let imported = [];
  for (let at = 32, i = buffer.readUInt32LE(16); i > 0; --i, at += buffer.readUInt32LE(at + 4)) {
    const command = buffer.readUInt32LE(at) & 0x7fffffff;
    if ([0x0c, 0x18, 0x1f].includes(command)) needed.push(text(buffer, at + buffer.readUInt32LE(at + 8))); // LC_LOAD_DYLIB, weak, re-exported
    if (command === 0x32 || command === 0x24) {
      const version = buffer.readUInt32LE(at + (command === 0x32 ? 12 : 8)); // LC_BUILD_VERSION, LC_VERSION_MIN_MACOSX
      versions.macOS = `${version >> 16}.${(version >> 8) & 255}`;
    }
    if (command === 0x1d) signed = true; // LC_CODE_SIGNATURE
    if (command === 0x02) ({ stripped, imported } = machoSymbols(buffer, at)); // LC_SYMTAB
  }
  const cpu = buffer.readUInt32LE(4);
  return {
    format: 'macho',
    arch: { 16777223: 'x64', 16777228: 'arm64' }[cpu] ?? `cpu ${cpu}`,
    needed,
    versions,
    imported,
    stripped,
    signed,
  };
}

function machoSymbols(buffer, at) {
  const [offset, count, strings] = [buffer.readUInt32LE(at + 8), buffer.readUInt32LE(at + 12), buffer.readUInt32LE(at + 16)];
  const symbols = Array.from({ length: count }, (_, i) => ({
    name: text(buffer, strings + buffer.readUInt32LE(offset + 16 * i)),
    type: buffer[offset + 16 * i + 4],
  }));
  return {
    stripped: symbols.every(({ type }) => (type & 0xe0) === 0), // N_STAB
    imported: symbols.filter(({ type }) => (type & 0x0f) === 1).map(({ name }) => name.replace(/^_/, '')), // N_EXT, N_UNDF
  };
}

function pe(buffer) {
  const header = buffer.readUInt32LE(60) + 4;
  const machine = buffer.readUInt16LE(header);
  const optional = header + 20;
  const sections = Array.from({ length: buffer.readUInt16LE(header + 2) }, (_, i) => optional + buffer.readUInt16LE(header + 16) + 40 * i);
  const place = (address) => {
    const section = sections.find((at) => {
      const begin = buffer.readUInt32LE(at + 12);
      return address >= begin && address < begin + Math.max(buffer.readUInt32LE(at + 8), buffer.readUInt32LE(at + 16));
    });
    return address - buffer.readUInt32LE(section + 12) + buffer.readUInt32LE(section + 20);
  };
  const directory = (i) => buffer.readUInt32LE(optional + 112 + 8 * i);
  const needed = [];
  const imported = [];
  const read = (descriptor, nameAt, tableAt) => {
    needed.push(text(buffer, place(buffer.readUInt32LE(descriptor + nameAt))));
    for (let at = place(buffer.readUInt32LE(descriptor + tableAt)); word(buffer, at) !== 0; at += 8) {
      if (buffer.readUInt32LE(at + 4) === 0) imported.push(text(buffer, place(buffer.readUInt32LE(at)) + 2)); // else by number
    }
  };
  if (directory(1) !== 0) for (let at = place(directory(1)); buffer.readUInt32LE(at + 12) !== 0; at += 20) read(at, 12, 0);
  if (directory(13) !== 0) for (let at = place(directory(13)); buffer.readUInt32LE(at + 4) !== 0; at += 32) read(at, 4, 16); // delayed
  const names = sections.map((at) => text(buffer.subarray(at, at + 9), 0));
  return {
    format: 'pe',
    arch: { 34404: 'x64', 43620: 'arm64' }[machine] ?? `machine ${machine}`,
    needed,
    versions: {},
    imported,
    stripped: buffer.readUInt32LE(header + 12) === 0 && !names.some((name) => name.startsWith('/') || name.startsWith('.debug')),
    signed: directory(4) !== 0,
  };
}

/** What `buffer` holds. @returns {Binary} */
function read(buffer) {
  const magic = buffer.readUInt32LE(0);
  if (magic === 0x464c457f && buffer[4] === 2 && buffer[5] === 1) return elf(buffer);
  if (magic === 0xfeedfacf) return macho(buffer);
  if (buffer.toString('latin1', 0, 2) === 'MZ') return pe(buffer);
  throw new Error('binary: neither 64-bit ELF, Mach-O nor PE');
}

module.exports = { read, elfSections, compareVersions };

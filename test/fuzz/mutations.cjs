'use strict';
// Ways to spoil a file: of any bytes, and of what protobuf messages, safetensors headers and lines of text are made of. All draw from one
// seeded source of random numbers, so that a case comes again.

/** Numbers in [0, 1) that depend on the seed only (mulberry32). */
function randomNumbers(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const below = (next, n) => Math.floor(next() * n);
const pick = (next, list) => list[below(next, list.length)];

// Bytes

const byteMutations = [
  (bytes, next) => bytes.subarray(0, below(next, bytes.length + 1)),
  (bytes, next) => flipped(bytes, next, 1),
  (bytes, next) => flipped(bytes, next, 1 + below(next, 32)),
  (bytes, next) => {
    const copy = Buffer.from(bytes);
    for (let i = 0; i < 4 && copy.length > 0; i++)
      copy[below(next, copy.length)] = pick(next, [0, 1, 0x7f, 0x80, 0xff, 0x22, 0x7b, 0x2c, 0x0a]);
    return copy;
  },
  (bytes, next) => {
    const [from, to] = [below(next, bytes.length + 1), below(next, bytes.length + 1)].sort((a, b) => a - b);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  },
  (bytes, next) => {
    const [from, to] = [below(next, bytes.length + 1), below(next, bytes.length + 1)].sort((a, b) => a - b);
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
  },
  (bytes, next) => {
    const at = below(next, bytes.length + 1);
    const inserted = Buffer.from(Array.from({ length: 1 + below(next, 16) }, () => below(next, 256)));
    return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)]);
  },
  (bytes, next) => {
    const copy = Buffer.from(bytes);
    if (copy.length >= 8)
      copy.writeBigUInt64LE(
        pick(next, [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]),
        below(next, copy.length - 7),
      );
    return copy;
  },
];

function flipped(bytes, next, times) {
  const copy = Buffer.from(bytes);
  for (let i = 0; i < times && copy.length > 0; i++) copy[below(next, copy.length)] ^= 1 << below(next, 8);
  return copy;
}

// Protobuf: a message as a list of fields, of which those that read as messages are lists themselves

function readVarint(bytes, at) {
  let value = 0n;
  for (let shift = 0n; at < bytes.length && shift < 70n; shift += 7n) {
    const byte = bytes[at++];
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return { value, at };
  }
  return null;
}

function varint(value) {
  const bytes = [];
  let rest = BigInt.asUintN(64, value);
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

/** The fields of a message; null where the bytes are none. */
function parse(bytes, depth = 0) {
  const fields = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = readVarint(bytes, at);
    if (!tag || tag.value >> 3n === 0n || tag.value > 0xffffn) return null;
    at = tag.at;
    const [number, type] = [Number(tag.value >> 3n), Number(tag.value & 7n)];
    if (type === 0) {
      const read = readVarint(bytes, at);
      if (!read) return null;
      fields.push({ number, type, value: read.value });
      at = read.at;
    } else if (type === 1 || type === 5) {
      const end = at + (type === 1 ? 8 : 4);
      if (end > bytes.length) return null;
      fields.push({ number, type, value: bytes.subarray(at, end) });
      at = end;
    } else if (type === 2) {
      const length = readVarint(bytes, at);
      if (!length || length.at + Number(length.value) > bytes.length) return null;
      const value = bytes.subarray(length.at, length.at + Number(length.value));
      fields.push({ number, type, value, inner: depth < 8 && value.length < 65536 ? parse(value, depth + 1) : null });
      at = length.at + value.length;
    } else {
      return null;
    }
  }
  return fields;
}

function write(fields) {
  const parts = [];
  for (const { number, type, value, inner, claimed } of fields) {
    parts.push(varint((BigInt(number) << 3n) | BigInt(type)));
    if (type === 0) parts.push(varint(value));
    else if (type === 2) {
      const content = inner?.length > 0 ? write(inner) : value;
      parts.push(varint(claimed ?? BigInt(content.length)), content);
    } else parts.push(value);
  }
  return Buffer.concat(parts);
}

/** All lists of fields in a message, itself first. */
function lists(fields, found = [], depth = 0) {
  found.push(fields);
  if (depth < 12) for (const { inner } of fields) if (inner?.length > 0) lists(inner, found, depth + 1);
  return found;
}

const numbers = [
  0n,
  1n,
  2n,
  3n,
  7n,
  64n,
  255n,
  65536n,
  2n ** 20n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n - 1n,
  -1n,
  -2n,
  -(2n ** 31n),
  -(2n ** 63n),
];

const fieldMutations = [
  (list, at, next) => {
    if (list[at].type === 0) list[at].value = pick(next, numbers);
    else if (list[at].type === 2)
      list[at].claimed = pick(
        next,
        numbers.filter((n) => n >= 0n),
      );
    else list[at].value = flipped(list[at].value, next, 3);
  },
  (list, at, next) => {
    if (list[at].type === 2 && !(list[at].inner?.length > 0)) list[at].value = pick(next, byteMutations)(list[at].value, next);
    else if (list[at].type === 0) list[at].value += pick(next, [1n, -1n]);
  },
  (list, at) => void list.splice(at, 1),
  (list, at, next) => void list.splice(below(next, list.length + 1), 0, list[at]),
  (list, at, next) => {
    const other = below(next, list.length);
    [list[at], list[other]] = [list[other], list[at]];
  },
  (list, at, next) => {
    list[at] = { ...list[at], number: 1 + below(next, 24) };
  },
  (list, at, next, all) => {
    // What another place has: a name that comes later, or its own maker's, is a cycle.
    const others = all.flat().filter(({ type }) => type === list[at].type);
    const other = pick(next, others);
    list[at] = { ...list[at], value: other.value, inner: other === list[at] || contains(other, list) ? null : other.inner };
  },
  (list, at, next) => {
    for (let i = 0, n = 1 << below(next, 8); i < n; i++) list.splice(at, 0, list[at]);
  },
];

/** Whether a field holds a list, at any depth: put inside that, it would hold itself. */
const contains = ({ inner }, list, depth = 0) =>
  depth < 12 && !!inner && (inner === list || inner.some((field) => contains(field, list, depth + 1)));

function mutateProtobuf(bytes, next) {
  const fields = parse(bytes);
  if (!fields || next() < 0.3) return pick(next, byteMutations)(bytes, next);
  for (let i = 0, n = 1 + below(next, 3); i < n; i++) {
    const all = lists(fields).filter((list) => list.length > 0);
    if (all.length === 0) break;
    const list = pick(next, all);
    pick(next, fieldMutations)(list, below(next, list.length), next, all);
  }
  return write(fields);
}

// safetensors: eight bytes of length, JSON, data

const odd = [
  0,
  -1,
  1.5,
  2 ** 31,
  2 ** 53,
  1e308,
  null,
  '',
  'F32',
  'F64',
  'BF16',
  'I64',
  'Q8',
  [],
  [0],
  [1, 2],
  [2 ** 31 - 1, 2 ** 31 - 1],
  {},
  true,
];

function mutateSafetensors(bytes, next) {
  if (bytes.length < 8 || next() < 0.3) return pick(next, byteMutations)(bytes, next);
  const length = Number(bytes.readBigUInt64LE());
  let header;
  try {
    header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
  } catch {
    return pick(next, byteMutations)(bytes, next);
  }
  for (let i = 0, n = 1 + below(next, 3); i < n; i++) {
    const names = Object.keys(header);
    if (names.length === 0) break;
    const [name, other] = [pick(next, names), pick(next, names)];
    const entry = header[name];
    pick(next, [
      () => delete header[name],
      () => (header[`${name}.`] = entry),
      () => (header[name] = structuredClone(pick(next, odd))),
      () => (header[name] = header[other]),
      () => (header.__metadata__ = structuredClone(pick(next, odd))),
      () => Object.defineProperty(header, '__proto__', { value: entry, enumerable: true, configurable: true, writable: true }),
      () => {
        if (typeof entry === 'object' && entry !== null)
          entry[pick(next, ['dtype', 'shape', 'data_offsets', 'more'])] = structuredClone(pick(next, odd));
      },
      () => {
        const list = entry?.[pick(next, ['shape', 'data_offsets'])];
        if (Array.isArray(list))
          list[below(next, list.length + 1)] = pick(
            next,
            odd.filter((value) => typeof value === 'number'),
          );
      },
    ])();
  }
  let text = JSON.stringify(header) ?? '';
  if (next() < 0.1) text = text.replace(':', `:${'['.repeat(1 << below(next, 16))}`);
  if (next() < 0.1) text = text.replace('{', `{${JSON.stringify(pick(next, Object.keys(header).concat('x')))}:1,`);
  const json = Buffer.from(text);
  const claimed = Buffer.alloc(8);
  claimed.writeBigUInt64LE(next() < 0.1 ? BigInt.asUintN(64, pick(next, numbers)) : BigInt(json.length));
  return Buffer.concat([claimed, json, bytes.subarray(Math.min(8 + length, bytes.length))]);
}

// Text: quotes, ends of lines and brackets are what readers look for

const pieces = [
  '"',
  '""',
  '\n',
  '\r',
  '\r\n',
  ',',
  '\t',
  '{',
  '}',
  '[',
  '\\',
  '\\u',
  '\0',
  '\ufeff',
  '\u2028',
  'text',
  'null',
  '1e999',
  '🙂',
  '"'.repeat(999),
  '['.repeat(9999),
];

function mutateText(bytes, next) {
  if (next() < 0.4) return pick(next, byteMutations)(bytes, next);
  const text = bytes.toString('utf8');
  const at = below(next, text.length + 1);
  return Buffer.from(text.slice(0, at) + pick(next, pieces) + text.slice(at + below(next, 4)));
}

module.exports = { randomNumbers, below, pick, byteMutations, mutateProtobuf, mutateSafetensors, mutateText, varint, parse, write };

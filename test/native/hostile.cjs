'use strict';
// Calls every function of the addon with hostile arguments, as no TypeScript would let them through, and sees that each call returns or
// throws an error of a kind that is documented, that memory which nobody named stays what it was, and that the process lives.
// Usage: node test/native/hostile.cjs [seed] [calls] [--trace]. Prints a line of JSON: for each function, calls that went well and that threw.
const path = require('node:path');

const native = require('node-gyp-build')(path.join(__dirname, '..', '..'));
const [seed = 1, calls = 20_000] = process.argv
  .slice(2)
  .filter((arg) => /^\d+$/.test(arg))
  .map(Number);
const trace = process.argv.includes('--trace');

/** Numbers in [0, 1) that are the same each run (mulberry32). */
let state = seed;
function next() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const int = (low, high) => low + Math.floor(next() * (high - low + 1));
const pick = (items) => items[int(0, items.length - 1)];
const chance = (probability) => next() < probability;

/** What is alive: tensors by id with their owners and sizes, ids that were, plans. */
const tensors = new Map();
const dead = [0];
const plans = new Map();
const limit = 60;

function forget(id) {
  tensors.delete(id);
  dead.push(id);
  if (dead.length > 100) dead.shift();
}

function make(dtype, ...shape) {
  const owner = {};
  const id = native.create(owner, dtype, ...shape);
  tensors.set(id, { owner, kind: `${dtype} ${shape}`, bytes: shape.reduce((size, n) => size * n, [4, 8, 4, 1][dtype]) });
  return id;
}

function freeSome() {
  for (const id of tensors.keys()) {
    if (tensors.size <= limit / 2) break;
    native.free(id);
    forget(id);
  }
}

/** Runs whatever a value's own code may do in the middle of a call, if the addon were to let it. */
function mischief() {
  const id = pick([...tensors.keys()]);
  if (id !== undefined && chance(0.5)) {
    native.free(id);
    forget(id);
  }
  throw new Error('code of the caller ran');
}

const trap = { valueOf: mischief, toString: mischief, [Symbol.toPrimitive]: mischief };
const trapped = new Proxy(
  {},
  { get: mischief, has: mischief, ownKeys: mischief, getPrototypeOf: mischief, getOwnPropertyDescriptor: mischief, set: mischief },
);
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable(new Float32Array(4), {});
  revoke();
  return proxy;
};
const views = [Float32Array, Float64Array, Int32Array, Uint8Array, Uint8ClampedArray, Int16Array, BigInt64Array, DataView];

/** A buffer, or a view of one, in every state that a buffer can be in. */
function bytes() {
  const size = 8 * int(0, 40);
  const buffer = pick([
    () => new ArrayBuffer(size),
    () => new SharedArrayBuffer(size),
    () => new ArrayBuffer(size, { maxByteLength: size + 64 }),
    () => new SharedArrayBuffer(size, { maxByteLength: size + 64 }),
    () => new WebAssembly.Memory({ initial: 1, maximum: 4 }).buffer,
  ])();
  const View = pick(views);
  let view = pick([() => new View(buffer), () => new View(buffer, 8 * int(0, Math.floor(buffer.byteLength / 8))), () => buffer])();
  if (chance(0.3) && view instanceof Float32Array) view = view.subarray(int(0, 3), int(0, view.length)); // overlaps
  if (chance(0.3) && buffer.resizable) buffer.resize(8 * int(0, Math.floor((size + 64) / 8))); // the view may end outside
  if (chance(0.3) && buffer.growable) buffer.grow(size + 64);
  if (chance(0.2) && buffer instanceof ArrayBuffer && buffer.byteLength < 65536) structuredClone(buffer, { transfer: [buffer] }); // detached
  if (chance(0.1)) Object.defineProperty(view, 'byteLength', { get: mischief });
  if (chance(0.1)) Object.setPrototypeOf(view, pick([null, Array.prototype, trapped]));
  return view;
}

const numbers = [
  0,
  -0,
  1,
  2,
  3,
  4,
  7,
  16,
  64,
  255,
  -1,
  -2,
  0.5,
  -0.5,
  1e-300,
  5e-324,
  Number.NaN,
  Infinity,
  -Infinity,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 32,
  2 ** 32 + 1,
  2 ** 40,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 53 + 2,
  2 ** 63,
  2 ** 64,
  1e308,
  -1e308,
];
const others = [
  () => undefined,
  () => null,
  () => true,
  () => false,
  () => '',
  () => '1',
  () => 'x'.repeat(1000),
  () => Symbol('s'),
  () => 1n,
  () => 2n ** 64n,
  () => ({}),
  () => [],
  () => [1, 2],
  () => new Array(5),
  () => () => 1,
  () => class {},
  () => new Date(0),
  () => /x/,
  () => new Map(),
  () => new Error('e'),
  () => Promise.resolve(),
  () => Object.create(null),
  () => Object.freeze({}),
  () => new Number(3),
  () => new String('1'),
  () => trap,
  () => trapped,
  revoked,
  () => globalThis,
  () => native,
  () => native.ops,
  () => new WeakRef({}),
  () => new Proxy([], {}),
];

const anyId = () =>
  pick([
    () => pick([...tensors.keys()]),
    () => pick([...tensors.keys()]),
    () => pick([...tensors.keys()]),
    () => pick(dead),
    () => pick([...tensors.keys()]) + pick([1, -1, 2 ** 32, -(2 ** 32), 0.5, 2 ** 52]),
    () => pick([...plans.keys()]) ?? 1,
  ])();
/** Ids of tensors of one shape and type, as an elementwise op wants them. */
const alike = (count) => {
  const { kind } = pick([...tensors.values()].filter((tensor) => tensor.kind));
  const ids = [...tensors].filter(([, tensor]) => tensor.kind === kind).map(([id]) => id);
  return Array.from({ length: count }, () => pick(ids));
};
const hostile = () => pick([() => pick(numbers), () => pick(others)(), bytes, anyId])();
const shapes = [[], [4], [2, 3], [2, 4, 4, 3], [0, 5], [1, 6, 6, 1]];
const dims = () => Array.from({ length: int(0, 4) }, () => int(0, 5));

/** Arguments that a function might accept. */
const likely = {
  create: () => [{}, int(0, 3), ...dims()],
  view: () => [{}, anyId(), ...dims()],
  piece: () => [{}, anyId(), 64 * int(0, 3), int(0, 3), ...dims()],
  free: () => [anyId()],
  upload: () => {
    const [id, { bytes: size }] = pick([...tensors]);
    return chance(0.5) ? [id, new Uint8Array(size)] : [anyId(), bytes()];
  },
  read: () => [anyId()],
  readSync: () => [anyId()],
  settled: () => [anyId()],
  sync: () => [],
  syncSync: () => [],
  memory: () => [],
  info: () => [],
  setNumThreads: () => [int(1, 4)],
  lowerThreadPriority: () => [],
  peak: () => [],
  capture: () => [],
  endCapture: () => {
    const captured = native.ops.unary;
    const ids = alike(2);
    if (chance(0.7)) attempt(() => captured(...ids, 0));
    return chance(0.3) ? [] : [{}, chance(0.7) ? 1 : int(0, 2), ...(chance(0.7) ? ids : alike(pick([1, 3, 44, 46, 47, 60, 400])))];
  },
  run: () => {
    const [plan, { kind } = {}] = pick([...plans]) ?? [1];
    const ids = [...tensors].filter(([, tensor]) => tensor.kind === kind).map(([id]) => id);
    return [plan, ...Array.from({ length: chance(0.7) ? 2 : int(0, 50) }, () => pick(ids) ?? anyId())];
  },
  cancel: () => [pick([...plans.keys()]) ?? 1, int(0, 20)],
  freePlan: () => [pick([...plans.keys()]) ?? 1],
  trim: () => [],
  detach: () => [chance(0.7) ? new Uint8Array(int(0, 2000)).subarray(chance(0.7) ? 0 : 1) : pick(numbers)],
  planInfo: () => [pick([...plans.keys()]) ?? 1],
};

function attempt(call) {
  try {
    call();
  } catch (error) {
    checkError(error, 'a call');
  }
}

/** Those of an op: its number of tensors is known from what it says of a call without any. */
function likelyOp(op) {
  return () => [
    ...(chance(0.7) ? alike(op.tensors) : Array.from({ length: int(0, op.tensors) }, anyId)),
    ...Array.from({ length: chance(0.5) ? op.attrs : int(0, 12) }, () => pick(numbers.slice(0, 12))),
  ];
}

const codes = new Set([
  'ERR_INVALID_TYPE',
  'ERR_INVALID_VALUE',
  'ERR_SHAPE',
  'ERR_DISPOSED',
  'ERR_OUT_OF_MEMORY',
  'ERR_UNSUPPORTED',
  'ERR_KERNEL',
]);

function checkError(error, what) {
  const known = error instanceof Error && codes.has(error.code) && error.docs === `receptive/docs/errors.md#${error.code.toLowerCase()}`;
  if (known && (error.code === 'ERR_KERNEL' || /^\w+: ./.test(error.message))) return;
  console.error(`${what} threw`, error);
  process.exit(1);
}

const counts = {};
const functions = [];
for (const [name, body] of Object.entries(native)) if (typeof body === 'function') functions.push({ name, body, given: likely[name] });
for (const [name, body] of Object.entries(native.ops)) {
  let message = '';
  try {
    body();
  } catch (error) {
    message = error.message;
  }
  const [, tensors, attrs] = /expected (\d+) tensors and (\d+|at most \d+) numbers/.exec(message); // what it says of a call without any
  functions.push({ name: `ops.${name}`, body, given: likelyOp({ tensors: Number(tensors), attrs: Number.parseInt(attrs, 10) || 1 }) });
}
const missing = functions.filter(({ given }) => given === undefined).map(({ name }) => name);
if (missing.length > 0) throw new Error(`no arguments are known for ${missing}`);

/** What a call gave: ids live on, promises are to settle. A tensor of gigabytes is let go at once: to touch it would take a machine's memory. */
function keep(name, args, result) {
  if (name === 'create' && args.slice(2).reduce((size, n) => size * n, 1) > 1e6) {
    native.free(result);
    forget(result);
  } else if (name === 'create' || name === 'view' || name === 'piece') tensors.set(result, { owner: args[0], bytes: 0 });
  if (name === 'free') forget(args[0]);
  if (name === 'endCapture' && result > 0) plans.set(result, { owner: args[0], kind: tensors.get(args[2])?.kind });
  if (name === 'freePlan') plans.delete(args[0]);
  if (result instanceof Promise) result.catch((error) => checkError(error, `the promise of ${name}`));
  if (result instanceof ArrayBuffer && chance(0.2)) structuredClone(result, { transfer: [result] });
}

const bystanders = Array.from({ length: 16 }, (_, i) => {
  const owner = {};
  const id = native.create(owner, 0, 50);
  native.upload(id, new Float32Array(50).fill(i));
  return { owner, id, value: i };
});

/** Bystanders' ids were never handed out, yet one may be guessed by chance: those that were named are no bystanders. */
const named = new Set();
let peaks = 0;

function round() {
  if (tensors.size > limit) freeSome();
  if ([...tensors.values()].filter(({ kind }) => kind).length < 8)
    for (let i = 0; i < 12; ++i) make(chance(0.7) ? 0 : int(1, 3), ...pick(shapes));
  const { name, body, given } = pick(functions);
  if (name === 'peak' && ++peaks > 2) return;
  let args = chance(0.9) ? given() : Array.from({ length: int(0, 12) }, hostile);
  for (let i = chance(0.6) ? int(1, 2) : 0; i > 0 && args.length > 0; --i) args[int(0, args.length - 1)] = hostile();
  if (chance(0.03)) args = [...args, ...Array.from({ length: pick([1, 20, 48, 60, 500]) }, hostile)];
  if (chance(0.05)) args.length = int(0, args.length);
  for (const arg of args) if (typeof arg === 'number') named.add(arg);
  if (trace) console.error(name, args.map((arg) => (typeof arg === 'number' ? arg : Object.prototype.toString.call(arg))).join(', '));
  counts[name] ??= { good: 0, threw: 0 };
  const count = counts[name];
  try {
    const result = chance(0.98) ? body(...args) : Reflect.apply(body, pick(others)(), args);
    count.good++;
    keep(name, args, result);
  } catch (error) {
    count.threw++;
    checkError(error, name);
  }
}

async function main() {
  for (let i = 0; i < calls; ++i) {
    round();
    if (i % 500 === 499) {
      if (chance(0.5)) await native.sync().catch((error) => checkError(error, 'sync'));
      else await new Promise(setImmediate);
    }
  }
  try {
    native.endCapture();
  } catch (error) {
    checkError(error, 'endCapture');
  }
  await native.sync().catch((error) => checkError(error, 'sync'));
  for (const { id, value } of bystanders) {
    if (!named.has(id) && !new Float32Array(native.readSync(id)).every((x) => x === value))
      throw new Error(`memory of ${id} was written to`);
  }
  console.log(JSON.stringify(counts));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

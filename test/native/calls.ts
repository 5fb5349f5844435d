import { float32, float64, int32, uint8 } from './support';

/** One call of an op: element type and shape of each tensor (null: left out), and the numbers. */
export interface OpCall {
  tensors: ({ dtype: number; shape: number[] } | null)[];
  numbers: number[];
}

export class Random {
  constructor(readonly next: () => number) {}
  /** An integer from low to high. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }
  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)] as T;
  }
  chance(probability: number): boolean {
    return this.next() < probability;
  }
  shape(least = 0, most = 4): number[] {
    return Array.from({ length: this.int(least, most) }, () => this.int(0, 6));
  }
}

type Maker = (random: Random, dtype: number) => OpCall;

const of = (dtype: number) => (shape: number[]) => ({ dtype, shape });
const extent = (size: number, k: number, stride: number, before: number, after: number, dilation: number) =>
  Math.floor((size + before + after - dilation * (k - 1) - 1) / stride) + 1;

/** Sizes of a window over an image that fits at least once. */
function windowed(r: Random) {
  const [kh, kw] = [r.int(1, 4), r.int(1, 4)];
  const [sh, sw, dh, dw] = [r.int(1, 3), r.int(1, 3), r.int(1, 2), r.int(1, 2)];
  const padding = [r.int(0, kh >> 1), r.int(0, kw >> 1), r.int(0, kh >> 1), r.int(0, kw >> 1)];
  const [top, right, bottom, left] = padding as [number, number, number, number];
  const [H, W] = [dh * (kh - 1) + r.int(1, 8), dw * (kw - 1) + r.int(1, 8)];
  const [P, Q] = [extent(H, kh, sh, top, bottom, dh), extent(W, kw, sw, left, right, dw)];
  return { N: r.int(0, 2), H, W, kh, kw, sh, sw, padding, dh, dw, P, Q };
}

function convolution(r: Random) {
  const w = windowed(r);
  // what the stride leaves over at the end may be said to lie beyond all windows
  const [top, right, bottom, left] = w.padding as [number, number, number, number];
  w.padding[1] = right - r.int(0, (w.W + left + right - w.dw * (w.kw - 1) - 1) % w.sw);
  w.padding[2] = bottom - r.int(0, (w.H + top + bottom - w.dh * (w.kh - 1) - 1) % w.sh);
  const groups = r.int(1, 3);
  const [C, K] = [groups * r.int(1, 5), groups * r.int(1, 5)];
  return {
    x: [w.N, w.H, w.W, C],
    w: [w.kh, w.kw, C / groups, K],
    b: [K],
    y: [w.N, w.P, w.Q, K],
    numbers: [w.sh, w.sw, ...w.padding, w.dh, w.dw, groups, r.int(0, 1)],
  };
}

/** A convolution of one group whose kernel is another one at each place. */
function unshared(r: Random) {
  const c = convolution(r);
  const [C, [, P, Q, K]] = [c.x[3] as number, c.y as [number, number, number, number]];
  return { ...c, w: [P, Q, ...c.w.slice(0, 2), C, K], b: [P, Q, K], numbers: c.numbers.slice(0, 8) };
}

function pooling(r: Random) {
  const w = windowed(r);
  const C = r.int(1, 20);
  return {
    x: [w.N, w.H, w.W, C],
    y: [w.N, w.P, w.Q, C],
    numbers: [w.kh, w.kw, w.sh, w.sw, ...w.padding, w.dh, w.dw],
  };
}

/** What results may be brought into. */
const clips = [
  [-Infinity, Infinity],
  [0, Infinity],
  [0, 6],
];

/** An image, and another of any height and width. */
function sharing(r: Random) {
  const [N, C] = [r.int(0, 2), r.int(1, 20)];
  const size = () => r.int(1, 9);
  return { x: [N, size(), size(), C], y: [N, size(), size(), C] };
}

/** Of those elementwise functions that take any. */
const parametersOf: Record<number, number[]> = { 9: [-1, 2], 10: [-1, 2], 11: [0.1], 12: [0.5], 18: [2, 20], 24: [1] };

/** The number of an elementwise function that has a gradient, and its parameters. */
function elementwise(r: Random): number[] {
  const kind = r.int(0, 25);
  return [kind, ...(parametersOf[kind] ?? [])];
}

const scaling = (r: Random) => (r.chance(0.5) ? [0, 0] : [3 * r.next(), 3 * r.next()]);
const optional = <T>(r: Random, value: T): T | null => (r.chance(0.3) ? null : value);
const seeds = (r: Random) => [r.int(0, 99), r.int(0, 99), r.int(0, 99), 0];

/** A call each op accepts, drawn at random. */
export const calls: Record<string, Maker> = {
  unary: (r, d) => same(r, d, 2, elementwise(r)),
  unary_backward: (r, d) => same(r, d, 3, elementwise(r)),
  binary(r, d) {
    const y = r.shape();
    const broadcast = () => y.map((n) => (r.chance(0.2) ? 1 : n)).slice(r.int(0, r.chance(0.3) ? y.length : 0));
    const [a, b] = r.chance(0.5) ? [y, broadcast()] : [broadcast(), y];
    return { tensors: [a, b, y].map(of(r.chance(0.2) ? int32 : d)), numbers: [r.int(0, 9)] };
  },
  where(r, d) {
    const y = r.shape();
    const broadcast = () => y.map((n) => (r.chance(0.2) ? 1 : n)).slice(r.int(0, r.chance(0.3) ? y.length : 0));
    const [condition, a, b] = [y, broadcast(), broadcast()];
    const type = r.chance(0.5) ? d : r.int(0, 3);
    return { tensors: [of(r.int(0, 3))(condition), ...[a, b, y].map(of(type))], numbers: [] };
  },
  cast(r) {
    const shape = r.shape();
    return { tensors: [of(r.int(0, 3))(shape), of(r.int(0, 3))(shape)], numbers: [r.int(-3, 3), r.int(-3, 3)] };
  },
  reduce(r, d) {
    const x = r.shape(1).map((n) => n + 1);
    const mask = r.int(0, (1 << x.length) - 1);
    const reduced = (axis: number) => ((mask >> axis) & 1) === 1;
    const y = r.chance(0.5) ? x.map((n, axis) => (reduced(axis) ? 1 : n)) : x.filter((_, axis) => !reduced(axis));
    return { tensors: [x, y].map(of(d)), numbers: [r.int(0, 3), mask] };
  },
  argmax(r, d) {
    const x = r.shape(1).map((n) => n + 1);
    const axis = r.int(0, x.length - 1);
    return { tensors: [of(d)(x), of(int32)(x.filter((_, i) => i !== axis))], numbers: [axis] };
  },
  label_rank(r, d) {
    const [N, C] = [r.int(0, 6), r.int(1, 9)];
    return { tensors: [of(d)([N, C]), of(int32)([N]), of(int32)([N])], numbers: [] };
  },
  confusion(r) {
    const [N, C] = [r.int(0, 6), r.int(0, 4)];
    return { tensors: [of(int32)([N]), of(int32)([N]), of(int32)([C, C])], numbers: [] };
  },
  copy: (r) => walked(r, r.int(0, 3)),
  accumulate(r, d) {
    const call = walked(r, d);
    const axis = r.int(0, call.numbers[0] as number);
    // the last strides are y's: along one of them all cells may be one
    if (axis < (call.numbers[0] as number)) call.numbers[call.numbers.length - 1 - axis] = 0;
    return call;
  },
  fill: (r) => ({ tensors: [of(r.int(0, 3))(r.shape())], numbers: [r.int(0, 9)] }),
  random: (r, d) => ({ tensors: [of(d)(r.shape())], numbers: [r.int(0, 1), 0, 1, ...seeds(r)] }),
  dropout: (r, d) => same(r, d, 2, [r.next(), ...seeds(r)]),
  augment(r, d) {
    const [images, C] = [r.int(0, 3), r.int(0, 20)];
    const [x, t] = [[images, r.int(1, 8), r.int(1, 8), C], of(d)];
    const [changed, named] = [r.chance(0.7), r.chance(0.5)];
    const N = named ? r.int(0, 5) : images;
    const y = changed ? [N, r.int(0, 8), r.int(0, 8), C] : [N, ...x.slice(1)];
    const c = () => optional(r, t([C]));
    const index = named ? of(int32)([N]) : null;
    return { tensors: [of(r.chance(0.5) ? uint8 : d)(x), changed ? t([N, 13]) : null, c(), c(), t(y), index], numbers: [r.int(0, 2)] };
  },
  softmax: (r, d) => ({
    ...same(
      r,
      d,
      2,
      [r.int(0, 1)],
      r.shape(1).map((n) => n + 1),
    ),
  }),
  softmax_backward: (r, d) => ({
    ...same(
      r,
      d,
      3,
      [r.int(0, 1)],
      r.shape(1).map((n) => n + 1),
    ),
  }),
  cross_entropy(r, d) {
    const [N, C, reduction] = [r.int(1, 6), r.int(1, 12), r.int(0, 2)];
    const t = of(d);
    const loss = t(reduction === 0 ? [N] : []);
    const labels = r.chance(0.5) ? of(int32)([N]) : t([N, C]);
    return { tensors: [t([N, C]), labels, optional(r, t([C])), loss, t([N, C])], numbers: [reduction, r.pick([0, 0.1]), -100] };
  },
  cross_entropy_backward(r, d) {
    const [N, C, reduction] = [r.int(1, 6), r.int(1, 12), r.int(0, 2)];
    const t = of(d);
    const g = t(reduction === 0 ? [N] : []);
    const labels = r.chance(0.5) ? of(int32)([N]) : t([N, C]);
    return { tensors: [t([N, C]), labels, optional(r, t([C])), g, t([N, C])], numbers: [reduction, r.pick([0, 0.1]), -100] };
  },
  nll: (r, d) => likelihood(r, d),
  nll_backward: (r, d) => likelihood(r, d),
  conv2d(r, d) {
    const c = convolution(r);
    const t = of(d);
    return { tensors: [t(c.x), t(c.w), optional(r, t(c.b)), optional(r, t(c.y)), t(c.y)], numbers: [...c.numbers, ...r.pick(clips)] };
  },
  conv2d_chain(r, d) {
    const first = convolution(r);
    const [N, H, W, C] = first.y as [number, number, number, number];
    const pointwise = (k: number) => ({ w: [1, 1, k, k], numbers: [1, 1, 0, 0, 0, 0, 1, 1, 1, 0] });
    const depthwise = { w: [3, 3, 1, C], numbers: [1, 1, 1, 1, 1, 1, 1, 1, C, 0] };
    const links = [first, depthwise, ...(r.chance(0.5) ? [pointwise(C)] : [])];
    const t = of(d);
    const parameters = links.flatMap(({ w }) => [t(w), optional(r, t([C]))]);
    const missing = Array.from({ length: 6 - parameters.length }, () => null);
    const y = t([N, H, W, C]);
    return {
      tensors: [t(first.x), ...parameters, ...missing, optional(r, y), y],
      numbers: links.flatMap(({ numbers }) => [...numbers, ...r.pick(clips)]),
    };
  },
  conv2d_backward_input(r, d) {
    const c = convolution(r);
    const t = of(d);
    return { tensors: [t(c.y), t(c.w), optional(r, t([c.x[3] as number])), t(c.x)], numbers: c.numbers };
  },
  conv2d_backward_weight(r, d) {
    const c = convolution(r);
    const t = of(d);
    return { tensors: [t(c.x), t(c.y), t(c.w), optional(r, t(c.b))], numbers: c.numbers };
  },
  locally_connected2d(r, d) {
    const c = unshared(r);
    const t = of(d);
    return { tensors: [t(c.x), t(c.w), optional(r, t(c.b)), t(c.y)], numbers: c.numbers };
  },
  locally_connected2d_backward_input(r, d) {
    const c = unshared(r);
    return { tensors: [c.y, c.w, c.x].map(of(d)), numbers: c.numbers };
  },
  locally_connected2d_backward_weight(r, d) {
    const c = unshared(r);
    return { tensors: [c.x, c.y, c.w].map(of(d)), numbers: c.numbers };
  },
  convolve(r, d) {
    const shape = (rank: number, most: number) => Array.from({ length: rank }, () => r.int(1, most));
    const rank = r.int(1, 2);
    const start = () => r.int(-5, 9);
    return {
      tensors: [shape(rank, 12), shape(rank, 6), shape(rank, 20)].map(of(d)),
      numbers: [r.int(0, 1), r.int(0, 2), start(), rank === 1 ? 0 : start()],
    };
  },
  matmul(r, d) {
    const [m, n, k, transA, transB] = [r.int(0, 20), r.int(0, 20), r.int(0, 20), r.int(0, 1), r.int(0, 1)];
    const batch = r.chance(0.5) ? [] : [r.int(0, 3)];
    const t = of(d);
    const a = [...batch, ...(transA ? [k, m] : [m, k])];
    const b = [...batch, ...(transB ? [n, k] : [k, n])];
    return {
      tensors: [t(a), t(b), optional(r, t([n])), t([...batch, m, n])],
      numbers: [transA, transB, ...(transA ? [-Infinity, Infinity] : r.pick(clips))],
    };
  },
  max_pool2d(r, d) {
    const p = pooling(r);
    return { tensors: [of(d)(p.x), of(d)(p.y), optional(r, of(uint8)(p.y))], numbers: [...p.numbers, ...r.pick(clips)] };
  },
  max_pool2d_backward(r, d) {
    const p = pooling(r);
    return { tensors: [of(d)(p.y), of(uint8)(p.y), of(d)(p.x)], numbers: p.numbers };
  },
  max_unpool2d_backward(r, d) {
    const p = pooling(r);
    return { tensors: [of(d)(p.x), of(uint8)(p.y), of(d)(p.y)], numbers: p.numbers };
  },
  avg_pool2d(r, d) {
    const p = pooling(r);
    return { tensors: [p.x, p.y].map(of(d)), numbers: [...p.numbers, r.int(0, 1)] };
  },
  avg_pool2d_backward(r, d) {
    const p = pooling(r);
    return { tensors: [p.y, p.x].map(of(d)), numbers: [...p.numbers, r.int(0, 1)] };
  },
  adaptive_max_pool2d(r, d) {
    const p = sharing(r);
    return { tensors: [of(d)(p.x), of(d)(p.y), optional(r, of(uint8)(p.y))], numbers: [] };
  },
  adaptive_max_pool2d_backward(r, d) {
    const p = sharing(r);
    return { tensors: [of(d)(p.y), of(uint8)(p.y), of(d)(p.x)], numbers: [] };
  },
  adaptive_avg_pool2d(r, d) {
    const p = sharing(r);
    return { tensors: [p.x, p.y].map(of(d)), numbers: [] };
  },
  adaptive_avg_pool2d_backward(r, d) {
    const p = sharing(r);
    return { tensors: [p.y, p.x].map(of(d)), numbers: [] };
  },
  upsample(r, d) {
    const p = sharing(r);
    return { tensors: [p.x, p.y].map(of(d)), numbers: [r.int(0, 2), ...scaling(r)] };
  },
  upsample_backward(r, d) {
    const p = sharing(r);
    return { tensors: [p.y, p.x].map(of(d)), numbers: [r.int(0, 2), ...scaling(r)] };
  },
  batch_norm_train(r, d) {
    const C = r.int(1, 20);
    const x = [...r.shape(1, 3).map((n) => n + 2), C];
    const t = of(d);
    const c = () => optional(r, t([C]));
    const running = c();
    return { tensors: [t(x), c(), c(), running, running, optional(r, t(x)), t(x), t([C]), t([C])], numbers: [0.1, 1e-5, 0, Infinity] };
  },
  batch_norm_infer(r, d) {
    const C = r.int(1, 20);
    const x = [...r.shape(1, 3).map((n) => n + 1), C];
    const t = of(d);
    const [gamma, beta, add, invstd] = [t([C]), t([C]), t(x), t([C])].map((one) => optional(r, one));
    return { tensors: [t(x), gamma, beta, t([C]), t([C]), add, t(x), invstd], numbers: [1e-5, -1, 1] };
  },
  batch_norm_backward(r, d) {
    const C = r.int(1, 20);
    const x = [...r.shape(1, 3).map((n) => n + 1), C];
    const t = of(d);
    const c = () => optional(r, t([C]));
    const [y, dadd] = r.int(0, 1) ? [t(x), t(x)] : [null, null];
    return { tensors: [t(x), t(x), c(), c(), t([C]), t([C]), y, optional(r, t(x)), c(), c(), dadd], numbers: [r.int(0, 1), 0, Infinity] };
  },
  group_norm(r, d) {
    const [N, S, G, D] = [r.int(0, 4), r.int(0, 9), r.int(0, 4), r.int(0, 20)];
    const t = of(d);
    const c = () => optional(r, t([G, D]));
    return { tensors: [t([N, S, G, D]), c(), c(), t([N, S, G, D]), t([N, G]), t([N, G])], numbers: [1e-5] };
  },
  group_norm_backward(r, d) {
    const [N, S, G, D] = [r.int(0, 4), r.int(0, 9), r.int(0, 4), r.int(0, 20)];
    const t = of(d);
    const [x, statistics] = [
      [N, S, G, D],
      [N, G],
    ];
    const c = () => optional(r, t([G, D]));
    return { tensors: [t(x), t(x), c(), t(statistics), t(statistics), optional(r, t(x)), c(), c()], numbers: [] };
  },
  prelu(r, d) {
    const [x, t] = [r.shape(1), of(d)];
    const w = [r.chance(0.5) ? 1 : (x[x.length - 1] as number)];
    return { tensors: [t(x), t(w), t(x)], numbers: [] };
  },
  prelu_backward(r, d) {
    const [x, t] = [r.shape(1), of(d)];
    const w = [r.chance(0.5) ? 1 : (x[x.length - 1] as number)];
    return { tensors: [t(x), t(w), t(x), optional(r, t(x)), optional(r, t(w))], numbers: [] };
  },
  sgd(r, d) {
    const call = same(r, d, 3, [0.1, r.pick([0, 0.9]), 0, 0.01, 0, r.int(0, 1)]);
    if (call.numbers[1] === 0) call.tensors[2] = null;
    return call;
  },
  topk(r, d) {
    const x = r.shape(1).map((n) => n + 1);
    const k = r.int(0, x.at(-1) as number);
    return { tensors: [of(r.chance(0.5) ? d : r.int(0, 3))(x), of(int32)([...x.slice(0, -1), k])], numbers: [r.int(0, 1)] };
  },
  adam: (r, d) => same(r, d, 4, [0.001, 0.9, 0.999, 1e-8, 0.01, r.int(0, 1), r.int(1, 9)]),
  rmsprop(r, d) {
    const call = same(r, d, 5, [0.01, 0.99, 1e-8, r.pick([0, 0.9]), 0.01]);
    if (r.chance(0.5)) call.tensors[3] = null;
    if (call.numbers[3] === 0) call.tensors[4] = null;
    return call;
  },
  squared_norm: (r, d) => ({ tensors: [of(d)(r.shape()), of(float64)([])], numbers: [] }),
  find_nonfinite: (r, d) => ({ tensors: [of(d)(r.shape()), of(int32)([])], numbers: [r.int(1, 9)] }),
  clip_norm: (r, d) => ({ tensors: [of(d)(r.shape()), of(float64)([1])], numbers: [r.int(0, 3)] }),
  scatter_add(r, d) {
    const [x, n, t] = [r.shape(1, 4).map((s) => s + 1), r.int(0, 5), of(d)];
    return { tensors: [t([n, ...x.slice(1)]), of(int32)([n]), t(x)], numbers: [r.int(-1, (x[0] as number) - 1)] };
  },
  gather: rowsByNumber,
  embedding: rowsByNumber,
};

/** Every cell of one tensor against one of another, in order or in reverse. */
function walked(r: Random, dtype: number): OpCall {
  const dims = r.shape(0, 4);
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((a, b) => a * b, 1));
  const before = r.int(0, 3);
  const size = dims.reduce((a, b) => a * b, 1);
  const reversed = dims.map((_, i) => (r.chance(0.3) ? -(strides[i] as number) : (strides[i] as number)));
  const start = reversed.reduce((at, s, i) => at + (s < 0 ? -s * Math.max(0, (dims[i] as number) - 1) : 0), 0);
  return {
    tensors: [of(dtype)([size + 3]), of(dtype)([size + before])],
    numbers: [dims.length, ...dims, start, ...reversed, before, ...strides],
  };
}

function rowsByNumber(r: Random): OpCall {
  const [x, n, t] = [r.shape(1, 4).map((s) => s + 1), r.int(0, 5), of(r.int(0, 3))];
  return { tensors: [t(x), of(int32)([n]), t([n, ...x.slice(1)])], numbers: [] };
}

/** Values of classes, labels, weights and losses; the labels the test fills in may be wrong. */
function likelihood(r: Random, dtype: number): OpCall {
  const [N, C, reduction, t] = [r.int(0, 6), r.int(1, 12), r.int(0, 2), of(dtype)];
  return { tensors: [t([N, C]), of(int32)([N]), optional(r, t([C])), t(reduction === 0 ? [N] : [])], numbers: [reduction, -100] };
}

/** So many tensors of one shape. */
function same(r: Random, dtype: number, count: number, numbers: number[], shape = r.shape()): OpCall {
  return { tensors: Array.from({ length: count }, () => of(dtype)(shape)), numbers };
}

const awkward = [-1, 0, 1, 2, 3, 7, 0.5, 255, 256, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 53, 1e308];

/** The same call with one thing changed. */
export function mutate(call: OpCall, r: Random): void {
  const at = r.int(0, call.tensors.length - 1);
  const tensor = call.tensors[at];
  if (r.chance(0.5) && call.numbers.length > 0) {
    call.numbers[r.int(0, call.numbers.length - 1)] = r.pick(awkward);
  } else if (!tensor || r.chance(0.15)) {
    call.tensors[at] = tensor ? null : { dtype: r.pick([float32, float64, int32, uint8]), shape: r.shape() };
  } else if (r.chance(0.2)) {
    call.tensors[at] = { dtype: r.int(0, 3), shape: tensor.shape };
  } else if (r.chance(0.3)) {
    call.tensors[at] = { dtype: tensor.dtype, shape: r.shape(0, 6) };
  } else {
    const shape = [...tensor.shape];
    if (shape.length > 0) {
      const axis = r.int(0, shape.length - 1);
      shape[axis] = Math.max(0, (shape[axis] as number) + r.pick([-2, -1, 1, 2]));
    }
    call.tensors[at] = { dtype: tensor.dtype, shape };
  }
}

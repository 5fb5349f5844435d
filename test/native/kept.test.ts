import { manualSeed, noGrad, ops, optim, randn, type Tensor, tensor, tidy, zeros } from '../../lib';
import { native } from '../../lib/native';
import { settle } from '../support/memory';

// What calls keep of weights they find as they were: results are the same bits, and nothing that changed is missed.

beforeEach(() => manualSeed(1));

const bytes = (x: Tensor) => Buffer.from(x.dataSync().buffer).toString('base64');

const cases: [string, number[], number[], (x: Tensor, w: Tensor) => Tensor][] = [
  ['conv2d by minimal filtering', [1, 14, 14, 64], [3, 3, 64, 64], (x, w) => ops.conv2d(x, w, { padding: 1 })],
  ['conv2d by direct sums', [2, 9, 9, 24], [3, 3, 24, 40], (x, w) => ops.conv2d(x, w, { stride: 2 })],
  ['conv2d of few pixels', [1, 9, 9, 160], [3, 3, 160, 64], (x, w) => ops.conv2d(x, w, { stride: 2, padding: 1 })],
  ['conv2d by steps of two', [1, 31, 30, 16], [6, 6, 16, 32], (x, w) => ops.conv2d(x, w, { stride: 2, padding: 2 })],
  ['conv1d', [2, 64, 32], [5, 32, 32], (x, w) => ops.conv1d(x, w)],
  ['linear', [64, 100], [130, 100], (x, w) => ops.linear(x, w)],
  ['matmul', [64, 100], [100, 130], (x, w) => ops.matmul(x, w)],
];

/** Calls in a row, of which the last ones find what those before kept. */
const often = (run: () => Tensor) => tidy(() => noGrad(() => Array.from({ length: 5 }, () => bytes(run()))));

// Small images are summed directly, larger ones filtered, of which both make something of the weights that has the same size.
test.each([16, 64])('conv2d by steps of two, of images of two sizes, 16 to %d channels', (width) => {
  const [small, large, w] = [randn([1, 8, 8, 16]), randn([1, 24, 24, 16]), randn([6, 6, 16, width])];
  const run = (x: Tensor) => ops.conv2d(x, w, { stride: 2, padding: 2 });
  const expected = [small, large].map((x) => bytes(run(x)));
  for (const [first, other] of [
    [small, large],
    [large, small],
  ] as const) {
    often(() => run(first));
    expect([small, large].map((x) => often(() => run(x))[0])).toEqual(expected);
    expect(bytes(noGrad(() => run(other)))).toBe(expected[other === small ? 0 : 1]);
  }
});

describe.each(cases)('%s', (_name, inputs, weights, run) => {
  test('gives the same bits again and again', () => {
    const [x, w] = [randn(inputs), randn(weights)];
    expect(new Set(often(() => run(x, w))).size).toBe(1);
  });

  const writes: [string, (w: Tensor) => void][] = [
    ['an operation', (w) => native.ops.fill(w.id, 0.5)],
    ['an operation on a view', (w) => native.ops.fill(ops.reshape(w, [w.size]).id, 0.5)],
    ['an upload', (w) => native.upload(w.id, new Float32Array(w.size).fill(0.5))],
    [
      'an optimiser',
      (w) => {
        w.grad = randn(w.shape);
        new optim.SGD([w], { lr: 1 }).step();
      },
    ],
  ];
  test.each(writes)('sees what was written by %s', (_by, write) => {
    const [x, w] = [randn(inputs), randn(weights)];
    w.requiresGrad = true;
    const [before] = often(() => run(x, w));
    noGrad(() => write(w));
    const copy = tensor(w.dataSync(), weights);
    const [expected] = often(() => run(x, copy));
    expect(expected).not.toBe(before);
    expect(new Set(often(() => run(x, w)))).toEqual(new Set([expected]));
  });

  test('is not told of uploads too early', () => {
    const [x, w] = [randn(inputs), randn(weights)];
    const [before] = often(() => run(x, w));
    const results = noGrad(() => [run(x, w), run(x, w)]);
    native.upload(w.id, new Float32Array(w.size));
    results.push(noGrad(() => run(x, w)));
    const nothing = bytes(zeros(results[2]!.shape));
    expect(results.map(bytes)).toEqual([before, before, nothing]);
  });
});

test('other attributes of a call keep for themselves', () => {
  const [x, w] = [randn([1, 12, 12, 32]), randn([3, 3, 32, 32])];
  const all = [0, 1, 2, 3, 4, 5, 6].map((padding) => () => ops.conv2d(x, w, { padding }));
  const first = noGrad(() => all.map((run) => bytes(run())));
  for (let i = 0; i < 4; i++) expect(noGrad(() => all.map((run) => bytes(run())))).toEqual(first);
});

describe('memory', () => {
  // What sessions of other tests in this process keep, and the weights above; and the failures those tests caused.
  beforeEach(async () => {
    await settle();
    await native.sync().catch(() => {});
    native.trim();
  });
  const kept = () => {
    native.syncSync();
    return native.memory().kept;
  };
  const packed = (w: Tensor) => w.size * 4; // of whole vectors
  const product = (x: Tensor, w: Tensor) => () => tidy(() => noGrad(() => void ops.matmul(x, w)));

  test('is taken by the third call, and given back by trim and with the weights', () => {
    const [x, w] = [randn([32, 512]), randn([512, 512])];
    const run = product(x, w);
    const before = kept();
    run();
    run();
    expect(kept()).toBe(before);
    run();
    expect(kept()).toBe(before + packed(w));
    run();
    expect(kept()).toBe(before + packed(w));
    native.trim();
    expect(kept()).toBe(before);
    run();
    expect(kept()).toBe(before + packed(w));
    w.dispose();
    expect(kept()).toBe(before);
  });

  test('is shared with the plan of a session, and stays with it', () => {
    const [x, w, y] = [randn([32, 512]), randn([512, 512]), randn([32, 512])];
    const before = kept();
    for (let i = 0; i < 3; i++) product(x, w)();
    native.capture();
    native.ops.matmul(x.id, w.id, 0, y.id, 0, 0, -Infinity, Infinity);
    const plan = native.endCapture({}, 1, x.id, y.id);
    native.run(plan, x.id, y.id);
    expect(kept()).toBe(before + packed(w));
    native.trim();
    expect(kept()).toBe(before + packed(w));
    native.freePlan(plan);
    expect(kept()).toBe(before);
  });

  test('is not taken for weights in training', () => {
    const [x, w] = [randn([32, 512]), randn([512, 512])];
    w.requiresGrad = true;
    x.requiresGrad = true;
    const before = kept();
    const optimizer = new optim.SGD([w], { lr: 0.01 });
    for (let i = 0; i < 3; i++) {
      tidy(() => {
        optimizer.zeroGrad();
        for (let micro = 0; micro < 3; micro++) {
          ops.sum(ops.matmul(x, w)).backward();
          expect(kept()).toBe(before);
        }
        optimizer.step();
      });
    }
  });

  test('is not taken for more than 16 MiB of weights', () => {
    const [x, w] = [randn([32, 2048]), randn([2048, 2064])];
    const before = kept();
    for (let i = 0; i < 5; i++) product(x, w)();
    expect(kept()).toBe(before);
  });
});

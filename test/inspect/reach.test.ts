import { inspect, manualSeed, nn, noGrad, ones, ops, randn, type Tensor, tensor } from '../../lib';

// What operations say they see of their inputs, against what changes of their outputs when one place of the input does.

manualSeed(3);

class Fn extends nn.Module {
  constructor(readonly fn: (x: Tensor) => Tensor) {
    super();
  }
  forward(x: Tensor): Tensor {
    return this.fn(x);
  }
}

const [length, channels] = [6, 4];
const [narrow, tall, flat] = [randn([1, channels, 3]), randn([1, 5, length]), randn([1, 5, channels])];
const square = randn([3, 1, channels, channels]);
const [w, long, kernel] = [randn([3, channels]), randn([1, length, 3]), randn([3, channels, 2])];
const sum = randn([1, length, channels]);

/** Of sequences [1,6,4]. Where an operation is not followed, its outputs count as seeing more than they do: `followed` is false. */
const cases: readonly (readonly [name: string, fn: (x: Tensor) => Tensor, followed?: false])[] = [
  ['matmul of rows', (x) => ops.matmul(x, narrow)],
  ['matmul of columns', (x) => ops.matmul(x, long, { transposeA: true })],
  ['matmul by rows', (x) => ops.matmul(tall, x)],
  ['matmul by columns', (x) => ops.matmul(flat, x, { transposeB: true })],
  [
    'matmul of matrices',
    (x) => ops.reshape(ops.matmul(ops.reshape(x, [length, channels]), ops.reshape(narrow, [channels, 3])), [1, length, 3]),
  ],
  ['linear', (x) => ops.linear(x, w)],
  ['slice', (x) => ops.slice(x, [0, 1], [1, 5])],
  ['slice in steps', (x) => ops.slice(x, [0, 1], [1, 6], [1, 2])],
  ['slice backwards', (x) => ops.slice(x, [0, 5], [1, -9], [1, -1]), false],
  ['topk', (x) => ops.topk(x, 2).values, false],
  ['cast', (x) => ops.cast(ops.cast(x, 'float64'), 'float32')],
  ['batchNorm by past statistics', (x) => ops.batchNorm(x, { runningMean: ones([channels]), runningVar: ones([channels]) })],
  ['batchNorm by the batch', (x) => ops.batchNorm(x, { training: true, weight: ones([channels]) })],
  ['conv1d', (x) => ops.conv1d(x, kernel, { padding: 1 })],
  [
    'conv2d that adds its input',
    (x) => {
      const image = ops.reshape(x, [1, length, 1, channels]);
      return ops.reshape(ops.conv2d(image, square, { padding: [1, 0, 1, 0], add: image, activation: 'relu6' }), [1, length, channels]);
    },
    false, // a rectifier hides some of it
  ],
  ['a sum', (x) => ops.add(x, sum)],
  ['pairs of places that become one', (x) => ops.reshape(x, [1, 3, 2 * channels]), false],
  ['pieces of rows', (x) => ops.reshape(x, [1, 8, 3]), false],
  ['where', (x) => ops.where(ops.greater(x, 0), x, 0)],
];

/** For each place of the output the first and the last place of the input whose change changes it. */
function measured(fn: (x: Tensor) => Tensor): [number, number][] {
  return noGrad(() => {
    const x = randn([1, length, channels]);
    const before = fn(x);
    const [old, places] = [before.dataSync(), before.shape[1]!];
    const width = old.length / places;
    const seen = Array.from({ length: places }, (): [number, number] => [Infinity, -Infinity]);
    for (let at = 0; at < length; at++) {
      const moved = Float32Array.from(x.dataSync(), (value, i) => (Math.floor(i / channels) === at ? 2 - value : value));
      const now = fn(tensor(moved, x.shape)).dataSync();
      for (const [place, range] of seen.entries()) {
        if (now.slice(place * width, (place + 1) * width).every((value, i) => value === old[place * width + i])) continue;
        range[0] = Math.min(range[0], at);
        range[1] = Math.max(range[1], at);
      }
    }
    return seen;
  });
}

test.each(cases.map(([name, fn, followed = true]) => [name, fn, followed] as const))('%s', (_name, fn, followed) => {
  const model = new Fn(fn);
  for (const [place, range] of measured(fn).entries()) {
    const [field] = inspect.unitField(model, [1, length, channels], '', [place]);
    if (followed) expect([place, field]).toEqual([place, range]);
    else expect([place, field![0] <= range[0] && field![1] >= range[1]]).toEqual([place, true]);
  }
});

test('a channel of a product with columns sees one row', () => {
  const model = new Fn((x) => ops.matmul(flat, x, { transposeB: true }));
  expect(inspect.unitField(model, [1, length, channels], '', [2, 4])).toEqual([[4, 4]]);
});

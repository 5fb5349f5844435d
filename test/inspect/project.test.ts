import { inspect, losses, memory, nn, ops, randn, type Tensor, tensor, tidy } from '../../lib';
import { integers } from '../support/data';
import { fault } from '../support/fault';
import { settle } from '../support/memory';

beforeEach(settle);

const values = (x: Tensor) => [...x.dataSync()];

/** An image [H,W,C] of the oracle: plain loops in double. */
type Map3 = number[][][];
const map3 = (h: number, w: number, c: number, at: (i: number, j: number, k: number) => number): Map3 =>
  Array.from({ length: h }, (_, i) => Array.from({ length: w }, (__, j) => Array.from({ length: c }, (___, k) => at(i, j, k))));
const sizes = (m: Map3): [number, number, number] => [m.length, m[0].length, m[0][0].length];

type Kernel = (a: number, b: number, c: number, k: number) => number;

/** Convolution of 3x3 kernels with a padding of 1. */
function convolve(x: Map3, w: Kernel, bias: (k: number) => number, channels: number): Map3 {
  const [H, W, C] = sizes(x);
  return map3(H, W, channels, (i, j, k) => {
    let sum = bias(k);
    for (let a = 0; a < 3; a++)
      for (let b = 0; b < 3; b++) for (let c = 0; c < C; c++) sum += (x[i + a - 1]?.[j + b - 1]?.[c] ?? 0) * w(a, b, c, k);
    return sum;
  });
}

/** Its transpose. */
function deconvolve(y: Map3, w: Kernel, channels: number): Map3 {
  const [H, W, K] = sizes(y);
  return map3(H, W, channels, (i, j, c) => {
    let sum = 0;
    for (let a = 0; a < 3; a++)
      for (let b = 0; b < 3; b++) for (let k = 0; k < K; k++) sum += (y[i - a + 1]?.[j - b + 1]?.[k] ?? 0) * w(a, b, c, k);
    return sum;
  });
}

const rectify = (x: Map3): Map3 => map3(...sizes(x), (i, j, k) => Math.max(x[i][j][k], 0));

/** Where the maximum of each 2x2 window is, the first of equal ones. */
function switches(x: Map3): [number, number][][][] {
  const [H, W, C] = sizes(x);
  return map3(H / 2, W / 2, C, () => 0).map((row, i) =>
    row.map((cell, j) =>
      cell.map((_, c) => {
        const places: [number, number][] = [
          [0, 0],
          [0, 1],
          [1, 0],
          [1, 1],
        ].map(([a, b]) => [2 * i + a, 2 * j + b]);
        return places.reduce((best, at) => (x[at[0]][at[1]][c] > x[best[0]][best[1]][c] ? at : best));
      }),
    ),
  );
}

/** A model that is one function. */
class Branches extends nn.Module {
  constructor(readonly run: (x: Tensor) => Tensor) {
    super();
  }
  forward(x: Tensor): Tensor {
    return this.run(x);
  }
}

describe('inspect.project', () => {
  // conv, relu, pool, conv, relu: the deconvnet written out.
  test('goes back as Zeiler and Fergus do: unpool, rectify, filter', () => {
    const [H, W] = [6, 8];
    const image = integers([H, W, 2], 5);
    const [w1, b1, w2, b2] = [integers([3, 3, 2, 3], 6), integers([3], 7), integers([3, 3, 3, 4], 8), integers([4], 9)];
    const kernel =
      (w: Float64Array, C: number, K: number): Kernel =>
      (a, b, c, k) =>
        w[((a * 3 + b) * C + c) * K + k];
    const [first, second] = [kernel(w1, 2, 3), kernel(w2, 3, 4)];

    const x = map3(H, W, 2, (i, j, c) => image[(i * W + j) * 2 + c]);
    const one = rectify(convolve(x, first, (k) => b1[k], 3));
    const places = switches(one);
    const pooled = map3(H / 2, W / 2, 3, (i, j, c) => one[places[i][j][c][0]][places[i][j][c][1]][c]);
    const two = rectify(convolve(pooled, second, (k) => b2[k], 4));
    const back = (seed: Map3): Map3 => {
      const small = deconvolve(rectify(seed), second, 3);
      const large = map3(H, W, 3, () => 0);
      for (const [i, row] of places.entries())
        for (const [j, cell] of row.entries()) for (const [c, [a, b]] of cell.entries()) large[a][b][c] += small[i][j][c];
      return deconvolve(rectify(large), first, 2);
    };

    const model = new nn.Sequential(
      new nn.Conv2d(2, 3, 3, { padding: 1 }),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Conv2d(3, 4, 3, { padding: 1 }),
      new nn.ReLU(),
    );
    const load = (name: string, data: Float64Array) => model.stateDict()[name].assign(tensor(data, model.stateDict()[name].shape));
    load('0.weight', w1);
    load('0.bias', b1);
    load('3.weight', w2);
    load('3.bias', b2);
    const input = tensor(Float32Array.from(image), [1, H, W, 2]);
    const flat = (m: Map3) => m.flat(2).map((v) => v + 0);

    for (let k = 0; k < 4; k++) {
      // the largest of a feature map
      const all = Array.from({ length: (H * W) / 4 }, (_, i): [number, number] => [Math.floor(i / (W / 2)), i % (W / 2)]);
      const best = all.reduce((top, at) => (two[at[0]][at[1]][k] > two[top[0]][top[1]][k] ? at : top));
      const seed = map3(H / 2, W / 2, 4, (i, j, c) => (c === k && i === best[0] && j === best[1] ? two[i][j][c] : 0));
      expect(flat(seed).some((v) => v > 0)).toBe(true);
      expect(values(inspect.project(model, input, '4', k)).map((v) => v + 0)).toEqual(flat(back(seed)));
      // any unit
      const at = [k % 3, (k + 1) % 4, k];
      const other = map3(H / 2, W / 2, 4, (i, j, c) => (i === at[0] && j === at[1] && c === k ? two[i][j][c] : 0));
      expect(values(inspect.project(model, input, '4', at)).map((v) => v + 0)).toEqual(flat(back(other)));
    }
  });

  // Without rectifiers a projection is the gradient times the activation.
  test.each<[string, () => nn.Module, number[], number | number[]]>([
    ['batch norm', () => new nn.Sequential(new nn.Conv2d(2, 3, 3), new nn.BatchNorm2d(3)), [2, 5, 5, 2], [1, 2, 0]],
    ['average and max pools', () => new nn.Sequential(new nn.AvgPool2d(2), new nn.MaxPool2d(2)), [2, 8, 8, 2], [1, 0, 1]],
    [
      'pools that share out, and transposed convolutions',
      () => new nn.Sequential(new nn.AdaptiveMaxPool2d(4), new nn.ConvTranspose2d(2, 1, 3), new nn.AdaptiveAvgPool2d(3)),
      [2, 8, 7, 2],
      [1, 2, 0],
    ],
    [
      'upsampling',
      () => new nn.Sequential(new nn.Upsample({ scale: 2, mode: 'bilinear' }), new nn.PixelUnshuffle(2)),
      [2, 3, 3, 2],
      [1, 2, 0],
    ],
    ['unshared weights', () => new nn.LocallyConnected2d(2, 3, 3, { inputSize: [5, 5] }), [2, 5, 5, 2], [1, 2, 0]],
    [
      'flattening and fully connected layers',
      () => new nn.Sequential(new nn.Flatten(), new nn.Linear(8, 4), new nn.Dropout()),
      [2, 2, 2, 2],
      [3],
    ],
    [
      'a residual',
      () =>
        new Branches((x) =>
          ops.add(
            ops.mul(x, 2),
            ops.neg(
              ops.slice(
                ops.pad(x, [
                  [0, 0],
                  [1, 0],
                ]),
                [0, 0],
                [9, -1],
              ),
            ),
          ),
        ),
      [2, 4],
      [2],
    ],
    [
      'branches beside each other',
      () => new Branches((x) => ops.concat([ops.transpose(x, [0, 2, 1]), ops.div(x, 4)], 2)),
      [2, 3, 3],
      [1, 5],
    ],
    ['means, sums and maxima', () => new Branches((x) => ops.sub(ops.mean(x, { axis: 1 }), ops.max(x, { axis: 1 }))), [2, 3, 4], [2]],
    ['matrix products', () => new Branches((x) => ops.matmul(tensor([[[1, 2, 3]], [[4, 5, 6]]]), x)), [2, 3, 4], [0, 2]],
  ])('%s', (_, make, shape, unit) => {
    const model = make();
    for (const [name, buffer] of model.namedBuffers()) nn.init.uniform(buffer, name.endsWith('Var') ? 1 : -1, 2);
    const x = randn(shape);
    const projected = values(inspect.project(model, x, '', unit));
    model.eval();
    const leaf = x.detach();
    leaf.requiresGrad = true;
    const y = model.forward(leaf);
    const place = [unit].flat();
    const at = ops.slice(y, [0, ...place], [shape[0], ...place.map((n) => n + 1)]);
    const weights = at.detach();
    at.backward(weights);
    const expected = values(leaf.grad!);
    expect(projected.some((v) => v !== 0)).toBe(true);
    for (const [i, v] of projected.entries()) expect(v).toBeCloseTo(expected[i], 5);
  });

  test('takes an operation that ends with a rectifier as that rectifier behind it', () => {
    class Block extends nn.Module {
      conv = new nn.Conv2d(2, 2, 3, { padding: 1 });
      constructor(
        readonly norm: nn.BatchNorm2d,
        readonly fused: boolean,
      ) {
        super();
      }
      forward(x: Tensor): Tensor {
        const { weight, bias, runningMean, runningVar } = this.norm;
        const options = { weight, bias, runningMean, runningVar };
        const y = this.conv.forward(x);
        return this.fused ? ops.batchNorm(y, { ...options, add: x, activation: 'relu' }) : ops.relu(ops.add(ops.batchNorm(y, options), x));
      }
    }
    const norm = new nn.BatchNorm2d(2);
    for (const tensor of [norm.weight!, norm.bias!, norm.runningMean]) nn.init.uniform(tensor, -1, 1);
    const [fused, plain] = [true, false].map((one) => new nn.Sequential(new Block(norm, one), new nn.Conv2d(2, 3, 3)));
    plain.loadStateDict(fused.stateDict());
    const x = randn([2, 6, 6, 2]);
    const expected = values(inspect.project(plain, x, '1', 2));
    expect(expected.some((v) => v !== 0)).toBe(true);
    const projected = values(inspect.project(fused, x, '1', 2));
    for (const [i, v] of projected.entries()) expect(v).toBeCloseTo(expected[i], 5);
  });

  test('of each image its own, of the first of equal maxima', () => {
    const x = tensor([1, 3, 3, 2, 5, 0, -1, 5], [2, 2, 2, 1]);
    expect(values(inspect.project(new nn.ReLU(), x, '', 0))).toEqual([0, 3, 0, 0, 5, 0, 0, 0]);
    expect(values(inspect.project(new nn.ReLU(), x, '', [1, 1, 0]))).toEqual([0, 0, 0, 2, 0, 0, 0, 5]);
  });

  test('of a layer inside', () => {
    const model = new nn.Sequential(new nn.ReLU(), new nn.Sigmoid());
    expect(values(inspect.project(model, tensor([[1, 2]]), '0', 1))).toEqual([0, 2]);
  });

  test.each<[string, nn.Module, string]>([
    [
      'a function that is neither',
      new nn.Sequential(new nn.Sigmoid()),
      'project: sigmoid in layer 0 has no way back, it is neither linear in the input nor a rectifier',
    ],
    ['a product of two activations', new Branches((x) => ops.mul(x, ops.relu(x))), 'project: mul has no way back'],
    ['a division by an activation', new Branches((x) => ops.div(1, x)), 'project: div has no way back'],
    ['statistics of the batch', new Branches((x) => ops.batchNorm(x, { training: true })), 'project: batchNorm has no way back'],
    ['a rectifier behind it', new Branches((x) => ops.relu(ops.exp(x))), 'project: exp has no way back'],
  ])('names an operation that has no way back: %s', (_, model, message) => {
    expect(fault(() => inspect.project(model, randn([2, 3]), '', 0))).toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining(message),
    });
  });

  test('does not mind what lies on no path to the layer', () => {
    const model = new Branches((x) => {
      losses.mse(x, ops.sigmoid(x));
      return ops.relu(x);
    });
    expect(values(inspect.project(model, tensor([[1, 2]]), '', 0))).toEqual([1, 0]);
  });

  test('leaves no gradients, no memory, and the model as it was', () => {
    const model = new nn.Sequential(new nn.Conv2d(1, 2, 3), new nn.BatchNorm2d(2), new nn.ReLU());
    const x = randn([1, 5, 5, 1]);
    const before = memory().tensors;
    inspect.project(model, x, '2', 1).dispose();
    tidy(() => void inspect.project(model, x, '2', [0, 1, 1]));
    expect(() => inspect.project(model, x, '2', 2)).toThrow('project: unit is 2, expected a channel from 0 to 1, or a place and a channel');
    expect(memory().tensors).toBe(before);
    expect(model.parameters().map(({ grad }) => grad)).toEqual([null, null, null, null]);
    expect([x.requiresGrad, model.at(1)!.training]).toEqual([false, true]);
  });

  test.each<[string, () => unknown, string]>([
    [
      'a place without a channel',
      () => inspect.project(new nn.ReLU(), randn([1, 3, 3, 2]), '', [1, 1]),
      'unit is [1,1], expected a place and a channel',
    ],
    ['a unit out of range', () => inspect.project(new nn.ReLU(), randn([1, 3, 3, 2]), '', [1, 3, 0]), 'unit is [1,3,0]'],
    ['a fraction', () => inspect.project(new nn.ReLU(), randn([1, 3]), '', 0.5), 'unit is 0.5, expected a channel from 0 to 2'],
    ['an unknown layer', () => inspect.project(new nn.ReLU(), randn([1, 3]), 'relu', 0), 'layer is "relu"'],
    ['a shape', () => inspect.project(new nn.ReLU(), [1, 3] as never, '', 0), 'x is [1,3], expected a Tensor'],
    [
      'integers',
      () => inspect.project(new nn.ReLU(), tensor(new Int32Array(2), [1, 2]), '', 0),
      'the input is "int32", expected float32 or float64',
    ],
  ])('refuses %s', (_, run, message) => {
    expect(run).toThrow(message);
  });
});

describe('a rectifier that is part of an operation is one all the same', () => {
  const [kernel, weight, mean, variance] = [randn([3, 3, 3, 3]), randn([3, 3]), randn([3]), ops.add(ops.abs(randn([3])), 1)];

  test.each<[string, (x: Tensor, activation: 'relu' | null) => Tensor]>([
    ['conv2d', (x, activation) => ops.conv2d(x, kernel, { padding: 1, activation })],
    ['linear', (x, activation) => ops.linear(x, weight, null, { activation })],
    ['batchNorm', (x, activation) => ops.batchNorm(x, { runningMean: mean, runningVar: variance, activation })],
  ])('%s', (_name, fn) => {
    const x = randn([1, 8, 9, 3]);
    const apart = values(inspect.project(new Branches((image) => ops.relu(fn(image, null))), x, '', 0));
    expect(values(inspect.project(new Branches((image) => fn(image, 'relu')), x, '', 0))).toEqual(apart);
    expect(apart.some((value) => value !== 0)).toBe(true);
  });
});

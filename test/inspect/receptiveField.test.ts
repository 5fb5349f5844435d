import fc from 'fast-check';
import { inspect, nn, noGrad, ones, ops, type Tensor, tensor, tidy, zeros } from '../../lib';
import { apply, type Op } from '../../lib/op';
import { fault } from '../support/fault';
import { alexnet, mobilenet, resnet50, vgg16 } from '../support/networks';

const last = (model: nn.Module, input: number[]) => inspect.receptiveField(model, input).at(-1)!;

describe('the published figures of Araujo, Norris and Sim (2019)', () => {
  test.each([
    ['AlexNet', alexnet(), 195, 64],
    ['VGG-16', vgg16(), 212, 90],
    ['ResNet-50', resnet50('last', '3x3'), 483, 239],
    ['MobileNet', mobilenet(), 315, 126],
  ])('%s', (_, model, size, padding) => {
    expect(last(model, [1, 224, 224, 3])).toMatchObject({ size, jump: 32, padding, whole: false, aligned: true });
  });

  // What the docstring says of other variants.
  test.each([
    ['He et al. 2015', '1x1', 483],
    ['torchvision', '3x3', 427],
  ] as const)('ResNet-50 of %s', (_, at, size) => {
    expect(last(resnet50('first', at), [1, 224, 224, 3])).toMatchObject({ size, jump: 32 });
  });
});

/** A model that is a function of x and of layers. */
class Net<Layers extends Record<string, nn.Module>> extends nn.Module {
  constructor(
    layers: Layers,
    readonly run: (x: Tensor, layers: Layers) => Tensor,
  ) {
    super();
    Object.assign(this, layers);
  }
  forward(x: Tensor): Tensor {
    return this.run(x, this as unknown as Layers);
  }
}

const conv = (kernel: number | [number, number], options: nn.Conv2dOptions = {}) => new nn.Conv2d(1, 1, kernel, options);

/** Repeats each row and column f times: upsampling by the nearest. */
function enlarged(x: Tensor, f: number): Tensor {
  const [n, h, w, c] = x.shape;
  const repeated = ops.expand(ops.reshape(x, [n, h, 1, w, 1, c]), [n, h, f, w, f, c]);
  return ops.reshape(repeated, [n, h * f, w * f, c]);
}

describe('inspect.receptiveField', () => {
  test('has a row for each layer, by name, in the order they end', () => {
    const model = new nn.Sequential(conv(3), new nn.Sequential(new nn.ReLU(), new nn.MaxPool2d(2)), new nn.Dropout());
    const rows = inspect.receptiveField(model, [2, 9, 9, 1]);
    expect(rows.map(({ name, type, size }) => [name, type, size])).toEqual([
      ['0', 'Conv2d', 3],
      ['1.0', 'ReLU', 3],
      ['1.1', 'MaxPool2d', 4],
      ['2', 'Dropout', 4],
    ]);
  });

  test.each<[string, nn.Module, Partial<inspect.FieldRow>]>([
    ['a convolution', conv(5), { size: 5, jump: 1, start: 2.5, padding: 0 }],
    ['padding', conv(5, { padding: 2 }), { size: 5, jump: 1, start: 0.5, padding: 2 }],
    ['padding at one end', conv(3, { padding: [0, 0, 2, 2] }), { size: 3, start: [1.5, -0.5], padding: [0, 2] }],
    ["padding 'same', an odd one at the end", conv(4, { padding: 'same' }), { size: 4, start: 1, padding: 1 }],
    ['dilation', conv(3, { dilation: [1, 4] }), { size: [3, 9], jump: 1, start: [1.5, 4.5], padding: 0 }],
    ['stride', new nn.Sequential(conv(3, { stride: 2 }), conv(3)), { size: 7, jump: 2, start: 3.5, padding: 0 }],
    ['pools', new nn.Sequential(new nn.MaxPool2d(2), new nn.AvgPool2d([3, 1])), { size: [6, 2], jump: [6, 2], start: [3, 1] }],
    ['elementwise operations', new nn.Sequential(new nn.Sigmoid(), new nn.Softmax()), { size: 1, jump: 1, start: 0.5, padding: 0 }],
    ['batch norm', new nn.Sequential(conv(3), new nn.BatchNorm2d(1)), { size: 3, jump: 1, start: 1.5, padding: 0 }],
    ['a flattened image', new nn.Flatten(), { size: [12, 10], jump: 0, start: [6, 5], padding: 0, whole: true }],
    [
      'a fully connected layer, less what a pool drops',
      new nn.Sequential(new nn.AvgPool2d(5), new nn.Flatten(), new nn.Linear(4, 1)),
      { size: 10, jump: 0, start: 5, whole: true },
    ],
    ['global pooling', new Net({}, (x) => ops.mean(x, { axis: [1, 2] })), { size: [12, 10], jump: 0, whole: true }],
    ['pooling along one axis', new Net({}, (x) => ops.max(x, { axis: 2 })), { size: [1, 10], jump: [1, 0], whole: false }],
    [
      'branches: the larger field',
      new Net({ a: conv(3, { padding: 1 }), b: conv(7, { padding: 3 }) }, (x, { a, b }) => ops.add(a.forward(x), b.forward(x))),
      { size: 7, jump: 1, start: 0.5, padding: 3, aligned: true },
    ],
    [
      'branches beside each other: both',
      new Net({ a: conv(3, { padding: [0, 0, 2, 2] }), b: conv(3, { padding: [2, 2, 0, 0] }) }, (x, { a, b }) =>
        ops.concat([a.forward(x), b.forward(x)], 3),
      ),
      { size: 5, start: 0.5, padding: 2 },
    ],
    [
      'branches whose jumps differ',
      new Net({ a: conv(2, { stride: 8 }), b: conv(3, { stride: 7 }) }, (x, { a, b }) => ops.add(a.forward(x), b.forward(x))),
      { size: 3, jump: 8, aligned: false },
    ],
    [
      'a gate that sees everything',
      new Net({ a: conv(3) }, (x, { a }) => ops.mul(a.forward(x), ops.sigmoid(ops.mean(x, { axis: [1, 2], keepDims: true })))),
      { size: [12, 10], jump: 0, whole: true },
    ],
    [
      'a crop',
      new Net({ a: conv(3) }, (x, { a }) => a.forward(ops.slice(x, [0, 2, 1]))),
      { size: 3, jump: 1, start: [3.5, 2.5], padding: [-2, -1] },
    ],
    [
      'cells around',
      new Net({ a: conv(3) }, (x, { a }) =>
        a.forward(
          ops.pad(x, [
            [0, 0],
            [1, 1],
            [4, 0],
            [0, 0],
          ]),
        ),
      ),
      { size: 3, padding: [1, 4] },
    ],
    ['exchanged axes', new Net({ a: conv([3, 1]) }, (x, { a }) => a.forward(ops.transpose(x, [0, 2, 1, 3]))), { size: [1, 3], jump: 1 }],
    ['enlargement', new Net({}, (x) => enlarged(x, 2)), { size: 1, jump: 0.5, start: 0.25, padding: 0 }],
    ['what comes after an enlargement', new Net({ a: conv(4) }, (x, { a }) => a.forward(enlarged(x, 3))), { size: 2, jump: 1 / 3 }],
    [
      'a transposed convolution',
      new nn.ConvTranspose2d(1, 1, 4, { stride: 2, padding: 1 }),
      { size: 2, jump: 0.5, start: 0.25, padding: 1 },
    ],
    [
      'one that takes a stride back',
      new nn.Sequential(conv(2, { stride: 2 }), new nn.ConvTranspose2d(1, 1, 2, { stride: 2 })),
      { size: 2, jump: 1, start: 0.5 },
    ],
    ['one of stride 1', new nn.ConvTranspose2d(1, 1, 3), { size: 3, jump: 1, start: -0.5, padding: 2 }],
    ['upsampling by the nearest', new nn.Upsample({ scale: 2 }), { size: 1, jump: 0.5, start: 0.25, padding: 0 }],
    ['bilinear upsampling', new nn.Upsample({ scale: 2, mode: 'bilinear' }), { size: 2, jump: 0.5, start: 0.25, padding: 1 }],
    [
      'corners aligned',
      new nn.Upsample({ size: [23, 19], mode: 'bilinear', alignCorners: true }),
      { size: 2, jump: 0.5, start: 0.5, padding: 0 },
    ],
    ['pixel shuffle', new nn.Sequential(new nn.Conv2d(1, 4, 3), new nn.PixelShuffle(2)), { size: 3, jump: 0.5, start: 1.25, padding: 0 }],
    ['its inverse', new nn.PixelUnshuffle(2), { size: 2, jump: 2, start: 1, padding: 0 }],
    ['statistics of the image', new nn.GroupNorm(1, 1), { size: [12, 10], jump: 0, whole: true }],
    ['statistics of each place', new nn.LayerNorm(1), { size: 1, jump: 1, start: 0.5, padding: 0 }],
    ['a learned slope', new nn.PReLU(), { size: 1, jump: 1, start: 0.5, padding: 0 }],
    ['adaptive pooling', new nn.AdaptiveAvgPool2d([5, 2]), { size: [4, 5], jump: [2.4, 5], start: [1.2, 2.5], padding: 0, whole: false }],
    ['adaptive pooling to one cell', new nn.AdaptiveMaxPool2d(1), { size: [12, 10], jump: 0, whole: true }],
    ['padding by reflection', conv(3, { padding: 1, paddingMode: 'reflect' }), { size: 3, jump: 1, start: 0.5, padding: 1 }],
    ['unshared weights', new nn.LocallyConnected2d(1, 1, 3, { inputSize: [12, 10] }), { size: 3, jump: 1, start: 1.5 }],
    [
      'an enlargement after a stride',
      new Net({ a: conv(3, { stride: 2, padding: 1 }) }, (x, { a }) => enlarged(a.forward(x), 2)),
      { size: 3, jump: 1, start: 0, padding: 1 },
    ],
  ])('%s', (_, model, expected) => {
    const row = last(model, [1, 12, 10, 1]);
    expect(row).toMatchObject({ ...expected, start: row.start });
    if (expected.start !== undefined) {
      const numbers = (value: inspect.PerAxis) => [value].flat().map((n) => Number((n as number).toFixed(9)));
      expect(numbers(row.start)).toEqual(numbers(expected.start));
    }
  });

  test('of sequences', () => {
    const model = new nn.Sequential(
      new nn.Conv1d(3, 2, 5, { padding: 2 }),
      new nn.MaxPool1d(2),
      new nn.ConvTranspose1d(2, 2, 2, { stride: 2 }),
      new nn.GlobalMaxPool1d(),
    );
    expect(inspect.receptiveField(model, [1, 12, 3]).map(({ size, jump, start, padding }) => [size, jump, start, padding])).toEqual([
      [5, 1, 0.5, 2],
      [6, 2, 1, 2],
      [6, 1, 0.5, 2],
      [12, 0, 6, 0],
    ]);
  });

  test('of volumes', () => {
    const model = new nn.Sequential(new nn.Conv3d(1, 2, [3, 1, 5], { stride: [2, 1, 1] }), new nn.MaxPool3d(2), new nn.BatchNorm3d(2));
    expect(last(model, [1, 12, 8, 9, 1])).toMatchObject({ size: [5, 2, 6], jump: [4, 2, 2], start: [2.5, 1, 3], padding: 0 });
  });

  test('of tables of tokens', () => {
    const rows = new nn.Sequential(
      new Net({}, (x) =>
        ops.slice(
          x,
          [0, 1],
          [0, -1].map(() => 1e6),
        ),
      ),
      new nn.Linear(3, 2),
    );
    expect(last(rows, [1, 7, 3])).toMatchObject({ size: 1, jump: 1, start: 1.5 });
    class Tokens extends nn.Module {
      table = new nn.Parameter(ones([10, 4]));
      forward(x: Tensor): Tensor {
        return ops.max(ops.gather(this.table, x), { axis: 1 });
      }
    }
    expect(last(new Tokens(), zeros([1, 6], { dtype: 'int32' }) as never)).toMatchObject({ size: 6, whole: true });
  });

  test('leaves out what does not depend on the input', () => {
    class Constant extends nn.Module {
      scale = new nn.Parameter(ones([1]));
      forward(_x: Tensor): Tensor {
        return ops.exp(this.scale);
      }
    }
    const model = new Net({ a: new Constant() }, (x, { a }) => ops.mul(x, a.forward(x)));
    expect(inspect.receptiveField(model, [1, 3, 3, 1]).map(({ name }) => name)).toEqual(['']);
  });

  test('names an operation that does not say what it sees; a layer before it has its field', () => {
    const rows: Op<[Tensor], void> = {
      name: 'everyOther',
      infer: ([x]) => ({ shape: [1, x.shape[1] / 2, x.shape[2], 1], dtype: x.dtype }),
      forward: () => {},
    };
    const model = new nn.Sequential(conv(3), new Net({}, (x) => apply(rows, [x], undefined)), new nn.ReLU());
    expect(fault(() => inspect.receptiveField(model, [1, 4, 4, 1]))).toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: 'receptiveField: everyOther does not say what its outputs see of its input (Op.reach)',
    });
    expect(inspect.summary(model, [1, 4, 4, 1]).map(({ receptiveField }) => receptiveField)).toEqual([3, null, null]);
  });

  test('is a list and, as a string, a table', () => {
    const rows = inspect.receptiveField(new nn.Sequential(conv([3, 5]), new nn.Flatten()), [1, 8, 8, 1]);
    expect(Array.isArray(rows)).toBe(true);
    expect(String(rows).split('\n')).toEqual([
      'layer  type      size  jump      start  padding',
      '─────────────────────────────────────────────────────────────',
      '0      Conv2d   3 x 5     1  1.5 x 2.5        0',
      '1      Flatten      8     0          4        0  all there is',
    ]);
  });

  test.each<[string, () => unknown, string]>([
    ['a model that is none', () => inspect.receptiveField({} as never, [1, 2]), 'receptiveField: model is an Object, expected a Module'],
    ['a shape that is none', () => inspect.receptiveField(conv(1), 'big' as never), 'receptiveField: shape is "big"'],
    ['no batch axis', () => inspect.receptiveField(conv(1), [9]), 'receptiveField: the input shape is [9], expected [N,…,C]'],
    ['an empty input', () => inspect.receptiveField(conv(1), [1, 0, 2, 1]), 'with no dimension of 0'],
    ['a shape the model does not take', () => inspect.receptiveField(conv(3), [1, 9, 9, 2]), 'conv2d: input has 2 channels'],
    [
      'a layer that is none',
      () => inspect.unitField(conv(3), [1, 9, 9, 1], 'head'),
      'unitField: layer is "head", expected a layer that ran, one of ""',
    ],
    [
      'a unit out of range',
      () => inspect.unitField(conv(3), [1, 9, 9, 1], '', [7, 0]),
      "unitField: unit is [7,0], expected 2 integers within the layer's output [1,7,7,1]",
    ],
    ['a unit that is none', () => inspect.unitField(conv(3), [1, 9, 9, 1], '', 3 as never), 'unitField: unit is 3'],
  ])('refuses %s', (_, run, message) => {
    expect(run).toThrow(message);
  });
});

/** A pool and its way back. */
class Unpooled extends nn.Module {
  constructor(readonly kernelSize: [number, number]) {
    super();
  }
  forward(x: Tensor): Tensor {
    const { kernelSize } = this;
    const { output, indices } = ops.maxPool2dWithIndices(x, { kernelSize });
    const sparse = ops.maxUnpool2d(output, indices, { kernelSize, outputSize: [x.shape[1], x.shape[2]] });
    return ops.avgPool2d(sparse, { kernelSize }); // sees the maximum, wherever in the window it was
  }
}

const small = (max: number, min = 1) => fc.integer({ min, max });
const pair = (max: number, min = 1) => fc.tuple(small(max, min), small(max, min));

interface Windowed {
  kind: 'conv' | 'max' | 'avg';
  kernel: [number, number];
  stride: [number, number];
  dilation: [number, number];
  padding: 'same' | 'valid' | [number, number, number, number];
  ceilMode: boolean;
}

const windowed: fc.Arbitrary<Windowed> = fc.record({
  kind: fc.constantFrom('conv', 'max', 'avg'),
  kernel: pair(4),
  stride: pair(3),
  dilation: pair(3),
  padding: fc.oneof(
    fc.constantFrom('same' as const, 'valid' as const),
    fc.tuple(small(2, 0), small(2, 0), small(2, 0), small(2, 0)) as fc.Arbitrary<[number, number, number, number]>,
  ),
  ceilMode: fc.boolean(),
});

function layerOf({ kind, kernel, stride, dilation, padding, ceilMode }: Windowed): nn.Module {
  if (kind === 'conv') return new nn.Conv2d(1, 1, kernel, { stride, dilation, padding, bias: false });
  if (kind === 'max') return new nn.MaxPool2d(kernel, { stride, dilation, padding, ceilMode });
  return new nn.AvgPool2d(kernel, { stride, padding, ceilMode });
}

/** What of a list of layers fits one after the other on an input of this shape, with positive weights. */
function build<T>(
  list: readonly T[],
  make: (item: T) => nn.Module,
  input: number[],
): { model: nn.Sequential; kept: { item: T; from: number[] }[] } {
  const model = new nn.Sequential();
  const kept: { item: T; from: number[] }[] = [];
  noGrad(() =>
    tidy(() => {
      let x = ones(input);
      for (const item of list) {
        try {
          const layer = make(item);
          const y = layer.forward(x);
          if (y.size === 0 || y.size > 4096) continue;
          kept.push({ item, from: [...x.shape] });
          x = y;
          model.append(layer);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error; // the window does not fit
        }
      }
    }),
  );
  for (const parameter of model.parameters()) nn.init.uniform(parameter, 0.5, 1);
  return { model, kept };
}

test('size, jump, start and padding follow the formulas, layer by layer, in random stacks', () => {
  let layers = 0;
  fc.assert(
    fc.property(fc.array(windowed, { minLength: 1, maxLength: 6 }), pair(60, 8), (list, [height, width]) => {
      const input = [1, height, width, 1];
      const { model, kept } = build(list, layerOf, input);
      if (kept.length === 0) return;
      layers += kept.length;
      const axes = [0, 1].map((axis) => {
        const rows: Record<'size' | 'jump' | 'start' | 'padding', number>[] = [];
        let [r, j, t, p] = [1, 1, 0.5, 0];
        for (const { item, from } of kept) {
          const [k, s] = [item.kernel[axis], item.stride[axis]];
          const d = item.kind === 'avg' ? 1 : item.dilation[axis];
          const same = Math.max((Math.ceil(from[axis + 1] / s) - 1) * s + d * (k - 1) + 1 - from[axis + 1], 0);
          const before = item.padding === 'valid' ? 0 : item.padding === 'same' ? Math.floor(same / 2) : item.padding[axis === 0 ? 0 : 3];
          r += (k - 1) * d * j;
          t += (((k - 1) * d) / 2 - before) * j;
          p += before * j;
          j *= s;
          rows.push({ size: r, jump: j, start: t, padding: p });
        }
        return rows;
      });
      const both = (i: number, key: 'size' | 'jump' | 'start' | 'padding') => {
        const [a, b] = [axes[0][i][key], axes[1][i][key]];
        return a === b ? a : [a, b];
      };
      const expected = kept.map((_, i) => ({
        size: both(i, 'size'),
        jump: both(i, 'jump'),
        start: both(i, 'start'),
        padding: both(i, 'padding'),
      }));
      const rows = inspect.receptiveField(model, input);
      expect(rows.map(({ size, jump, start, padding }) => ({ size, jump, start, padding }))).toEqual(expected);
    }),
    { numRuns: 300 },
  );
  expect(layers).toBeGreaterThan(500);
});

// Weights and inputs are not negative, so that no two paths cancel, and each cell a unit depends on moves it.
test('a unit depends on no cell outside its field, and on cells at its edges, in random stacks', () => {
  const layer: fc.Arbitrary<() => nn.Module> = fc.oneof(
    { weight: 4, arbitrary: windowed.map((options) => () => layerOf(options)) },
    { weight: 1, arbitrary: fc.constant(() => new nn.ReLU()) },
    {
      weight: 2,
      arbitrary: fc
        .record({ kernel: pair(4), stride: pair(3), dilation: pair(3), padding: pair(2, 0) })
        .map(({ kernel, ...options }) => () => {
          return new nn.ConvTranspose2d(1, 1, kernel, { ...options, bias: false });
        }),
    },
    {
      weight: 1,
      arbitrary: fc
        .record({
          kernel: pair(3),
          stride: pair(2),
          padding: pair(3, 0),
          paddingMode: fc.constantFrom('reflect' as const, 'replicate' as const),
        })
        .map(
          ({ kernel, ...options }) =>
            () =>
              new nn.Conv2d(1, 1, kernel, { ...options, bias: false }),
        ),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(pair(8), fc.boolean()).map(
        ([size, mean]) =>
          () =>
            mean ? new nn.AdaptiveAvgPool2d(size) : new nn.AdaptiveMaxPool2d(size),
      ),
    },
    { weight: 1, arbitrary: pair(3).map((kernel) => () => new Unpooled(kernel)) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(
          fc.oneof(
            pair(14).map((size) => ({ size })),
            fc.constantFrom(0.5, 1.5, 1.7, 2, 3).map((scale) => ({ scale })),
          ),
          fc.constantFrom(0, 1, 2),
        )
        .map(
          ([to, mode]) =>
            () =>
              new nn.Upsample(mode === 0 ? to : { ...to, mode: 'bilinear', alignCorners: mode === 2 }),
        ),
    },
    {
      weight: 1,
      arbitrary: small(3).map((r) => () => new Net({}, (x) => ops.pixelShuffle(ops.expand(x, [...x.shape.slice(0, 3), r * r]), r))),
    },
    {
      weight: 1,
      arbitrary: small(3).map((r) => () => new Net({}, (x) => ops.mean(ops.pixelUnshuffle(x, r), { axis: 3, keepDims: true }))),
    },
    { weight: 1, arbitrary: small(3).map((f) => () => new Net({}, (x) => enlarged(x, f))) },
    {
      weight: 1,
      arbitrary: fc.record({ kernel: fc.constantFrom(1, 3, 5), dilation: small(2) }).map(({ kernel, dilation }) => () => {
        const body = new nn.Conv2d(1, 1, kernel, { padding: 'same', dilation, bias: false });
        return new Net({ body }, (x, layers) => ops.add(layers.body.forward(x), x));
      }),
    },
  );
  let layers = 0;
  fc.assert(
    fc.property(fc.array(layer, { minLength: 1, maxLength: 5 }), pair(11), fc.nat(), fc.nat(), (makers, [height, width], u, v) => {
      const input = [1, height, width, 1];
      const { model } = build(makers, (make) => make(), input);
      if (model.length === 0) return;
      layers += model.length;
      const cells = height * width;
      // One sample a cell, in which only that cell is not 0: the gradient there tells whether the cell moves the unit.
      const one = Float32Array.from({ length: cells * cells }, (_, i) => Number(Math.floor(i / cells) === i % cells));
      const { unit, gradient } = tidy(() => {
        const x = tensor(one, [cells, height, width, 1], { requiresGrad: true });
        const y = model.forward(x);
        const unit = [u % y.shape[1], v % y.shape[2]];
        ops.sum(ops.slice(y, [0, ...unit], [cells, unit[0] + 1, unit[1] + 1])).backward();
        return { unit, gradient: x.grad!.dataSync() };
      });
      const seen = Array.from({ length: cells }, (_, cell) => cell).filter((cell) => gradient[cell * cells + cell] !== 0);
      const edges = (at: (cell: number) => number) => [Math.min(...seen.map(at)), Math.max(...seen.map(at))];
      const measured = seen.length === 0 ? [] : [edges((cell) => Math.floor(cell / width)), edges((cell) => cell % width)];
      expect(inspect.unitField(model, input, '', unit)).toEqual(measured);
      // and in no sample does a cell outside have a gradient
      const outside = gradient.findIndex((g, i) => {
        const [row, column] = [Math.floor((i % cells) / width), i % width];
        return (
          g !== 0 &&
          (measured.length === 0 || row < measured[0][0] || row > measured[0][1] || column < measured[1][0] || column > measured[1][1])
        );
      });
      expect(outside).toBe(-1);
    }),
    { numRuns: 400 },
  );
  expect(layers).toBeGreaterThan(500);
});

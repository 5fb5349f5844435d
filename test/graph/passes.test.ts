import * as fc from 'fast-check';
import { compile, importOnnx, loadOnnx, manualSeed, nn, noGrad, ops, randn, type Tensor, tidy } from '../../lib';
import { distance } from '../support/agree';
import { ints, onnxFile, weights } from '../support/onnx';

// The passes keep what a graph computes: random graphs, run as they are and compiled.

const channels = 5;
const kinds = ['conv', 'depthwise', 'norm', 'relu', 'relu6', 'clamp', 'add', 'addLast', 'mul', 'sigmoid', 'reshape', 'twice'] as const;
type Step = readonly [kind: (typeof kinds)[number], of: number, other: number];

/** Values one after the other, each made of some before it; the results are added up, or the last one is given. */
class Random extends nn.Module {
  readonly layers: (nn.Module | null)[];

  constructor(
    readonly steps: readonly Step[],
    readonly sums: boolean,
  ) {
    super();
    this.layers = steps.map(([kind], i) => {
      if (kind === 'conv') return new nn.Conv2d(channels, channels, 1 + 2 * (i % 2), { padding: 'same', bias: i % 3 > 0 });
      if (kind === 'depthwise') return new nn.Conv2d(channels, channels, 3, { padding: 1, groups: channels });
      if (kind !== 'norm') return null;
      const norm = new nn.BatchNorm2d(channels, { affine: i % 3 > 0 });
      for (const buffer of norm.buffers()) tidy(() => buffer.assign(ops.add(ops.abs(randn([channels])), 0.5)));
      return norm;
    });
  }

  // Parts in arrays may be null here, which a module does not look at.
  forward(x: Tensor): Tensor {
    const values = [x];
    for (const [i, [kind, of, other]] of this.steps.entries()) {
      const a = values[of % values.length]!;
      const b = values[other % values.length]!;
      const layer = this.layers[i];
      if (layer) values.push(layer.forward(a));
      else if (kind === 'relu') values.push(ops.relu(a));
      else if (kind === 'relu6') values.push(ops.relu6(a));
      else if (kind === 'clamp') values.push(ops.clamp(a, 0, 6));
      else if (kind === 'add') values.push(ops.add(a, b));
      else if (kind === 'addLast') values.push(ops.add(values.at(-1)!, b));
      else if (kind === 'mul') values.push(ops.mul(a, 0.5));
      else if (kind === 'sigmoid') values.push(ops.sigmoid(b));
      else if (kind === 'reshape') values.push(ops.reshape(ops.relu(ops.reshape(a, [a.size])), a.shape));
      else values.push(ops.add(ops.exp(ops.neg(ops.relu(a))), ops.exp(ops.neg(ops.relu(a)))));
    }
    return this.sums ? values.reduce((sum, value) => ops.add(sum, value)) : values.at(-1)!;
  }
}

const step = fc.tuple(fc.constantFrom(...kinds), fc.nat({ max: 20 }), fc.nat({ max: 20 }));

test('passes › keep the results of random graphs', async () => {
  let fused = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), fc.boolean(), fc.nat(), async (steps, sums, seed) => {
      manualSeed(seed);
      const model = new Random(steps, sums);
      model.eval();
      using session = await compile(model, { input: [2, 4, 3, channels] });
      using x = randn([2, 4, 3, channels]);
      using expected = noGrad(() => tidy(() => model.forward(x)));
      const { output } = await session.run({ input: x });
      expect(distance(await output!.data(), await expected.data())).toBeLessThan(2e-5);
      fused += session.describe().operations.length < steps.length ? 1 : 0;
      output!.dispose();
      model.dispose();
    }),
    { numRuns: 150 },
  );
  expect(fused).toBeGreaterThan(10);
}, 60_000);

describe('passes › an image that is turned only to be flattened', () => {
  class Turned extends nn.Module {
    fc = new nn.Linear(4 * 5 * 3, 2);
    constructor(
      readonly order: readonly number[],
      readonly twice = false,
    ) {
      super();
    }
    forward(x: Tensor): Tensor {
      const turned = ops.transpose(ops.relu(x), [...this.order]);
      const y = this.fc.forward(ops.flatten(turned));
      return this.twice ? ops.add(y, ops.mean(turned)) : y;
    }
  }

  test.each([
    ['channels first', [0, 3, 1, 2], false, 0],
    ['rows and columns exchanged', [0, 2, 1, 3], false, 0],
    ['all in reverse', [0, 3, 2, 1], false, 0],
    ['and read by others too', [0, 3, 1, 2], true, 1],
  ])('%s', async (_name, order, twice, left) => {
    manualSeed(1);
    const model = new Turned(order, twice);
    using session = await compile(model, { input: ['N', 4, 5, 3] });
    for (const batch of [1, 3]) {
      const x = randn([batch, 4, 5, 3]);
      const { output } = await session.run({ input: x });
      expect(distance(await output!.data(), await model.forward(x).data())).toBeLessThan(1e-6);
    }
    expect(session.describe().operations.filter((line) => JSON.stringify(line).includes('transpose'))).toHaveLength(left);
  });

  test('not where samples are turned into each other', async () => {
    manualSeed(1);
    const model = new Turned([1, 0, 2, 3]);
    using session = await compile(model, { input: [4, 4, 5, 3] });
    const x = randn([4, 4, 5, 3]);
    const { output } = await session.run({ input: x });
    expect(distance(await output!.data(), await model.forward(x).data())).toBeLessThan(1e-6);
    expect(JSON.stringify(session.describe().operations)).toContain('transpose');
  });
});

describe('passes › zeros around an input', () => {
  const cells = (most: number) => fc.tuple(fc.nat({ max: most }), fc.nat({ max: most }));
  const size = fc.integer({ min: 5, max: 8 });
  const padding = fc.integer({ min: 0, max: 1 });

  /** What reads the padded input [N,…,C], and whether it can always pad by itself. */
  const readers = {
    conv1d: fc.record({ stride: fc.integer({ min: 1, max: 2 }), dilation: fc.integer({ min: 1, max: 2 }), padding }),
    conv2d: fc.record({
      stride: fc.integer({ min: 1, max: 2 }),
      dilation: fc.integer({ min: 1, max: 2 }),
      padding,
      groups: fc.constantFrom(1, 4),
    }),
    conv3d: fc.record({ stride: fc.integer({ min: 1, max: 2 }), padding }),
    avgPool1d: fc.record({ kernelSize: fc.constant(3), padding, countIncludePad: fc.boolean(), ceilMode: fc.boolean() }),
    avgPool2d: fc.record({
      kernelSize: fc.constant(3),
      stride: fc.integer({ min: 1, max: 2 }),
      padding,
      countIncludePad: fc.boolean(),
      ceilMode: fc.boolean(),
    }),
    avgPool3d: fc.record({ kernelSize: fc.constant(3), padding, countIncludePad: fc.boolean() }),
    maxPool2d: fc.record({ kernelSize: fc.constant(2) }),
  } as const;

  class Padded extends nn.Module {
    readonly weight: nn.Parameter | null;
    constructor(
      readonly reader: keyof typeof readers,
      readonly axes: number,
      readonly around: readonly (readonly [number, number])[],
      readonly value: number,
      readonly options: { groups?: number },
    ) {
      super();
      const shape = [...new Array<number>(axes).fill(3), 4 / (options.groups ?? 1), 4];
      this.weight = reader.startsWith('conv') ? new nn.Parameter(randn(shape)) : null;
    }
    forward(x: Tensor): Tensor {
      const padded = ops.pad(x, this.around, { value: this.value });
      const run = ops[this.reader] as (...of: unknown[]) => Tensor;
      return this.weight ? run(padded, this.weight, this.options) : run(padded, this.options);
    }
  }

  test.each(Object.keys(readers) as (keyof typeof readers)[])('%s', async (reader) => {
    const axes = Number(reader.at(-2));
    let folded = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(cells(reader.startsWith('conv') ? 3 : 1), { minLength: axes, maxLength: axes }),
        fc.array(size, { minLength: axes, maxLength: axes }),
        fc.constantFrom(0, 0, 0, 1),
        fc.constantFrom([0, 0], [0, 0], [0, 0], [1, 0]),
        readers[reader] as fc.Arbitrary<{ groups?: number }>,
        fc.nat(),
        async (around, sizes, value, channels, options, seed) => {
          manualSeed(seed);
          const depth = 4 - channels[0]!;
          const model = new Padded(reader, axes, [[0, 0], ...around, channels as [number, number]], value, options);
          const shape = [2, ...sizes, depth];
          using x = randn(shape);
          using expected = noGrad(() => tidy(() => model.forward(x)));
          using session = await compile(model, { input: shape });
          const { output } = await session.run({ input: x });
          expect(output!.shape).toEqual(expected.shape);
          expect(distance(await output!.data(), await expected.data())).toBeLessThan(1e-5);
          output!.dispose();
          const isLeft = session.describe().operations.some((line) => line.includes('= pad('));
          if (!isLeft) folded++;
          const mayFold = value === 0 && channels[0] === 0;
          if (reader.startsWith('conv') || !mayFold) expect(isLeft).toBe(!mayFold);
        },
      ),
      { numRuns: 60 },
    );
    if (reader === 'maxPool2d') expect(folded).toBeLessThan(60);
    else expect(folded).toBeGreaterThan(0);
  });

  test('of an ONNX file, [N,C,H,W] and turned for its first convolution', async () => {
    const bytes = onnxFile({
      nodes: [
        ['Pad', ['x', 'first'], ['p']],
        ['Conv', ['p', 'w'], ['c'], { strides: [2, 2] }],
        ['Relu', ['c'], ['r']],
        ['Pad', ['r', 'second'], ['q']],
        ['AveragePool', ['q'], ['a'], { kernel_shape: [3, 3] }],
        ['Conv', ['a', 'v'], ['y'], { pads: [1, 1, 1, 1], group: 4 }],
      ],
      initializers: {
        first: ints(0, 0, 0, 1, 0, 0, 1, 2),
        second: ints(0, 0, 1, 1, 0, 0, 0, 1),
        w: weights(4, 3, 3, 3),
        v: weights(4, 1, 3, 3),
      },
      inputs: [['x', ['N', 3, 12, 11]]],
      outputs: [['y', ['N', 4, 'h', 'w']]],
    });
    const model = await importOnnx(bytes);
    using session = await loadOnnx(bytes);
    for (const batch of [1, 2]) {
      const x = randn([batch, 3, 12, 11]);
      const { y } = await session.run({ x });
      expect(distance(await y!.data(), await model.forward(x).data())).toBeLessThan(1e-6);
    }
    const operations = session.describe([1, 3, 12, 11]).operations.map((line) => line.match(/= (\w+)/)?.[1]);
    expect(operations.filter((name) => name === 'pad' || name === 'slice')).toEqual([]);
  });

  test('that is turned in between, and that others read too', async () => {
    manualSeed(1);
    class Turned extends nn.Module {
      conv = new nn.Conv2d(3, 8, 3, { stride: 2 });
      constructor(readonly twice: boolean) {
        super();
      }
      forward(x: Tensor): Tensor {
        const padded = ops.pad(x, [
          [0, 0],
          [0, 0],
          [0, 1],
          [2, 1],
        ]);
        const y = this.conv.forward(ops.transpose(padded, [0, 2, 3, 1]));
        return this.twice ? ops.add(y, ops.mean(padded)) : y;
      }
    }
    for (const twice of [false, true]) {
      const model = new Turned(twice);
      using session = await compile(model, { input: [2, 3, 8, 9] });
      const x = randn([2, 3, 8, 9]);
      const { output } = await session.run({ input: x });
      expect(distance(await output!.data(), await model.forward(x).data())).toBeLessThan(1e-6);
      expect(session.describe().operations.filter((line) => line.includes('= pad('))).toHaveLength(twice ? 1 : 0);
    }
  });
});

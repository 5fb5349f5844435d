import { manualSeed, nn, ops, type Tensor, zeros } from '../../lib';

const { init } = nn;

/** Two layouts of the same fans: 75 in, 48 out. */
const layouts: [string, number[]][] = [
  ['linear [out,in]', [48, 75]],
  ['convolution [kh,kw,in,out]', [5, 5, 3, 48]],
];
const fanIn = 75;
const fanOut = (shape: number[]): number => (shape.length === 2 ? 48 : 48 * 25);

/** Each initialiser, and the standard deviation it should have. */
const rules: [name: string, (t: Tensor) => Tensor, (fanOut: number) => number][] = [
  ['kaimingUniform', (t) => init.kaimingUniform(t), () => Math.sqrt(2 / fanIn)],
  ['kaimingUniform of slope √5', (t) => init.kaimingUniform(t, { slope: Math.sqrt(5) }), () => Math.sqrt(1 / 3 / fanIn)],
  ['kaimingNormal, mode out, relu', (t) => init.kaimingNormal(t, { mode: 'out', nonlinearity: 'relu' }), (out) => Math.sqrt(2 / out)],
  ['kaimingNormal, tanh', (t) => init.kaimingNormal(t, { nonlinearity: 'tanh' }), () => 5 / 3 / Math.sqrt(fanIn)],
  ['xavierUniform', (t) => init.xavierUniform(t), (out) => Math.sqrt(2 / (fanIn + out))],
  ['xavierNormal, gain 2', (t) => init.xavierNormal(t, 2), (out) => 2 * Math.sqrt(2 / (fanIn + out))],
  ['uniform', (t) => init.uniform(t, -3, 3), () => Math.sqrt(3)],
  ['normal', (t) => init.normal(t, 0, 0.5), () => 0.5],
];

describe.each(layouts)('init of %s', (_, shape) => {
  test.each(rules)('%s', (name, fill, deviation) => {
    manualSeed(3);
    const made = zeros(shape);
    expect(fill(made)).toBe(made);
    const values = [...made.dataSync()];
    const std = deviation(fanOut(shape));
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    // 3,600 values: five standard errors of the mean and of the deviation.
    expect(Math.abs(mean)).toBeLessThan((5 * std) / 60);
    expect(Math.abs(Math.sqrt(variance) / std - 1)).toBeLessThan(5 / Math.sqrt(2 * 3600));
    const widest = Math.max(...values.map(Math.abs)) / std;
    if (/niform/.test(name)) expect(widest).toBeLessThanOrEqual(Math.sqrt(3) * (1 + 1e-6));
    else expect(widest).toBeGreaterThan(2.5);
  });
});

describe('init', () => {
  test('zeros, ones, constant', () => {
    const t = zeros([2]);
    expect([...init.ones(t).dataSync()]).toEqual([1, 1]);
    expect([...init.constant(t, -2).dataSync()]).toEqual([-2, -2]);
    expect([...init.zeros(t).dataSync()]).toEqual([0, 0]);
  });

  test('the same seed gives the same layer', () => {
    const weights = [5, 5, 6].map((seed) => {
      manualSeed(seed);
      return [...new nn.Conv2d(3, 4, 3).weight.dataSync()];
    });
    expect(weights[0]).toEqual(weights[1]);
    expect(weights[0]).not.toEqual(weights[2]);
  });

  test.each([
    ['Linear', () => new nn.Linear(100, 400), 1 / 10],
    ['Conv2d', () => new nn.Conv2d(16, 64, 5), 1 / 20],
    ['Conv2d in groups', () => new nn.Conv2d(64, 64, 5, { groups: 4 }), 1 / 20],
  ])("%s: PyTorch's default, ±1/√fan in", (_, make, bound) => {
    for (const parameter of make().parameters()) {
      const widest = Math.max(...parameter.dataSync().map(Math.abs));
      expect(widest).toBeLessThanOrEqual(bound * (1 + 1e-6));
      expect(widest).toBeGreaterThan(bound * 0.9);
    }
  });

  test('is noticed by the tape', () => {
    const linear = new nn.Linear(2, 1);
    const x = new nn.Parameter(zeros([1, 2]));
    const y = ops.sum(linear.forward(x));
    init.normal(linear.weight);
    expect(() => y.backward()).toThrow('was written to afterwards');
  });

  test.each<[string, () => unknown, string]>([
    ['a vector has no fans', () => init.kaimingUniform(zeros([3])), 'a tensor of shape [3] has no fan in and out'],
    ['integers', () => init.normal(zeros([3], { dtype: 'int32' })), 'init.normal: tensor is int32'],
    ['bounds the wrong way', () => init.uniform(zeros([3]), 1, 0), 'init.uniform: high is 0, expected at least low, 1'],
    ['a deviation below 0', () => init.normal(zeros([3]), 0, -1), 'init.normal: std is -1'],
    ['not finite', () => init.normal(zeros([3]), Number.NaN), 'init.normal: mean is NaN, expected a finite number'],
    ['an unknown nonlinearity', () => init.kaimingNormal(zeros([3, 3]), { nonlinearity: 'cube' as never }), 'nonlinearity is "cube"'],
    ['an unknown mode', () => init.kaimingNormal(zeros([3, 3]), { mode: 'fan' as never }), 'mode is "fan", expected in or out'],
  ])('%s', (_, run, message) => {
    expect(run).toThrow(message);
  });
});

test.each(Object.entries(init).filter(([name]) => name !== 'gain'))('%s expects a tensor', (name, fill) => {
  for (const tensor of [undefined, null, [1]] as never[]) {
    const call = () => (fill as (tensor: never, value?: number) => unknown)(tensor, name === 'constant' ? 1 : undefined);
    expect(call).toThrow(expect.objectContaining({ message: expect.stringMatching(/^init.*: tensor is .*, expected a Tensor/) }));
  }
});

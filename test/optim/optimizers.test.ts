import { memory, nn, ones, ops, optim, type Tensor, tensor, tidy, zeros } from '../../lib';

// The update rules, written out once more in plain doubles. Each gives the function that updates p in place.

type Rule = (p: number[], g: readonly number[]) => void;

function sgd({ lr, momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 }: optim.SGDOptions): Rule {
  const velocity: number[] = [];
  return (p, g) => {
    for (let i = 0; i < p.length; i++) {
      let d = g[i] + weightDecay * p[i];
      if (momentum !== 0) {
        velocity[i] = velocity[i] === undefined ? d : momentum * velocity[i] + (1 - dampening) * d;
        d = nesterov ? d + momentum * velocity[i] : velocity[i];
      }
      p[i] -= lr * d;
    }
  };
}

function adam(decoupled: boolean) {
  return ({ lr = 0.001, betas: [b1, b2] = [0.9, 0.999], eps = 1e-8, weightDecay = decoupled ? 0.01 : 0 }: optim.AdamOptions): Rule => {
    const [m, v]: number[][] = [[], []];
    let t = 0;
    return (p, g) => {
      t++;
      for (let i = 0; i < p.length; i++) {
        if (decoupled) p[i] -= lr * weightDecay * p[i];
        const d = g[i] + (decoupled ? 0 : weightDecay * p[i]);
        m[i] = b1 * (m[i] ?? 0) + (1 - b1) * d;
        v[i] = b2 * (v[i] ?? 0) + (1 - b2) * d * d;
        p[i] -= (lr * (m[i] / (1 - b1 ** t))) / (Math.sqrt(v[i] / (1 - b2 ** t)) + eps);
      }
    };
  };
}

type Make = (parameters: Tensor[]) => optim.Optimizer;
type Case = [name: string, make: Make, rule: () => Rule];

function cases(): Case[] {
  const sgdOptions: optim.SGDOptions[] = [
    { lr: 0.1 },
    { lr: 0.1, weightDecay: 0.05 },
    { lr: 0.1, momentum: 0.9 },
    { lr: 0.1, momentum: 0.9, dampening: 0.3 },
    { lr: 0.1, momentum: 0.9, nesterov: true },
    { lr: 0.1, momentum: 0.5, nesterov: true, weightDecay: 0.1 },
  ];
  const adamOptions: optim.AdamOptions[] = [
    {},
    { lr: 0.1 },
    { lr: 0.05, betas: [0.5, 0.8], eps: 0.01 },
    { lr: 0.1, weightDecay: 0.2 },
    { lr: 0.1, weightDecay: 0 },
  ];
  return [
    ...sgdOptions.map((o): Case => [`SGD ${JSON.stringify(o)}`, (p) => new optim.SGD(p, o), () => sgd(o)]),
    ...adamOptions.map((o): Case => [`Adam ${JSON.stringify(o)}`, (p) => new optim.Adam(p, o), () => adam(false)(o)]),
    ...adamOptions.map((o): Case => [`AdamW ${JSON.stringify(o)}`, (p) => new optim.AdamW(p, o), () => adam(true)(o)]),
  ];
}

const start = [0.5, -1.25, 2];
/** A gradient that changes from step to step, in sign too. */
const gradient = (step: number): number[] => start.map((v, i) => Math.sin(step * (i + 1)) * (1 + Math.abs(v)));

const parameter = (): Tensor => tensor(start, null, { dtype: 'float64', requiresGrad: true });

function addGrad(p: Tensor, values: number[]): void {
  ops.sum(ops.mul(p, tensor(values, null, { dtype: 'float64' }))).backward();
}

function run(optimizer: optim.Optimizer, p: Tensor, from: number, steps: number): void {
  for (let step = from; step < from + steps; step++) {
    tidy(() => {
      addGrad(p, gradient(step));
      optimizer.step();
      optimizer.zeroGrad();
    });
  }
}

function expectClose(p: Tensor, expected: number[], tolerance: number): void {
  const values = p.dataSync();
  for (const [i, value] of expected.entries()) expect(Math.abs(values[i] - value)).toBeLessThanOrEqual(tolerance);
}

describe.each(cases())('%s', (_, make, rule) => {
  test('10 steps in float64 agree with the rule in doubles', () => {
    const p = parameter();
    run(make([p]), p, 1, 10);
    const expected = [...start];
    const update = rule();
    for (let step = 1; step <= 10; step++) update(expected, gradient(step));
    expectClose(p, expected, 1e-12);
  });

  test('goes on from a saved state as if it had not stopped', () => {
    const [whole, halves] = [parameter(), parameter()];
    run(make([whole]), whole, 1, 10);
    const first = make([halves]);
    run(first, halves, 1, 5);
    const second = make([halves]);
    second.loadStateDict(first.stateDict());
    first.dispose();
    run(second, halves, 6, 5);
    expect([...halves.dataSync()]).toEqual([...whole.dataSync()]);
  });
});

describe('by hand', () => {
  // p starts at 1; the gradient is 1 each time.
  test.each<[string, Make, number[]]>([
    ['SGD', (p) => new optim.SGD(p, { lr: 0.5 }), [0.5, 0, -0.5]],
    ['momentum: velocity 1, 1.5, 1.75', (p) => new optim.SGD(p, { lr: 0.5, momentum: 0.5 }), [0.5, -0.25, -1.125]],
    ['Nesterov: 1 + v/2', (p) => new optim.SGD(p, { lr: 0.5, momentum: 0.5, nesterov: true }), [0.25, -0.625, -1.5625]],
    ['weight decay: 1 + p', (p) => new optim.SGD(p, { lr: 0.5, weightDecay: 1 }), [0, -0.5, -0.75]],
    ['Adam: a constant gradient moves by lr', (p) => new optim.Adam(p, { lr: 0.5, eps: 0 }), [0.5, 0, -0.5]],
    ['AdamW: p is halved first', (p) => new optim.AdamW(p, { lr: 0.5, eps: 0, weightDecay: 1 }), [0, -0.5, -0.75]],
  ])('%s', (_, make, expected) => {
    const p = tensor([1], null, { dtype: 'float64', requiresGrad: true });
    const optimizer = make([p]);
    for (const value of expected) {
      addGrad(p, [1]);
      optimizer.step();
      optimizer.zeroGrad();
      expect(p.itemSync()).toBeCloseTo(value, 12);
    }
  });
});

describe('Optimizer', () => {
  test('skips parameters without a gradient, and counts per parameter', () => {
    const [a, b] = [parameter(), parameter()];
    const optimizer = new optim.Adam([a, b]);
    addGrad(a, [1, 1, 1]);
    optimizer.step();
    expect([...b.dataSync()]).toEqual(start);
    expect(optimizer.stateDict().steps).toEqual([1, 0]);
    expect(Object.keys(optimizer.stateDict().tensors)).toEqual(['m.0', 'v.0']);
  });

  test('gradients add up until zeroGrad frees them', () => {
    const p = parameter();
    const optimizer = new optim.SGD([p], { lr: 1 });
    addGrad(p, [1, 0, 0]);
    addGrad(p, [1, 2, 0]);
    const { grad } = p;
    optimizer.step();
    expectClose(p, [start[0] - 2, start[1] - 2, start[2]], 1e-12);
    optimizer.zeroGrad();
    expect(p.grad).toBeNull();
    expect(grad!.disposed).toBe(true);
  });

  test('a new learning rate takes effect at the next step', () => {
    const p = parameter();
    const optimizer = new optim.SGD([p], { lr: 1 });
    optimizer.lr = 0.25;
    addGrad(p, [4, 4, 4]);
    optimizer.step();
    expectClose(p, [start[0] - 1, start[1] - 1, start[2] - 1], 1e-12);
    expect(() => {
      optimizer.lr = Number.NaN;
    }).toThrow('SGD: lr is NaN, expected a finite number of at least 0');
  });

  test('its state outlives a tidy, and dispose frees it', () => {
    const p = parameter();
    const before = memory().tensors;
    const optimizer = new optim.Adam([p]);
    run(optimizer, p, 1, 2);
    expect(memory().tensors).toBe(before + 2);
    optimizer.dispose();
    expect(memory().tensors).toBe(before);
  });

  test('a step between forward and backward is noticed by the tape', () => {
    const p = parameter();
    const optimizer = new optim.SGD([p], { lr: 1 });
    addGrad(p, [1, 1, 1]);
    const loss = ops.sum(ops.mul(p, p));
    optimizer.step();
    expect(() => loss.backward()).toThrow('was written to afterwards');
  });

  const one = parameter();
  test.each<[string, () => unknown, string]>([
    ['no parameters', () => new optim.SGD([], { lr: 1 }), 'SGD: parameters is [], expected at least one tensor'],
    ['not a list', () => new optim.Adam(new nn.Linear(1, 1) as never), 'Adam: parameters is an Object, expected a list of tensors'],
    ['not tensors', () => new optim.Adam([1] as never), 'Adam: parameter 0 is 1, expected a Tensor'],
    ['a computed tensor', () => new optim.AdamW([ops.neg(one)]), 'AdamW: parameter 0 was computed by an operation'],
    ['the same twice', () => new optim.SGD([one, one], { lr: 1 }), 'expected each tensor once'],
    ['lr', () => new optim.SGD([one], { lr: -1 }), 'SGD: lr is -1'],
    ['momentum', () => new optim.SGD([one], { lr: 1, momentum: -1 }), 'SGD: momentum is -1'],
    ['nesterov', () => new optim.SGD([one], { lr: 1, nesterov: true }), 'with momentum 0 and dampening 0'],
    ['betas', () => new optim.Adam([one], { betas: [0.9, 1] }), 'Adam: a beta is 1'],
    ['eps', () => new optim.Adam([one], { eps: -1e-8 }), 'Adam: eps is -1e-8'],
    ['weight decay', () => new optim.AdamW([one], { weightDecay: Number.POSITIVE_INFINITY }), 'AdamW: weightDecay is Infinity'],
  ])('refuses %s', (_, make, message) => {
    expect(make).toThrow(message);
  });
});

describe('loadStateDict', () => {
  const moment = () => ones([3], { dtype: 'float64' });
  const state = { lr: 0.5, steps: [3], tensors: { 'm.0': moment(), 'v.0': moment() } };

  test.each<[string, object, string]>([
    ['another number of parameters', { steps: [1, 2] }, 'Adam.loadStateDict: steps is [1,2], expected 1 counts'],
    ['a count below 0', { steps: [-1] }, 'steps is [-1]'],
    ['a learning rate below 0', { lr: -1 }, 'lr is -1'],
    ["another kind's tensor", { tensors: { 'velocity.0': moment() } }, 'a tensor name is "velocity.0", expected m or v, a dot, and 0 to 0'],
    ['an index out of range', { tensors: { 'm.1': moment() } }, 'a tensor name is "m.1"'],
    ['updates without their tensors', { steps: [1000], tensors: {} }, 'of parameter 0, after 1000 updates, is [], expected ["m.0","v.0"]'],
    ['half of the tensors', { tensors: { 'm.0': moment() } }, 'of parameter 0, after 3 updates, is ["m.0"], expected ["m.0","v.0"]'],
    ['one of the tensors twice', { tensors: { 'm.0': moment(), 'm.00': moment() } }, 'is ["m.0","m.00"], expected ["m.0","v.0"]'],
    ['tensors without updates', { steps: [0] }, 'of parameter 0, after 0 updates, is ["m.0","v.0"], expected []'],
    ['no tensors at all', { tensors: null }, 'tensors is null, expected an object of tensors by name'],
    ['what is no tensor', { tensors: { ...state.tensors, 'v.0': [1, 1, 1] } }, 'v.0 is [1,1,1], expected a Tensor'],
    ['another shape', { tensors: { ...state.tensors, 'v.0': zeros([2]) } }, 'v.0 is float32 [2], expected float64 [3]'],
  ])('refuses %s and changes nothing', (_, faults, message) => {
    const p = parameter();
    const optimizer = new optim.Adam([p], { lr: 0.1 });
    run(optimizer, p, 1, 1);
    const { lr, steps, tensors } = optimizer.stateDict();
    expect(() => optimizer.loadStateDict({ ...state, ...faults })).toThrow(message);
    const after = optimizer.stateDict();
    expect([after.lr, after.steps]).toEqual([lr, steps]);
    for (const name of ['m.0', 'v.0']) {
      expect(after.tensors[name]).toBe(tensors[name]);
      expect(after.tensors[name].disposed).toBe(false);
    }
  });

  test('refuses what is no state', () => {
    expect(() => new optim.Adam([parameter()]).loadStateDict(null as never)).toThrow('Adam.loadStateDict: state is null, expected what');
  });

  test('SGD has a velocity where it has momentum', () => {
    const [plain, heavy] = [new optim.SGD([parameter()], { lr: 1 }), new optim.SGD([parameter()], { lr: 1, momentum: 0.9 })];
    const [bare, full] = [
      { ...state, tensors: {} },
      { ...state, tensors: { 'velocity.0': moment() } },
    ];
    plain.loadStateDict(bare);
    heavy.loadStateDict(full);
    expect(() => plain.loadStateDict(full)).toThrow('a tensor name is "velocity.0", expected none');
    expect(() => heavy.loadStateDict(bare)).toThrow('after 3 updates, is [], expected ["velocity.0"]');
  });

  test('copies the tensors', () => {
    const optimizer = new optim.Adam([parameter()]);
    optimizer.loadStateDict(state);
    const loaded = optimizer.stateDict();
    expect([loaded.lr, loaded.steps]).toEqual([0.5, [3]]);
    expect(loaded.tensors['m.0']).not.toBe(state.tensors['m.0']);
    expect([...loaded.tensors['m.0'].dataSync()]).toEqual([1, 1, 1]);
  });
});

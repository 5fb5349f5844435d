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

function rmsprop({ lr = 0.01, alpha = 0.99, eps = 1e-8, weightDecay = 0, momentum = 0, centered = false }: optim.RMSpropOptions): Rule {
  const [square, mean, velocity]: number[][] = [[], [], []];
  return (p, g) => {
    for (let i = 0; i < p.length; i++) {
      const d = g[i] + weightDecay * p[i];
      square[i] = alpha * (square[i] ?? 0) + (1 - alpha) * d * d;
      mean[i] = alpha * (mean[i] ?? 0) + (1 - alpha) * d;
      const scaled = d / (Math.sqrt(square[i] - (centered ? mean[i] ** 2 : 0)) + eps);
      velocity[i] = momentum * (velocity[i] ?? 0) + scaled;
      p[i] -= lr * velocity[i];
    }
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
  const rmspropOptions: optim.RMSpropOptions[] = [
    {},
    { lr: 0.1, alpha: 0.5, eps: 0.01 },
    { lr: 0.1, weightDecay: 0.2 },
    { lr: 0.1, momentum: 0.9 },
    { lr: 0.1, centered: true },
    { lr: 0.1, alpha: 0.9, centered: true, momentum: 0.5, weightDecay: 0.1 },
  ];
  return [
    ...sgdOptions.map((o): Case => [`SGD ${JSON.stringify(o)}`, (p) => new optim.SGD(p, o), () => sgd(o)]),
    ...adamOptions.map((o): Case => [`Adam ${JSON.stringify(o)}`, (p) => new optim.Adam(p, o), () => adam(false)(o)]),
    ...adamOptions.map((o): Case => [`AdamW ${JSON.stringify(o)}`, (p) => new optim.AdamW(p, o), () => adam(true)(o)]),
    ...rmspropOptions.map((o): Case => [`RMSprop ${JSON.stringify(o)}`, (p) => new optim.RMSprop(p, o), () => rmsprop(o)]),
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
    [
      'RMSprop: steps of lr / √(1 - 0.75), lr / √(1 - 0.75²)',
      (p) => new optim.RMSprop(p, { lr: 0.5, eps: 0, alpha: 0.75 }),
      [0, -2 / 7 ** 0.5],
    ],
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
    ['alpha', () => new optim.RMSprop([one], { alpha: 1 }), 'RMSprop: alpha is 1, expected a number from 0 up to, not including, 1'],
    ['momentum of RMSprop', () => new optim.RMSprop([one], { momentum: -1 }), 'RMSprop: momentum is -1'],
    ['centered', () => new optim.RMSprop([one], { centered: 1 as never }), 'RMSprop: centered is 1, expected true or false'],
    ['weight decay', () => new optim.AdamW([one], { weightDecay: Number.POSITIVE_INFINITY }), 'AdamW: weightDecay is Infinity'],
  ])('refuses %s', (_, make, message) => {
    expect(make).toThrow(message);
  });
});

describe('groups', () => {
  test("are updated by their own options, and by the optimiser's where they have none", () => {
    const [a, b, c] = [parameter(), parameter(), parameter()];
    const optimizer = new optim.SGD([{ params: [a], lr: 0.5 }, { params: [b], weightDecay: 0.1, lr: undefined }, { params: [c] }], {
      lr: 0.1,
      momentum: 0.9,
    });
    expect(optimizer.parameters).toEqual([a, b, c]);
    expect(optimizer.groups.map(({ lr }) => lr)).toEqual([0.5, 0.1, 0.1]);
    const rules = [sgd({ lr: 0.5, momentum: 0.9 }), sgd({ lr: 0.1, momentum: 0.9, weightDecay: 0.1 }), sgd({ lr: 0.1, momentum: 0.9 })];
    const expected = rules.map(() => [...start]);
    for (let step = 1; step <= 5; step++) {
      tidy(() => {
        for (const p of [a, b, c]) addGrad(p, gradient(step));
        optimizer.step();
        optimizer.zeroGrad();
      });
      rules.forEach((rule, i) => {
        rule(expected[i], gradient(step));
      });
    }
    [a, b, c].forEach((p, i) => {
      expectClose(p, expected[i], 1e-12);
    });
  });

  test.each<[string, (p: Tensor) => optim.Optimizer, Rule]>([
    ['Adam', (p) => new optim.Adam([{ params: [p], betas: [0.5, 0.8] }], { lr: 0.1 }), adam(false)({ lr: 0.1, betas: [0.5, 0.8] })],
    ['RMSprop', (p) => new optim.RMSprop([{ params: [p], centered: true }], { lr: 0.1 }), rmsprop({ lr: 0.1, centered: true })],
  ])('of %s', (_, make, rule) => {
    const p = parameter();
    run(make(p), p, 1, 5);
    const expected = [...start];
    for (let step = 1; step <= 5; step++) rule(expected, gradient(step));
    expectClose(p, expected, 1e-12);
  });

  test('keep the ratio of their rate to that of the optimiser', () => {
    const optimizer = new optim.Adam([{ params: [parameter()] }, { params: [parameter()], lr: 0.01 }, { params: [parameter()], lr: 0 }], {
      lr: 0.1,
    });
    optimizer.lr = 0.7;
    expect(optimizer.groups.map(({ lr }) => lr)).toEqual([0.7, expect.closeTo(0.07, 15), 0]);
    optimizer.lr = 0;
    expect(optimizer.groups.map(({ lr }) => lr)).toEqual([0, 0, 0]);
    optimizer.lr = 0.1;
    expect(optimizer.groups.map(({ lr }) => lr)).toEqual([0.1, 0.01, 0]);
  });

  test('keep the running tensors their options need', () => {
    const [a, b] = [parameter(), parameter()];
    const make = () => new optim.SGD([{ params: [a] }, { params: [b], momentum: 0.9 }], { lr: 0.1 });
    const optimizer = make();
    for (const p of [a, b]) addGrad(p, [1, 1, 1]);
    optimizer.step();
    const state = optimizer.stateDict();
    expect(Object.keys(state.tensors)).toEqual(['velocity.1']);
    make().loadStateDict(state);
    const { 'velocity.1': velocity } = state.tensors;
    expect(() => make().loadStateDict({ ...state, tensors: { 'velocity.0': velocity } })).toThrow(
      'a tensor name is "velocity.0", expected velocity',
    );
  });

  const one = parameter();
  test.each<[string, () => unknown, string]>([
    ['a group without tensors', () => new optim.SGD([{ params: [] }], { lr: 1 }), 'SGD: parameters is [], expected at least one tensor'],
    ['a tensor in two groups', () => new optim.Adam([{ params: [one] }, { params: [one] }]), 'expected each tensor once'],
    ['a group among tensors', () => new optim.Adam([one, { params: [one] }] as never), 'Adam: parameter 1 is an Object, expected a Tensor'],
    ['params that are no list', () => new optim.Adam([{ params: one as never }]), 'Adam, group 0: params is '],
    ['a group of no tensors', () => new optim.Adam([{ params: [1 as never] }]), 'Adam: parameter 0 is 1, expected a Tensor'],
    [
      'a tensor of integers',
      () => new optim.Adam([one, ones([1], { dtype: 'int32' })]),
      'Adam: parameter 1 is int32, expected float32 or float64',
    ],
    ['an option nobody knows', () => new optim.Adam([{ params: [one], beta: 1 } as never]), 'Adam, group 0: an option name is "beta"'],
    ['a value out of range', () => new optim.SGD([{ params: [one], lr: -1 }], { lr: 1 }), 'SGD, group 0: lr is -1'],
    [
      'options that do not go together',
      () => new optim.SGD([{ params: [one], nesterov: true }], { lr: 1 }),
      'SGD, group 0: nesterov is true',
    ],
    [
      'a rate in proportion to none',
      () => new optim.SGD([{ params: [one], lr: 1 }], { lr: 0 }),
      'SGD: lr is 0, expected a positive number',
    ],
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

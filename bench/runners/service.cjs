'use strict';
// The service that bench/serving.cjs measures: a model with random weights, and a 10 ms timer whose lateness is kept, in all and without the
// time in which this thread waited for a CPU.
const { readFileSync } = require('node:fs');
const { compile, manualSeed, memory, models, serve, setNumThreads } = require('../..');

const { model, input, maxBatch, maxWait, threads } = JSON.parse(process.argv[2]);
const period = 10;

/** Milliseconds that the main thread has waited for a CPU, as Linux counts them; 0 elsewhere. */
function waited() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}

function percentiles(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), most: at(1), ticks: sorted.length };
}

async function main() {
  if (threads > 0) setNumThreads(threads);
  manualSeed(1);
  const session = await compile(models[model](), { input: ['N', ...input], owned: true });
  const service = await serve(session, { port: 0, maxBatch, maxWait });

  let late = [];
  let own = [];
  let due = performance.now() + period;
  let before = waited();
  setInterval(() => {
    const now = performance.now();
    const after = waited();
    late.push(Math.max(0, now - due));
    own.push(Math.max(0, now - due - (after - before)));
    due = now + period;
    before = after;
  }, period).unref();

  /** What the service has counted of its batches. */
  const counted = async () => {
    const text = await (await fetch(`${service.url}/metrics`)).text();
    const of = (name) => Number(text.match(new RegExp(`^receptive_batch_rows_${name} (\\S+)$`, 'm'))[1]);
    return { rows: of('sum'), batches: of('count') };
  };
  let start = await counted();

  process.on('message', async (what) => {
    if (what === 'stop') {
      await service.stop();
      process.send({});
    } else if (what === 'reset') {
      start = await counted();
      late = [];
      own = [];
      process.send({});
    } else {
      const [lateness, ownLateness] = [late, own].map(percentiles);
      const now = await counted();
      const rows = (now.rows - start.rows) / Math.max(1, now.batches - start.batches);
      const { rss, external, heapUsed } = process.memoryUsage();
      process.send({
        late: lateness,
        ownLate: ownLateness,
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

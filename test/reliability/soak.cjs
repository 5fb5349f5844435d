'use strict';
// Small operations and runs of a plan, by the million, and what memory does meanwhile: resident memory after each tenth, beside what it was
// after the first. Usage: node test/reliability/soak.cjs [operations] [runs]. Ends with 1 if it grew by more than a tenth and 16 MB.
const { compile, memory, models, ops, randn, tidy } = require('../..');

const operations = Number(process.argv[2] ?? 1_000_000);
const runs = Number(process.argv[3] ?? 10_000);

/** Does `step` so many times and prints the memory at each tenth. */
async function measure(what, times, step) {
  const begin = Date.now();
  const held = [];
  for (let tenth = 1; tenth <= 10; ++tenth) {
    for (let i = 0; i < times / 10; ++i) {
      const done = step();
      if (done !== undefined) await done;
      else if (i % 1000 === 999) await new Promise(setImmediate);
    }
    const { tensors, reserved } = memory();
    held.push({ rss: process.memoryUsage().rss, tensors, reserved });
  }
  const [first] = held;
  const most = Math.max(...held.map(({ rss }) => rss));
  const flat = most < first.rss * 1.1 + 16e6 && held.every(({ tensors }) => tensors === first.tensors);
  const megabytes = (bytes) => Math.round(bytes / 1e6);
  console.log(
    `${what}: ${times} in ${Math.round((Date.now() - begin) / 1000)} s; MB resident ${held.map(({ rss }) => megabytes(rss)).join(' ')}, ` +
      `reserved at most ${megabytes(Math.max(...held.map(({ reserved }) => reserved)))}, ${first.tensors} tensors; ${flat ? 'flat' : 'GROWS'}`,
  );
  if (!flat) process.exitCode = 1;
}

async function main() {
  const x = randn([8, 8]);
  await measure('operations', operations, () => void tidy(() => ops.relu(ops.add(ops.mul(x, 2), x))).dispose());
  const session = await compile(models.lenet5(), { input: [1, 28, 28, 1] });
  const image = randn([1, 28, 28, 1]);
  await measure('plan runs', runs, async () => (await session.run({ input: image })).output.dispose());
}

main();

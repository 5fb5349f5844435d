import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import type { Command } from 'commander';
import { ones, zeros } from '../create';
import { exportOnnx } from '../formats/onnx';
import type { Session } from '../graph';
import { memory, runtime, setNumThreads } from '../runtime';
import { arrayOf, hasRows, varies } from '../serve/feeds';
import { type Shape, sizeOf } from '../shape';
import { nonNegative, positiveInteger, positiveIntegers, shape } from './arguments';
import { openModel } from './model-file';
import { count, createOutput, emphasis, type Output } from './output';
import { filled, openPeer, type Peer } from './peer';
import { openServed } from './served';

interface BenchOptions {
  batches: number[];
  seconds: number;
  input?: number[];
  threads?: number;
  dynamicBatch: boolean;
  peer: boolean;
  json: boolean;
}

export function addBench(program: Command): void {
  program
    .command('bench')
    .description('measure how fast a model runs, beside onnxruntime-node where that is installed in the current folder')
    .argument('<model>', 'a file that "receptive train" saved, or an .onnx file')
    .option('--batches <list>', 'sizes of batches, of a model that takes any', positiveIntegers, [1, 2, 4, 8, 16])
    .option('--seconds <s>', 'how long each is measured', nonNegative, 2)
    .option('--input <shape>', 'lengths of the axes of the input but the first, such as 224,224,3, where the model leaves them open', shape)
    .option('--threads <n>', 'threads for the kernels (default: the CPUs this process may use)', positiveInteger)
    .option('--dynamic-batch', 'ONNX: run batches of any size, where the file says one', false)
    .option('--no-peer', 'measure this package alone, and its memory')
    .option('--json', 'one JSON object', false)
    .action(bench);
}

/** How long runs took, in milliseconds. */
interface Times {
  readonly runs: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  /** Rows in a second, of all runs together. */
  readonly rowsPerSecond: number;
}

interface Measured {
  readonly name: string;
  /** Milliseconds from the file to a session, and of the first run of the first batch. */
  readonly load: number;
  readonly firstRun: number;
  /** What resident memory grew by since before the file was read, at the end of each batch's runs the largest; none beside another. */
  memory?: number;
  readonly batches: (Times & { readonly batch: number })[];
}

/** Something that runs on a batch. */
interface Runner {
  readonly measured: Measured;
  readonly before: number;
  /** Makes an input, and gives what runs on it. */
  prepare(batch: number): () => Promise<void>;
}

/** Runs that are not measured, at the start of each size. */
const warmUps = 3;

/** The two take turns of this length in milliseconds, so that a machine whose speed drifts treats both alike. */
const turn = 250;

async function bench(path: string, options: BenchOptions): Promise<void> {
  const { batches, seconds, input, threads, dynamicBatch, peer: wanted, json } = options;
  const output = createOutput(json);
  if (threads) setNumThreads(threads);
  const { isa, threads: used } = runtime.info();
  const ours = await openOurs(path, input, dynamicBatch);
  const sizes = ours.batched ? batches : [ours.shapes(1)[0]?.[0] ?? 1];
  const runners: Runner[] = [ours.runner];
  const beside = dynamicBatch ? 'onnxruntime-node is not measured with --dynamic-batch: it takes what the file says' : null;
  const peer = wanted ? (beside ?? (await besides(path, ours, used))) : null;
  if (peer && typeof peer !== 'string') runners.push(peer);
  output.line(`${emphasis(basename(path))}: ${ours.session}\n${used} ${used === 1 ? 'thread' : 'threads'}, ${isa}\n`);
  for (const [i, batch] of sizes.entries()) {
    output.progress(`batch ${batch} (${i + 1} of ${sizes.length})`);
    await measureBatch(runners, batch, seconds * 1000);
  }
  output.clear();
  report(output, runners, peer);
  output.event({
    model: path,
    inputs: ours.session.inputs,
    outputs: ours.session.outputs,
    isa,
    threads: used,
    tensorBytes: memory().bytes,
    results: runners.map(({ measured }) => measured),
    missing: typeof peer === 'string' ? peer : undefined,
  });
  ours.session.dispose();
}

interface Ours {
  readonly runner: Runner;
  readonly session: Session;
  readonly batched: boolean;
  /** The shape of an input for so many rows. */
  shapes(batch: number): Shape[];
}

async function openOurs(path: string, input: Shape | undefined, dynamicBatch: boolean): Promise<Ours> {
  const before = process.memoryUsage.rss();
  const began = performance.now();
  const { session, tokenizer } = await openServed('bench', path, { images: false, dynamicBatch });
  const load = performance.now() - began;
  const free = tokenizer?.maxLength ?? 224;
  const shapes = (batch: number): Shape[] =>
    session.inputs.map(({ shape: lengths }) =>
      lengths.map((n, axis) => (!varies(n) ? (n as number) : axis === 0 ? batch : (input?.[axis - 1] ?? free))),
    );
  const prepare = (batch: number) => {
    const feeds = Object.fromEntries(
      session.inputs.map(({ name, dtype }, i) => {
        const whole = shapes(batch)[i]!;
        return [name, { data: filled(arrayOf(dtype, sizeOf(whole))), shape: whole }] as const;
      }),
    );
    return async () => {
      const outputs = await session.run(feeds);
      await Promise.all(Object.values(outputs).map((tensor) => tensor.data()));
      for (const tensor of Object.values(outputs)) tensor.dispose();
    };
  };
  const firstRun = await timed(prepare(1));
  const measured: Measured = { name: 'receptive', load, firstRun, batches: [] };
  return { runner: { measured, before, prepare }, session, batched: hasRows(session), shapes };
}

async function timed(run: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await run();
  return performance.now() - began;
}

/** The same model in onnxruntime-node, or a sentence why it is not measured. */
async function besides(path: string, ours: Ours, threads: number): Promise<Runner | string> {
  const folder = await mkdtemp(join(tmpdir(), 'receptive-bench-'));
  try {
    const isOnnx = extname(path).toLowerCase() === '.onnx';
    const file = isOnnx ? path : join(folder, 'model.onnx');
    if (!isOnnx) await exported(path, file, ours.shapes(1)[0]!);
    const before = process.memoryUsage.rss();
    const peer: Peer | string = await openPeer(file, threads);
    if (typeof peer === 'string') return peer;
    const prepare = (batch: number) => peer.prepare(ours.shapes(batch).map((whole) => (isOnnx ? whole : channelsFirst(whole))));
    const firstRun = await timed(prepare(1));
    return { measured: { name: peer.name, load: peer.load, firstRun, batches: [] }, before, prepare };
  } catch (error) {
    return `onnxruntime-node cannot run it: ${(error as Error).message.split('\n', 1)[0]}`;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** As exported files have images. */
const channelsFirst = (whole: Shape): Shape => (whole.length === 4 ? [whole[0]!, whole[3]!, whole[1]!, whole[2]!] : whole);

async function exported(path: string, file: string, whole: Shape): Promise<void> {
  const { saved, task } = await openModel(path);
  using input = task.input?.(saved.description).dtype === 'int32' ? ones(whole, { dtype: 'int32' }) : zeros(whole);
  await exportOnnx(file, saved.model, { input });
  saved.model.dispose();
}

/** Measures a size on all runners, in turns. */
async function measureBatch(runners: readonly Runner[], batch: number, milliseconds: number): Promise<void> {
  const runs = runners.map((runner) => ({ runner, run: runner.prepare(batch), times: [] as number[], spent: 0 }));
  for (const { run } of runs) for (let i = 0; i < warmUps; i++) await run();
  do {
    for (const one of runs) {
      const began = performance.now();
      do {
        one.times.push(await timed(one.run));
      } while (performance.now() - began < Math.min(turn, milliseconds));
      one.spent += performance.now() - began;
      const { measured, before } = one.runner;
      // Two in one process grow the same memory: it is neither's.
      if (runs.length === 1) measured.memory = Math.max(measured.memory ?? 0, process.memoryUsage.rss() - before);
    }
  } while (runs.some(({ spent }) => spent < milliseconds));
  for (const { runner, times } of runs) runner.measured.batches.push({ batch, ...summary(times, batch) });
}

function summary(times: readonly number[], batch: number): Times {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!;
  const total = times.reduce((a, b) => a + b, 0);
  return { runs: times.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), rowsPerSecond: (1000 * batch * times.length) / total };
}

const ms = (value: number): string => (value < 10 ? value.toFixed(3) : value.toFixed(1));

function report(output: Output, runners: readonly Runner[], peer: Runner | string | null): void {
  const row = (cells: readonly string[]) => output.line(cells.map((cell, i) => (i === 0 ? cell.padEnd(26) : cell.padStart(12))).join(''));
  const alone = runners.length === 1;
  row(['', 'load ms', 'first run', ...(alone ? ['memory MB'] : [])]);
  for (const { measured } of runners) {
    const { name, load, firstRun, memory: grown } = measured;
    row([name, ms(load), ms(firstRun), ...(grown === undefined ? [] : [(grown / 1e6).toFixed(1)])]);
  }
  output.line();
  row(['', 'batch', 'p50 ms', 'p90 ms', 'p99 ms', 'rows/s', ...(alone ? [] : ['ratio'])]);
  const [first] = runners as [Runner];
  for (const [i, { p50, batch }] of first.measured.batches.entries()) {
    for (const { measured } of runners) {
      const own = measured.batches[i]!;
      const ratio = alone ? [] : [(own.p50 / p50).toFixed(2)];
      row([measured.name, String(batch), ms(own.p50), ms(own.p90), ms(own.p99), count(own.rowsPerSecond), ...ratio]);
    }
  }
  const last = alone ? 'memory: what resident memory grew by.' : 'ratio: p50 by ours. Memory is measured of one alone: --no-peer.';
  output.line(`\nload: from the file to a session. ${last}`);
  if (typeof peer === 'string') output.line(peer);
}

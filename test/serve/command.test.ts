import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { exportOnnx, manualSeed, models, type nn, ops, randn, save, zeros } from '../../lib';
import { saveModel } from '../../lib/cli/model-file';
import { main } from '../cli/support';
import { temporaryDirectory } from '../packaging/support';
import { distance } from '../support/agree';
import { png } from '../support/png';
import { bytesOf, octets, predict, send, shareOf, until } from './support';

// `receptive serve` in a process of its own: signals, files that change, and what it tells strangers.

const folder = temporaryDirectory();
const images = { size: [28, 28] as const, channels: 1 as const, fit: 'contain' as const, normalization: { mean: 0.13, std: 0.3 } };
const description = { task: 'mnist', architecture: 'lenet5', options: { classes: 10 }, labels: [...'0123456789'], images };

interface Child {
  readonly process: ChildProcess;
  readonly url: string;
  /** What it printed so far. */
  readonly events: Record<string, unknown>[];
  readonly errors: () => string;
  readonly ended: Promise<number | null>;
  heard(event: string, count?: number): Promise<Record<string, unknown>>;
}

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

async function start(model: string, ...args: string[]): Promise<Child> {
  const child = spawn(process.execPath, [main, 'serve', model, '--port', '0', '--json', '--threads', '1', ...args]);
  running.push(child);
  const events: Record<string, unknown>[] = [];
  let [pending, errors] = ['', ''];
  child.stdout.on('data', (chunk) => {
    pending += chunk;
    const lines = pending.split('\n');
    pending = lines.pop()!;
    events.push(...lines.map((line) => JSON.parse(line)));
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const heard = async (event: string, count = 1) => {
    for (const limit = Date.now() + 30_000; Date.now() < limit; await pause(20)) {
      const found = events.filter((one) => one.event === event);
      if (found.length >= count) return found[count - 1];
      if (child.exitCode !== null) break;
    }
    throw new Error(`no ${event} ${count}: ${JSON.stringify(events)} ${errors}`);
  };
  const { url } = await heard('listening');
  return { process: child, url: url as string, events, errors: () => errors, ended, heard };
}

function network(seed: number): nn.Module {
  manualSeed(seed);
  return models.lenet5({ classes: 10 });
}

test('SIGTERM in the middle of a load: every request that was sent is answered, and the process ends with 0', async () => {
  const path = join(folder, 'load.safetensors');
  await saveModel(path, network(1), description);
  const service = await start(path, '--max-batch', '8');
  const body = bytesOf(new Float32Array(784));
  let [answered, refused] = [0, 0];
  const lost: unknown[] = [];
  let stopping = false;
  const client = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (;;) {
      try {
        const { status } = await send(`${service.url}/predict`, { headers: octets, body, agent });
        if (status !== 200) lost.push(status);
        answered++;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ECONNREFUSED' && stopping) refused++;
        else lost.push(error);
        break;
      }
    }
    agent.destroy();
  };
  const clients = Array.from({ length: 16 }, client);
  await until(() => answered >= 200 || lost.length > 0);
  stopping = true;
  service.process.kill('SIGTERM');
  await Promise.all(clients);
  expect(lost).toEqual([]);
  expect(refused).toBe(16);
  expect(answered).toBeGreaterThan(200);
  expect(await service.ended).toBe(0);
  expect(service.events.at(-1)).toEqual({ event: 'stopped' });
  expect(service.errors()).toBe('');
});

test('a file that changes is opened again; a broken one is not taken; SIGHUP opens it at once', async () => {
  const path = join(folder, 'changes.safetensors');
  const nets = [1, 2, 3].map(network);
  const files = nets.map((_, i) => join(folder, `net${i}.safetensors`));
  for (const [i, net] of nets.entries()) await saveModel(files[i], net, description);
  copyFileSync(files[0], path);
  const service = await start(path);
  const input = randn([1, 28, 28, 1]);
  const answer = async () => (await predict(service, bytesOf(input.dataSync()), octets)).json.predictions[0].probabilities;
  const expected = (net: nn.Module) => ops.softmax(net.eval().forward(input)).dataSync();
  const agrees = async (net: nn.Module) => {
    const got = await answer();
    return distance(
      Float64Array.from(description.labels, (label) => shareOf(got, label)),
      expected(net),
    );
  };
  expect(await agrees(nets[0])).toBeLessThan(1e-5);

  renameSync(files[1], path);
  await service.heard('reloaded');
  expect(await agrees(nets[1])).toBeLessThan(1e-5);

  writeFileSync(path, 'no model');
  const failed = await service.heard('reloadFailed');
  expect(failed.message).toMatch(/is no safetensors file/);
  expect(await agrees(nets[1])).toBeLessThan(1e-5);
  expect((await fetch(`${service.url}/readyz`)).status).toBe(200);

  renameSync(files[2], path);
  service.process.kill('SIGHUP');
  await service.heard('reloaded', 2);
  expect(await agrees(nets[2])).toBeLessThan(1e-5);

  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  expect(metrics).toContain('receptive_reloads_total{result="failed"} 1');
  service.process.kill('SIGINT');
  expect(await service.ended).toBe(0);
});

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('a second %s ends it at once, with %d', async (signal, code) => {
  const path = join(folder, 'twice.safetensors');
  await saveModel(path, network(1), description);
  const service = await start(path, '--drain', '60000');
  service.process.kill(signal);
  await service.heard('stopping');
  service.process.kill(signal);
  expect(await service.ended).toBe(code);
});

test('image files are read as predict reads them', async () => {
  const path = join(folder, 'images.safetensors');
  const net = network(4).eval();
  await saveModel(path, net, description);
  const file = join(folder, 'digit.png');
  writeFileSync(file, png({ width: 28, height: 28, type: 0, depth: 8, samples: Array.from({ length: 784 }, (_, i) => (i * 91) % 256) }));
  const told = spawn(process.execPath, [main, 'predict', path, file, '--json']);
  let printed = '';
  for await (const chunk of told.stdout) printed += chunk;
  const shown = JSON.parse(printed);
  const service = await start(path);
  const { json } = await predict(service, require('node:fs').readFileSync(file), { 'content-type': 'image/png' });
  expect(json.predictions[0].predicted).toBe(shown.predicted);
  expect(shown.probabilities).toHaveLength(10);
  for (const [i, { label, probability }] of shown.probabilities.entries()) {
    expect(json.predictions[0].probabilities[i]).toEqual({ label, probability: expect.closeTo(probability, 6) });
  }
});

test('an ONNX file, with labels and images, and no path of this machine in any answer', async () => {
  const path = join(folder, 'model.onnx');
  const labels = join(folder, 'labels.txt');
  writeFileSync(labels, `${'abcdefghij'.split('').join('\n')}\n`);
  await exportOnnx(path, network(5).eval(), { input: zeros([1, 28, 28, 1]) });
  const service = await start(path, '--labels', labels, '--images', '--mean', '0.5', '--std', '0.5');
  const replies = [
    await predict(service, png({ width: 4, height: 4, type: 0, depth: 8, samples: new Array(16).fill(7) }), {
      'content-type': 'image/png',
    }),
    await predict(service, Buffer.from('no image'), { 'content-type': 'image/png' }),
    await predict(service, '{'),
    await predict(service, { inputs: [[1]] }),
    await predict(service, Buffer.alloc(12), octets),
    await predict(service, Buffer.alloc(0), octets, `?shape=${encodeURIComponent(folder)}`),
  ];
  expect(replies.map(({ status }) => status)).toEqual([200, 400, 400, 400, 400, 400]);
  expect(replies[0].json.predictions[0].predicted).toMatch(/^[a-j]$/);
  const pages = await Promise.all(
    ['/model', '/openapi.json', '/metrics', '/healthz', '/nothing'].map(async (page) => (await fetch(service.url + page)).text()),
  );
  for (const text of [...pages, ...replies.slice(0, 5).map(({ bytes }) => bytes.toString())]) {
    expect(text).not.toContain(folder);
    expect(text).not.toMatch(/node_modules|\/dist\/|\.js:\d+/);
  }
});

test('what cannot be served is one line', async () => {
  const told = async (...args: string[]) => {
    const child = spawn(process.execPath, [main, 'serve', ...args]);
    let errors = '';
    for await (const chunk of child.stderr) errors += chunk;
    return errors;
  };
  const path = join(folder, 'plain.safetensors');
  await save(path, network(1));
  expect(await told(path)).toMatch(/^receptive: .*holds tensors but not which network they belong to.*\n$/);
  expect(await told(join(folder, 'none.onnx'))).toMatch(/^receptive: .*none\.onnx: ENOENT.*\n$/);
  const own = join(folder, 'own.safetensors');
  await saveModel(own, network(1), description);
  expect(await told(own, '--images')).toMatch(/^receptive: serve: --images is true, expected left out.*\n$/);
});

import { type Command, Option } from 'commander';
import { setNumThreads } from '../runtime';
import { type ServeOptions, type ServiceEvent, serve } from '../serve';
import { nonNegative, numbers, positiveInteger, wholeNumber } from './arguments';
import { createOutput, emphasis, type Output } from './output';
import { type OnnxOptions, openServed } from './served';

interface ServeCommandOptions extends OnnxOptions, Omit<ServeOptions, 'watch' | 'onEvent'> {
  watch: boolean;
  threads?: number;
  json: boolean;
}

/** Options that say how an ONNX file is served. */
export function addOnnxOptions(command: Command): void {
  command
    .option('--labels <file>', 'ONNX: names of the classes, a line each')
    .addOption(
      new Option('--scores <what>', 'ONNX: what the output holds of each class (default: logits)').choices(['logits', 'probabilities']),
    )
    .addOption(new Option('--layout <order>', 'ONNX: order of the axes of images (default: nchw)').choices(['nchw', 'nhwc']))
    .option('--dynamic-batch', 'ONNX: run batches of any size, where the file says one', false)
    .option('--images', 'ONNX: take image files too; all images are then [N,H,W,C]', false)
    .option('--mean <list>', 'ONNX: mean of the pixels, of each channel, where white is 1 (default: of ImageNet)', numbers)
    .option('--std <list>', 'ONNX: their standard deviation (default: of ImageNet)', numbers);
}

export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .description('answer requests over HTTP: POST /predict; see /openapi.json')
    .argument('<model>', 'a file that "receptive train" saved, or an .onnx file')
    .option('--host <address>', 'address to listen on; 0.0.0.0 for all of this machine', '127.0.0.1')
    .option('--port <n>', 'port to listen on; 0 takes a free one', wholeNumber, 8080)
    .option('--max-batch <n>', 'the most rows that run together', positiveInteger, 16)
    .option('--max-wait <ms>', 'how long the first of them waits for others', nonNegative, 2)
    .option('--max-queue <n>', 'requests that are accepted at a time; others get 503', positiveInteger, 256)
    .option('--max-body <bytes>', 'the most bytes of a request', positiveInteger, 2 ** 24)
    .option('--timeout <ms>', 'how long a request may take', nonNegative, 30_000)
    .option('--drain <ms>', 'after SIGTERM, how long connections are still accepted while /readyz says no', nonNegative, 0)
    .option('--stop-timeout <ms>', 'after that, how long to wait for requests', nonNegative, 30_000)
    .option('--no-watch', 'do not open the model again when its file has changed')
    .option('--threads <n>', 'threads for the kernels (default: the CPUs this process may use)', positiveInteger)
    .option('--json', 'one JSON object a line', false);
  addOnnxOptions(command);
  command.action(run);
}

async function run(path: string, { watch, threads, json, ...rest }: ServeCommandOptions): Promise<void> {
  const output = createOutput(json);
  if (threads) setNumThreads(threads);
  const { labels, layout, images, mean, std, scores, dynamicBatch, ...limits } = rest;
  const open = () => openServed('serve', path, { labels, layout, images, mean, std, scores, dynamicBatch });
  const service = await serve(open, { ...limits, watch: watch ? path : undefined, onEvent: (event) => tell(event, output) });
  process.on('SIGHUP', () => {
    service.reload().catch(() => {}); // was told
  });
  const asked = new Promise<void>((resolve) => {
    let before = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, (_: NodeJS.Signals, number: number) => {
        if (before) process.exit(128 + number);
        before = true;
        output.line(`${signal}: answering the ${service.pending} requests that have come`);
        output.event({ event: 'stopping', signal, pending: service.pending });
        resolve();
      });
    }
  });
  // When signals are heeded: who reads it may send one at once.
  output.line(`${emphasis(path)} is served at ${service.url}: POST /predict, GET /openapi.json, /metrics, /healthz, /readyz`);
  output.event({ event: 'listening', url: service.url, model: path, pid: process.pid });
  await asked;
  await service.stop();
  output.line('stopped');
  output.event({ event: 'stopped' });
}

/** Says what happened; failures go to the standard error, too. */
function tell(event: ServiceEvent, output: Output): void {
  if (event.event === 'reloaded') {
    output.line(`opened the model again in ${event.seconds.toFixed(1)} s`);
    output.event({ ...event });
    return;
  }
  const { message, stack } = event.error;
  const what = event.event === 'reloadFailed' ? 'the new model cannot be used, the old one goes on' : 'a request failed';
  process.stderr.write(`receptive: ${what}: ${event.event === 'failed' ? (stack ?? message) : message}\n`);
  output.event({ event: event.event, message });
}

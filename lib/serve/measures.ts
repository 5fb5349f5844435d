import { version } from '../native';
import { memory, runtime } from '../runtime';
import { Counter, exposition, Gauge, Histogram } from './metrics';

const milliseconds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

/** How often the event loop is looked at, in milliseconds. */
const period = 20;

/** What is asked of the service when somebody looks. */
interface Now {
  readonly pending: number;
  readonly waiting: number;
  readonly running: number;
  readonly ready: boolean;
  readonly model: string;
  readonly loaded: Date;
}

/** Everything a service measures of itself. */
export class Measures {
  readonly requests = new Counter('receptive_requests_total', 'Requests answered, by route and status; 499: the client went away.');
  readonly reloads = new Counter('receptive_reloads_total', 'Times the model was opened again, by outcome.', [
    { result: 'ok' },
    { result: 'failed' },
  ]);
  readonly latency = new Histogram('receptive_request_seconds', 'From the headers of a prediction to its answer.', milliseconds);
  readonly run = new Histogram('receptive_batch_seconds', 'From the start of a batch to its outputs.', milliseconds);
  readonly rows = new Histogram('receptive_batch_rows', 'Rows that ran together.', [1, 2, 4, 8, 16, 32, 64, 128, 256]);
  readonly late = new Histogram('receptive_event_loop_late_seconds', 'How late a timer fired.', milliseconds);
  readonly #timer: NodeJS.Timeout;

  constructor(private readonly now: () => Now) {
    let due = performance.now() + period;
    this.#timer = setInterval(() => {
      const at = performance.now();
      this.late.observe(Math.max(0, at - due) / 1000);
      due = at + period;
    }, period).unref();
  }

  text(): string {
    const { pending, waiting, running, ready, model, loaded } = this.now();
    const { tensors, bytes } = memory();
    const { rss, heapUsed, external } = process.memoryUsage();
    const { isa, threads } = runtime.info();
    const { user, system } = process.cpuUsage();
    return exposition([
      new Gauge('receptive_info', 'What runs.', () => [[{ version, isa, threads: String(threads), model }, 1]]),
      new Gauge('receptive_ready', 'Whether requests are taken.', () => Number(ready)),
      new Gauge('receptive_model_loaded_timestamp_seconds', 'When the model was opened.', () => loaded.getTime() / 1000),
      this.requests,
      this.latency,
      this.rows,
      this.run,
      new Gauge('receptive_requests_pending', 'Predictions that were accepted and not answered.', () => pending),
      new Gauge('receptive_requests_waiting', 'Those of them that wait for a batch.', () => waiting),
      new Gauge('receptive_batches_running', 'Batches that run, or are next.', () => running),
      this.reloads,
      this.late,
      new Gauge('receptive_tensors', 'Live tensors.', () => tensors),
      new Gauge('receptive_tensor_bytes', 'Bytes of live tensors.', () => bytes),
      new Gauge('nodejs_heap_used_bytes', 'Bytes of JavaScript objects.', () => heapUsed),
      new Gauge('nodejs_external_memory_bytes', 'Bytes of memory bound to JavaScript objects.', () => external),
      new Gauge('process_resident_memory_bytes', 'Resident memory.', () => rss),
      new Gauge('process_cpu_seconds_total', 'Processor time.', () => (user + system) / 1e6, 'counter'),
      new Gauge('process_start_time_seconds', 'When the process began.', () => performance.timeOrigin / 1000),
    ]);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

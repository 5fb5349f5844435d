// What a service counts, in the text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4).

export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

type Labels = Readonly<Record<string, string>>;

interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  samples(): Iterable<string>;
}

const escaped = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

function sample(name: string, labels: Labels, value: number): string {
  const list = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`);
  return `${name}${list.length > 0 ? `{${list.join(',')}}` : ''} ${value}`;
}

/** A number that only grows, one for each combination of labels. */
export class Counter implements Metric {
  readonly type = 'counter';
  readonly #values = new Map<string, { readonly labels: Labels; value: number }>();

  constructor(
    readonly name: string,
    readonly help: string,
    start: readonly Labels[] = [],
  ) {
    for (const labels of start) this.add(labels, 0);
  }

  add(labels: Labels = {}, by = 1): void {
    const key = Object.values(labels).join('\0');
    const known = this.#values.get(key);
    if (known) known.value += by;
    else this.#values.set(key, { labels, value: by });
  }

  *samples(): Generator<string> {
    for (const { labels, value } of this.#values.values()) yield sample(this.name, labels, value);
  }
}

/** A number that is asked for when somebody looks. */
export class Gauge implements Metric {
  constructor(
    readonly name: string,
    readonly help: string,
    private readonly read: () => number | readonly (readonly [Labels, number])[],
    readonly type: 'gauge' | 'counter' = 'gauge',
  ) {}

  *samples(): Generator<string> {
    const now = this.read();
    for (const [labels, value] of typeof now === 'number' ? [[{}, now] as const] : now) yield sample(this.name, labels, value);
  }
}

/** How many observations were at most as large as each of some bounds, and their sum. */
export class Histogram implements Metric {
  readonly type = 'histogram';
  readonly #counts: number[];
  #sum = 0;

  constructor(
    readonly name: string,
    readonly help: string,
    private readonly bounds: readonly number[],
  ) {
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let i = 0;
    while (i < this.bounds.length && value > this.bounds[i]!) i++;
    this.#counts[i]!++;
    this.#sum += value;
  }

  *samples(): Generator<string> {
    let count = 0;
    for (const [i, own] of this.#counts.entries()) {
      count += own;
      yield sample(`${this.name}_bucket`, { le: i < this.bounds.length ? String(this.bounds[i]) : '+Inf' }, count);
    }
    yield sample(`${this.name}_sum`, {}, this.#sum);
    yield sample(`${this.name}_count`, {}, count);
  }
}

/** The whole page. */
export function exposition(metrics: Iterable<Metric>): string {
  let text = '';
  for (const metric of metrics) {
    text += `# HELP ${metric.name} ${metric.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${metric.name} ${metric.type}\n`;
    for (const line of metric.samples()) text += `${line}\n`;
  }
  return text;
}

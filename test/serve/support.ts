import { type Agent, request as ask } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Service } from '../../lib';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** One request by node:http, which says what happened to its connection. */
export function send(
  url: string,
  {
    method = 'POST',
    headers = {},
    body,
    agent,
  }: { method?: string; headers?: Record<string, string>; body?: string | Uint8Array; agent?: Agent } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = ask(url, { method, headers, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Waits until something is so. */
export async function until(so: () => boolean, most = 20_000): Promise<void> {
  for (const limit = performance.now() + most; !so(); await pause(5)) {
    if (performance.now() > limit) throw new Error(`it is not so after ${most} ms: ${so}`);
  }
}

/** A service's answer to a JSON body, or to another one. */
export async function predict(service: Pick<Service, 'url'>, body: unknown, headers: Record<string, string> = {}, query = '') {
  const raw = body instanceof Uint8Array || typeof body === 'string';
  const {
    status,
    headers: got,
    body: bytes,
  } = await send(`${service.url}/predict${query}`, {
    headers: { 'content-type': 'application/json', ...headers },
    body: raw ? body : JSON.stringify(body),
  });
  const isJson = String(got['content-type']).startsWith('application/json');
  return { status, headers: got, bytes, json: isJson ? JSON.parse(bytes.toString()) : null };
}

/** How likely a prediction says that a class is. */
export const shareOf = (probabilities: readonly { label: string; probability: number }[], label: string): number =>
  probabilities.find((one) => one.label === label)!.probability;

export const octets = { 'content-type': 'application/octet-stream' };

export const bytesOf = (array: ArrayBufferView): Buffer => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

/** Writes text to a socket, and gives what comes back until it closes. */
export function talk(service: Service, text: string, onOpen: (write: (more: string) => void) => void = () => {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(service.port, '127.0.0.1', () => {
      socket.write(text);
      onOpen((more) => socket.write(more));
    });
    let got = '';
    socket.on('data', (chunk) => {
      got += chunk;
    });
    socket.on('close', () => resolve(got));
    socket.on('error', reject);
  });
}

/** Samples of a page in Prometheus's format, by name and labels, each line held against the grammar. */
export function parseMetrics(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  const helped = new Set<string>();
  if (!text.endsWith('\n')) throw new Error('does not end with a line feed');
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = line.match(/^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/);
    if (comment) {
      const [, kind, name, rest] = comment as unknown as [string, string, string, string];
      if (kind === 'HELP') {
        if (helped.has(name)) throw new Error(`${name} has HELP twice`);
        helped.add(name);
      } else {
        if (!/^(counter|gauge|histogram|summary|untyped)$/.test(rest)) throw new Error(`${name} is a ${rest}`);
        types.set(name, rest);
      }
      continue;
    }
    const sample = line.match(/^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)$/);
    if (!sample) throw new Error(`no sample: ${line}`);
    const [, name, labels = '', value] = sample;
    const family = types.has(name!) ? name! : name!.replace(/_(bucket|sum|count)$/, '');
    if (!types.has(family)) throw new Error(`${name} has no TYPE before it`);
    const key = name + labels;
    if (samples.has(key)) throw new Error(`${key} comes twice`);
    const number = value === '+Inf' ? Infinity : Number(value);
    if (Number.isNaN(number)) throw new Error(`${key} is ${value}`);
    samples.set(key, number);
  }
  return samples;
}

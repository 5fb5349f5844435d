import { createHook } from 'node:async_hooks';
import { request as ask } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import {
  compile,
  data,
  manualSeed,
  models,
  nn,
  ops,
  randn,
  type Served,
  type ServeOptions,
  type Service,
  type Session,
  serve,
  type Tensor,
  zeros,
} from '../../lib';
import { distance } from '../support/agree';
import { png } from '../support/png';
import { bytesOf, octets, parseMetrics, predict, send, shareOf, talk, until } from './support';

let service: Service;
/** One that several tests use. */
let kept: Service | null = null;
const make = async (served: Parameters<typeof serve>[0], options: ServeOptions = {}) => {
  service = await serve(served, { port: 0, ...options });
  return service;
};
afterEach(() => (service === kept ? undefined : service?.stop()));

const lenet = () => {
  manualSeed(1);
  return compile(models.lenet5(), { input: ['N', 28, 28, 1] });
};
const image = () => randn([1, 28, 28, 1]).dataSync() as Float32Array;

/** Multiplies by a number, after so many products of large matrices that it takes a while. */
class Slow extends nn.Module {
  readonly matrix = new nn.Parameter(randn([256, 256]));
  constructor(
    readonly factor: number,
    readonly steps: number,
  ) {
    super();
  }
  forward(x: Tensor): Tensor {
    let waste: Tensor = this.matrix;
    for (let i = 0; i < this.steps; i++) waste = ops.matmul(waste, ops.mul(ops.add(this.matrix, ops.mul(ops.sum(x), 1e-9)), 1e-3));
    return ops.add(ops.mul(x, this.factor), ops.mul(ops.sum(waste), 0));
  }
}
const slow = (steps = 200, factor = 2) => compile(new Slow(factor, steps), { input: [1, 2] });

const histogram = (samples: Map<string, number>, name: string) => samples.get(`${name}_count`)!;
const metricsOf = async () => parseMetrics(await (await fetch(`${service.url}/metrics`)).text());

describe('answers', () => {
  test('concurrent requests are batched, and each gets its own answer', async () => {
    const session = await lenet();
    const direct = await lenet();
    await make(session, { maxBatch: 8, maxWait: 30 });
    const inputs = Array.from({ length: 40 }, image);
    const replies = await Promise.all(inputs.map((input) => predict(service, bytesOf(input), octets)));
    for (const [i, { status, json }] of replies.entries()) {
      expect(status).toBe(200);
      const { output } = await direct.run({ input: { data: inputs[i], shape: [1, 28, 28, 1] } });
      expect(distance(json.outputs.output[0], output.dataSync())).toBeLessThan(1e-5);
    }
    const samples = await metricsOf();
    expect(samples.get('receptive_batch_rows_sum')).toBe(40);
    expect(histogram(samples, 'receptive_batch_rows')).toBeLessThan(20);
    expect(samples.get('receptive_requests_total{route="/predict",status="200"}')).toBe(40);
    direct.dispose();
  });

  test('JSON, nested or flat, with and without the batch axis, gives what raw numbers give', async () => {
    await make(await lenet());
    const input = image();
    const nested = Array.from({ length: 28 }, (_, i) => Array.from({ length: 28 }, (_, j) => [input[28 * i + j]]));
    const bodies = [
      { inputs: [nested] },
      { inputs: nested },
      { inputs: { input: nested } },
      { inputs: { input: { data: [...input], shape: [1, 28, 28, 1] } } },
      { inputs: { data: [...input], shape: [28, 28, 1] } },
    ];
    const raw = await predict(service, bytesOf(input), octets);
    for (const body of bodies) expect((await predict(service, body)).json).toEqual(raw.json);
    const two = bytesOf(Float32Array.of(...input, ...input));
    const both = await predict(service, two, octets, '?shape=2,28,28,1');
    expect(both.json.outputs.output).toHaveLength(2);
    expect(distance(both.json.outputs.output[1], raw.json.outputs.output[0])).toBeLessThan(1e-5);
    expect((await predict(service, two, { ...octets, 'x-tensor-shape': '2,28,28,1' })).json).toEqual(both.json);
  });

  test('raw numbers where only those are accepted', async () => {
    await make(await lenet());
    const input = image();
    const { json } = await predict(service, bytesOf(input), octets);
    const { headers, bytes } = await predict(service, bytesOf(input), { ...octets, accept: 'application/octet-stream' });
    expect(headers).toMatchObject({ 'content-type': 'application/octet-stream', 'x-tensor-shape': '1,10', 'x-tensor-dtype': 'float32' });
    expect([...new Float32Array(new Uint8Array(bytes).buffer)]).toEqual(json.outputs.output[0]);
  });

  test('image files, as data.readImages prepares them, with labels', async () => {
    const labels = [...'abcdefghijkl'].slice(0, 10);
    const images: data.ReadImageOptions = { size: 28, channels: 1, fit: 'contain', normalization: { mean: 0.1, std: 0.3 } };
    await make({ session: await lenet(), labels, images });
    const direct = await lenet();
    const file = png({ width: 20, height: 30, type: 2, depth: 8, samples: Array.from({ length: 1800 }, (_, i) => (i * 37) % 256) });
    const { status, json } = await predict(service, file, { 'content-type': 'image/png' }, '?top=3');
    expect(status).toBe(200);
    const { output } = await direct.run({ input: await data.readImages([file], images) });
    const shares = ops.softmax(output).dataSync();
    const order = [...shares.keys()].sort((a, b) => shares[b] - shares[a]);
    expect(json.predictions[0].predicted).toBe(labels[order[0]]);
    expect(json.predictions[0].probabilities).toEqual(
      order.slice(0, 3).map((k) => ({ label: labels[k], probability: expect.closeTo(shares[k], 5) })),
    );
    const broken = await predict(service, file.subarray(0, 100), { 'content-type': 'image/png' });
    expect([broken.status, broken.json.error.code]).toEqual([400, 'ERR_IMAGE']);
    direct.dispose();
  });

  test('classes the most likely first, also where labels are numbers, or one is there twice', async () => {
    const labels = ['7', '3', 'other', 'other', '1'];
    await make({ session: await compile(new nn.Identity(), { input: ['N', 5] }), labels, scores: 'probabilities' });
    const shares = [0.4, 0.05, 0.125, 0.375, 0.05];
    const { json } = await predict(service, { inputs: [shares] });
    expect(json.predictions).toEqual([
      {
        predicted: '7',
        probabilities: [0, 3, 2, 1, 4].map((k) => ({ label: labels[k], probability: Math.fround(shares[k]) })),
      },
    ]);
  });

  test('texts, alone and several, each as the model sees it without padding', async () => {
    manualSeed(2);
    const tokenizer = await data.Tokenizer.fit(['a fine film', 'not for me at all'], { maxLength: 40 });
    const model = models.textCnn({ vocabulary: tokenizer.size, classes: 2, embeddingDim: 8, filters: 4 });
    const session = await compile(model, { input: { shape: ['N', 'L'], dtype: 'int32' }, plans: 64 });
    await make({ session, tokenizer, labels: ['bad', 'good'] });
    model.eval();
    const texts = ['a fine film', 'not for me', '', 'fine '.repeat(100)];
    const shares = texts.map((text) => ops.softmax(model.forward(tokenizer.batch([text || 'unheard']))).dataSync());
    const { json } = await predict(service, { texts });
    for (const [i, { probabilities }] of json.predictions.entries()) {
      if (texts[i] !== '') expect(shareOf(probabilities, 'good')).toBeCloseTo(shares[i][1], 5);
    }
    const one = await predict(service, texts[0], { 'content-type': 'text/plain; charset=utf-8' });
    expect(shareOf(one.json.predictions[0].probabilities, 'good')).toBeCloseTo(shares[0][1], 5);
  });

  test('texts that few bytes become much of are refused before they are padded', async () => {
    const tokenizer = await data.Tokenizer.fit(['a fine film'], { maxLength: 400 });
    const model = models.textCnn({ vocabulary: tokenizer.size, classes: 2, embeddingDim: 8, filters: 4 });
    const session = await compile(model, { input: { shape: ['N', 'L'], dtype: 'int32' }, plans: 64 });
    await make({ session, tokenizer, labels: ['bad', 'good'] }, { maxBatch: 1, maxBody: 100_000 });
    const encode = jest.spyOn(tokenizer, 'encode');
    const short = await predict(service, { texts: new Array(20_000).fill('') });
    expect([short.status, short.json.error.code]).toEqual([413, 'ERR_BODY_TOO_LARGE']);
    expect(short.json.error.message).toBe('20000 texts, padded to 16 tokens, take 1280000 bytes, more than 1048576: send fewer together');
    expect(encode).not.toHaveBeenCalled();
    const oneLong = await predict(service, { texts: ['a '.repeat(300), ...new Array(700).fill('a')] });
    expect([oneLong.status, oneLong.json.error.message]).toEqual([413, expect.stringMatching(/^701 texts, padded to 400 tokens/)]);
    expect(encode).toHaveBeenCalledTimes(1);
    for (const [texts, message] of [
      [[], 'texts is an empty list'],
      ['a', 'texts is no list of strings'],
    ]) {
      const refused = await predict(service, { texts });
      expect([refused.status, refused.json.error.message]).toEqual([400, message]);
    }
    expect((await predict(service, { texts: new Array(50).fill('a') })).json.predictions).toHaveLength(50);
  });

  test('several inputs, and rows of int32', async () => {
    class Two extends nn.Module {
      forward(a: Tensor, b: Tensor): Tensor {
        return ops.add(ops.cast(a, 'float32'), b);
      }
    }
    const session = await compile(new Two(), { inputs: { a: { shape: ['N', 2], dtype: 'int32' }, b: ['N', 2] } });
    await make(session);
    const { json } = await predict(service, {
      inputs: {
        a: [
          [1, 2],
          [3, 4],
        ],
        b: [
          [0.5, 0.5],
          [0.25, 0],
        ],
      },
    });
    expect(json).toEqual({
      outputs: {
        output: [
          [1.5, 2.5],
          [3.25, 4],
        ],
      },
    });
    const missing = await predict(service, { inputs: { a: [[1, 2]] } });
    expect([missing.status, missing.json.error.message]).toEqual([400, 'input "b" is missing']);
    const fraction = await predict(service, { inputs: { a: [[1, 2.5]], b: [[1, 2]] } });
    expect([fraction.status, fraction.json.error.code]).toEqual([400, 'ERR_INVALID_VALUE']);
    expect((await predict(service, bytesOf(Int32Array.of(1, 2)), octets)).status).toBe(415);
  });
});

describe('what is refused', () => {
  beforeAll(async () => {
    kept = await make({ session: await lenet(), name: 'digits' }, { maxBody: 20_000 });
  });
  afterAll(async () => {
    await kept?.stop();
    kept = null;
  });

  test.each<[string, unknown, Record<string, string>, string, number, string, RegExp]>([
    ['no JSON', '{"inputs": [', {}, '', 400, 'ERR_JSON', /^the body is not JSON/],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), {}, '', 400, 'ERR_BODY', /not UTF-8/],
    ['no object', '[1]', {}, '', 400, 'ERR_BODY', /no JSON object/],
    ['another member', { input: [1] }, {}, '', 400, 'ERR_BODY', /members input, expected one of inputs/],
    ['another input', { inputs: { x: [1] } }, {}, '', 400, 'ERR_BODY', /no input "x", expected input/],
    ['another shape', { inputs: [[1, 2]] }, {}, '', 400, 'ERR_SHAPE', /has shape \[1,2\], expected \[N,28,28,1\]/],
    ['uneven', { inputs: [[1, 2], [3]] }, {}, '', 400, 'ERR_SHAPE', /nested unevenly/],
    ['no numbers', { inputs: [['1']] }, {}, '', 400, 'ERR_INVALID_TYPE', /element 0 of input "input" is "1", expected a number/],
    ['null', { inputs: [null] }, {}, '', 400, 'ERR_INVALID_TYPE', /is null/],
    ['a wrong flat shape', { inputs: { data: [1], shape: [1, 28, 28, 1] } }, {}, '', 400, 'ERR_SHAPE', /holds 1 numbers/],
    ['texts', { texts: ['a'] }, {}, '', 400, 'ERR_BODY', /members texts/],
    ['raw bytes that are no images', Buffer.alloc(100), octets, '', 400, 'ERR_SHAPE', /say the shape/],
    ['raw bytes of another shape', Buffer.alloc(100), octets, '?shape=1,28,28,1', 400, 'ERR_SHAPE', /takes 3136/],
    ['a shape that is none', Buffer.alloc(4), octets, '?shape=1,-1', 400, 'ERR_SHAPE', /lengths with commas/],
    ['a vast shape', Buffer.alloc(4), octets, '?shape=2147483647,2147483647,2147483647', 400, 'ERR_SHAPE', /lengths with commas/],
    ['another type', 'x', { 'content-type': 'text/html' }, '', 415, 'ERR_MEDIA_TYPE', /text\/html, expected application\/json/],
    ['an image, to a model that takes none', 'x', { 'content-type': 'image/png' }, '', 415, 'ERR_MEDIA_TYPE', /image\/png/],
    ['of no type', 'x', { 'content-type': '' }, '', 415, 'ERR_MEDIA_TYPE', /the body is of no type, expected application\/json/],
    ['no flat array', { inputs: { data: 1, shape: [1] } }, {}, '', 400, 'ERR_BODY', /neither nested arrays nor \{ data, shape \}/],
    ['a flat shape that is none', { inputs: { data: [], shape: [-1] } }, {}, '', 400, 'ERR_BODY', /neither nested arrays nor/],
    ['nested too deep', `{"inputs": ${'['.repeat(7)}1${']'.repeat(7)}}`, {}, '', 400, 'ERR_SHAPE', /nested more than 6 deep/],
    ['compressed', 'x', { 'content-encoding': 'gzip' }, '', 415, 'ERR_MEDIA_TYPE', /gzip/],
    ['too large', Buffer.alloc(20_001), octets, '', 413, 'ERR_BODY_TOO_LARGE', /larger than 20000 bytes/],
  ])('%s', async (_, body, headers, query, status, code, message) => {
    const reply = await predict(service, body, headers, query);
    expect([reply.status, reply.json.error.code]).toEqual([status, code]);
    expect(reply.json.error.message).toMatch(message);
    expect(service.pending).toBe(0);
    expect((await predict(service, bytesOf(image()), octets)).status).toBe(200);
  });

  test('a body too large that does not say so', async () => {
    const chunk = `${(10_000).toString(16)}\r\n${'x'.repeat(10_000)}\r\n`;
    const head = 'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
    const got = await talk(service, head + chunk.repeat(3));
    expect(got).toMatch(/^HTTP\/1.1 413 .*"ERR_BODY_TOO_LARGE"/s);
    expect(got).toMatch(/^Connection: close/im);
  });

  test('a client that asks first is told before it sends', async () => {
    const head = (length: number) =>
      `POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`;
    expect(await talk(service, head(20_001))).toMatch(/^HTTP\/1.1 413 /);
    const bytes = bytesOf(new Float32Array(784)).toString('latin1');
    expect(await talk(service, head(3136), (write) => setTimeout(write, 50, bytes))).toMatch(
      /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /,
    );
  });

  test('other pages and methods', async () => {
    const none = await send(`${service.url}/none`, { method: 'GET' });
    expect([none.status, JSON.parse(none.body.toString()).error.code]).toEqual([404, 'ERR_NOT_FOUND']);
    const got = await send(`${service.url}/predict`, { method: 'GET' });
    expect([got.status, got.headers.allow]).toEqual([405, 'POST']);
    const posted = await send(`${service.url}/metrics`, { body: 'x' });
    expect([posted.status, posted.headers.allow]).toEqual([405, 'GET, HEAD']);
    expect((await send(`${service.url}/__proto__`, { method: 'GET' })).status).toBe(404);
    const head = await send(`${service.url}/healthz`, { method: 'HEAD' });
    expect([head.status, head.body.length]).toEqual([200, 0]);
  });
});

describe('limits', () => {
  test('more requests than are accepted: 503 with Retry-After, and the others are answered', async () => {
    await make(await slow(), { maxQueue: 4 });
    const replies = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((v) => predict(service, { inputs: [[v, v]] })));
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 503, 503, 503]);
    for (const { status, json, headers } of replies) {
      if (status === 200) continue;
      expect(json.error.code).toBe('ERR_BUSY');
      expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
    }
    expect((await predict(service, { inputs: [[1, 2]] })).json).toEqual({ outputs: { output: [[2, 4]] } });
  });

  test('a refused request with a small body leaves its connection as it is', async () => {
    await make(await lenet());
    const request = (more: string) =>
      `POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n${more}\r\n{}`;
    const got = await talk(service, request('Content-Encoding: gzip\r\n') + request('Connection: close\r\n'));
    expect(got.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 415', 'HTTP/1.1 400']);
  });

  test('a request that takes too long: 504, and its place is free', async () => {
    await make(await slow(600), { timeout: 60 });
    const reply = await predict(service, { inputs: [[1, 2]] });
    expect([reply.status, reply.json.error.code]).toEqual([504, 'ERR_TIMEOUT']);
    expect(service.pending).toBe(0);
    const samples = await metricsOf();
    expect(samples.get('receptive_requests_total{route="/predict",status="504"}')).toBe(1);
  });

  test('a client that goes away frees its place, and its run stops', async () => {
    await make(await slow(600), { maxQueue: 1 });
    const client = ask(`${service.url}/predict`, { method: 'POST', headers: { 'content-type': 'application/json' } });
    const failed = new Promise((resolve) => client.on('error', resolve));
    client.end('{"inputs": [[1, 2]]}');
    await until(() => service.pending === 1);
    const busy = await predict(service, { inputs: [[1, 2]] });
    expect(busy.status).toBe(503);
    client.destroy();
    expect(await failed).toMatchObject({ code: 'ECONNRESET' });
    await until(() => service.pending === 0, 2000);
    const samples = await metricsOf();
    expect(samples.get('receptive_requests_total{route="/predict",status="499"}')).toBe(1);
  });

  test.each([
    ['an operation', 'ERR_KERNEL', 'run: not enough memory for the scratch space of an operation'],
    ['a tensor', 'ERR_OUT_OF_MEMORY', 'receptive: out of memory'],
  ])('no memory for %s: 503, and the operator is told', async (_, code, message) => {
    const session = await lenet();
    const events: unknown[] = [];
    await make(session, { onEvent: (event) => events.push(event) });
    const failure = Object.assign(new RangeError(message), { code });
    jest.spyOn(session, 'run').mockRejectedValueOnce(failure);
    const { status, json, headers } = await predict(service, bytesOf(image()), octets);
    expect([status, json.error.code, headers['retry-after']]).toEqual([503, 'ERR_OUT_OF_MEMORY', '1']);
    expect(events).toEqual([{ event: 'failed', error: failure }]);
    expect((await predict(service, bytesOf(image()), octets)).status).toBe(200);
  });

  test.each<[string, () => void]>([
    [
      'throws',
      () => {
        throw new Error('no log');
      },
    ],
    ['rejects', async () => Promise.reject(new Error('no log'))],
  ])('an onEvent that %s: a warning, and the request is answered', async (_, onEvent) => {
    const session = await lenet();
    await make(session, { onEvent });
    jest.spyOn(session, 'run').mockRejectedValueOnce(new Error('broken'));
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    try {
      const { status, json } = await predict(service, bytesOf(image()), octets);
      expect([status, json.error.code]).toEqual([500, 'ERR_INTERNAL']);
      expect(warn.mock.calls).toEqual([[expect.stringMatching(/^onEvent threw: Error: no log/), 'ReceptiveWarning']]);
    } finally {
      warn.mockRestore();
    }
    expect(service.pending).toBe(0);
  });

  test('headers that never end are cut off', async () => {
    await make(await lenet(), { timeout: 300 });
    const began = performance.now();
    const got = await talk(service, 'POST /predict HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    expect(got).toMatch(/^HTTP\/1.1 408 /);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test('a body that never ends is cut off, and frees its place', async () => {
    await make(await lenet(), { timeout: 300 });
    const got = await talk(
      service,
      'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: 3136\r\n\r\nabc',
    );
    expect(got).toMatch(/^HTTP\/1.1 (504|408) /);
    expect(service.pending).toBe(0);
  });
});

describe('pages', () => {
  test('health, readiness and the model', async () => {
    await make({ session: await lenet(), name: 'digits' });
    const page = async (path: string) => (await fetch(service.url + path)).json();
    expect(await page('/healthz')).toEqual({ status: 'ok' });
    expect(await page('/readyz')).toEqual({ status: 'ready' });
    expect(await page('/model')).toEqual({
      name: 'digits',
      inputs: [{ name: 'input', shape: ['N', 28, 28, 1], dtype: 'float32' }],
      outputs: [{ name: 'output', shape: [-1, 10], dtype: 'float32' }],
      labels: null,
      normalization: null,
      accepts: ['application/json', 'application/octet-stream'],
      batches: [1, 2, 4, 8, 16],
    });
  });

  test('metrics are well formed, and count', async () => {
    await make({ session: await lenet(), name: 'a "name"\\\n' });
    const before = await metricsOf();
    expect(before.get('receptive_ready')).toBe(1);
    await predict(service, bytesOf(image()), octets);
    await predict(service, 'x');
    const response = await fetch(`${service.url}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const samples = parseMetrics(await response.text());
    expect(samples.get('receptive_requests_total{route="/predict",status="200"}')).toBe(1);
    expect(samples.get('receptive_requests_total{route="/predict",status="400"}')).toBe(1);
    expect(samples.get('receptive_request_seconds_count')).toBe(1);
    const buckets = [...samples].filter(([name]) => name.startsWith('receptive_request_seconds_bucket')).map(([, n]) => n);
    expect(buckets).toEqual(buckets.toSorted((a, b) => a - b));
    expect(buckets.at(-1)).toBe(1);
    expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(1e7);
    expect([...samples.keys()].some((key) => key.includes('model="a \\"name\\"\\\\\\n"'))).toBe(true);
  });

  test('the description is that of the model', async () => {
    await make({ session: await lenet(), name: 'digits', labels: [...'0123456789'], images: { size: 28, channels: 1 } });
    // biome-ignore lint/suspicious/noExplicitAny: what it is like is what is tested
    const document: any = await (await fetch(`${service.url}/openapi.json`)).json();
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'digits' } });
    expect(Object.keys(document.paths)).toEqual(['/predict', '/model', '/healthz', '/readyz', '/metrics', '/openapi.json']);
    const { requestBody, responses } = document.paths['/predict'].post;
    // What numbers of an image must have had, which image files have done to them.
    const { normalization } = (await (await fetch(`${service.url}/model`)).json()) as { normalization: unknown };
    expect(normalization).toEqual({ mean: 0.459, std: 0.226 });
    for (const { description } of [
      requestBody.content['application/octet-stream'].schema,
      requestBody.content['application/json'].schema.properties.inputs.anyOf[1],
    ]) {
      expect(description).toContain('pixels / 255, less the mean [0.459], by the deviation [0.226] of each channel');
    }
    expect(Object.keys(requestBody.content)).toEqual(['application/json', 'application/octet-stream', 'image/*']);
    // The schema of the input takes what the service takes, and nothing else.
    const { anyOf } = requestBody.content['application/json'].schema.properties.inputs;
    const takes = (value: unknown) => anyOf.some((schema: Schema) => valid(schema, value));
    const whole = (n: number) => Array.from({ length: n }, () => Array.from({ length: 28 }, () => new Array(28).fill([0.5])));
    for (const [value, status] of [
      [whole(2), 200],
      [whole(1)[0], 200],
      [{ input: whole(1) }, 200],
      [{ data: new Array(784).fill(0), shape: [1, 28, 28, 1] }, 200],
      [whole(1)[0][0], 400],
      [{ output: whole(1) }, 400],
      ['text', 400],
    ] as const) {
      expect([takes(value), (await predict(service, { inputs: value })).status]).toEqual([status === 200, status]);
    }
    const { json } = await predict(service, { inputs: whole(1) });
    expect(valid(responses['200'].content['application/json'].schema, json)).toBe(true);
    // Every reference leads somewhere.
    for (const [, at] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      expect(at.split('/').reduce((value: Record<string, never>, key: string) => value?.[key], document)).toBeDefined();
    }
  });
});

interface Schema {
  type?: string;
  items?: Schema;
  anyOf?: Schema[];
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  minItems?: number;
  maxItems?: number;
}

/** What of JSON Schema the description uses. */
function valid(schema: Schema, value: unknown): boolean {
  if (schema.anyOf) return schema.anyOf.some((one) => valid(one, value));
  const { type, items, required = [], properties = {}, additionalProperties = true, minItems = 0, maxItems = Infinity } = schema;
  if (type === 'array') {
    return (
      Array.isArray(value) && value.length >= minItems && value.length <= maxItems && value.every((one) => !items || valid(items, one))
    );
  }
  if (type === 'object') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const others = Object.entries(value).filter(([key]) => !(key in properties));
    return (
      required.every((key) => key in value) &&
      Object.entries(properties).every(([key, one]) => !(key in value) || valid(one, (value as Record<string, unknown>)[key])) &&
      others.every(([, one]) => additionalProperties === true || (additionalProperties !== false && valid(additionalProperties, one)))
    );
  }
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type;
}

describe('another model', () => {
  const open = (factor: { now: number | Error }) => async (): Promise<Session> => {
    if (factor.now instanceof Error) throw factor.now;
    return slow(10, factor.now);
  };

  test('takes the place of the one that runs, and no request is lost', async () => {
    const factor: { now: number | Error } = { now: 2 };
    const events: string[] = [];
    await make(open(factor), { onEvent: ({ event }) => events.push(event) });
    let going = true;
    const seen = new Map<number, number>();
    const client = async () => {
      while (going) {
        const { status, json } = await predict(service, { inputs: [[1, 2]] });
        expect(status).toBe(200);
        const ratio = json.outputs.output[0][0];
        expect(json.outputs.output[0][1]).toBe(2 * ratio);
        seen.set(ratio, (seen.get(ratio) ?? 0) + 1);
      }
    };
    const clients = Promise.all([1, 2, 3, 4].map(client));
    try {
      await pause(100);
      factor.now = 3;
      await service.reload();
      factor.now = new Error('broken');
      await expect(service.reload()).rejects.toThrow('broken');
      await pause(100);
      factor.now = 5;
      await Promise.all([service.reload(), service.reload()]);
      await pause(100);
    } finally {
      going = false;
      await clients;
    }
    expect([...seen.keys()]).toEqual([2, 3, 5]);
    expect(events).toEqual(['reloaded', 'reloadFailed', 'reloaded', 'reloaded']);
    const samples = await metricsOf();
    expect([samples.get('receptive_reloads_total{result="ok"}'), samples.get('receptive_reloads_total{result="failed"}')]).toEqual([3, 1]);
  });

  test('that is the one that runs is refused, and goes on', async () => {
    const session = await slow(10);
    await make(async () => session);
    await expect(service.reload()).rejects.toThrow('reload: the session is the one that runs');
    expect((await predict(service, { inputs: [[1, 2]] })).status).toBe(200);
  });

  test.each([undefined, null, {}, { session: {} }, 'model'])('a function that opens %p instead of a model', async (nothing) => {
    const open = async () => nothing as unknown as Session;
    await expect(serve(open, { port: 0 })).rejects.toMatchObject({
      code: 'ERR_INVALID_TYPE',
      message: expect.stringMatching(/^serve: model/),
    });
    let opened = false;
    const events: unknown[] = [];
    const first = async () => {
      if (opened) return open();
      opened = true;
      return slow(10);
    };
    await make(first, { onEvent: (event) => events.push(event) });
    await expect(service.reload()).rejects.toMatchObject({ code: 'ERR_INVALID_TYPE' });
    expect(events).toEqual([{ event: 'reloadFailed', error: expect.objectContaining({ code: 'ERR_INVALID_TYPE' }) }]);
    expect((await metricsOf()).get('receptive_reloads_total{result="failed"}')).toBe(1);
    expect((await predict(service, { inputs: [[1, 2]] })).status).toBe(200);
  });

  test('one that is not open when the service stops is not waited for longer than for requests, and is freed', async () => {
    let opened = 0;
    let go = () => {};
    const waits = new Promise<void>((resolve) => {
      go = resolve;
    });
    const later = await slow(10);
    const first = async () => {
      if (opened++ === 0) return slow(10);
      await waits;
      return later;
    };
    await make(first, { stopTimeout: 600 });
    const reloaded = service.reload();
    reloaded.catch(() => {});
    await until(() => opened === 2);
    await service.stop();
    go();
    await expect(reloaded).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
    await expect(later.run({ input: { data: new Float32Array(2), shape: [1, 2] } })).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });

  test('one that cannot run, or whose rows depend on each other, is not taken', async () => {
    class Share extends nn.Module {
      forward(x: Tensor): Tensor {
        return ops.sub(x, ops.mean(x, { axis: 0, keepDims: true }));
      }
    }
    await expect(serve(await compile(new Share(), { input: ['N', 3] }), { port: 0 })).rejects.toThrow(
      /depends on the other rows .* maxBatch 1/,
    );
    await make(await compile(new Share(), { input: ['N', 3] }), { maxBatch: 1 });
    await expect(service.reload()).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });
});

test('stops by answering what has come', async () => {
  await make(await slow(200));
  const replies = [1, 2, 3].map((v) => predict(service, { inputs: [[v, v]] }));
  await until(() => service.pending === 3);
  const stopped = service.stop();
  expect(service.stop()).toBe(stopped);
  for (const [i, reply] of (await Promise.all(replies)).entries()) {
    expect([reply.status, reply.json.outputs.output[0][0], reply.headers.connection]).toEqual([200, 2 * (i + 1), 'close']);
  }
  await stopped;
  await expect(predict(service, { inputs: [[1, 1]] })).rejects.toThrow(/ECONNREFUSED/);
});

test('leaves no timer behind', async () => {
  const timers = new Set<NodeJS.Timeout & { _repeat: number | null; _destroyed: boolean }>();
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      if (type === 'Timeout') timers.add(resource as never);
    },
  }).enable();
  await make(await slow(10));
  expect((await predict(service, { inputs: [[1, 2]] })).status).toBe(200);
  expect([...timers].filter(({ _repeat }) => _repeat === 1000)).toHaveLength(1); // http's, which looks at connections
  await service.stop();
  hook.disable();
  expect([...timers].filter(({ _repeat, _destroyed }) => _repeat !== null && !_destroyed)).toEqual([]);
});

test('says that it stops while it still accepts', async () => {
  await make(await lenet(), { drain: 400 });
  const { url } = service;
  const stopped = service.stop();
  const ready = await fetch(`${url}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([503, { status: 'stopping' }]);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect((await predict({ url }, bytesOf(image()), octets)).status).toBe(200);
  await stopped;
});

describe('what serve is given', () => {
  const words = () => data.Tokenizer.fromJSON({ tokens: 'words', lowercase: true, maxLength: 8, vocabulary: ['<pad>', '<unknown>', 'a'] });
  let session: Session;
  beforeAll(async () => {
    session = await lenet();
  });
  afterAll(() => session.dispose());

  test.each<[object, RegExp]>([
    [{ labels: ['a'] }, /1 labels, output "output" is \[-1,10\], expected \[N,1\]/],
    [{ images: { size: 32, channels: 1 } }, /images are float32 \[N,32,32,1\], the model takes input float32 \[N,28,28,1\]/],
    [{ scores: 'odds' }, /scores is "odds"/],
    [{ tokenizer: {} }, /expected a Tokenizer/],
    [{ tokenizer: words() }, /texts are int32 \[N,L\], the model takes input float32 \[N,28,28,1\]/],
    [{ tokenizer: words(), images: { size: 28, channels: 1 } }, /a model takes either images or texts/],
    [{ images: { size: 28 } }, /images are float32 \[N,28,28,3\]/],
    [{ name: 5 }, /name is 5, expected a string/],
    [{ labels: 'abc' }, /labels is "abc", expected a list of strings/],
    [{ labels: [1, 2] }, /labels is \[1,2\], expected a list of strings/],
    [{ label: [] }, /an option name is "label"/],
  ])('%p', async (more, message) => {
    await expect(serve({ session, ...more } as Served, { port: 0 })).rejects.toThrow(message);
  });

  test.each<[object, RegExp]>([
    [{ port: 70_000 }, /port is 70000/],
    [{ maxBody: 0 }, /maxBody is 0/],
    [{ timeout: 0 }, /timeout is 0/],
    [{ host: '' }, /host is ""/],
    [{ watch: 'x' }, /expected a function that opens it/],
    [{ watch: 5 }, /watch is 5, expected the path of a file/],
    [{ onEvent: 'log' }, /onEvent is "log", expected a function/],
    [{ ports: 1 }, /an option name is "ports"/],
  ])('options %p', async (options, message) => {
    await expect(serve(session, options as ServeOptions)).rejects.toThrow(message);
  });

  test('a port that is taken', async () => {
    await make(await lenet());
    await expect(serve(session, { port: service.port })).rejects.toThrow(/EADDRINUSE/);
    // a session that the service opened itself is not left behind, nor one that does not go with what is said of it
    const opened = [await lenet(), await lenet()];
    await expect(serve(async () => opened[0]!, { port: service.port })).rejects.toThrow(/EADDRINUSE/);
    await expect(serve(async () => ({ session: opened[1]!, labels: ['a'] }), { port: 0 })).rejects.toThrow(/1 labels/);
    for (const one of opened) await expect(one.run({ input: zeros([1, 28, 28, 1]) })).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });

  test('an address of IPv6 stands in brackets, and an onEvent that throws no error is told of as it is', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    await make(lenet, {
      host: '::1',
      onEvent: () => {
        throw 'a text';
      },
    }).catch((error) => {
      if (error.code !== 'EADDRNOTAVAIL' && error.code !== 'EAFNOSUPPORT') throw error;
      return make(lenet, { onEvent: () => Promise.reject('a text') });
    });
    expect(service.url).toMatch(/^http:\/\/(\[::1\]|127\.0\.0\.1):\d+$/);
    await service.reload();
    expect(warned).toHaveBeenCalledWith('onEvent threw: a text', 'ReceptiveWarning');
    warned.mockRestore();
  });
});

'use strict';

// Image classification as a route of a Fastify service, with a network that `receptive train` saved. Requests that come at the same time
// run as one batch. `receptive serve` does the same and more by itself; this is how to have a network in a service of one's own.
//
//   npm run demo                                            trains LeNet-5 on the digits
//   node examples/fastify.cjs models/lenet5.safetensors --port 3000
//   curl -H 'Content-Type: image/png' --data-binary @seven.png http://127.0.0.1:3000/classify

const { parseArgs } = require('node:util');
const fastify = require('fastify');
const { Batcher, compile, data, loadModel, lowerThreadPriority, ops, tensor, tidy } = require('..');

const { values, positionals } = parseArgs({ allowPositionals: true, options: { port: { type: 'string', default: '3000' } } });

/** A model file says which network it holds, how its images are read, and what its classes are called. */
async function open(path) {
  const { model, input, images, labels } = await loadModel(path);
  if (!images) throw new Error(`${path}: takes no images`);
  return { session: await compile(model, { input, owned: true }), images, labels };
}

async function main() {
  lowerThreadPriority(); // the event loop goes before the threads that run the network
  const { session, images, labels } = await open(positionals[0] ?? 'models/lenet5.safetensors');
  const batcher = new Batcher(session, { maxBatch: 16, maxWait: 2, maxQueue: 128 });

  const app = fastify({ bodyLimit: 2 ** 23 });
  app.addContentTypeParser(/^image\//, { parseAs: 'buffer' }, async (_, body) => body);

  app.post('/classify', async (request, reply) => {
    const gone = new AbortController(); // a client that goes away gives up its place
    reply.raw.once('close', () => gone.abort());
    const pixels = await data.readImages([request.body], images);
    const feed = { data: await pixels.data(), shape: pixels.shape };
    pixels.dispose();
    const { output } = await batcher.run({ input: feed }, { signal: gone.signal });
    const shares = tidy(() => ops.softmax(tensor(output.data, output.shape)));
    const probabilities = [...(await shares.data())];
    shares.dispose();
    const best = probabilities.indexOf(Math.max(...probabilities));
    return { predicted: labels[best], probability: probabilities[best] };
  });

  app.setErrorHandler((error, _, reply) => {
    if (error.code === 'ERR_BUSY') return reply.code(503).header('Retry-After', '1').send({ error: 'too many requests wait' });
    if (error.code === 'ERR_FILE') return reply.code(400).send({ error: error.message }); // "the image: cannot be decoded: …"
    return reply.send(error);
  });

  app.addHook('onClose', async () => {
    await batcher.close();
    session.dispose();
  });
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => app.close());
  console.log(`listening at ${await app.listen({ port: Number(values.port) })}`);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});

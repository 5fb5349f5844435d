import type { Dtype } from '../dtype';
import type { SessionValue } from '../graph/feeds';
import { version } from '../native';
import { hasRows, varies } from './feeds';
import { mediaTypes, shapeHeader } from './inputs';
import type { Model } from './model';
import type { ServiceSettings } from './options';

// The description of a service by OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0), whose schemas are those of JSON Schema.

type Schema = Readonly<Record<string, unknown>>;

const ranges: Readonly<Record<Dtype, Schema>> = {
  float32: { type: 'number' },
  float64: { type: 'number' },
  int32: { type: 'integer', minimum: -(2 ** 31), maximum: 2 ** 31 - 1 },
  uint8: { type: 'integer', minimum: 0, maximum: 255 },
};

/** Arrays in arrays of a shape. */
function nested(shape: SessionValue['shape'], dtype: Dtype): Schema {
  return shape.reduceRight<Schema>(
    (items, n) => ({ type: 'array', items, ...(!varies(n) && { minItems: n, maxItems: n }) }),
    ranges[dtype],
  );
}

const described = ({ name, shape, dtype }: SessionValue): string =>
  `${name}: ${dtype} [${shape.map((n) => (n === -1 ? '?' : n)).join(', ')}]`;

/** What numbers must have had that are given for an image. */
const normalised = ({ normalization }: Model): string =>
  normalization ? `; pixels / 255, less the mean [${normalization.mean}], by the deviation [${normalization.std}] of each channel` : '';

/** What may be given for an input: the whole, one row of it, or its numbers in a row beside their shape. */
function inputSchema(value: SessionValue, rows: boolean, model: Model): Schema {
  const { shape, dtype } = value;
  const flat = {
    type: 'object',
    required: ['data', 'shape'],
    properties: {
      data: { type: 'array', items: ranges[dtype] },
      shape: { type: 'array', items: { type: 'integer', minimum: 0 }, minItems: shape.length, maxItems: shape.length },
    },
    additionalProperties: false,
  };
  return {
    description: described(value) + normalised(model),
    anyOf: [nested(shape, dtype), ...(rows ? [nested(shape.slice(1), dtype)] : []), flat],
  };
}

function bodies(model: Model): Record<string, { schema: Schema }> {
  const { inputs } = model.session;
  const rows = hasRows(model.session);
  const byName = {
    type: 'object',
    required: inputs.map(({ name }) => name),
    properties: Object.fromEntries(inputs.map((input) => [input.name, inputSchema(input, rows, model)])),
    additionalProperties: false,
  };
  const ofInputs = {
    type: 'object',
    required: ['inputs'],
    properties: { inputs: inputs.length === 1 ? { anyOf: [byName, inputSchema(inputs[0]!, rows, model)] } : byName },
    additionalProperties: false,
  };
  const ofTexts = {
    type: 'object',
    required: ['texts'],
    properties: { texts: { type: 'array', items: { type: 'string' }, minItems: 1 } },
    additionalProperties: false,
  };
  const schemas: Record<string, Schema> = {
    'application/json': model.tokenizer ? { oneOf: [ofInputs, ofTexts] } : ofInputs,
    'application/octet-stream': {
      type: 'string',
      format: 'binary',
      description: `${described(inputs[0]!)}, little-endian${normalised(model)}`,
    },
    'image/*': {
      type: 'string',
      format: 'binary',
      description: 'a PNG, JPEG, WebP, GIF, AVIF or TIFF file, brought to the size of the input',
    },
    'text/plain': { type: 'string' },
  };
  return Object.fromEntries(mediaTypes(model).map((type) => [type, { schema: schemas[type]! }]));
}

function answerSchema({ session, labels }: Model): Schema {
  const { outputs } = session;
  if (labels) {
    const names = { type: 'string', enum: [...new Set(labels)] };
    const likelihood = {
      type: 'object',
      required: ['label', 'probability'],
      properties: { label: names, probability: { type: 'number', minimum: 0, maximum: 1 } },
    };
    const prediction = {
      type: 'object',
      required: ['predicted', 'probabilities'],
      properties: {
        predicted: names,
        probabilities: { type: 'array', items: likelihood, minItems: 1, description: 'the most likely first' },
      },
    };
    return { type: 'object', required: ['predictions'], properties: { predictions: { type: 'array', items: prediction } } };
  }
  const byName = {
    type: 'object',
    required: outputs.map(({ name }) => name),
    properties: Object.fromEntries(
      outputs.map((output) => [output.name, { description: described(output), ...nested(output.shape, output.dtype) }]),
    ),
  };
  return { type: 'object', required: ['outputs'], properties: { outputs: byName } };
}

const error = (description: string, headers?: Schema) => ({
  description,
  ...(headers && { headers }),
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
});

const plain = (description: string, type = 'application/json') => ({ description, content: { [type]: {} } });

/** The document. */
export function openapi(model: Model, { maxBody, maxQueue, timeout }: ServiceSettings): Schema {
  const query = (name: string, description: string, schema: Schema) => ({ name, in: 'query', description, schema });
  const raw = mediaTypes(model).includes('application/octet-stream');
  const retry = { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer', minimum: 1 } } };
  const parameters = [
    ...(raw ? [query('shape', `of a raw tensor, such as 1,28,28,1; also the header ${shapeHeader}`, { type: 'string' })] : []),
    ...(model.labels ? [query('top', 'how many classes of each prediction', { type: 'integer', minimum: 1 })] : []),
  ];
  return {
    openapi: '3.1.0',
    info: {
      title: model.name,
      version,
      description: `${model.session.inputs.map(described).join('; ')} -> ${model.session.outputs.map(described).join('; ')}`,
    },
    paths: {
      '/predict': {
        post: {
          operationId: 'predict',
          summary: 'What the model makes of an input.',
          parameters,
          requestBody: { required: true, content: bodies(model) },
          responses: {
            200: {
              description: 'The answer. A request that accepts application/octet-stream gets the first output as little-endian numbers.',
              content: {
                'application/json': { schema: answerSchema(model) },
                'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
              },
            },
            400: error('The body is not what the model takes.'),
            408: { description: 'The request did not come in time.' },
            413: error(`The body is larger than ${maxBody} bytes, or its texts are once they are padded.`),
            415: error('The body is of another type.'),
            500: error('The model could not be run.'),
            503: error(`${maxQueue} requests are being answered already, or there is not enough memory.`, retry),
            504: error(`There was no answer within ${timeout} ms.`),
          },
        },
      },
      '/model': {
        get: {
          operationId: 'model',
          summary: 'Inputs, outputs and classes.',
          responses: { 200: plain('What the model takes and gives.') },
        },
      },
      '/healthz': { get: { operationId: 'healthz', summary: 'Whether the process works.', responses: { 200: plain('It does.') } } },
      '/readyz': {
        get: {
          operationId: 'readyz',
          summary: 'Whether to send requests.',
          responses: { 200: plain('Do.'), 503: plain('The service is stopping.') },
        },
      },
      '/metrics': {
        get: { operationId: 'metrics', summary: 'Metrics for Prometheus.', responses: { 200: plain('The metrics.', 'text/plain') } },
      },
      '/openapi.json': { get: { operationId: 'openapi', summary: 'This document.', responses: { 200: plain('The document.') } } },
    },
    components: {
      schemas: {
        Error: {
          type: 'object',
          required: ['error'],
          properties: {
            error: {
              type: 'object',
              required: ['code', 'message'],
              properties: { code: { type: 'string' }, message: { type: 'string' } },
            },
          },
        },
      },
    },
  };
}

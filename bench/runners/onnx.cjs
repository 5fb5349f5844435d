'use strict';
// ONNX files of a few nodes with random weights, written in the protocol buffers of onnx.proto (field numbers below).
const { values } = require('./serve.cjs');

/** A field of wire type 2: bytes, a string or a message; or of wire type 0: a whole number. */
function field(number, value) {
  if (typeof value === 'number') return Buffer.concat([varint(number << 3), varint(value)]);
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

function varint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return Buffer.from([...bytes, value]);
}

const message = (...fields) => Buffer.concat(fields.flat());

const INT = 2; // AttributeProto.Type
const INTS = 7;
const FLOAT = 1; // TensorProto.DataType

const attribute = (name, value) =>
  Array.isArray(value)
    ? message(field(1, name), field(20, INTS), ...value.map((each) => field(8, each)))
    : message(field(1, name), field(20, INT), field(3, value));

/** An operation on tensors by name. */
const node = (type, inputs, output, attributes = {}) =>
  message(
    inputs.map((name) => field(1, name)),
    field(2, output),
    field(4, type),
    Object.entries(attributes).map(([name, value]) => field(5, attribute(name, value))),
  );

function weights(name, dims) {
  const size = dims.reduce((a, b) => a * b);
  const { buffer } = values(size, 1 / Math.sqrt(size / dims[0]));
  return message(
    dims.map((dim) => field(1, dim)),
    field(2, FLOAT),
    field(8, name),
    field(9, Buffer.from(buffer)),
  );
}

function valueInfo(name, dims) {
  const shape = message(dims.map((dim) => field(1, field(1, dim))));
  return message(field(1, name), field(2, field(1, message(field(1, FLOAT), field(2, shape)))));
}

/** The bytes of a file: `nodes`, and the shapes of the `inputs`, `outputs` and `parameters` they name. */
function onnx({ nodes, inputs, outputs, parameters }) {
  const graph = message(
    nodes.map((bytes) => field(1, bytes)),
    field(2, 'bench'),
    Object.entries(parameters).map(([name, dims]) => field(5, weights(name, dims))),
    Object.entries(inputs).map(([name, dims]) => field(11, valueInfo(name, dims))),
    Object.entries(outputs).map(([name, dims]) => field(12, valueInfo(name, dims))),
  );
  const irVersion = 8;
  const opset = message(field(1, ''), field(2, 13));
  return message(field(1, irVersion), field(7, graph), field(8, opset));
}

module.exports = { node, onnx };

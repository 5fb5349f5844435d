'use strict';
// The network of lib/models/lenet5.ts as an ONNX file, with random weights, in the protocol buffers of onnx.proto (field numbers below).

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

const INTS = 7; // AttributeProto.Type
const FLOAT = 1; // TensorProto.DataType
const attribute = (name, values) => message(field(1, name), field(20, INTS), ...values.map((value) => field(8, value)));

const node = (type, inputs, output, attributes = {}) =>
  message(
    inputs.map((name) => field(1, name)),
    field(2, output),
    field(4, type),
    Object.entries(attributes).map(([name, values]) => field(5, attribute(name, values))),
  );

function weights(name, dims) {
  const size = dims.reduce((a, b) => a * b);
  const scale = 1 / Math.sqrt(size / dims[0]);
  const values = Float32Array.from({ length: size }, () => (Math.random() * 2 - 1) * scale);
  return message(
    dims.map((dim) => field(1, dim)),
    field(2, FLOAT),
    field(8, name),
    field(9, Buffer.from(values.buffer)),
  );
}

function valueInfo(name, dims) {
  const shape = message(dims.map((dim) => field(1, field(1, dim))));
  return message(field(1, name), field(2, field(1, message(field(1, FLOAT), field(2, shape)))));
}

function lenet5(batch) {
  const pool = { kernel_shape: [2, 2], strides: [2, 2] };
  // Linear weights are [in, out], as MatMul takes them.
  const parameters = {
    w1: [6, 1, 5, 5],
    b1: [6],
    w2: [16, 6, 5, 5],
    b2: [16],
    w3: [400, 120],
    b3: [120],
    w4: [120, 84],
    b4: [84],
    w5: [84, 10],
    b5: [10],
  };
  const nodes = [
    node('Conv', ['input', 'w1', 'b1'], 'c1', { pads: [2, 2, 2, 2] }),
    node('Relu', ['c1'], 'r1'),
    node('MaxPool', ['r1'], 'p1', pool),
    node('Conv', ['p1', 'w2', 'b2'], 'c2'),
    node('Relu', ['c2'], 'r2'),
    node('MaxPool', ['r2'], 'p2', pool),
    node('Flatten', ['p2'], 'f'),
    node('Gemm', ['f', 'w3', 'b3'], 'g3'),
    node('Relu', ['g3'], 'r3'),
    node('Gemm', ['r3', 'w4', 'b4'], 'g4'),
    node('Relu', ['g4'], 'r4'),
    node('Gemm', ['r4', 'w5', 'b5'], 'output'),
  ];
  const graph = message(
    nodes.map((bytes) => field(1, bytes)),
    field(2, 'lenet5'),
    Object.entries(parameters).map(([name, dims]) => field(5, weights(name, dims))),
    field(11, valueInfo('input', [batch, 1, 28, 28])),
    field(12, valueInfo('output', [batch, 10])),
  );
  const irVersion = 8;
  const opset = message(field(1, ''), field(2, 13));
  return message(field(1, irVersion), field(7, graph), field(8, opset));
}

module.exports = { lenet5 };

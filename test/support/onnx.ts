import { randn, type Tensor } from '../../lib';
import { type HostTensor, hostTensor } from '../../lib/formats/onnx/host';
import type { ValueInfo } from '../../lib/formats/onnx/proto';
import type { AttributeValue, OnnxAttribute, OnnxNode } from '../../lib/formats/onnx/read';
import { encodeOnnx } from '../../lib/formats/onnx/write';

// ONNX models as tests write them.

/** A node: operator, inputs, outputs and attributes, whose kinds are told from their values: integers are ints. */
export type NodeRow = readonly [
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes?: Readonly<Record<string, number | string | readonly number[] | HostTensor | { float: number }>>,
];

export interface ModelRow {
  nodes: readonly NodeRow[];
  initializers?: Readonly<Record<string, HostTensor>>;
  inputs: readonly (readonly [name: string, shape: readonly (number | string)[], type?: ValueInfo['type']])[];
  outputs: readonly (readonly [name: string, shape?: readonly (number | string)[], type?: ValueInfo['type']])[];
  opset?: number;
}

function attribute(value: number | string | readonly number[] | HostTensor | { float: number }): OnnxAttribute {
  if (typeof value === 'number') return { kind: 'int', value: BigInt(value) };
  if (typeof value === 'string') return { kind: 'string', value };
  if (Array.isArray(value)) return { kind: 'ints', value: value.map(BigInt) as unknown as AttributeValue };
  if ('float' in value) return { kind: 'float', value: value.float };
  return { kind: 'tensor', value: value as HostTensor };
}

export const nodeOf = ([operator, inputs, outputs, attributes = {}]: NodeRow): OnnxNode => ({
  name: `${operator}_${outputs[0]}`,
  operator,
  domain: '',
  inputs,
  outputs,
  attributes: new Map(Object.entries(attributes).map(([name, value]) => [name, attribute(value)])),
});

/** The bytes of a file. */
export function onnxFile({ nodes, initializers = {}, inputs, outputs, opset = 17 }: ModelRow): Uint8Array {
  const info = ([name, shape, type = 'float32']: ModelRow['outputs'][number]): ValueInfo => ({ name, type, shape: shape ?? null });
  return encodeOnnx({
    producer: 'test',
    opset,
    nodes: nodes.map(nodeOf),
    initializers: new Map(Object.entries(initializers)),
    inputs: inputs.map(info),
    outputs: outputs.map(info),
    metadata: new Map(),
  });
}

/** Weights of this shape, drawn at random. */
export function weights(...shape: number[]): HostTensor {
  const drawn: Tensor = randn(shape);
  return { type: 'float32', shape, data: drawn.dataSync() as Float32Array };
}

export const ints = (...values: number[]): HostTensor => hostTensor('int64', [values.length], values);

import { full } from '../../../create';
import * as ops from '../../../ops';
import { sizeOf } from '../../../shape';
import { dtypeFor, type ElementType, elementTypeOf, hostData, isBigType, isFloatType } from '../elementType';
import { type Cell, type HostTensor, hostTensor } from '../host';
import { cellsOf, mostCells } from '../hostOps';
import type { OnnxNode } from '../read';
import { Value } from '../value';
import { Attributes, type Call, input, integers, misshapen, type Operators, optional, scalar, unsupported } from './operator';
import { castTo } from './types';

/** What a Constant holds; null for what no tensor holds. Constants become initialisers when a model is imported. */
export function constantOf(node: OnnxNode): HostTensor | null {
  const attributes = new Attributes(node);
  const list = (type: ElementType, cells: readonly Cell[] | undefined) => cells && hostTensor(type, [cells.length], cells);
  const found = node.attributes;
  const value = found.get('value')?.kind === 'tensor' ? attributes.tensor('value') : undefined;
  return (
    value ??
    (found.has('value_float') ? hostTensor('float32', [], [attributes.float('value_float', 0)]) : undefined) ??
    (found.has('value_int') ? hostTensor('int64', [], [attributes.int('value_int', 0)]) : undefined) ??
    list('float32', attributes.floats('value_floats')) ??
    list('int64', attributes.ints('value_ints')) ??
    null
  );
}

function constantOfShape(call: Call): Value {
  const shape = integers(call, 0);
  if (!shape) throw misshapen('has no shape');
  if (shape.some((n) => !(Number.isInteger(n) && n >= 0))) throw misshapen(`shape [${shape}] is none`);
  const { type, data } = call.attributes.tensor('value') ?? hostTensor('float32', [1], [0]);
  const cell = (data as ArrayLike<Cell>)[0]!;
  const size = sizeOf(shape);
  if (size <= mostCells) return Value.ofHost(hostTensor(type, shape, new Array<Cell>(size).fill(cell)));
  // an operation, so that no memory is taken where only shapes are wanted
  return Value.of(type, ops.expand(full([], Number(cell), { dtype: dtypeFor(type)! }), shape));
}

/** The most numbers a Range gives: they are made on the host. */
const mostRange = 2 ** 22;

function range(call: Call): Value {
  const { run } = call;
  const { type } = input(call, 0);
  const [start, limit, delta] = [0, 1, 2].map((i) => scalar(call, i)) as [number, number, number];
  const count = Math.max(Math.ceil((limit - start) / delta), 0);
  if (!(count <= mostRange)) throw misshapen(`from ${start} to ${limit} by ${delta} are ${count} numbers`);
  const data = hostData(type, count);
  if (isBigType(type)) {
    const [first, by] = [0, 2].map((i) => BigInt(cellsOf(run.host(input(call, i)))[0]!)) as [bigint, bigint];
    for (let i = 0; i < count; i++) (data as BigInt64Array)[i] = first + BigInt(i) * by;
  } else {
    for (let i = 0; i < count; i++) (data as Float64Array)[i] = start + i * delta;
  }
  return Value.ofHost({ type, shape: [count], data });
}

/** The type a Cast goes to. */
function target(call: Call): ElementType {
  const like = optional(call, 1);
  if (like) return like.type;
  const code = call.attributes.int('to', 0);
  const type = elementTypeOf(code);
  if (!type) throw unsupported(`Cast to element type ${code}`);
  return type;
}

function cast(call: Call): Value {
  const x = input(call, 0);
  const type = target(call);
  if (x.type === type) return x;
  if (x.constant && x.size <= mostCells && x.type !== 'string' && type !== 'string') {
    const cells = Array.from(cellsOf(x.host!), (cell) => (isFloatType(type) ? Number(cell) : cell));
    return Value.ofHost(hostTensor(type, x.shape, cells));
  }
  return castTo(call.run, x, type);
}

function dropout(call: Call): Value[] {
  const { run, attributes } = call;
  const x = input(call, 0);
  const p = optional(call, 1) ? scalar(call, 1)! : attributes.float('ratio', 0.5);
  if ((scalar(call, 2) ?? 0) !== 0 && p > 0) throw unsupported('training_mode: call train() on the model instead');
  if (run.training && p > 0) {
    if (call.node.outputs.length > 1) throw unsupported('its mask while it drops');
    const value = run.float(x);
    return [run.like(x, ops.dropout(run.tensor(value), p, { training: true }))];
  }
  if (call.node.outputs.length < 2) return [x];
  return [x, Value.of('bool', full(x.shape, 1, { dtype: 'uint8' }))];
}

export const createOperators: Operators = {
  // What it holds became an initialiser, unless it is nothing that a tensor holds.
  Constant: {
    since: [1, 11, 12],
    unsupported: () => 'of texts, or sparse',
    run: ({ node }) => Value.ofHost(constantOf(node)!),
  },
  ConstantOfShape: { since: [9], host: [0], run: constantOfShape },
  Range: { since: [11], host: [0, 1, 2], run: range },
  Cast: {
    since: [6],
    unsupported: (attributes) => {
      const code = attributes.int('to', 0);
      const type = elementTypeOf(code);
      return type && type !== 'string' ? null : `to ${type ?? `element type ${code}`}`;
    },
    run: cast,
  },
  CastLike: { since: [15], run: cast },
  Dropout: { since: [7, 10, 12], host: [1, 2], run: dropout },
};

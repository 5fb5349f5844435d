import * as ops from '../../../ops';
import { type Shape, sizeOf } from '../../../shape';
import type { Tensor } from '../../../tensor';
import { inOrder, shaped, together, Value, widened } from '../value';
import { type Call, input, misshapen, type Operators, optional } from './operator';

/** A matrix with its axes exchanged; nothing is moved. */
function flipped(matrix: Value): Value {
  const order = matrix.order.map((axis) => 1 - axis);
  return new Value(matrix.type, matrix.shape.toReversed(), order, matrix.tensor, null);
}

/** alpha·A·B + beta·C. */
function gemm(call: Call): Value {
  const { run, attributes } = call;
  const given = input(call, 0);
  const read = (i: number, name: string): Value => {
    const matrix = run.float(input(call, i));
    if (matrix.rank !== 2) throw misshapen(`input ${i} has ${matrix.rank} axes, expected a matrix`);
    return attributes.flag(name) ? flipped(matrix) : matrix;
  };
  const [a, b] = [read(0, 'transA'), read(1, 'transB')];
  const c = optional(call, 2);
  const [alpha, beta] = [attributes.float('alpha', 1), attributes.float('beta', 1)];
  const [x, w] = [run.plain(a), run.arranged(b, [1, 0])];
  const columns = b.shape[1]!;
  const isBias = c !== null && alpha === 1 && beta === 1 && c.size === columns && (c.shape.at(-1) ?? 1) === columns;
  if (isBias) return Value.of(given.type, ops.linear(x, w, shaped(run.plain(run.float(c)), [columns])));
  const product = scaled(ops.linear(x, w), alpha);
  if (!c || beta === 0) return Value.of(given.type, product);
  const { tensors, order } = together(run, [Value.of(given.type, product), run.float(c)]);
  return Value.of(given.type, ops.add(tensors[0]!, scaled(tensors[1]!, beta)), order);
}

const scaled = (x: Tensor, factor: number): Tensor => (factor === 1 ? x : ops.mul(x, factor));

/** An order with one axis moved to the end of the memory. */
const withLast = (order: readonly number[], axis: number): number[] => [...order.filter((one) => one !== axis), axis];

/** The product of matrices in the last two axes, with NumPy's rules for vectors and for broadcasting. */
function matmul(call: Call): Value {
  const { run } = call;
  const given = input(call, 0);
  let [a, b] = [run.float(given), run.float(input(call, 1))];
  if (a.rank === 0 || b.rank === 0) throw misshapen('an input is a scalar, expected at least one axis');
  const [isRow, isColumn] = [a.rank === 1, b.rank === 1];
  if (isRow) a = Value.of(a.type, ops.reshape(run.plain(a), [1, a.size]));
  if (isColumn) b = Value.of(b.type, ops.reshape(run.plain(b), [b.size, 1]));
  const y = b.rank === 2 ? byMatrix(run, a, b) : batched(run, a, b);
  if (!isRow && !isColumn) return y;
  const shape = y.shape.filter((_, axis) => !(isRow && axis === y.rank - 2) && !(isColumn && axis === y.rank - 1));
  return Value.of(given.type, ops.reshape(run.plain(y), shape));
}

/** A layer with weights [K,N] on the last axis, which comes last in memory; the others stay as they are. */
function byMatrix(run: Call['run'], a: Value, b: Value): Value {
  const order = withLast(a.order, a.rank - 1);
  return Value.of(a.type, ops.linear(run.arranged(a, order), run.arranged(b, [1, 0])), order);
}

function batched(run: Call['run'], first: Value, second: Value): Value {
  const rank = Math.max(first.rank, second.rank);
  const [a, b] = [widened(run, first, rank), widened(run, second, rank)];
  const batch = inOrder(rank - 2).map((axis) => {
    const [m, n] = [a.shape[axis]!, b.shape[axis]!];
    if (m !== n && m !== 1 && n !== 1) throw misshapen(`batches [${a.shape}] and [${b.shape}] do not broadcast`);
    return m === 1 ? n : m;
  });
  const x = matrices(run, a, batch);
  const w = matrices(run, b, batch);
  const y = ops.matmul(x.tensor, w.tensor, { transposeA: x.turned, transposeB: w.turned });
  return Value.of(a.type, shaped(y, [...batch, ...y.shape.slice(-2)]));
}

/** A batch of matrices [B,M,N], or [B,N,M] where they lie so in memory. */
function matrices(run: Call['run'], value: Value, batch: Shape): { tensor: Tensor; turned: boolean } {
  const { rank } = value;
  const turned = value.place(rank - 1) < value.place(rank - 2);
  const order = turned ? [...inOrder(rank - 2), rank - 1, rank - 2] : inOrder(rank);
  const tensor = run.arranged(value, order);
  return { tensor: shaped(stretched(tensor, batch), [sizeOf(batch), ...tensor.shape.slice(-2)]), turned };
}

function stretched(tensor: Tensor, batch: Shape): Tensor {
  const fits = batch.every((n, axis) => n === tensor.shape[axis]);
  return fits ? tensor : ops.expand(tensor, [...batch, ...tensor.shape.slice(-2)]);
}

export const productOperators: Operators = {
  Gemm: {
    since: [6],
    weights: [1, 2],
    arrange: (i, rank, attributes) => (i === 1 && rank === 2 && !attributes.flag('transB') ? [1, 0] : null),
    run: gemm,
  },
  MatMul: {
    since: [1],
    weights: [1],
    arrange: (i, rank) => (i === 1 && rank === 2 ? [1, 0] : null),
    run: matmul,
  },
};

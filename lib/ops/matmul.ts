import { shapeError } from '../errors';
import { native } from '../native';
import { apply, checkTensor, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { whole } from '../reach';
import { type Shape, showShape, sizeOf } from '../shape';
import { Tensor } from '../tensor';
import { clip } from './rectifier';

/** Options of `matmul`. */
export interface MatmulOptions {
  /** Whether a is taken with its last two axes exchanged. Default false. */
  transposeA?: boolean;
  /** Whether b is. Default false. */
  transposeB?: boolean;
}

const names: OptionNames<MatmulOptions> = { transposeA: 'boolean', transposeB: 'boolean' };

type Attrs = Required<MatmulOptions>;

/** a · b outside of the tape, into a new tensor of this shape. */
export function product(a: Tensor, transposeA: boolean, b: Tensor, transposeB: boolean, shape: readonly number[]): Tensor {
  const y = Tensor.empty(shape, a.dtype);
  native.ops.matmul(a.id, b.id, 0, y.id, Number(transposeA), Number(transposeB), ...clip(null));
  return y;
}

const op: Op<[Tensor, Tensor], Attrs> = {
  name: 'matmul',
  infer([a, b], { transposeA, transposeB }) {
    const dtype = commonFloat('matmul', [a, b]);
    const where = () =>
      `(a ${showShape(a.shape)}${transposeA ? ' transposed' : ''}, b ${showShape(b.shape)}${transposeB ? ' transposed' : ''})`;
    if (a.rank !== b.rank || a.rank < 2 || a.rank > 3)
      throw shapeError('matmul', `expected two matrices or two batches of them ${where()}`);
    if (a.rank === 3 && a.shape[0] !== b.shape[0])
      throw shapeError('matmul', `a has ${a.shape[0]} matrices, b has ${b.shape[0]} ${where()}`);
    const [aRows, aColumns] = a.shape.slice(-2) as [number, number];
    const [bRows, bColumns] = b.shape.slice(-2) as [number, number];
    const [m, inner] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
    const [expected, n] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
    if (inner !== expected) throw shapeError('matmul', `a has ${inner} columns, b has ${expected} rows ${where()}`);
    return { shape: [...a.shape.slice(0, -2), m, n], dtype };
  },
  forward({ inputs: [a, b], attrs: { transposeA, transposeB }, output, needs, save }) {
    native.ops.matmul(a.id, b.id, 0, output.id, Number(transposeA), Number(transposeB), ...clip(null));
    save(needs[1] ? a : null, needs[0] ? b : null);
  },
  // With A and B what is multiplied, dA = g Bᵀ and dB = Aᵀ g; of a transposed operand the transpose of that.
  backward(g, { saved: [a, b], shapes, needs, attrs: { transposeA, transposeB } }) {
    const [aShape, bShape] = shapes as [Shape, Shape];
    const da = () => (transposeA ? product(b!, transposeB, g, true, aShape) : product(g, false, b!, !transposeB, aShape));
    const db = () => (transposeB ? product(g, true, a!, transposeA, bShape) : product(a!, !transposeA, g, false, bShape));
    return [needs[0] ? da() : null, needs[1] ? db() : null];
  },
  linear: () => 'any',
  reach([a, b], { transposeA, transposeB }, { length }) {
    const [row, column] = [length - 2, length - 1];
    const batch: [number, number][] = length === 3 ? [[0, 0]] : [];
    return [whole(a!.length, ...batch, [transposeA ? column : row, row]), whole(b!.length, ...batch, [transposeB ? row : column, column])];
  },
  macs: ([a], { transposeA }, output) => sizeOf(output) * a!.at(transposeA ? -2 : -1)!,
};

/**
 * The matrix product of a [M,K] and b [K,N], [M,N]; or of each pair of matrices in two batches [B,M,K] and [B,K,N].
 * @throws RangeError where the inner dimensions or the batches differ.
 * @example
 * ops.matmul(tensor([[1, 2]]), tensor([[3], [4]])); // [[11]]
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  checkTensor('matmul', 'a', a);
  checkTensor('matmul', 'b', b);
  checkOptions('matmul', options, names);
  const { transposeA = false, transposeB = false } = options;
  return apply(op, [a, b], { transposeA, transposeB });
}
